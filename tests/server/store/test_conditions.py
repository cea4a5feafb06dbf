"""From findings to alerts and orders: one alert a condition, one order a trouble, however often an entry is delivered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from sqlalchemy import func, select

from realtime.errors import DecodeError
from realtime.events import AlertType, Because, Severity
from server import bodies
from server.database import Database
from server.models.alerts import AlertFinding, AlertRecord
from server.models.notifications import Notification
from server.models.plant import Asset
from server.models.work import Occurrence, WorkOrder
from server.store import alerts, conditions, maintenance, orders, pursuit
from tests.server.small_plant import NOW, NOW_MS, SmallPlant, finding
from tests.server.store.story import PROOF_S, alert_of, completed, fact_names, fold, raised_order


def test_a_finding_becomes_an_alert_an_order_and_an_assignment(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)

        assert alert_of(session).message == "Vibration above 7.10 mm/s"
        assert (order.title, order.priority, order.state) == ("Find and remove vibration", "urgent", "assigned")
        assert order.assignee_id == plant["benali"].id
        assert fact_names(session) == [
            "alert.raised",
            "notification.created",  # the manager: it is critical
            "work_order.opened",
            "asset.state_changed",
            "notification.created",  # the technician
            "work_order.assigned",
        ]
        asset = session.get_one(Asset, plant.pump)
        assert (asset.maintenance, asset.health) == ("faulty", 60)


def test_the_body_of_the_order_says_what_people_need(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        body = bodies.order_body(session, raised_order(session, plant))

    assert body["asset"]["code"] == "M2"
    assert body["alert"] | {"id": 0, "number": ""} == {
        "id": 0,
        "number": "",
        "tag": "M2.vibration",
        "label": "Vibration",
        "unit": "mm/s",
        "decimals": 2,
        "type": "rule_violation",
        "code": "high",
        "severity": "critical",
        "value": 9.42,
        "limit": 7.1,
        "condition": "active",
        "title": "Vibration above 7.10 mm/s",
        "reason": "Limit crossed",
        "because": [{"tag": "M2.vibration", "share": 1.0}],
        "raised_at": "2026-11-20T13:59:56.000Z",
        "story": f"/api/alerts/{body['alert']['id']}/story",
        "recommendation": "Find out why Vibration (M2.vibration) is too high: at 9.42 mm/s, limit 7.10 mm/s.",
        "diagnosis": body["alert"]["diagnosis"],
    }
    assert (body["alert"]["diagnosis"]["suspect"], body["alert"]["diagnosis"]["fault"]["label"]) == ("unknown", "none")
    assert body["steps"] == {"done": 0, "total": 3}
    assert body["assigned_to"]["name"] == "A.Benali"


def test_a_second_delivery_changes_nothing(database: Database, plant: SmallPlant) -> None:
    sequence = [finding(plant), finding(plant, "update", NOW_MS + 10_000, value=9.9), finding(plant, "close", NOW_MS + 20_000)]
    with database.transaction() as session:
        for found in sequence:
            fold(session, found)
        facts = fact_names(session)
        rev = alert_of(session).rev

        for found in sequence:
            fold(session, found)

        assert fact_names(session) == facts
        assert (alert_of(session).rev, alert_of(session).condition) == (rev, "returned")


def test_a_condition_that_comes_back_is_the_same_alert_and_an_occurrence_on_its_order(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        alerts.acknowledge(session, alert_of(session).id, plant["manager"], NOW)
        fold(session, finding(plant, "close", NOW_MS + 5000))

        fold(session, finding(plant, "open", NOW_MS + 9000, key="limits:1:high:2"))

        alert = alert_of(session)
        assert (alert.condition, alert.acknowledged_at, alert.occurrences) == ("active", None, 2)
        assert session.scalars(select(WorkOrder.id)).all() == [order.id]
        assert order.occurrences == 1
        assert session.scalars(select(Occurrence.finding_key)).all() == ["limits:1:high:2"]


def test_an_alert_that_grows_worse_makes_its_order_more_urgent_and_is_raised_again(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, severity=Severity.WARNING))
        order = session.scalars(select(WorkOrder)).one()
        alerts.acknowledge(session, alert_of(session).id, plant["manager"], NOW)
        assert order.priority == "normal"

        fold(session, finding(plant, "update", NOW_MS + 10_000, severity=Severity.CRITICAL))
        fold(session, finding(plant, "update", NOW_MS + 20_000, severity=Severity.WARNING))

        assert (order.priority, order.due) == ("urgent", NOW + timedelta(hours=2))
        assert (alert_of(session).severity, alert_of(session).acknowledged_at) == ("critical", None)
        assert fact_names(session).count("alert.raised") == 2


def test_another_detector_on_the_same_tag_joins_the_order(database: Database, plant: SmallPlant) -> None:
    drift = {"type": AlertType.DRIFT, "detector": "drift", "code": "drift_high", "key": "drift:1", "severity": Severity.WARNING}
    with database.transaction() as session:
        order = raised_order(session, plant)

        fold(session, finding(plant, **drift))

        assert session.scalar(select(func.count(AlertRecord.id))) == 2
        assert session.scalars(select(AlertRecord.work_order_id)).all() == [order.id, order.id]
        fold(session, finding(plant, "update", NOW_MS + 10_000))
        reasons = session.scalars(select(AlertRecord).order_by(AlertRecord.id)).all()
        assert reasons[0].data["reason"] == "Limit and model agree"


def test_drift_opens_an_order_only_when_a_second_kind_agrees(database: Database, plant: SmallPlant) -> None:
    drift = {"type": AlertType.DRIFT, "detector": "drift", "code": "drift_high", "key": "drift:1", "severity": Severity.CRITICAL}
    forest = {"type": AlertType.ANOMALY, "detector": "forest", "code": "pattern", "key": "forest:1", "tag": None}
    with database.transaction() as session:
        fold(session, finding(plant, **drift))
        assert session.scalar(select(func.count(WorkOrder.id))) == 0

        fold(session, finding(plant, **forest))
        fold(session, finding(plant, "update", NOW_MS + 10_000, **drift))
        assert session.scalar(select(func.count(WorkOrder.id))) == 0  # both read the same signal: weak, they may well be wrong
        fold(session, finding(plant, "update", NOW_MS + 20_000, **drift, score=3.2))

        watched = {alert.type: alert.watch for alert in session.scalars(select(AlertRecord))}
        assert watched == {"drift": False, "anomaly": True}
        assert session.scalars(select(WorkOrder.title)).one() == "Find cause of drift in M2.vibration"


@pytest.mark.parametrize(
    "of_a_model",
    [
        {"type": AlertType.ANOMALY, "detector": "forest", "code": "pattern", "tag": None},
        {"type": AlertType.DRIFT, "detector": "drift", "code": "drift_high", "provisional": True},
    ],
)
def test_what_only_a_model_says_goes_to_the_watch_list_and_nobody_is_told(
    database: Database, plant: SmallPlant, of_a_model: dict[str, object]
) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, **of_a_model))

        assert alert_of(session).watch
        assert fact_names(session) == []
        assert alerts.list_alerts(session, site=plant.site).total == 0
        assert alerts.list_alerts(session, site=plant.site, which="watch").total == 1


def test_a_person_may_take_a_finding_off_the_watch_list(database: Database, plant: SmallPlant) -> None:
    anomaly = {"type": AlertType.ANOMALY, "detector": "forest", "code": "pattern", "tag": None}
    with database.transaction() as session:
        fold(session, finding(plant, **anomaly))
        alerts.promote(session, alert_of(session).id, plant["benali"], NOW)

        fold(session, finding(plant, "update", NOW_MS + 10_000, **anomaly))

        assert "alert.raised" in fact_names(session)
        assert session.scalars(select(WorkOrder.title)).one() == "Inspect M2 for unusual behaviour"


def test_an_unconfirmed_limit_raises_but_opens_no_order(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(
            session, finding(plant, tag="M2.temperature", severity=Severity.WARNING, value=85.0, because=(Because("M2.temperature", 1.0),))
        )

        assert alert_of(session).limit == 80
        assert session.scalar(select(func.count(WorkOrder.id))) == 0


def test_maintenance_mode_holds_new_alerts_back_and_tells_those_that_stay(database: Database, plant: SmallPlant) -> None:
    stuck = {"type": AlertType.INSTRUMENT_FAULT, "detector": "stuck", "code": "stuck", "tag": "M2.temperature"}
    with database.transaction() as session:
        order = raised_order(session, plant)
        orders.act(session, order.id, "start", plant["benali"], NOW)
        before = fact_names(session)
        fold(session, finding(plant, key="stuck:1", **stuck))
        fold(session, finding(plant, key="noise:1", **{**stuck, "detector": "noise", "code": "noise"}))
        fold(session, finding(plant, "close", NOW_MS + 3000, key="noise:1", **{**stuck, "detector": "noise", "code": "noise"}))
        # the noise came and went with the work
        assert fact_names(session)[len(before) :] == ["alert.suppressed", "alert.suppressed", "alert.resolved"]
        held = alerts.list_alerts(session, site=plant.site, active=True, which="suppressed")
        assert [(alert.code, alert.suppressed) for alert in held.items] == [("stuck", "maintenance")]
        assert "stuck" not in {alert.code for alert in alerts.list_alerts(session, site=plant.site, active=True).items}

        assert conditions.unsuppress(session, NOW) == []
        orders.act(session, order.id, "cancel", plant["manager"], NOW, reason="wrong pump")
        told = conditions.unsuppress(session, NOW)
        pursuit.pursue_held_back(session, told[0], NOW, PROOF_S)

        assert [alert.code for alert in told] == ["stuck"]
        assert fact_names(session).count("alert.suppressed") == 3
        assert alerts.list_alerts(session, site=plant.site, which="suppressed", active=True).total == 0
        assert session.scalars(select(WorkOrder.title).order_by(WorkOrder.id)).all()[-1] == "Check sensor M2.temperature (stuck)"


def test_the_settle_phase_after_the_work_is_muted_too(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        completed(session, plant, raised_order(session, plant))

        assert not maintenance.in_force(session, plant.pump, NOW)
        assert maintenance.is_muted(session, plant.pump, NOW + timedelta(minutes=30))


def test_a_later_order_is_linked_as_a_repeat(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        first = raised_order(session, plant)
        fold(session, finding(plant, "close", NOW_MS + 5000))
        orders.act(session, first.id, "cancel", plant["manager"], NOW, reason="fixed by itself")
        alerts.resolve(session, alert_of(session).id, plant["manager"], NOW, "fixed by itself")

        fold(session, finding(plant, "open", NOW_MS + 60_000, key="limits:1:high:2"))

        second = session.scalars(select(WorkOrder).order_by(WorkOrder.id.desc()).limit(1)).one()
        assert (second.repeat_of_id, second.id != first.id) == (first.id, True)


def test_a_finding_about_an_unknown_thing_is_refused_with_the_reason(database: Database, plant: SmallPlant) -> None:
    for unknown in ({"asset": 999_999}, {"tag": "M9.nothing"}):
        with pytest.raises(DecodeError, match="unknown"), database.transaction() as session:
            fold(session, finding(plant, **unknown))


def test_shelved_alerts_open_no_order_and_come_back_by_themselves(database: Database, plant: SmallPlant) -> None:
    gap = {"type": AlertType.DATA_GAP, "detector": "gap", "code": "silence", "severity": Severity.WARNING}
    with database.transaction() as session:
        fold(session, finding(plant, **gap))
        alert = alert_of(session)
        alerts.shelve(session, alert.id, plant["operator"], NOW, NOW + timedelta(hours=1), "sensor is being moved")
        fold(session, finding(plant, "update", NOW_MS + 10_000, **gap))

        assert alerts.expire_shelving(session, plant["manager"], NOW + timedelta(minutes=59)) == 0
        assert alerts.expire_shelving(session, plant["manager"], NOW + timedelta(minutes=60)) == 1
        assert fact_names(session)[-1] == "alert.raised"


EDGES = st.lists(st.tuples(st.sampled_from(["open", "update", "close"]), st.integers(0, 3), st.integers(1, 3)), max_size=14)


@given(EDGES)
@effort(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_any_deliveries_keep_one_open_alert_and_one_unverified_order(
    database: Database, plant: SmallPlant, edges: list[tuple[str, int, int]]
) -> None:
    with database.transaction() as session:
        t = NOW_MS
        sent = []
        for edge, wait, key in edges:
            t += wait * 1000
            sent.append(finding(plant, edge, t, key=f"k{key}"))  # type: ignore[arg-type]
        for found in [*sent, *sent[: len(sent) // 2]]:
            fold(session, found)

        open_alerts = session.scalars(select(AlertRecord).where(AlertRecord.resolved_at.is_(None))).all()
        active = session.scalar(select(func.count(AlertFinding.id)).where(AlertFinding.active)) or 0
        assert len(open_alerts) <= 1
        assert (session.scalar(select(func.count(WorkOrder.id))) or 0) <= 1
        assert all((alert.condition == "active") is (active > 0) for alert in open_alerts)
        assert (session.scalar(select(func.count(Notification.id))) or 0) <= 2 * max(1, len(edges))
        session.rollback()


def test_a_machine_that_fell_silent_as_a_whole_has_no_health(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        silent = {
            "key": "gap:M2",
            "type": AlertType.DATA_GAP,
            "detector": "gap",
            "code": "silence",
            "tag": None,
            "severity": Severity.WARNING,
        }

        fold(session, finding(plant, **silent))
        while_silent = session.get_one(Asset, plant.pump).health
        fold(session, finding(plant, "close", **silent))

        assert (while_silent, session.get_one(Asset, plant.pump).health) == (None, 100)
