"""The alarm budget: what a finding may become by itself. A ceiling; the policy rows of a site choose below it.

A plant of 500 healthy assets raises at most 6 alerts an hour in all: so only machine fault, range, stuck, source lost and
confirmed limits may open an order alone, drift when two kinds agree and it is STRONG, and what only a model says goes to the
watch list. Measured by `python -m bench.alarm_budget`: two kinds agree on healthy wander too (they read the same signal), but weakly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import inf

from realtime.events import AlertType, Severity
from server.rules.wording import MODEL_DAMAGED

PRECISION_WANTED = 0.5
VERDICTS_WANTED = 10
SAME_ENTRY = timedelta(hours=24)  # on the watch list what comes back within a day's cycle is the same entry, with a count
STRONG = 3.0  # times its limit: where fusion calls a finding critical


class Route(StrEnum):
    """Where a finding goes: the watch list, an alert, or an alert that may open an order."""

    WATCH = "watch"
    ALERT = "alert"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a condition: its type, the detectors that agree on it, and how far they are to be trusted."""

    type: AlertType
    detectors: frozenset[str]
    provisional: bool = False
    limit_confirmed: bool = True
    strength: float = inf  # score / limit of its strongest finding now
    promoted: bool = False  # a person took it off the watch list
    confirmed_verdicts: int = 0  # on this alert type and asset class
    verdicts: int = 0


ALONE = frozenset({AlertType.MACHINE_FAULT, AlertType.INSTRUMENT_FAULT, AlertType.SOURCE_LOST, AlertType.CALIBRATION_OVERDUE})


def precision_shown(evidence: Evidence) -> bool:
    """Whether verdicts on this class have shown that such findings are worth a person's time."""
    return evidence.verdicts >= VERDICTS_WANTED and evidence.confirmed_verdicts >= PRECISION_WANTED * evidence.verdicts


def route(evidence: Evidence) -> Route:
    """The furthest that the evidence may go by itself."""
    if evidence.provisional and not evidence.promoted:
        return Route.WATCH
    if evidence.type in ALONE:
        return Route.ORDER
    if evidence.type is AlertType.RULE_VIOLATION:
        return Route.ORDER if evidence.limit_confirmed else Route.ALERT
    if evidence.type is AlertType.DRIFT:
        agreed = len(evidence.detectors) >= 2 and (evidence.strength >= STRONG or precision_shown(evidence))
        return Route.ORDER if agreed or evidence.promoted else Route.ALERT
    if evidence.type is AlertType.ANOMALY:
        return Route.ORDER if evidence.promoted or precision_shown(evidence) else Route.WATCH
    return Route.ALERT


def waits_in_a_flood(type_: AlertType, severity: Severity, route_: Route, code: str | None = None) -> bool:
    """Whether a flood holds it back: never what is critical, a lost source, a machine's fault, a damaged model or a confirmed limit."""
    if severity is Severity.CRITICAL or code == MODEL_DAMAGED or type_ in {AlertType.SOURCE_LOST, AlertType.MACHINE_FAULT}:
        return False
    return type_ is not AlertType.RULE_VIOLATION or route_ is not Route.ORDER


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy as the rules see it; None = any site, any class."""

    id: int
    alert_type: str
    site_id: int | None
    class_id: int | None
    opens_order: bool


def choose(rows: Iterable[PolicyRow], *, alert_type: str, site_id: int | None, class_id: int | None) -> PolicyRow | None:
    """The most specific row that fits: own class before any class, own site before any site; None when nothing fits."""
    fitting = [row for row in rows if row.alert_type == alert_type and row.site_id in {None, site_id} and row.class_id in {None, class_id}]
    return max(fitting, key=lambda row: (row.class_id is not None, row.site_id is not None, -row.id), default=None)
