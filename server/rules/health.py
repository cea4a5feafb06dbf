"""Health of an asset: 100 less fixed penalties (S2-R11), each with its reason, and one of six words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from realtime.events import AlertType

CALIBRATION, RULE, ML, DRIFT, STUCK = 25, 40, 35, 15, 30

_POINTS = {
    AlertType.CALIBRATION_OVERDUE: CALIBRATION,
    AlertType.RULE_VIOLATION: RULE,
    AlertType.MACHINE_FAULT: RULE,
    AlertType.ANOMALY: ML,
    AlertType.DRIFT: DRIFT,
    AlertType.INSTRUMENT_FAULT: STUCK,
}

WORDS = ((90, "excellent"), (75, "good"), (60, "fair"), (40, "poor"), (0, "critical"))
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trouble:
    """An active condition of the asset, in words."""

    type: AlertType
    text: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Points taken off and why."""

    points: int
    text: str


@dataclass(frozen=True, slots=True)
class Health:
    """score 0..100, None without data; reasons largest first."""

    score: int | None
    word: str
    reasons: tuple[Reason, ...] = ()


def word_for(score: int | None) -> str:
    """The label of a score."""
    return UNKNOWN if score is None else next(word for least, word in WORDS if score >= least)


def judge(troubles: Iterable[Trouble], *, has_data: bool = True) -> Health:
    """Each kind of trouble takes its points once, however many tags show it; the first text of a kind names it."""
    if not has_data:
        return Health(None, UNKNOWN)
    reasons: dict[AlertType, Reason] = {}
    for trouble in troubles:
        points = _POINTS.get(trouble.type, 0)
        if points and trouble.type not in reasons:
            reasons[trouble.type] = Reason(points, trouble.text)
    ordered = tuple(sorted(reasons.values(), key=lambda reason: -reason.points))
    score = max(0, 100 - sum(reason.points for reason in ordered))
    return Health(score, word_for(score), ordered)
