"""Spike: a reading that jumps away from its neighbours and is back at once: a loose contact or a disturbed cable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ml.channels import Channels
from ml.gate import restart_ms
from ml.per_tag import PerTag
from ml.plain import flags, floats, wholes
from ml.scoring import Chunk, Flags, Floats, History, Ints, Learned, Score
from realtime.settings import Settings

RING = 7
MIN_LEARN = 60
HALF = RING // 2 + 1
RETURNED = 3  # readings back at the former level that confirm a spike
FURTHER = 2  # readings as far away, on the same side, that may come meanwhile; one more and it was a step
HOLD_S = 20.0
BEYOND, UNEVEN = 4.0, 5.5  # root mean squares of the healthy distances; with a greatest one of UNEVEN, twice that is asked for


class Spike(PerTag):
    """Good at: single wild readings, also many of them. Bad at: steps and broad noise (left to drift and noise).

    A candidate lies much further from the median of the last 7 sound readings than any healthy reading did (`learn`), and comes
    out of quiet; it counts once three of the next readings are close to that median again and none lies between, as noise
    would. Warm-up 7 readings; about 0.3 us a reading. `suspect` bool (n_slots,): the last reading was withheld as a candidate,
    so its value is no food for others.
    """

    name = "spike"
    codes = ("spike",)
    STATE = (
        "ring",
        "at",
        "filled",
        "level",
        "peak",
        "peak_t",
        "further",
        "returned",
        "upward",
        "active",
        "onset",
        "last_t",
        "last_peak",
        "wild",
        "last_wild",
    )
    LEARNED = ("reach", "quiet")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        super().__init__(channels)
        n = len(channels)
        self.reach, self.quiet = self.blank(), self.blank()
        self.learned = np.zeros(n, bool)
        self.ring = np.zeros((n, RING))
        self.at, self.filled = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.level, self.peak, self.last_peak = np.zeros(n), np.zeros(n), np.zeros(n)
        self.wild, self.last_wild = self.blank(), self.blank()  # values: of the candidate, of the last spike
        self.peak_t, self.onset, self.last_t = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.further = np.full(n, -1)  # readings beyond since the candidate, -1 = no candidate
        self.returned = np.zeros(n, np.int64)
        self.upward = np.zeros(n, bool)
        self.active, self.suspect = np.zeros(n, bool), np.zeros(n, bool)
        self.hold_ms = (np.maximum(HOLD_S, 10 * channels.period_s) * 1000).astype(np.int64)
        self._reach, self._ring, self._at, self._filled = floats(self.reach), floats(self.ring), wholes(self.at), wholes(self.filled)
        self._further, self._active, self._suspect = wholes(self.further), flags(self.active), flags(self.suspect)
        self._learned = flags(self.learned)

    def learn(self, history: History) -> Learned:
        """reach = greatest healthy distance from the running median and as much again, less where such distances are all of a kind;
        quiet = healthy mean step, widest window."""
        reach, quiet = np.full(len(history.tags), np.nan), np.full(len(history.tags), np.nan)
        for i, (tag, series) in enumerate(zip(history.tags, history.series, strict=True)):
            if len(series.v) < MIN_LEARN or np.ptp(series.v) == 0:
                continue
            followed = series.unbroken(RING + 1, restart_ms(tag.period_s))  # live, the window starts anew after a pause
            if followed.sum() < MIN_LEARN - RING:
                continue
            windows = np.lib.stride_tricks.sliding_window_view(series.v, RING)[:-1][followed]
            away = np.abs(series.v[RING:][followed] - np.median(windows, axis=1))
            reach[i] = _reach(away) + 1e-9
            quiet[i] = 1.3 * np.abs(np.diff(windows, axis=1)).mean(axis=1).max() + 1e-9
        return {"reach": reach, "quiet": quiet}

    def load(self, slots: Ints, learned: Learned) -> None:
        """Tags with a reach are judged from now on."""
        super().load(slots, learned)
        self.learned[:] = np.isfinite(self.reach)

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A reading near the median of the last ones, without a candidate or an alarm before: see `Noting`."""
        if not self._learned[s]:
            return True
        if self._further[s] >= 0 or self._active[s]:
            return False
        filled, first = self._filled[s], s * RING
        if filled >= RING:
            # more than half of the values in a band have the median among them
            reach, some = self._reach[s], self._ring[first : first + HALF].tolist()
            if max(some) - v > reach or v - min(some) > reach:
                return False
        else:
            self._filled[s] = filled + 1
        at = self._at[s]
        self._ring[first + at] = v
        self._at[s] = (at + 1) % RING
        self._suspect[s] = False
        return True

    def judges(self, row: int) -> bool:
        """The tag has a reach."""
        return self._learned[row]

    def score(self, chunk: Chunk) -> Score | None:
        """Distance from the median of the last 7 sound readings in units of `reach`; of tags with a candidate or an alarm only."""
        learned = self.learned[chunk.slots]
        if not learned.all():
            chunk = chunk.only(learned)
        if not len(chunk):
            return None
        s = chunk.slots
        if chunk.fresh.any():
            self.filled[s[chunk.fresh]], self.further[s[chunk.fresh]] = 0, -1
        ready = self.filled[s] >= RING
        ring = self.ring[s]
        middle = np.partition(ring, RING // 2, axis=1)[:, RING // 2]
        distance = np.abs(chunk.v - middle) / self.reach[s]
        distance[~ready] = 0.0
        waiting = self.further[s] >= 0
        if waiting.any():
            self._follow(chunk.only(waiting))
        far = distance > 1
        if far.any():
            self._propose(chunk, far & ~waiting, ring, middle, distance)
            far &= waiting | (self.further[s] >= 0)
        self.suspect[s] = far
        self._remember(chunk.only(~far))
        shown = far | self.active[s]
        return self._judged(chunk.only(shown), distance[shown]) if shown.any() else None

    def _propose(self, chunk: Chunk, far: Flags, ring: Floats, middle: Floats, distance: Floats) -> None:
        """A reading far from what was quiet before it is a candidate. The ring's oldest reading stands at `at`."""
        at = self.at[chunk.slots[far]]
        in_order = np.take_along_axis(ring[far], (at[:, None] + np.arange(RING)) % RING, axis=1)
        calm = np.abs(np.diff(in_order, axis=1)).mean(axis=1) <= self.quiet[chunk.slots[far]]
        which = np.flatnonzero(far)[calm]
        new = chunk.slots[which]
        self.level[new], self.peak[new], self.peak_t[new] = middle[which], distance[which], chunk.t[which]
        self.wild[new] = chunk.v[which]
        self.further[new], self.returned[new], self.upward[new] = 0, 0, chunk.v[which] > middle[which]

    def _remember(self, chunk: Chunk) -> None:
        s = chunk.slots
        at = self.at[s]
        self.ring[s, at] = chunk.v
        self.at[s] = (at + 1) % RING
        self.filled[s] = np.minimum(self.filled[s] + 1, RING)

    def _follow(self, chunk: Chunk) -> None:
        """Readings after a candidate: confirm it, give it up as noise or (the ring starts anew there) as a step, or wait on."""
        s = chunk.slots
        away = (chunk.v - self.level[s]) / self.reach[s]
        back, beyond = np.abs(away) <= 0.5, np.where(self.upward[s], away, -away) > 1
        self.returned[s] += back
        self.further[s] += beyond
        confirmed = self.returned[s] >= RETURNED
        hit = s[confirmed]
        started = hit[~self.active[hit]]
        self.onset[started] = self.peak_t[started]
        self.active[hit] = True
        self.last_t[hit], self.last_peak[hit], self.last_wild[hit] = chunk.t[confirmed], self.peak[hit], self.wild[hit]
        step = self.further[s] > FURTHER
        self.filled[s[step]] = 0
        self.further[s[confirmed | step | ~(back | beyond)]] = -1

    def _judged(self, chunk: Chunk, distance: Floats) -> Score:
        s = chunk.slots
        self.active[s] &= chunk.t - self.last_t[s] < self.hold_ms[s]
        active = self.active[s]
        value = np.where(active, np.maximum(self.last_peak[s], 1.0), np.minimum(distance, 0.99))
        told = replace(chunk, v=np.where(active, self.last_wild[s], chunk.v))  # the spike, not the healthy reading that confirmed it
        return self.tag_score(told, value, active, np.zeros(len(s), np.int64), self.onset[s])


def _reach(away: Floats) -> float:
    """greatest + min(greatest, max(4 rms, greatest^2 / (5.5 rms))): one healthy distance far from the others may come again, larger."""
    greatest, rms = float(away.max()), float(np.sqrt(np.mean(away**2)))
    return greatest + min(greatest, max(BEYOND * rms, greatest**2 / (UNEVEN * rms))) if rms > 0 else 0.0
