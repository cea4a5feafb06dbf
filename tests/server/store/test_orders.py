"""Working an order through its door: rights, fields, what each act brings with it, and that a refusal changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server import bodies
from server.database import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.audit import AuditLog
from server.models.calibration import MaintenanceRecord
from server.models.maintenance import MaintenanceWindow
from server.models.notifications import Notification
from server.models.outbox import Outbox
from server.models.plant import Asset
from server.models.work import Policy, Procedure, ProcedureVersion, ProofWindow, StepEvent, WorkOrder
from server.rules.work_order import TRANSITIONS, OrderAction, OrderState
from server.store import alerts, orders, procedures, steps
from server.store.order_lists import Wanted
from server.store.orders import NewOrder
from server.store.steps import StepAnswer
from tests.server.small_plant import NOW, NOW_MS, SmallPlant, finding
from tests.server.store.story import alert_of, completed, fold, raised_order, worked

FIELDS = {
    "hold": {"reason": "waiting for a bearing"},
    "problem": {"note": "coupling guard is missing"},
    "complete": {"notes": "done", "verdict": "confirmed"},
    "reopen": {"reason": "still loud"},
    "cancel": {"reason": "wrong machine"},
}


def everything(session: Session) -> tuple[object, ...]:
    session.expire_all()
    order = session.scalars(select(WorkOrder)).one()
    rows = tuple(getattr(order, column.name) for column in WorkOrder.__table__.columns)
    counts = [len(session.scalars(select(table.id)).all()) for table in (AuditLog, Outbox, MaintenanceWindow, Notification, ProofWindow)]
    return rows, tuple(counts)


@pytest.mark.parametrize("state", OrderState)
def test_what_is_not_in_the_table_is_refused_and_changes_nothing(database: Database, plant: SmallPlant, state: OrderState) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        order.state, order.assignee_id = str(state), plant["manager"].id
        session.flush()
        before = everything(session)
        for action in (action for action in OrderAction if (state, action) not in TRANSITIONS):
            with pytest.raises(Conflict) as refused:
                orders.act(session, order.id, action, plant["manager"], NOW, **FIELDS.get(action, {}))
            assert refused.value.state == state
            assert everything(session) == before


def test_the_life_of_an_order(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        worked(session, plant, order)
        asset = session.get_one(Asset, plant.pump)
        assert (order.state, asset.maintenance) == ("in_progress", "in_work")
        orders.act(session, order.id, "hold", plant["benali"], NOW, reason="lunch")
        orders.act(session, order.id, "resume", plant["benali"], NOW)

        done = NOW + timedelta(minutes=25)
        orders.act(
            session, order.id, "complete", plant["benali"], done, notes="Bearing replaced", verdict="confirmed", parts=[{"sku": "6308"}]
        )

        assert (order.state, order.actual_min, asset.maintenance) == ("completed", 25, "fixed")
        assert session.scalars(select(MaintenanceWindow.ended_at)).all() == [done]
        window = session.scalars(select(ProofWindow)).one()
        assert (window.state, window.required_s, window.tags) == ("settling", 60, ["M2.vibration"])
        record = session.scalars(select(MaintenanceRecord)).one()
        assert (record.description, record.parts) == ("Bearing replaced", [{"sku": "6308"}])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"verdict": "confirmed"}, "notes"),
        ({"notes": " ", "verdict": "confirmed"}, "notes"),
        ({"notes": "done"}, "verdict"),
        ({"notes": "done", "verdict": "maybe"}, "verdict"),
        ({"notes": 7, "verdict": "confirmed"}, "notes"),
        ({"notes": "done", "verdict": "confirmed", "actual_minutes": True}, "actual_minutes"),
        ({"notes": "done", "verdict": "confirmed", "parts": [{"qty": 1}]}, "parts"),
        ({"notes": "done", "verdict": "confirmed", "color": "red"}, "color"),
    ],
)
def test_closing_names_what_is_missing(database: Database, plant: SmallPlant, fields: dict[str, object], field: str) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        worked(session, plant, order)

        with pytest.raises(Invalid) as refused:
            orders.act(session, order.id, "complete", plant["benali"], NOW, **fields)

        assert (refused.value.field, order.state) == (field, "in_progress")


def test_an_order_is_not_closed_over_a_missing_step(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        orders.act(session, order.id, "start", plant["benali"], NOW)

        with pytest.raises(Conflict) as refused:
            orders.act(session, order.id, "complete", plant["benali"], NOW, notes="done", verdict="confirmed")

        assert refused.value.code == "steps_missing"


@pytest.mark.parametrize(
    ("who", "action", "error"),
    [
        ("operator", "start", Forbidden),
        ("viewer", "assign", Forbidden),
        ("moreau", "start", Forbidden),  # it is Benali's; take it over first
        ("benali", "cancel", Forbidden),
        ("stranger", "cancel", NotFound),
        ("manager", "explode", NotFound),
    ],
)
def test_who_may_not(database: Database, plant: SmallPlant, who: str, action: str, error: type[Exception]) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)

        with pytest.raises(error):
            orders.act(session, order.id, action, plant[who], NOW, **FIELDS.get(action, {}))

        assert order.state == "assigned"


def test_a_technician_takes_an_order_over_and_the_first_is_told(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)

        orders.act(session, order.id, "assign", plant["moreau"], NOW)

        assert order.assignee_id == plant["moreau"].id
        told = session.scalars(select(Notification).where(Notification.kind == "order_taken")).one()
        assert told.user_id == plant["benali"].id
        audit = session.scalars(select(AuditLog).where(AuditLog.action == "assign").order_by(AuditLog.id.desc())).first()
        assert audit is not None
        assert (audit.actor, audit.old, audit.new) == (
            "S.Moreau",
            {"assignee_id": plant["benali"].id},
            {"assignee_id": plant["moreau"].id},
        )


def test_a_manager_assigns_only_people_of_the_site_who_work(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        for nobody in (plant["stranger"].id, plant["viewer"].id, 999_999, True, "x"):
            with pytest.raises(Invalid):
                orders.act(session, order.id, "assign", plant["manager"], NOW, assignee_id=nobody)

        orders.act(session, order.id, "assign", plant["manager"], NOW, assignee_id=plant["moreau"].id)

        assert order.assignee_id == plant["moreau"].id


def test_the_least_loaded_technician_gets_the_next_order(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        first = raised_order(session, plant)
        stuck = {"type": AlertType.INSTRUMENT_FAULT, "detector": "stuck", "code": "stuck", "tag": "PL-1.pressure", "asset": plant.press}

        fold(session, finding(plant, key="stuck:1", **stuck))

        second = session.scalars(select(WorkOrder).where(WorkOrder.id != first.id)).one()
        assert (first.assignee_id, second.assignee_id) == (plant["benali"].id, plant["moreau"].id)


def test_while_the_signal_judges_nobody_verifies_and_the_completer_never(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        completed(session, plant, order)
        with pytest.raises(Conflict) as refused:
            orders.act(session, order.id, "verify", plant["manager"], NOW)
        assert refused.value.code == "proof_running"
        session.scalars(select(ProofWindow)).one().state = "decision"
        with pytest.raises(Forbidden):
            orders.act(session, order.id, "verify", plant["benali"], NOW)
        fold(session, finding(plant, "close", NOW_MS + 5000))

        orders.act(session, order.id, "verify", plant["manager"], NOW, notes="looked at it")

        assert (order.state, order.verified_by) == ("verified", "L.Fontaine")
        assert (alert_of(session).resolved_by, session.get_one(Asset, plant.pump).maintenance) == ("L.Fontaine", "ok")


def test_a_reopened_order_starts_its_steps_again(database: Database, plant: SmallPlant) -> None:
    later = NOW + timedelta(hours=1)
    with database.transaction() as session:
        order = raised_order(session, plant)
        completed(session, plant, order)
        orders.act(session, order.id, "reopen", plant["manager"], later, reason="still loud")
        assert bodies.order_body(session, order)["steps"] == {"done": 0, "total": 3}

        orders.act(session, order.id, "start", plant["benali"], later)

        assert (order.state, order.verdict, order.reopen_reason) == ("in_progress", None, "still loud")
        assert steps.missing(session, order) == "s1"


def test_instructions_never_change_under_a_technician(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        orders.act(session, order.id, "start", plant["benali"], NOW)
        session.add(ProcedureVersion(procedure_id=order.procedure_id, version=2, steps=[], estimated_min=5))
        session.flush()

        shown = steps.current(session, order)

        assert [step.step["id"] for step in shown] == ["s1", "s2", "s3"]
        assert shown[2].step["in"]["tag"] == "M2.vibration"
        assert bodies.order_body(session, order)["procedure"]["version"] == 1


def test_steps_are_answered_in_their_order_by_their_technician(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        benali = plant["benali"]
        with pytest.raises(Conflict):  # not started
            steps.record(session, order.id, "s1", StepAnswer(), benali, "touch", NOW, NOW)
        orders.act(session, order.id, "start", benali, NOW)
        with pytest.raises(Conflict) as refused:
            steps.record(session, order.id, "s3", StepAnswer(value=2), benali, "touch", NOW, NOW)
        assert refused.value.code == "earlier_step_missing"
        with pytest.raises(Forbidden):
            steps.record(session, order.id, "s1", StepAnswer(), plant["moreau"], "touch", NOW, NOW)
        with pytest.raises(NotFound):
            steps.record(session, order.id, "s9", StepAnswer(), benali, "touch", NOW, NOW)

        steps.record(session, order.id, "s1", StepAnswer(), benali, "touch", NOW, NOW)
        outcome = steps.record(session, order.id, "s3", StepAnswer(value=9.5, unit="mm/s"), benali, "touch", NOW, NOW)

        assert (outcome.next, outcome.ok) == ("s1", False)  # too high: back to the start
        assert steps.missing(session, order) == "s1"


def test_undo_is_an_event_of_its_own(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        worked(session, plant, order)

        steps.undo(session, order.id, "s3", plant["benali"], "keys", NOW, NOW)

        assert steps.missing(session, order) == "s3"
        assert session.scalars(select(StepEvent.kind).order_by(StepEvent.id)).all() == ["answer", "answer", "undo"]
        with pytest.raises(Conflict):
            steps.undo(session, order.id, "s3", plant["benali"], "keys", NOW, NOW)


def test_orders_by_hand(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        asked = orders.create_order(session, NewOrder(title="Look at the guard", asset_id=plant.press), plant["operator"], NOW)
        opened = orders.create_order(session, NewOrder(title="Grease", asset_id=plant.pump, priority="medium"), plant["manager"], NOW)

        assert (asked.state, opened.state, opened.priority) == ("requested", "open", "normal")
        assert asked.number != opened.number
        with pytest.raises(NotFound):
            orders.create_order(session, NewOrder(title="X", asset_id=plant.press), plant["stranger"], NOW)
        for wrong in (NewOrder(title="", asset_id=plant.pump), NewOrder(title="x" * 61, asset_id=plant.pump)):
            with pytest.raises(Invalid):
                orders.create_order(session, wrong, plant["manager"], NOW)


def test_the_procedure_of_a_fault_code_goes_before_the_policys(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        site, codes = plant.site, {"HYD-01": True, "OLD-01": False}
        session.add_all(Procedure(site_id=site, code=code, title="Find the leak", active=active) for code, active in codes.items())
        session.flush()
        known = {row.code: row.id for row in session.scalars(select(Procedure))}
        policy = session.scalars(select(Policy).where(Policy.alert_type == "rule_violation")).one()
        pump = session.get_one(Asset, plant.pump)
        alert = raised_order(session, plant) and alert_of(session)

        def procedure(named: str | None) -> int | None:
            alert.data = {**alert.data, "procedure": named}
            return orders.open_for_alert(session, alert, pump, policy, plant["manager"], NOW, proof_s=None).procedure_id

        assert procedure("HYD-01") == known["HYD-01"]
        assert [procedure(named) for named in (None, "OLD-01", "NOBODY")] == [policy.procedure_id] * 3  # retired or not there: the policy's


def test_an_alert_gets_one_order(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        raised_order(session, plant)

        with pytest.raises(Conflict) as refused:
            orders.create_from_alert(session, alert_of(session).id, plant["manager"], NOW)
        with pytest.raises(Conflict):
            alerts.resolve(session, alert_of(session).id, plant["manager"], NOW, "nothing found")

        assert refused.value.code == "order_open"


def test_lists_are_filtered_and_counted(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        orders.create_order(session, NewOrder(title="Grease", asset_id=plant.press), plant["manager"], NOW)
        site = plant.site

        assert [o.id for o in orders.list_orders(session, Wanted(site=site, tag="M2.vibration"), now=NOW).items] == [order.id]
        assert orders.list_orders(session, Wanted(site=site, status="active"), now=NOW).total == 2
        assert orders.list_orders(session, Wanted(site=site, status="assigned", assigned_to=plant["benali"].id), now=NOW).total == 1
        assert orders.list_orders(session, Wanted(site=site, tag="PL-1"), now=NOW, limit=1).total == 1
        assert orders.list_orders(session, Wanted(site=plant["stranger"].site_id), now=NOW).total == 0
        assert orders.get_order(session, order.number, plant["viewer"]).id == order.id
        with pytest.raises(Invalid):
            orders.list_orders(session, Wanted(site=site, status="lost"), now=NOW)


def test_alerts_by_hand(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, type=AlertType.DATA_GAP, code="silence", detector="gap"))
        alert = alert_of(session)
        with pytest.raises(NotFound):
            alerts.acknowledge(session, alert.id, plant["stranger"], NOW)
        with pytest.raises(Forbidden):
            alerts.acknowledge(session, alert.id, plant["viewer"], NOW)
        alerts.acknowledge(session, alert.id, plant["operator"], NOW)
        with pytest.raises(Conflict):
            alerts.acknowledge(session, alert.id, plant["manager"], NOW)
        with pytest.raises(Conflict) as refused:
            alerts.resolve(session, alert.id, plant["benali"], NOW, "looked")
        assert refused.value.code == "still_active"
        with pytest.raises(Forbidden):
            alerts.resolve(session, alert.id, plant["benali"], NOW, "looked", force=True)
        with pytest.raises(Invalid):
            alerts.resolve(session, alert.id, plant["manager"], NOW, "", force=True)

        alerts.resolve(session, alert.id, plant["manager"], NOW, "sensor removed", force=True)

        assert alerts.state_of(alert) == "resolved"


def test_a_measured_step_without_a_unit_takes_unit_and_range_from_its_tag(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        version = procedures.version_of(session, order)
        assert version is not None
        version.steps = [{"id": "s1", "n": 1, "k": "measure", "t": "Compare {tag}.", "in": {"tag": "{tag}", "hi": 7.1}}]
        session.flush()

        (step,) = procedures.steps_of(session, order)

    assert step["in"] == {"tag": "M2.vibration", "unit": "mm/s", "lo": 0, "hi": 7.1, "dec": 2}
