"""A CUSUM's reference while nothing was learned of a tag: from its own blocks since the first reading. `cusum` adds up and judges."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from ml.scoring import Flags, Floats, Ints

LEAST_BLOCKS = 3  # that a block can be compared with
DELAY = 10  # the newest blocks are not among them: a shift must not become part of what it is compared with
# before it may alarm: two hours at the usual window. Of 400 tags with lag-1 correlation 0.7 (0.9) 99 (234) alarmed in a
# healthy day after 30 blocks, 33 (105) after 60, 5 (19) after 120, and of uncorrelated ones none
WARM_BLOCKS = 120
MOST_Z = 4.0  # one block alone is no lasting shift
MOST_PHI = 0.95


class SelfStart:
    """Running mean, spread and lag-1 correlation of block means by slot; state (n_slots,), the newest blocks (n_slots, 10).

    A block is compared with the n that are older than the last ten: U = Phi^-1(F_t(sqrt(n/(n+1)) (x - mean) / s)), n - 1 degrees
    of freedom, so that z is standard normal in control although nobody knows mean and spread; then divided by the long-run
    spread sqrt((1 + phi) / (1 - phi)) of a level that wanders. Source: Hawkins 1987, The Statistician 36; ML.md 3.6.
    """

    STATE = ("held", "newest", "seen", "centre", "m2", "c1", "before")

    def __init__(self, slots: int) -> None:
        self.held, self.newest = np.zeros(slots, np.int64), np.zeros((slots, DELAY))
        self.seen, self.centre, self.m2, self.c1, self.before = (np.zeros(slots) for _ in range(5))

    def forget(self, slots: Ints) -> None:
        """The next block of these tags is their first."""
        for name in self.STATE:
            getattr(self, name)[slots] = 0

    def z(self, s: Ints, x: Floats) -> Floats:
        """float64 (n,) of block means x of slots s; 0 where there is nothing to compare with yet."""
        n, spread, ready = self._reference(s)
        t = np.where(ready, (x - self.centre[s]) / np.where(ready, spread, 1.0) * np.sqrt(n / (n + 1)), 0.0)
        side = np.sign(t)
        u = -side * ndtri(np.maximum(stdtr(np.maximum(n - 1, 1), -np.abs(t)), 1e-12))
        phi = np.clip(self.c1[s] / np.where(self.m2[s] > 0, self.m2[s], 1.0), 0.0, MOST_PHI)
        found: Floats = np.clip(u, -MOST_Z, MOST_Z) / np.sqrt((1 + phi) / (1 - phi))
        return np.where(t == 0, 0.0, found)

    def _reference(self, s: Ints) -> tuple[Floats, Floats, Flags]:
        """(blocks, spread, there is something to compare with), each (n,)."""
        n = self.seen[s]
        spread = np.sqrt(self.m2[s] / np.maximum(n - 1, 1))
        return n, spread, (n >= LEAST_BLOCKS) & (spread > 1e-9 * np.maximum(np.abs(self.centre[s]), 1e-12))

    def add(self, s: Ints, x: Floats) -> None:
        """These blocks wait among the newest; the ones that they push out are part of what the next are compared with."""
        place = self.held[s] % DELAY
        out, leaves = self.newest[s, place], self.held[s] >= DELAY
        self.newest[s, place] = x
        self.held[s] += 1
        self._fold(s[leaves], out[leaves])

    def _fold(self, s: Ints, x: Floats) -> None:
        n, spread, ready = self._reference(s)
        # no block counts for more than MOST_Z here either, or one wild reading hides every later shift (winsorizing: Hawkins, Olwell 1998)
        most = np.where(ready, -stdtrit(np.maximum(n - 1, 1), ndtr(-MOST_Z)) * np.sqrt(1 + 1 / np.maximum(n, 1)) * spread, np.inf)
        x = np.clip(x, self.centre[s] - most, self.centre[s] + most)
        self.seen[s] += 1
        old = self.centre[s]
        self.centre[s] += (x - old) / self.seen[s]
        self.m2[s] += (x - old) * (x - self.centre[s])
        self.c1[s] += np.where(self.seen[s] == 1, 0.0, (x - self.centre[s]) * (self.before[s] - self.centre[s]))
        self.before[s] = x

    def warm(self, s: Ints) -> Flags:
        """bool (n,): enough blocks were seen to alarm."""
        return np.asarray(self.held[s] >= WARM_BLOCKS)
