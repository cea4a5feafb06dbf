"""CVA: what the tags of a machine do together and one after the other, against what they did when it was healthy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.arrays import State
from ml.channels import Channels
from ml.detectors.cva_fit import CARRY, LAMBDA, PAST, expected, learn_cva
from ml.per_asset import PerAsset
from ml.plain import flags, floats, wholes
from ml.scoring import Chunk, Flags, Floats, History, Ints, Learned, Noted, Score, undecided
from realtime.events import AlertType, Because
from realtime.settings import Settings

OFF = 0.8  # of the limit: an alarm ends below it
CEILING = 4.0  # limits: smoothed energy goes no higher, so that an alarm ends soon after its cause, however strong that was
NEVER = -(10**12)


class Cva(PerAsset):
    """Good at: machines of six and more tags whose control loops hide a fault from every single tag. Bad at: saying what broke
    (it names the tags), and at operating points that the baseline does not have.

    A row is the mean of 10 s of every joint tag (one reading of slow ones); x = the newest two rows, standardised. Energy of
    the canonical variates that predict the next rows (correlation > 0.6: states) and of the others (rest), each EWMA 0.1;
    score = the larger energy / limit, limits from left-out thirds of the baseline. Share of a tag: its reconstruction-based
    contribution (A x)_k^2 / A_kk above the two that healthy rows have. Warm-up: two rows. Cost: about 0.4 us a reading in batches
    of 2,000 (10 tags a machine, one reading a second). Source: Russell, Chiang, Braatz 2000; Alcala, Qin 2009.
    """

    name = "cva"
    type = AlertType.ANOMALY
    codes = ("relation",)
    STATE = ("sum", "count", "value", "value_t", "former", "share")
    GROUP_STATE = ("open", "chain", "energies", "strength", "alarm", "onset")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        self.channels = channels
        self.keys, self.group_keys = channels.tag_keys(), channels.asset_keys()
        n, groups = len(channels), len(channels.assets)
        self.period_ms = channels.period_s * 1000
        self.joint, self.expected = np.zeros(n, bool), np.ones(n, np.int64)
        self.mean, self.std = np.zeros(n), np.ones(n)
        self.sum, self.count = np.zeros(n), np.zeros(n, np.int64)
        self.value, self.value_t = np.full(n, np.nan), np.full(n, NEVER)  # of the newest row that had readings
        self.former = np.full(n, np.nan)  # z of the former row
        self.share = np.zeros((n, 2))  # smoothed contributions to both energies
        self.row_ms = np.ones(groups, np.int64)
        self.open = np.full(groups, NEVER)  # the block whose readings are collected; one below it is closed
        self.chain = np.full(groups, NEVER)  # the block of the former whole row
        self.energies, self.limits = np.full((groups, 2), np.nan), np.ones((groups, 2))
        self.strength = np.zeros((groups, 2))  # the same over their limits and without a ceiling: which of the two leads
        self.alarm, self.onset = np.zeros(groups, bool), np.zeros(groups, np.int64)
        self.calibrated_t = np.array([tag.calibrated_at or 0 for tag in channels.tags], np.int64)
        self._members: dict[int, Ints] = {}  # asset row -> slots in the order of the model
        self._matrices: dict[int, Floats] = {}
        self._joint, self._expected, self._sum, self._count = (
            flags(self.joint),
            wholes(self.expected),
            floats(self.sum),
            wholes(self.count),
        )
        self._open_row, self._row_ms, self._asset = wholes(self.open), wholes(self.row_ms), wholes(channels.asset)
        self._lists: dict[int, list[int]] = {}  # `_members` as lists

    def learn(self, history: History) -> Learned:
        """Means, spreads, energies and limits."""
        return learn_cva(history)

    def load(self, slots: Ints, learned: Learned) -> None:
        """Put a model in force; not where one of its tags is gone or was calibrated since."""
        if not {"joint", "energy", "limits"} <= learned.keys():
            return
        joint = learned["joint"]
        mine = slots[joint]
        if not len(mine) or (mine < 0).any() or (self.calibrated_t[mine] > int(learned["level_t"][0])).any():
            return
        row = int(self.channels.asset[mine[0]])
        self.mean[mine], self.std[mine] = learned["mean"][joint], learned["std"][joint]
        self.row_ms[row] = int(learned["row_ms"][0])
        self.expected[mine] = np.maximum(np.round(self.row_ms[row] / self.period_ms[mine]), 1)
        former = self._members.get(row, np.empty(0, np.int64))
        self.joint[former] = False
        self.joint[mine] = True
        self._members[row], self._matrices[row], self._lists[row] = mine, learned["energy"], mine.tolist()
        self.limits[row] = learned["limits"]
        if np.isnan(self.energies[row]).any() or not np.array_equal(former, mine):
            self.energies[row] = expected(learned["energy"])

    def adopt(self, state: State) -> None:
        """Take over what is still here; a machine whose model came after the state was saved starts as healthy."""
        fresh = self.energies.copy()
        super().adopt(state)
        unset = np.isnan(self.energies)
        self.energies[unset] = fresh[unset]

    def note_machine(self, readings: Sequence[Noted]) -> int:
        """Readings of one row, as far as `note` takes them; none where they are of several."""
        return self._note_each(readings, self._row_ms[self._asset[readings[0][0]]])

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A reading that ends no row: see `Noting`."""
        if not self._joint[s]:
            return True
        asset = self._asset[s]
        block, count = t // self._row_ms[asset], self._count[s] + 1
        if block != self._open_row[asset]:
            return block < self._open_row[asset]  # too late for its row
        if count >= self._expected[s] and all(self._count[k] >= self._expected[k] for k in self._lists[asset] if k != s):
            return False
        self._sum[s] += v
        self._count[s] = count
        return True

    def score(self, chunk: Chunk) -> Score | None:
        """Judge the machines whose row this reading ends."""
        chunk = chunk.only(self.joint[chunk.slots])
        if not len(chunk):
            return None
        asset = self.channels.asset[chunk.slots]
        block = chunk.t // self.row_ms[asset]
        newest = np.full(len(self.open), NEVER)
        np.maximum.at(newest, asset, block)
        passed = np.flatnonzero((newest > self.open) & (self.open != NEVER))
        scores = [self._close(passed[self._heard(passed)])]
        self._open(np.flatnonzero(newest > self.open), newest)
        self.chain[asset[chunk.fresh]] = NEVER  # a gap in one tag breaks the row of all
        mine = block == self.open[asset]
        self.sum[chunk.slots[mine]] += chunk.v[mine]
        self.count[chunk.slots[mine]] += 1
        touched = np.unique(asset[mine])
        full = np.array([bool((self.count[self._members[a]] >= self.expected[self._members[a]]).all()) for a in touched.tolist()], bool)
        scores.append(self._close(touched[full]))
        return _joined([score for score in scores if score is not None])

    def _heard(self, assets: Ints) -> Flags:
        return np.array([bool(self.count[self._members[a]].any()) for a in assets.tolist()], bool)

    def _open(self, assets: Ints, block: Ints) -> None:
        for a in assets.tolist():
            self.sum[self._members[a]], self.count[self._members[a]] = 0.0, 0
        self.open[assets] = block[assets]

    def _close(self, assets: Ints) -> Score | None:
        """Rows of these machines are over; machines with equally many tags are judged in one pass."""
        parts = []
        widths = np.array([len(self._members[a]) for a in assets.tolist()], np.int64)
        for width in np.unique(widths):
            parts.append(self._judge(assets[widths == width]))
        return _joined([part for part in parts if part is not None])

    def _judge(self, assets: Ints) -> Score | None:
        members = np.stack([self._members[a] for a in assets.tolist()])
        block = self.open[assets]
        self.open[assets] = block + 1  # what still comes of this block is too late
        end = (block + 1) * self.row_ms[assets]
        counted = self.count[members] > 0
        heard = members[counted]
        self.value[heard] = self.sum[heard] / self.count[heard]
        self.value_t[heard] = (
            np.broadcast_to(block[:, None], members.shape)[counted] * np.broadcast_to(self.row_ms[assets][:, None], members.shape)[counted]
        )
        self.sum[members], self.count[members] = 0.0, 0
        age = (block * self.row_ms[assets])[:, None] - self.value_t[members]
        whole = (age <= CARRY * self.row_ms[assets][:, None]).all(axis=1)
        z = (self.value[members] - self.mean[members]) / self.std[members]
        ready = whole & (self.chain[assets] == block - 1)
        x = np.concatenate([z, self.former[members]], axis=1)[ready]
        self.former[members[whole]] = z[whole]
        self.chain[assets] = np.where(whole, block, NEVER)
        if not ready.any():
            return None
        self._fold(assets[ready], members[ready], x)
        return self._decide(assets[ready], end[ready])

    def _fold(self, assets: Ints, members: Ints, x: Floats) -> None:
        """Smoothed energies and contributions; x float64 (n, 2c)."""
        matrices = np.stack([self._matrices[a] for a in assets.tolist()])
        pull = np.matmul(matrices, x[:, None, :, None])[..., 0]
        energy = (pull * x[:, None, :]).sum(axis=2)
        smoothed = self.energies[assets] + LAMBDA * (energy - self.energies[assets])
        self.energies[assets] = np.minimum(smoothed, CEILING * self.limits[assets])
        self.strength[assets] += LAMBDA * (energy / self.limits[assets] - self.strength[assets])
        stiffness = np.maximum(np.diagonal(matrices, axis1=2, axis2=3), 1e-12)
        contribution = (pull * pull / stiffness).reshape(len(assets), 2, PAST, -1).sum(axis=2)
        self.share[members] += LAMBDA * (np.moveaxis(contribution, 1, 2) - self.share[members])

    def _decide(self, assets: Ints, end: Ints) -> Score:
        ratio = (self.energies[assets] / self.limits[assets]).max(axis=1)
        was = self.alarm[assets]
        active = (ratio >= 1.0) | (was & (ratio >= OFF))
        self.onset[assets[active & ~was]] = end[active & ~was]
        self.alarm[assets] = active
        shown = np.where(active, np.maximum(ratio, 1.0), ratio)
        n = len(assets)
        reading = np.full(n, np.nan)
        codes, slots = np.zeros(n, np.int64), np.full(n, -1)
        return Score(assets, shown, np.ones(n), active, codes, slots, end, self.onset[assets], reading, undecided(n))

    def judges(self, row: int) -> bool:
        """This asset has a model."""
        return row in self._members

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """Shares of the tags in the energy that is further beyond its limit, above what healthy rows have; largest first."""
        slots = self._members.get(row, np.empty(0, np.int64))
        return self.shares(slots, np.maximum(self.share[slots, int(np.argmax(self.strength[row]))] - PAST, 0.0))


def _joined(scores: list[Score]) -> Score | None:
    if len(scores) <= 1:
        return scores[0] if scores else None
    return Score(*(np.concatenate([getattr(score, name) for score in scores]) for name in Score.__dataclass_fields__))
