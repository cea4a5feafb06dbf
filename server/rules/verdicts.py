"""How often a detector, an alert type or an instrument was right, and what came back after its repair. Pure.

Verdicts are what technicians say when they close an alert-born order; how far precision opens the way to orders is in policy.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt

from server.rules.policy import PRECISION_WANTED, VERDICTS_WANTED
from server.rules.work_order import OrderVerdict

REPEAT_WITHIN = timedelta(days=30)
Z_95 = 1.959964  # of the normal distribution, two-sided 95 %


@dataclass(frozen=True, slots=True)
class Precision:
    """Verdicts of one subject. `low`, `high`: the 95 % interval of precision, None without a verdict."""

    name: str
    confirmed: int
    false: int
    something_else: int
    precision: float | None
    low: float | None
    high: float | None
    trusted: bool  # enough of them, and right often enough, to open orders alone

    @property
    def verdicts(self) -> int:
        """All of them."""
        return self.confirmed + self.false + self.something_else


def precision_of(name: str, verdicts: Iterable[str]) -> Precision:
    """Precision = confirmed / all; "something else" counts against the detector: it sent people, but not for what it said."""
    said = Counter(verdicts)
    confirmed, n = said[OrderVerdict.CONFIRMED], said.total()
    low, high = wilson(confirmed, n)
    share = confirmed / n if n else None
    trusted = share is not None and n >= VERDICTS_WANTED and share >= PRECISION_WANTED
    return Precision(name, confirmed, said[OrderVerdict.FALSE], said[OrderVerdict.SOMETHING_ELSE], share, low, high, trusted)


def wilson(hits: int, n: int) -> tuple[float | None, float | None]:
    """The 95 % score interval of a share; (None, None) where n is 0.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209: honest for the few verdicts that a detector gets.
    """
    if n == 0:
        return None, None
    share = hits / n
    centre, spread = share + Z_95**2 / (2 * n), Z_95 * sqrt(share * (1 - share) / n + Z_95**2 / (4 * n * n))
    scale = 1 + Z_95**2 / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


@dataclass(frozen=True, slots=True)
class Job:
    """An alert-born order as repeats see it. `subject`: asset, tag, type and code; ended None = not verified yet."""

    number: str
    subject: tuple[str | None, ...]
    opened: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same trouble again: `first` was ended, `second` opened `after` it."""

    first: str
    second: str
    subject: tuple[str | None, ...]
    after: timedelta


def repeats(jobs: Sequence[Job], within: timedelta = REPEAT_WITHIN) -> list[Repeat]:
    """Orders whose trouble came back within the time after their end, in order of time; each order has at most one forerunner."""
    found: list[Repeat] = []
    last: dict[tuple[str | None, ...], Job] = {}
    for job in sorted(jobs, key=lambda job: (job.opened, job.number)):
        former = last.get(job.subject)
        if former is not None and former.ended is not None and timedelta(0) <= job.opened - former.ended <= within:
            found.append(Repeat(former.number, job.number, job.subject, job.opened - former.ended))
        last[job.subject] = job
    return found
