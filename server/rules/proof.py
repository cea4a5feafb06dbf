"""Proof of repair: the same signal that raised the alert decides whether the work removed it.

A window settles first (the machine comes back to its level), then wants `required_s` of running, good-quality time with every
tag inside its limits. Suppression after work mutes notifications, never this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

DEFAULT_REQUIRED_S = 4 * 3600.0
LEAST_REQUIRED_S = 1.0
# Seconds that a detector needs to see that a signal is healthy again (measured by injected faults that end); others see it at once.
SEES_HEALTH_WITHIN_S = {
    "drift": 60.0,
    "shift": 430.0,
    "cusum": 780.0,
    "noise": 60.0,
    "spike": 45.0,
    "residual": 60.0,
    "forest": 180.0,
    "cva": 180.0,
    "novelty": 240.0,
}
WAITS_FOR = 3  # the window gives up and asks a person after three times the time it needs


class ProofState(StrEnum):
    """SETTLING and RUNNING are open; the others are ends. ENDED: a person decided, or the order went on without it."""

    SETTLING = "settling"
    RUNNING = "running"
    PROVED = "proved"
    REOPENED = "reopened"
    DECISION = "decision"
    ENDED = "ended"


OPEN = frozenset({ProofState.SETTLING, ProofState.RUNNING})


@dataclass(frozen=True, slots=True)
class Span:
    """What history says of one tag since the settle phase, engineering units; low and high are its limits."""

    tag: str
    n_good: int
    n_bad: int
    least: float | None
    greatest: float | None
    covered_s: float
    low: float | None = None
    high: float | None = None

    @property
    def is_inside(self) -> bool:
        """True when no good value left the limits."""
        below = self.low is not None and self.least is not None and self.least < self.low
        above = self.high is not None and self.greatest is not None and self.greatest > self.high
        return not (below or above)


@dataclass(frozen=True, slots=True)
class Window:
    """A proof window as the rule sees it."""

    settle_until: datetime
    deadline: datetime
    required_s: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """The state the window is in now, its good seconds, and why when it has ended."""

    state: ProofState
    good_s: float = 0.0
    reason: str | None = None


def settle_s(required_s: float, detector: str = "") -> float:
    """Seconds the signal gets to come back: a sixth of the window, 10 s to 2 min, and what the detector needs to see it."""
    return max(min(120.0, max(10.0, required_s / 6)), SEES_HEALTH_WITHIN_S.get(detector, 0.0))


def open_window(now: datetime, required_s: float | None, detector: str = "") -> Window:
    """The window that completing an order born of that detector's alert opens."""
    required = max(LEAST_REQUIRED_S, DEFAULT_REQUIRED_S if required_s is None else required_s)
    settled = now + timedelta(seconds=settle_s(required, detector))
    return Window(settled, settled + timedelta(seconds=required * WAITS_FOR), required)


def good_seconds(spans: Sequence[Span]) -> float:
    """Running, good time that every tag has; the worst tag counts."""
    return min((span.covered_s for span in spans), default=0.0)


def judge(
    window: Window, now: datetime, *, still_active: str | None, findings: Iterable[str], spans: Sequence[Span], monitor_lives: bool = True
) -> Judgement:
    """Where the window stands at `now`.

    still_active: the alert's condition in words where it has not returned; findings: in words, what was found after the settle phase on
    the same alert or the same asset and type; spans: one per tag of the alert's `because`, over running time since the settle phase;
    monitor_lives: without a monitor
    no news is not good news, so nothing is proved while it is away.
    """
    if now < window.settle_until:
        return Judgement(ProofState.SETTLING)
    found = next(iter(findings), None)
    good = min(good_seconds(spans), window.required_s)
    if still_active is not None:
        return Judgement(ProofState.REOPENED, good, still_active)
    if found is not None:
        return Judgement(ProofState.REOPENED, good, found)
    if spans and good >= window.required_s and monitor_lives:
        return _at_the_end(spans, good)
    if now >= window.deadline:
        lacks = f"Only {good:.0f} s of {window.required_s:.0f} s with good data while running"
        return Judgement(ProofState.DECISION, good, lacks if good < window.required_s or not spans else "The monitor was away")
    return Judgement(ProofState.RUNNING, good)


def _at_the_end(spans: Sequence[Span], good: float) -> Judgement:
    outside = [span.tag for span in spans if not span.is_inside]
    if outside:
        return Judgement(ProofState.DECISION, good, f"Limits left for a moment, no alert came of it: {', '.join(outside)}")
    return Judgement(ProofState.PROVED, good)


def may_decide(*, completer_id: int | None, person_id: int | None) -> bool:
    """A person verifies only what another person completed."""
    return completer_id is None or person_id is None or completer_id != person_id
