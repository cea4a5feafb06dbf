"""Novelty: a value, a shift of level or a spread unlike any that the tag has shown before."""

from __future__ import annotations

import numpy as np

from ml.arrays import State
from ml.channels import Channels
from ml.detectors.novelty_at_rest import AtRest
from ml.detectors.novelty_memory import Memory
from ml.per_tag import PerTag
from ml.plain import flags, floats, wholes
from ml.scoring import Chunk, Flags, Floats, History, Ints, Learned, Score
from realtime.events import AlertType
from realtime.settings import Settings

LIMIT = 1.5
LEAST_CELLS, MOST_CELLS = 150, 3000  # of a baseline
LEAST_HOLD, MOST_HOLD = 20.0, 375.0  # cells of hold-off; half the baseline between them
BACK_CELLS = 3  # so many cells below the limit in a row end an alarm
NEVER = -1


class Novelty(PerTag):
    """Good at: what nobody thought of, on one tag: a value, a step or an unrest not seen before, over hours and days. Bad at:
    what has happened before (known is not new, even when it is wrong), and slow creep, each step of which is near the last.

    A cell is one aggregation window's mean, or one reading of a tag that is read more slowly. Each cell's value, the mean of 40
    cells less that of the 400 before, and the spread of 5 are compared with the nearest ever seen; z of that distance against
    the usual ones; score = log2(1 + greatest z), alarm at 1.5 (z = 1.8), one alarm an event (see `Memory.held`). Advisory.
    Warm-up: a baseline of 150 cells, then one cell; about 0.1 us a reading at one a second. Source: ML.md 3.9.
    """

    name = "novelty"
    type = AlertType.ANOMALY
    codes = ("novel_value", "novel_shift", "novel_spread")
    STATE = ("block", "sum", "count", "broken", "active", "quiet", "kind", "onset", "held", "made_t", "calibrated_t")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        super().__init__(channels)
        n = len(channels)
        self.block_ms = round(settings.aggregation_window_s * 1000)
        names = settings.novelty
        wanted = channels.analogue & np.array(["*" in names or tag.name.lower() in names for tag in channels.tags], bool)
        self.row = np.where(wanted, np.cumsum(wanted) - 1, -1)  # in the memory: tags that are not asked for cost nothing
        self.memory = Memory([key for key, one in zip(self.keys, wanted, strict=True) if one])
        self.whole = channels.period_s * 1000 >= self.block_ms  # each reading is a cell
        self.least = np.maximum(settings.aggregation_window_s / channels.period_s / 2, 1.0)  # readings that make a cell
        self.block, self.sum, self.count = np.full(n, NEVER, np.int64), np.zeros(n), np.zeros(n, np.int64)
        self.broken = np.ones(n, bool)  # the next cell does not follow on the last
        self.active, self.quiet, self.kind = np.zeros(n, bool), np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.onset, self.held = np.zeros(n, np.int64), np.zeros(n)
        self.made_t = np.full(n, NEVER, np.int64)
        self.ready = np.zeros(n, bool)  # chosen, and has learned
        self.calibrated_t = np.array([tag.calibrated_at or 0 for tag in channels.tags], np.int64)
        self._ready, self._whole, self._least = flags(self.ready), flags(self.whole), floats(self.least)
        self._block_of, self._sum, self._count = wholes(self.block), floats(self.sum), wholes(self.count)
        self._row, self._broken, self._active = wholes(self.row), flags(self.broken), flags(self.active)
        self._quiet, self._kind, self._held = wholes(self.quiet), wholes(self.kind), floats(self.held)
        self.at_rest = AtRest(self.memory)

    def learn(self, history: History) -> Learned:
        """The memory of each tag after its baseline, cell by cell; nothing for tags that are not asked for or know too little."""
        rows = self.row[self.channels.slots_of(np.array([tag.id for tag in history.tags], np.uint32))]
        cells = [self._cells(i, history) if rows[i] >= 0 else np.zeros((0, 2)) for i in range(len(history.tags))]
        cells = [one if len(one) >= LEAST_CELLS else one[:0] for one in cells]
        if not any(len(one) for one in cells):
            return {}
        memory = Memory([str(tag.id) for tag in history.tags])
        for i, one in enumerate(cells):
            if len(one):
                memory.fit(i, one[:, 1], float(np.clip(len(one) // 2, LEAST_HOLD, MOST_HOLD)))
        length = np.array([len(one) for one in cells])
        for k in range(int(length.max())):
            here = np.flatnonzero(length > k)
            memory.step(here, np.array([cells[i][k, 1] for i in here]), np.full(len(here), k == 0))
        made = np.array([int(one[-1, 0]) if len(one) else NEVER for one in cells], np.int64)
        return {"made_t": made, **{name: getattr(memory, name) for name in Memory.STATE}}

    def _cells(self, i: int, history: History) -> Floats:
        """float64 (n, 2): ms UTC at the end, mean, of the last MOST_CELLS whole cells."""
        series, period_ms = history.series[i], history.tags[i].period_s * 1000
        if period_ms >= self.block_ms:
            return np.stack([series.t, series.v], axis=1)[-MOST_CELLS:].astype(np.float64)
        block, at, count = np.unique(series.t // self.block_ms, return_index=True, return_counts=True)
        if not len(block):
            return np.zeros((0, 2))
        means = np.add.reduceat(series.v, at) / count
        whole = count >= max(self.block_ms / period_ms / 2, 1.0)
        return np.stack([(block + 1) * self.block_ms, means], axis=1)[whole][-MOST_CELLS:].astype(np.float64)

    def load(self, slots: Ints, learned: Learned) -> None:
        """Put a baseline's memory in force, unless the tag's own began with it or its instrument was calibrated since."""
        if "made_t" not in learned:
            return
        made = learned["made_t"]
        at = np.flatnonzero((slots >= 0) & (made != NEVER))
        at = at[(self.row[slots[at]] >= 0) & (self.made_t[slots[at]] != made[at]) & (made[at] >= self.calibrated_t[slots[at]])]
        s = slots[at]
        for name in Memory.STATE:
            getattr(self.memory, name)[self.row[s]] = learned[name][at]
        self.made_t[s], self.broken[s], self.active[s], self.quiet[s] = made[at], True, False, 0
        self.ready[s] = True

    def judges(self, row: int) -> bool:
        """The tag is chosen and has a memory."""
        return self._ready[row]

    def export(self) -> State:
        """Both: what a tag's cell holds and what the tag remembers."""
        own, memory = super().export(), self.memory.export()
        return State(own.keys, own.arrays, memory.keys, memory.arrays)

    def adopt(self, state: State) -> None:
        """Take over what is still here; a tag calibrated meanwhile begins to remember anew."""
        now = self.calibrated_t.copy()
        super().adopt(State(state.keys, state.arrays))
        self.memory.adopt(State(state.group_keys, state.group_arrays))
        calibrated = np.flatnonzero((self.calibrated_t != now) & (self.row >= 0))
        self.calibrated_t = now
        self.memory.forget(self.row[calibrated])
        self.active[calibrated] = False
        self._cut(calibrated)
        self.ready[self.row >= 0] = np.isfinite(self.memory.mean)
        self.made_t[~self.ready] = NEVER  # chosen again after a while without: it learns its baseline once more

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A reading whose cell, if it ends one, is nothing to tell: see `Noting`."""
        if not self._ready[s]:
            return True
        if self._whole[s]:
            return self._end(s, v)
        block, former, count = t // self.block_ms, self._block_of[s], self._count[s]
        if block > former:
            if former != NEVER and count >= self._least[s] and not self._end(s, self._sum[s] / count):
                return False
            self._block_of[s], self._sum[s], count = block, 0.0, 0
        self._sum[s] += v
        self._count[s] = count + 1
        return True

    def _end(self, s: int, cell: float) -> bool:
        """The same as `_judge` of one cell; False, and nothing changed, where an alarm stands or begins."""
        if self._active[s]:
            return False
        known = self.at_rest.end(self._row[s], cell, fresh=self._broken[s], limit=LIMIT)
        if known is None:
            return False
        self._broken[s], self._held[s] = False, known.held
        self._quiet[s] = self._quiet[s] + 1 if known.surprised[self._kind[s]] < LIMIT else 0
        return True

    def score(self, chunk: Chunk) -> Score | None:
        """Every tag that a reading has given a whole cell."""
        if not self.memory.keys:
            return None
        chunk = chunk.only(self.ready[chunk.slots])
        s = chunk.slots
        if not len(s):
            return None
        if chunk.fresh.any():
            self._cut(s[chunk.fresh])
        whole = self.whole[s]
        if not whole.any():
            closed, means, began = self._block(chunk)
            return self._judge(closed, means, began, began + self.block_ms) if len(closed) else None
        now = chunk.only(whole)
        closed, means, began = self._block(chunk.only(~whole))
        slots, cells = np.concatenate([now.slots, closed]), np.concatenate([now.v, means])
        return self._judge(slots, cells, np.concatenate([now.t, began]), np.concatenate([now.t, began + self.block_ms]))

    def _cut(self, s: Ints) -> None:
        """Half a cell says nothing, and what comes does not follow on what was."""
        self.sum[s], self.count[s], self.block[s], self.broken[s] = 0.0, 0, NEVER, True

    def _block(self, chunk: Chunk) -> tuple[Ints, Floats, Ints]:
        """Add readings; slots, means and beginnings (ms UTC) of the cells that they close."""
        s, block = chunk.slots, chunk.t // self.block_ms
        moved = block > self.block[s]
        closed, means, began = s[:0], np.zeros(0), s[:0]
        if moved.any():
            old = s[moved]
            closed = old[(self.block[old] != NEVER) & (self.count[old] >= self.least[old])]
            means, began = self.sum[closed] / self.count[closed], self.block[closed] * self.block_ms
            self.sum[old], self.count[old], self.block[old] = 0.0, 0, block[moved]
        self.sum[s] += chunk.v
        self.count[s] += 1
        return closed, means, began

    def _judge(self, s: Ints, cells: Floats, began: Ints, t: Ints) -> Score:
        surprised = self.memory.step(self.row[s], cells, self.broken[s])
        self.broken[s] = False
        self.held[s] = self.memory.held(self.row[s], surprised.max(axis=1), LIMIT / 2)
        active = self._decide(s, surprised, began)
        value = np.where(active, np.maximum(self.held[s], LIMIT), np.minimum(self.held[s], 0.999 * LIMIT))
        n = len(s)
        advisory = np.zeros(n, np.int64)
        return Score(s, value, np.full(n, LIMIT), active, self.kind[s], s, t, self.onset[s], cells, advisory)

    def _decide(self, s: Ints, surprised: Floats, began: Ints) -> Flags:
        own = surprised[np.arange(len(s)), self.kind[s]]  # it ends with what began it
        self.quiet[s] = np.where(own < LIMIT, self.quiet[s] + 1, 0)
        over = s[self.active[s] & (self.quiet[s] >= BACK_CELLS)]
        starts = ~self.active[s] & (self.held[s] >= LIMIT)
        new = s[starts]
        self.active[over] = False
        self.active[new], self.quiet[new], self.onset[new] = True, 0, began[starts]
        self.kind[new] = surprised[starts].argmax(axis=1)
        return self.active[s]
