"""Limits: of level and of change, with deadband, on-delay and off-delay: a state machine per limit (ISA-18.2)."""

from __future__ import annotations

import numpy as np

from ml.arrays import Keyed
from ml.channels import Channels
from ml.plain import flags, floats, wholes
from ml.scoring import IDLE, RUNNING, STARTING, STOPPED, Chunk, Flags, Floats, History, Ints, Learned, Score
from realtime.events import PACES, AlertType, Because
from realtime.settings import Settings
from realtime.snapshot import Limit, Tag

RISES = ("high", "rising")
NORMAL, RISING, ACTIVE, FALLING = 0, 1, 2, 3
SEVERITIES = {"advisory": 0, "warning": 1, "critical": 2}
PACE_MS = 60_000.0  # a pace is per minute, and taken over about the last one
PACE_GAP_MS = 600_000.0  # what changed over a longer silence has no pace
ALWAYS = -2  # no regime: whatever the machine does
HOLDS = {"always": ALWAYS, "running": RUNNING, "idle": IDLE, "starting": STARTING, "stopped": STOPPED}


class Limits(Keyed):
    """Good at: what a person knows of the process. Bad at: what nobody thought of.

    A limit of change (rising, falling) compares the pace per minute: how far a reading stands from the mean of those before it,
    exponentially over a minute, so that a ramp shows its slope after a minute and a jump itself at once, fading; readings further
    apart than that count by their difference. One alarm row per side of a tag; several limits on a side (warning 80, critical 90)
    are levels of one alarm, whose severity is the highest level in force. Clear never precedes raise. No warm-up; about 0.2 us a reading.
    """

    name = "limits"
    type = AlertType.RULE_VIOLATION
    codes = ("high", "low", "rising", "falling")
    STATE = ("state", "since", "onset", "mean", "last")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        self.channels = channels
        rows = [(slot, limit) for slot, tag in enumerate(channels.tags) for limit in _levels(tag)]
        self.keys = [f"{channels.tags[slot].id}:{x.side}:{x.severity}:{x.value}:{x.holds}" for slot, x in rows]
        self.slot = np.array([slot for slot, _ in rows], np.int64)
        self.sign = np.array([1.0 if x.side in RISES else -1.0 for _, x in rows], np.float64)
        self.at = np.array([-x.value if x.side == "falling" else x.value for _, x in rows], np.float64)
        self.pace = np.array([x.side in PACES for _, x in rows], bool)
        self.deadband = np.array([max(x.deadband, 0.0) for _, x in rows], np.float64)
        self.on_ms = np.array([x.on_delay_s * 1000 for _, x in rows], np.int64)
        self.off_ms = np.array([x.off_delay_s * 1000 for _, x in rows], np.int64)
        self.severity = np.array([SEVERITIES[x.severity] for _, x in rows], np.int64)
        self.holds = np.array([HOLDS[x.holds] for _, x in rows], np.int64)
        self.span = np.array([_span(channels.tags[slot], x) for slot, x in rows], np.float64)
        self.side = np.array([4 * slot + self.codes.index(x.side) for slot, x in rows], np.int64)  # alarm row of each level
        self.state = np.full(len(rows), NORMAL)
        self.since, self.onset = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        self.mean, self.last = np.full(len(rows), np.nan), np.zeros(len(rows), np.int64)  # of the last minute, for limits of change
        self.first = np.searchsorted(self.slot, np.arange(len(channels)))
        self.number = np.searchsorted(self.slot, np.arange(len(channels)), side="right") - self.first
        self._first, self._number, self._state = wholes(self.first), wholes(self.number), wholes(self.state)
        self._at, self._sign, self._pace = floats(self.at), floats(self.sign), flags(self.pace)

    def learn(self, history: History) -> Learned:
        """Nothing: a person sets limits."""
        return {}

    def load(self, slots: Ints, learned: Learned) -> None:
        """Nothing."""

    def tick(self, now: int) -> Score | None:
        """Nothing: only readings move a limit."""
        return None

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A reading within all limits, none of which is crossed: see `Noting`."""
        number = self._number[s]
        if not number:
            return True
        first = self._first[s]
        for row in range(first, first + number):
            sign = self._sign[row]
            if self._pace[row] or v * sign > self._at[row] * sign or self._state[row] != NORMAL:
                return False
        return True

    def score(self, chunk: Chunk) -> Score | None:
        """Distance beyond the limit in spans of the normal range, plus one; of levels that are crossed or not at rest only."""
        number = self.number[chunk.slots]
        total = int(number.sum())
        if not total:
            return None
        of = np.repeat(np.arange(len(chunk)), number)
        rows = np.arange(total) - np.repeat(np.cumsum(number) - number, number) + self.first[chunk.slots][of]
        x, at = chunk.v[of], self.at[rows] * self.sign[rows]
        pace = self.pace[rows]
        if pace.any():
            x[pace] = self._paces(rows[pace], chunk, of[pace])
        x *= self.sign[rows]
        moving = (x > at) | (self.state[rows] != NORMAL)
        if not moving.any():
            return None
        rows, of, x, at = rows[moving], of[moving], x[moving], at[moving]
        running, holds = chunk.running[of], self.holds[rows]
        applies = (holds == ALWAYS) | (holds == running)
        known = (holds == ALWAYS) | (running >= 0)
        beyond = (x > at) & applies
        back = (x < at - self.deadband[rows]) | ((x <= at) & (self.deadband[rows] == 0)) | (known & ~applies)
        self._step(rows, chunk.t[of], beyond, back)
        return self._combined(chunk, rows, of, 1 + (x - at) / self.span[rows])

    def _paces(self, rows: Ints, chunk: Chunk, of: Ints) -> Floats:
        """float64 (n,) per minute; 0 for the first reading after a gap. The mean of the last minute follows.

        By the readings' own times: `fresh` stands at every reading of a machine at rest, whose limits may hold then too.
        """
        v, t, mean = chunk.v[of], chunk.t[of], self.mean[rows]
        ms = (t - self.last[rows]).astype(np.float64)
        new = np.isnan(mean) | (ms <= 0) | (ms > PACE_GAP_MS)
        ms[new], self.last[rows] = PACE_MS, t
        share = -np.expm1(-ms / PACE_MS)
        pace: Floats = np.where(new, 0.0, (v - mean) * share * PACE_MS / ms)
        self.mean[rows] = np.where(new, v, mean + share * (v - mean))
        return pace

    def _step(self, rows: Ints, t: Ints, beyond: Flags, back: Flags) -> None:
        """One step of every level: normal -> rising (on-delay) -> active -> falling (off-delay) -> normal."""
        state = self.state[rows]
        rise = (state == NORMAL) & beyond
        self.since[rows[rise]], self.onset[rows[rise]] = t[rise], t[rise]
        state = np.where(rise, RISING, state)
        state = np.where((state == RISING) & ~beyond, NORMAL, state)
        state = np.where((state == RISING) & (t - self.since[rows] >= self.on_ms[rows]), ACTIVE, state)
        fall = (state == ACTIVE) & back
        self.since[rows[fall]] = t[fall]
        state = np.where(fall, FALLING, state)
        state = np.where((state == FALLING) & ~back, ACTIVE, state)
        state = np.where((state == FALLING) & (t - self.since[rows] >= self.off_ms[rows]), NORMAL, state)
        self.state[rows] = state

    def _combined(self, chunk: Chunk, rows: Ints, of: Ints, value: Floats) -> Score:
        """Levels of one side are one alarm: the highest severity, the earliest onset, the greatest score."""
        sides, at = np.unique(self.side[rows], return_inverse=True)
        active = self.state[rows] >= ACTIVE
        # inside the deadband or the off-delay the alarm still stands, so its score does not fall below the limit
        shown = np.where(active, np.maximum(value, 1.0), np.minimum(value, 0.999))
        score, severity = np.full(len(sides), -np.inf), np.full(len(sides), -1, np.int64)
        onset, reading = np.full(len(sides), np.iinfo(np.int64).max), np.zeros(len(sides), np.int64)
        np.maximum.at(score, at, shown)
        np.maximum.at(severity, at, np.where(active, self.severity[rows], -1))
        np.minimum.at(onset, at, np.where(active, self.onset[rows], np.iinfo(np.int64).max))
        reading[at] = of
        any_active = severity >= 0
        t = chunk.t[reading]
        return Score(
            sides,
            score,
            np.ones(len(sides)),
            any_active,
            sides % 4,
            sides // 4,
            t,
            np.where(any_active, onset, t),
            chunk.v[reading],
            severity,
        )

    def row_keys(self) -> list[str]:
        """Four rows a tag, one a side."""
        return [f"{tag.id}:{code}" for tag in self.channels.tags for code in self.codes]

    def is_active(self, row: int) -> bool:
        """A level of this side stands."""
        return bool((self.state[self.side == row] >= ACTIVE).any())

    def asset_row(self, row: int) -> int:
        """The tag's asset."""
        return int(self.channels.asset[row // 4])

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """The tag itself."""
        return (Because(self.channels.tags[row // 4].name, 1.0),)


def _levels(tag: Tag) -> list[Limit]:
    return sorted(tag.limits, key=lambda limit: (limit.side, limit.value)) if tag.kind == "f64" else []


def _span(tag: Tag, limit: Limit) -> float:
    if limit.side not in PACES and tag.low is not None and tag.high is not None and tag.high > tag.low:
        return tag.high - tag.low
    return abs(limit.value) or 1.0
