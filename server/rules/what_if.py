"""What a replayed change would have meant: alerts added and removed, matched with the alerts and verdicts that are known. Pure.

`ml.replay` says what the engines raised; here it is routed as the policy would and set beside what people found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realtime.events import AlertType
from server.rules.policy import Evidence, Route, route
from server.rules.work_order import OrderVerdict

NEAR_MS = 60_000  # a replayed alert so close to a known one is that one
LISTS = ("added", "removed", "kept")


@dataclass(frozen=True, slots=True)
class Known:
    """An alert of the past, ms UTC; order and verdict None where nobody worked on it or has not said."""

    number: str
    tag: str | None
    type: str
    start: int
    end: int
    order: str | None
    verdict: str | None


@dataclass(frozen=True, slots=True)
class Trust:
    """What the policy asks about the asset: verdicts by alert type as (confirmed, all), tags with an unconfirmed limit."""

    verdicts: Mapping[str, tuple[int, int]]
    unconfirmed: frozenset[str]


def told(answer: Mapping[str, Any], known: Sequence[Known], trust: Trust, end: int) -> dict[str, Any]:
    """A replay's answer with `route`, `known`, `order`, `verdict` and `outcome` on every alert, and what they add up to."""
    rows = {name: [_judged(name, alert, known, trust, end) for alert in answer[name]] for name in LISTS}
    seen = {row["known"] for name in ("removed", "kept") for row in rows[name]}
    sums = Counter(row["outcome"] for name in LISTS for row in rows[name] if row["outcome"])
    announced = {name: sum(row["route"] != Route.WATCH for row in rows[name]) for name in LISTS}
    return {
        **answer,
        **rows,
        "announced": announced,
        "watched": {name: len(rows[name]) - announced[name] for name in LISTS},
        "outcomes": {name: sums[name] for name in OUTCOMES.values()},
        "not_reproduced": sum(one.verdict is not None and one.number not in seen for one in known),
    }


OUTCOMES = {
    ("removed", OrderVerdict.CONFIRMED): "true_lost",
    ("removed", OrderVerdict.FALSE): "false_removed",
    ("kept", OrderVerdict.CONFIRMED): "true_kept",
    ("kept", OrderVerdict.FALSE): "false_kept",
}


def _judged(name: str, alert: Mapping[str, Any], known: Iterable[Known], trust: Trust, end: int) -> dict[str, Any]:
    match = next((one for one in known if _is(alert, one, end)), None)
    verdict = match.verdict if match else None
    outcome = OUTCOMES.get((name, OrderVerdict(verdict))) if verdict else None
    if name == "removed" and alert["covered"] and outcome == "true_lost":
        outcome = "true_kept"  # the tag is in alarm in that time all the same
    return {
        **alert,
        "route": str(_route(alert, trust)),
        "known": match.number if match else None,
        "order": match.order if match else None,
        "verdict": verdict,
        "outcome": outcome,
    }


def _is(alert: Mapping[str, Any], known: Known, end: int) -> bool:
    until = end if alert["end"] is None else int(alert["end"])
    same = (known.tag, known.type) == (alert["tag"], alert["type"])
    return same and known.start <= until + NEAR_MS and int(alert["start"]) <= known.end + NEAR_MS


def _route(alert: Mapping[str, Any], trust: Trust) -> Route:
    confirmed, verdicts = trust.verdicts.get(alert["type"], (0, 0))
    return route(
        Evidence(
            AlertType(alert["type"]),
            frozenset(alert["detectors"]),
            provisional=alert["provisional"],
            limit_confirmed=alert["tag"] not in trust.unconfirmed,
            strength=float(alert["peak"]),
            confirmed_verdicts=confirmed,
            verdicts=verdicts,
        )
    )
