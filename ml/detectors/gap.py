"""Gap: a tag that should have spoken has not; a timer says so, not the next reading."""

from __future__ import annotations

import numpy as np

from ml.arrays import Keyed
from ml.channels import Channels
from ml.plain import flags, singles, wholes
from ml.scoring import Chunk, Flags, Floats, History, Ints, Learned, Score, undecided
from realtime.events import AlertType, Because
from realtime.settings import Settings

RING = 50
MIN_KNOWN = 3  # intervals before the publish interval counts as learned
GRACE_S = 3.0  # of scheduling and network, on top of the limit
STALL_S = 12.0  # a source that says nothing at all for so long is silent itself; the collector reports a lost one well before
UNLEARNED_S = 30.0
START_GRACE_MS = 30_000
WARNING = 1


class Gap(Keyed):
    """Good at: a single silent tag on a live source. Bad at: devices that report only changes and rarely (their own longest
    interval counts then).

    Limit: 2 x the median of the last 50 intervals, at least 2 polls and the longest of these intervals. A tag whose source is
    lost (`lose`, from the collector's BAD/COMM samples) has no gap; one that stays away when the source is back has one. Where
    every tag of a machine is silent, that is one gap of the machine, tag None. Warm-up 3 intervals; about 0.03 us a reading,
    the medians by the timer for silent tags only.
    """

    name = "gap"
    type = AlertType.DATA_GAP
    codes = ("silence",)
    STATE = ("ring", "seen", "heard_at", "last_t", "active")
    GROUP_STATE = ("machine_active", "machine_onset")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        self.channels = channels
        self.keys, self.group_keys = channels.tag_keys(), channels.asset_keys()
        n, groups = len(channels), len(channels.assets)
        self.ring = np.full((n, RING), np.nan, np.float32)
        self.seen = np.zeros(n, np.int64)
        self.heard_at, self.last_t = np.zeros(n, np.int64), np.zeros(n, np.int64)  # 0 = never: no gap before the first reading
        self.active = np.zeros(n, bool)
        self.machine_active, self.machine_onset = np.zeros(groups, bool), np.zeros(groups, np.int64)
        sources = int(channels.source.max(initial=-1)) + 1
        self.lost_at, self.back_at = np.zeros(sources, np.int64), np.ones(sources, np.int64)
        self.addressed = np.array([not tag.virtual for tag in channels.tags], bool)
        self.members = channels.grouped(self.addressed)
        self.live_at = 0  # nobody listened before
        slowest = np.zeros(sources)
        np.maximum.at(slowest, channels.source, channels.period_s)
        self.stall_ms = (np.maximum(STALL_S, 4 * slowest) * 1000)[channels.source].astype(np.int64)
        self._seen, self._heard_at, self._last_t = wholes(self.seen), wholes(self.heard_at), wholes(self.last_t)
        self._active, self._machine_active = flags(self.active), flags(self.machine_active)
        self._source, self._ring = wholes(channels.source), singles(self.ring)
        self._lost_at, self._back_at = wholes(self.lost_at), wholes(self.back_at)

    def learn(self, history: History) -> Learned:
        """Nothing: intervals are learned live."""
        return {}

    def load(self, slots: Ints, learned: Learned) -> None:
        """Nothing."""

    def hear(self, s: int, asset: int, t: int, at: int, fresh: bool) -> bool:
        """A reading of a tag that nobody missed: as `Noting.note`, with what only a gap is judged by."""
        source = self._source[s]
        if self._active[s] or self._machine_active[asset] or self._back_at[source] <= self._lost_at[source]:
            return False
        last_t = self._last_t[s]
        if last_t > 0 and not fresh:
            seen = self._seen[s]
            self._ring[s * RING + seen % RING] = (t - last_t) / 1000
            self._seen[s] = seen + 1
        self._last_t[s], self._heard_at[s] = t, at
        return True

    def score(self, chunk: Chunk) -> Score | None:
        """Note the intervals; tags that speak again are judged at once."""
        s = chunk.slots
        known = (self.last_t[s] > 0) & ~chunk.fresh & ~self.active[s]
        interval = (chunk.t - self.last_t[s]) / 1000
        k = s[known]
        self.ring[k, self.seen[k] % RING] = interval[known]
        self.seen[k] += 1
        self.last_t[s], self.heard_at[s] = chunk.t, chunk.at
        source = self.channels.source[s]
        returned = self.back_at[source] <= self.lost_at[source]
        self.back_at[source[returned]] = chunk.at[returned]
        back = chunk.only(self.active[s] | self.machine_active[self.channels.asset[s]])
        return self._returned(back) if len(back) else None

    def _returned(self, chunk: Chunk) -> Score:
        s = chunk.slots
        was = s[self.active[s]]
        self.active[s] = False
        groups = np.unique(self.channels.asset[s])
        groups = groups[self.machine_active[groups]]
        self.machine_active[groups] = False
        rows = np.r_[was, len(self.channels) + groups]
        now = int(chunk.t.max())
        return self._rows(rows, np.zeros(len(rows)), np.zeros(len(rows), bool), np.full(len(rows), now))

    def lose(self, slots: Ints, at: Ints) -> None:
        """The collector reported these tags' sources as lost at `at` (ms UTC): what is silent there is no gap."""
        source = self.channels.source[slots]
        np.maximum.at(self.lost_at, source, at)
        self.back_at[source] = np.minimum(self.back_at[source], self.lost_at[source])

    def start_listening(self, now: int) -> None:
        """The monitor took this shard over: silence before now is nobody's fault, and collectors may still be starting."""
        self.live_at = now + START_GRACE_MS

    def tick(self, now: int) -> Score | None:
        """Judge the silent tags; call it only when every entry of the stream has been read."""
        standing = self.active | self.machine_active[self.channels.asset]
        is_down = (self.back_at <= self.lost_at)[self.channels.source]
        since = np.maximum(self.live_at, np.where(self.lost_at > 0, self.back_at, 0)[self.channels.source])
        heard = np.maximum(self.heard_at, np.where(standing, 0, since))
        newest = np.zeros(int(self.channels.source.max(initial=-1)) + 1, np.int64)
        np.maximum.at(newest, self.channels.source, self.heard_at)
        reference = np.clip(newest[self.channels.source], now - self.stall_ms, now)
        silent_s = (reference - heard) / 1000
        watched = self.addressed & (self.heard_at > 0) & ~is_down
        slots = np.flatnonzero(watched & (silent_s > 2 * self.channels.period_s))
        if not len(slots) and not standing.any():
            return None
        limit_s = np.full(len(self.channels), np.inf)
        limit_s[slots] = self._limits(slots)
        silent = silent_s > limit_s + GRACE_S
        return self._judge(watched, silent, silent_s / limit_s, limit_s, now)

    def _limits(self, slots: Ints) -> Floats:
        """float64 (n,), s: 2 x median interval, at least 2 polls and the longest interval of late."""
        ring = self.ring[slots]
        learned = self.seen[slots] >= MIN_KNOWN
        limit = np.where(learned, 2 * self.channels.period_s[slots], np.maximum(2 * self.channels.period_s[slots], UNLEARNED_S))
        if learned.any():
            known = ring[learned]
            limit[learned] = np.maximum(limit[learned], np.maximum(2 * np.nanmedian(known, axis=1), np.nanmax(known, axis=1)))
        return limit

    def _judge(self, watched: Flags, silent: Flags, ratio: Floats, limit_s: Floats, now: int) -> Score | None:
        present = (self.members >= 0) & watched[self.members]
        whole = (silent[self.members] | ~present).all(axis=1) & (present.sum(axis=1) >= 2)
        latest = np.where(present, self.heard_at[self.members], 0).max(axis=1, initial=0)
        self.machine_onset = np.where(whole & ~self.machine_active, latest, self.machine_onset)
        machines = np.flatnonzero(whole | self.machine_active)
        self.machine_active[:] = whole
        # a tag waits until it is clear whether its machine fell silent as a whole: another tag spoke after this one was due
        with np.errstate(invalid="ignore"):
            passed_over = latest[self.channels.asset] > self.heard_at + 1000 * limit_s
        single = present.sum(axis=1)[self.channels.asset] < 2
        alone = silent & ~whole[self.channels.asset] & (passed_over | single)
        tags = np.flatnonzero(alone | self.active)
        self.active[:] = alone
        if not len(tags) + len(machines):
            return None
        rows = np.r_[tags, len(self.channels) + machines]
        value = np.r_[ratio[tags], np.where(present, ratio[self.members], 0).max(axis=1, initial=0)[machines]]
        return self._rows(rows, value, np.r_[alone[tags], whole[machines]], np.full(len(rows), now))

    def _rows(self, rows: Ints, value: Floats, active: Flags, now: Ints) -> Score:
        n = len(self.channels)
        of_tag = rows < n
        slot = np.where(of_tag, rows, -1)
        onset = np.where(of_tag, self.last_t[np.minimum(rows, n - 1)], self.machine_onset[np.maximum(rows - n, 0)])
        value = np.where(active, np.maximum(value, 1.0), np.minimum(value, 0.999))
        severity = np.where(active, WARNING, undecided(len(rows)))
        return Score(
            rows, value, np.ones(len(rows)), active, np.zeros(len(rows), np.int64), slot, now, onset, np.full(len(rows), np.nan), severity
        )

    def row_keys(self) -> list[str]:
        """One row a tag, then one a machine."""
        return [*self.channels.tag_keys(), *self.channels.asset_keys()]

    def is_active(self, row: int) -> bool:
        """The gap of this tag or machine stands."""
        n = len(self.channels)
        return bool(self.active[row] if row < n else self.machine_active[row - n])

    def asset_row(self, row: int) -> int:
        """The tag's asset, or the machine."""
        n = len(self.channels)
        return int(self.channels.asset[row]) if row < n else row - n

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """The silent tag, or every tag of the machine in equal shares."""
        if slot >= 0:
            return (Because(self.channels.tags[slot].name, 1.0),)
        members = self.members[self.asset_row(row)]
        names = [self.channels.tags[m].name for m in members if m >= 0]
        return tuple(Because(name, round(1 / len(names), 4)) for name in names)
