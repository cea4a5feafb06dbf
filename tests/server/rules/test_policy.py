"""The alarm budget: which finding may open an order by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.events import AlertType
from server.rules.policy import Evidence, PolicyRow, Route, choose, route

ONE, TWO = frozenset({"drift"}), frozenset({"drift", "forest"})


@pytest.mark.parametrize(
    ("evidence", "goes_to"),
    [
        (Evidence(AlertType.MACHINE_FAULT, ONE), Route.ORDER),
        (Evidence(AlertType.SOURCE_LOST, ONE), Route.ORDER),
        (Evidence(AlertType.INSTRUMENT_FAULT, ONE), Route.ORDER),
        (Evidence(AlertType.RULE_VIOLATION, ONE), Route.ORDER),
        (Evidence(AlertType.RULE_VIOLATION, ONE, limit_confirmed=False), Route.ALERT),
        (Evidence(AlertType.DATA_GAP, ONE), Route.ALERT),
        (Evidence(AlertType.DRIFT, ONE), Route.ALERT),
        (Evidence(AlertType.DRIFT, TWO, strength=3.0), Route.ORDER),
        (Evidence(AlertType.DRIFT, TWO, strength=2.9), Route.ALERT),
        (Evidence(AlertType.DRIFT, TWO, strength=2.9, confirmed_verdicts=5, verdicts=10), Route.ORDER),
        (Evidence(AlertType.DRIFT, ONE, strength=9.0), Route.ALERT),
        (Evidence(AlertType.ANOMALY, ONE), Route.WATCH),
        (Evidence(AlertType.ANOMALY, TWO), Route.WATCH),
        (Evidence(AlertType.ANOMALY, ONE, promoted=True), Route.ORDER),
        (Evidence(AlertType.ANOMALY, ONE, confirmed_verdicts=5, verdicts=10), Route.ORDER),
        (Evidence(AlertType.ANOMALY, ONE, confirmed_verdicts=4, verdicts=10), Route.WATCH),
        (Evidence(AlertType.ANOMALY, ONE, confirmed_verdicts=9, verdicts=9), Route.WATCH),
        (Evidence(AlertType.DRIFT, TWO, provisional=True), Route.WATCH),
    ],
)
def test_route_of_evidence(evidence: Evidence, goes_to: Route) -> None:
    assert route(evidence) is goes_to


@given(st.sampled_from(AlertType), st.sampled_from([ONE, TWO]), st.integers(0, 30), st.integers(0, 30))
def test_what_was_learned_without_confirmation_only_watches(type_: AlertType, detectors: frozenset[str], good: int, more: int) -> None:
    evidence = Evidence(type_, detectors, provisional=True, confirmed_verdicts=good, verdicts=good + more)

    assert route(evidence) is Route.WATCH


def test_the_most_specific_policy_row_wins() -> None:
    rows = [
        PolicyRow(1, "drift", None, None, True),
        PolicyRow(2, "drift", 1, None, True),
        PolicyRow(3, "drift", None, 5, True),
        PolicyRow(4, "drift", 2, 5, True),
        PolicyRow(5, "anomaly", 1, 5, True),
    ]

    def chosen(site: int, class_: int) -> int | None:
        row = choose(rows, alert_type="drift", site_id=site, class_id=class_)
        return row.id if row else None

    assert [chosen(1, 5), chosen(2, 5), chosen(1, 6), chosen(3, 6)] == [3, 4, 2, 1]
    assert choose(rows, alert_type="data_gap", site_id=1, class_id=5) is None
