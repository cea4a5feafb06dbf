"""Health of an instrument or an asset: 100 less penalties (S2-R11), each with its reason, and one of six words. Pure.

The formula stands in docs/health.md. Each kind of trouble takes its points once, however many tags show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from realtime.events import AlertType

CALIBRATION, RULE, ML, DRIFT, STUCK, WORK = 25, 40, 35, 15, 30, 10
NOT_GOOD = 26  # a critical alert takes this at least: with one standing the word is fair at best
OVERDUE_WORK = "overdue_work"
BY_MODEL = frozenset({AlertType.ANOMALY, AlertType.DRIFT})  # their points are scaled by the precision that verdicts have shown

# The kind that a trouble counts as, and what the kind takes.
_KINDS: dict[str, tuple[str, int]] = {
    AlertType.CALIBRATION_OVERDUE: ("calibration", CALIBRATION),
    AlertType.RULE_VIOLATION: ("rule", RULE),
    AlertType.MACHINE_FAULT: ("machine", RULE),
    AlertType.ANOMALY: ("ml", ML),
    AlertType.DRIFT: ("drift", DRIFT),
    AlertType.INSTRUMENT_FAULT: ("instrument", STUCK),
    AlertType.DATA_GAP: ("instrument", STUCK),  # a silent sensor is worth no more than one that is stuck
    OVERDUE_WORK: ("work", WORK),
}

WORDS = ((90, "excellent"), (75, "good"), (60, "fair"), (40, "poor"), (0, "critical"))
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What stands against the thing now, in words that name the signal with its figures.

    type: an alert type or OVERDUE_WORK. precision: share of right verdicts on such findings of this class, None while too few.
    times: score / alarm limit of what a model found. critical: of an alert, its severity.
    """

    type: str
    text: str
    tag: str | None = None
    alert: int | None = None
    value: float | None = None
    precision: float | None = None
    times: float | None = None
    critical: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Points taken off and why; what else of the kind stands there took none."""

    points: int
    text: str
    kind: str = ""
    tag: str | None = None
    alert: int | None = None
    value: float | None = None
    times: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """score 0..100, None without data; reasons largest first."""

    score: int | None
    word: str
    reasons: tuple[Reason, ...] = ()


def word_for(score: int | None) -> str:
    """The label of a score."""
    return UNKNOWN if score is None else next(word for least, word in WORDS if score >= least)


def points_of(trouble: Trouble) -> int:
    """The points of its kind, those of a model's finding times the precision that verdicts have shown; 0 for what health leaves out.

    What is critical takes NOT_GOOD at least.
    """
    points = _KINDS.get(trouble.type, ("", 0))[1]
    if trouble.type in BY_MODEL and trouble.precision is not None:
        points = round(points * trouble.precision)
    return max(points, NOT_GOOD) if trouble.critical and trouble.type in _KINDS else points


def judge(troubles: Iterable[Trouble], *, has_data: bool = True) -> Health:
    """100 less the worst trouble of each kind, at least 0; the first of equals names its kind. Without data there is no score."""
    if not has_data:
        return Health(None, UNKNOWN)
    worst: dict[str, Reason] = {}
    for trouble in troubles:
        kind, points = _KINDS.get(trouble.type, ("", 0))[0], points_of(trouble)
        if points and (kind not in worst or points > worst[kind].points):
            worst[kind] = Reason(points, trouble.text, kind, trouble.tag, trouble.alert, trouble.value, trouble.times)
    ordered = tuple(sorted(worst.values(), key=lambda reason: -reason.points))
    score = max(0, 100 - sum(reason.points for reason in ordered))
    return Health(score, word_for(score), ordered)
