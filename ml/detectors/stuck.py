"""Stuck: a value that no longer moves, longer than it ever stood still when healthy."""

from __future__ import annotations

import numpy as np

from ml.channels import Channels
from ml.per_tag import PerTag
from ml.plain import flags, floats, wholes
from ml.scoring import Chunk, History, Learned, Score
from realtime.settings import Settings


class Stuck(PerTag):
    """Good at: frozen transmitters, hung gateways that repeat themselves. Bad at: signals that rest by nature until a baseline
    has shown for how long.

    Limit: max(configured time, 2 x longest healthy run + 10 readings). Only while the machine runs. Warm-up: the limit
    itself; about 0.05 us a reading. Score: standing time / limit.
    """

    name = "stuck"
    codes = ("stuck",)
    STATE = ("anchor", "since", "active")
    LEARNED = ("longest_s", "fine")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        super().__init__(channels)
        default = settings.stuck_sensor_minutes * 60
        self.configured_s = np.array([default if tag.stuck_s is None else tag.stuck_s for tag in channels.tags], np.float64)
        self.deadband = np.array([tag.stuck_deadband for tag in channels.tags], np.float64)
        self.longest_s, self.fine = self.blank(0.0), self.blank(0.0)
        self.anchor = self.blank()
        self.since = np.zeros(len(channels), np.int64)
        self.active = np.zeros(len(channels), bool)
        self._deadband, self._fine, self._anchor = floats(self.deadband), floats(self.fine), floats(self.anchor)
        self._since, self._active = wholes(self.since), flags(self.active)
        self._configured_s, self._longest_s, self._period_s = floats(self.configured_s), floats(self.longest_s), floats(channels.period_s)

    def learn(self, history: History) -> Learned:
        """Longest healthy standstill in seconds, and the band inside which a value counts as unmoved."""
        longest, fine = np.zeros(len(history.tags)), np.zeros(len(history.tags))
        for i, (tag, series) in enumerate(zip(history.tags, history.series, strict=True)):
            if len(series.v) < 2:
                continue
            fine[i] = 1e-6 * float(series.v.std())
            moved = np.abs(np.diff(series.v)) > max(tag.stuck_deadband, fine[i])
            edges = np.r_[series.t[0], series.t[1:][moved], series.t[-1]]
            longest[i] = np.diff(edges).max() / 1000
        return {"longest_s": longest, "fine": fine}

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A value that moved, or has not stood too long: see `Noting`."""
        if self._active[s]:
            return False
        if not abs(v - self._anchor[s]) <= max(self._deadband[s], self._fine[s]):
            self._anchor[s], self._since[s] = v, t
            return True
        limit_s = max(self._configured_s[s], 2 * self._longest_s[s] + 10 * self._period_s[s])
        return not (t - self._since[s]) / 1000 / limit_s > 1

    def score(self, chunk: Chunk) -> Score | None:
        """Seconds that the value has stood, in units of its limit."""
        if not len(chunk):
            return None
        s = chunk.slots
        with np.errstate(invalid="ignore"):
            stands = np.abs(chunk.v - self.anchor[s]) <= np.maximum(self.deadband[s], self.fine[s])
        moved = ~stands | chunk.fresh
        self.anchor[s[moved]] = chunk.v[moved]
        self.since[s[moved]] = chunk.t[moved]
        limit_s = np.maximum(self.configured_s[s], 2 * self.longest_s[s] + 10 * self.channels.period_s[s])
        value = (chunk.t - self.since[s]) / 1000 / limit_s
        self.active[s] = value > 1
        return self.tag_score(chunk, value, self.active[s], np.zeros(len(s), np.int64), self.since[s])
