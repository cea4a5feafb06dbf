"""Plans make their orders ahead, each occurrence once, by calendar, meter or condition, whichever comes first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server.database import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.audit import AuditLog
from server.models.meters import Meter
from server.models.plans import PmOccurrence, PmPlan
from server.models.work import WorkOrder
from server.store import calendars, meters, orders, plan_orders, plan_views, plans
from tests.server.conftest import emptied
from tests.server.small_plant import NOW, SmallPlant, build, finding
from tests.server.store.story import fold

DAY = timedelta(days=1)
MONTHLY = [{"kind": "calendar", "rrule": "FREQ=MONTHLY"}]


def plan(session: Session, plant: SmallPlant, **other: Any) -> PmPlan:
    fields: dict[str, Any] = {
        "title": "Grease the bearings",
        "assets": ["M2"],
        "triggers": MONTHLY,
        "schedule": "fixed",
        "starts_on": date(2026, 12, 1),
        "lead_days": 7,
    }
    return plans.create(session, {**fields, **other}, plant["manager"], NOW)


def states(session: Session, of: PmPlan | None = None) -> list[tuple[str, str]]:
    query = select(PmOccurrence).order_by(PmOccurrence.plan_id, PmOccurrence.occurrence)
    rows = session.scalars(query if of is None else query.where(PmOccurrence.plan_id == of.id))
    return [(row.due.date().isoformat(), row.state) for row in rows]


def do(session: Session, plant: SmallPlant, at: datetime) -> None:
    """Every open order of plans is done at that time."""
    for order in session.scalars(select(WorkOrder).where(WorkOrder.type == "preventive", WorkOrder.state == "open")).all():
        orders.act(session, order.id, "start", plant["benali"], at)
        orders.act(session, order.id, "complete", plant["benali"], at, notes="Greased")


def at(month: int, day: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, 12, tzinfo=NOW.tzinfo)


def test_an_order_is_made_ahead_by_the_lead_time_exactly_once(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        made = plan(session, plant, priority="high", assignee_id=plant["benali"].id, estimated_min=40)
        assert [plan_orders.make(session, at(11, day)) for day in (23, 25, 26)] == [0, 1, 0]

        order = session.scalars(select(WorkOrder)).one()
        assert (order.type, order.priority, order.state, order.estimated_min) == ("preventive", "high", "assigned", 40)
        assert order.assignee_id == plant["benali"].id
        assert order.due == datetime(2026, 12, 3, 22, 59, 59, tzinfo=NOW.tzinfo)  # the end of the tolerance, in Paris
        assert made.number in order.description
        assert states(session) == [("2026-12-01", "open")]
        assert "due" in session.scalars(select(AuditLog.action).where(AuditLog.thing == "pm_occurrence")).all()


def test_a_fixed_plan_keeps_its_grid_and_a_floating_one_starts_from_when_it_was_done(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fixed, floating = plan(session, plant), plan(session, plant, schedule="floating")
        plan_orders.make(session, at(11, 28))
        do(session, plant, at(12, 10))
        plan_orders.make(session, at(12, 10))

        bodies = plan_views.bodies(session, [fixed, floating], at(12, 10))
        assert [body["next_due"][:10] for body in bodies] == ["2027-01-01", "2027-01-10"]


def test_the_next_occurrence_is_held_while_the_order_is_open_and_counted(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        made = plan(session, plant)
        for month, year in ((11, 2026), (12, 2026), (1, 2027)):
            plan_orders.make(session, at(month, 28, year))
        assert states(session) == [("2026-12-01", "open"), ("2027-01-01", "held"), ("2027-02-01", "held")]
        assert plan_views.bodies(session, [made], at(1, 28, 2027))[0]["held"] == 2
        assert len(session.scalars(select(WorkOrder.id)).all()) == 1

        do(session, plant, at(1, 29, 2027))
        plan_orders.make(session, at(1, 29, 2027))

        # the January one was never done in its time; the one work counts for December alone, and February's order opens now
        assert states(session) == [("2026-12-01", "done"), ("2027-01-01", "missed"), ("2027-02-01", "open")]


def test_whichever_comes_first_makes_the_order_and_all_triggers_start_anew(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        meter = meters.create(session, {"asset": "M2", "kind": "run_hours", "source": "manual", "value": 4000}, plant["manager"], NOW)
        both = [{"kind": "calendar", "rrule": "FREQ=MONTHLY;INTERVAL=6"}, {"kind": "run_hours", "every": 500.0}]
        made = plan(session, plant, triggers=both, schedule="floating", lead_days=0)
        assert plan_orders.make(session, at(11, 25)) == 0
        meters.read(session, meter, {"value": 4501}, plant["benali"], at(11, 26))
        plan_orders.make(session, at(11, 26))
        assert states(session) == [("2026-11-26", "open")]
        assert session.scalars(select(PmOccurrence.cause)).one() == "run_hours"

        meters.read(session, meter, {"value": 4520}, plant["benali"], at(11, 27))
        do(session, plant, at(11, 27))
        plan_orders.make(session, at(11, 28))

        found = plan_views.forecast(session, made, at(11, 28))[0]
        assert (found["due"][:10], found["cause"]) == ("2026-12-05", "run_hours")  # 520 h in 6.9 days: 500 more in 6.7
        assert {one["cause"]: one["due"][:10] for one in found["triggers"]}["calendar"] == "2027-05-27"
        assert found["target"] == 5020


def test_an_alert_makes_an_order_once_and_again_only_when_it_is_raised_anew(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        condition = [{"kind": "condition", "alert_type": str(AlertType.DRIFT), "tag": "vibration"}]
        plan(session, plant, triggers=condition, schedule="floating")
        drift = {
            "key": "drift:1",
            "type": AlertType.DRIFT,
            "detector": "drift",
            "code": "up",
            "t_onset": round((NOW + DAY).timestamp() * 1000),
        }
        fold(session, finding(plant, **drift), NOW + DAY)

        assert [plan_orders.make(session, NOW + n * DAY) for n in (1, 2)] == [1, 0]
        do(session, plant, NOW + 3 * DAY)
        assert plan_orders.make(session, NOW + 4 * DAY) == 0
        assert [state for _, state in states(session)] == ["done"]


def test_a_bigger_plan_swallows_the_smaller_one_and_does_its_work(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        small = plan(session, plant, series="pump", level=1)
        big = plan(
            session,
            plant,
            series="pump",
            level=2,
            title="Overhaul",
            starts_on=date(2026, 12, 2),
            triggers=[{"kind": "calendar", "rrule": "FREQ=YEARLY"}],
        )
        plan_orders.make(session, at(11, 28))
        assert (states(session, small), states(session, big)) == ([("2026-12-01", "swallowed")], [("2026-12-02", "open")])

        do(session, plant, at(12, 2))
        plan_orders.make(session, at(12, 2))

        assert (states(session, small), states(session, big)) == ([("2026-12-01", "done")], [("2026-12-02", "done")])
        assert [order.title for order in session.scalars(select(WorkOrder))] == ["Overhaul"]


def test_a_swallowed_plan_gets_its_own_order_when_the_bigger_one_is_cancelled(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        small = plan(session, plant, series="pump", level=1)
        plan(session, plant, series="pump", level=2, title="Overhaul")
        plan_orders.make(session, at(11, 28))
        order = session.scalars(select(WorkOrder)).one()
        orders.act(session, order.id, "cancel", plant["manager"], at(11, 29), reason="postponed")
        plan_orders.make(session, at(11, 29))

        assert states(session, small) == [("2026-12-01", "open")]
        assert [one.title for one in session.scalars(select(WorkOrder).where(WorkOrder.state == "open"))] == ["Grease the bearings"]


def test_skipping_needs_a_reason_moves_on_and_is_audited(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        made = plan(session, plant)
        row = plans.skip(session, made, "M2", "the line is closed", plant["manager"], NOW)

        assert (row.state, row.reason) == ("skipped", "the line is closed")
        assert plan_views.bodies(session, [made], NOW)[0]["next_due"][:10] == "2027-01-01"
        assert session.scalars(select(AuditLog.new).where(AuditLog.action == "skip")).one()["reason"] == "the line is closed"
        with pytest.raises(NotFound):
            plans.skip(session, made, "PL-1", "not of this plan", plant["manager"], NOW)
        with pytest.raises(Forbidden):
            plans.skip(session, made, "M2", "no right", plant["benali"], NOW)


def test_skipping_ahead_of_a_meter_moves_on_by_its_hours(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        meter = meters.create(session, {"asset": "M2", "kind": "run_hours", "source": "manual", "value": 4000}, plant["manager"], NOW)
        made = plan(session, plant, triggers=[{"kind": "run_hours", "every": 500.0}], schedule="floating")
        meters.read(session, meter, {"value": 4300}, plant["manager"], at(11, 28))
        targets = []
        for _ in range(2):
            targets.append(plan_views.forecast(session, made, at(11, 28))[0]["target"])
            plans.skip(session, made, "M2", "the line is closed", plant["manager"], at(11, 28))

        assert targets == [4500, 5000]


def test_a_floating_plan_with_an_open_order_is_not_skipped(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        made = plan(session, plant, schedule="floating")
        plan_orders.make(session, at(11, 28))

        with pytest.raises(Conflict, match="cancel"):
            plans.skip(session, made, "M2", "no", plant["manager"], NOW)


def test_season_and_holidays_move_the_work(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        week = [{"days": [0, 1, 2, 3, 4], "start": "06:00", "end": "22:00"}]
        holiday = [{"day": date(2026, 12, 1), "name": "Closed", "windows": []}]
        calendars.create(session, {"name": "Two shifts", "weekly": week, "days": holiday}, plant["manager"], NOW)
        rows = [plan(session, plant, shift="after"), plan(session, plant, shift="before"), plan(session, plant, months=[4, 5])]

        assert [body["next_due"][:10] for body in plan_views.bodies(session, rows, NOW)] == ["2026-12-02", "2026-11-30", "2027-04-01"]


def test_compliance_counts_what_was_done_within_its_tolerance(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        made = plan(session, plant, early_days=0, late_days=1)
        for month, year, day in ((12, 2026, 1), (1, 2027, 2), (2, 2027, 5), (3, 2027, 1)):
            plan_orders.make(session, at(month, 1, year))
            do(session, plant, at(month, day, year))
        plan_orders.make(session, at(3, 20, 2027))

        body = plan_views.bodies(session, [made], at(3, 20, 2027))[0]
        assert (body["compliance"], body["compliance_due"]) == (75.0, 4)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"triggers": [{"kind": "calendar", "rrule": "FREQ=HOURLY"}]}, "triggers"),
        ({"triggers": [{"kind": "calendar", "rrule": "FREQ=MONTHLY;BYMONTHDAY=77"}]}, "triggers"),
        ({"triggers": [{"kind": "run_hours"}]}, "triggers"),
        ({"triggers": [{"kind": "condition", "alert_type": "mood"}]}, "triggers"),
        ({"triggers": [*MONTHLY, {"kind": "cycles", "every": 5.0}]}, "schedule"),
        ({"procedure": "NONE"}, "procedure"),
        ({"team": "Nobody"}, "team"),
        ({"assignee_id": 6}, "assignee_id"),
    ],
    ids=["hourly", "never comes", "no interval", "no such alert", "several, fixed", "no procedure", "no team", "stranger"],
)
def test_a_plan_that_cannot_be_is_refused(database: Database, plant: SmallPlant, fields: dict[str, Any], field: str) -> None:
    with database.transaction() as session, pytest.raises(Invalid) as refused:
        plan(session, plant, **fields)

    assert refused.value.field == field


def test_two_leaders_at_once_make_each_order_once(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        for n in range(5):
            plan(session, plant, title=f"Plan {n}", assets=["M2", "PL-1"])

    def lead(_: int) -> int:
        with database.transaction() as session:
            return plan_orders.make(session, at(11, 28))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lead, range(3))) == 10

    with database.transaction() as session:
        assert len(session.scalars(select(WorkOrder.id)).all()) == 10


def test_the_calendar_shows_what_was_made_and_what_is_ahead(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        plan(session, plant)
        plan_orders.make(session, at(11, 28))

        items = plan_views.calendar(session, plant.site, at(11, 1), at(3, 15, 2027))

        assert [(item["due"][:10], item["state"]) for item in items] == [
            ("2026-12-01", "open"),
            ("2027-01-01", "ahead"),
            ("2027-02-01", "ahead"),
            ("2027-03-01", "ahead"),
        ]


steps = st.lists(st.tuples(st.integers(1, 40), st.sampled_from(["wait", "do", "skip", "cancel"])), min_size=5, max_size=20)


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(steps, st.sampled_from(["fixed", "floating"]), st.sampled_from(["FREQ=MONTHLY", "FREQ=WEEKLY;INTERVAL=2"]))
def test_whatever_happens_occurrences_ascend_and_one_order_is_open_at_most(
    database: Database, walked: list[tuple[int, str]], schedule: str, rule: str
) -> None:
    emptied(database)
    now = NOW
    with database.transaction() as session:
        plant = build(session)
        made = plan(session, plant, schedule=schedule, triggers=[{"kind": "calendar", "rrule": rule}])
        for days, deed in walked:
            now += days * DAY
            plan_orders.make(session, now)
            _deed(session, plant, made, deed, now)
            plan_orders.make(session, now)
            assert len(session.scalars(select(WorkOrder.id).where(WorkOrder.state == "open")).all()) <= 1

        rows = session.scalars(select(PmOccurrence).order_by(PmOccurrence.occurrence)).all()
        assert [row.occurrence for row in rows] == list(range(1, len(rows) + 1))
        assert all(before.due < after.due for before, after in zip(rows, rows[1:], strict=False))  # noqa: RUF007
        grid = {due["due"] for due in plan_views.calendar(session, plant.site, NOW, now)}
        assert schedule == "floating" or len(grid) == len([row for row in rows if row.due < now])


def _deed(session: Session, plant: SmallPlant, made: PmPlan, deed: str, now: datetime) -> None:
    if deed == "do":
        do(session, plant, now)
    elif deed == "cancel":
        for order in session.scalars(select(WorkOrder).where(WorkOrder.state == "open")).all():
            orders.act(session, order.id, "cancel", plant["manager"], now, reason="no")
    elif deed == "skip":
        try:
            plans.skip(session, made, "M2", "no time", plant["manager"], now)
        except Conflict:
            assert session.scalars(select(WorkOrder.id).where(WorkOrder.state == "open")).all() != []


def test_a_meter_that_nobody_reads_makes_no_due_date(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        made = plan(session, plant, triggers=[{"kind": "cycles", "every": 100.0}], schedule="floating")

        assert plan_orders.make(session, at(12, 1)) == 0
        assert plan_views.forecast(session, made, NOW)[0]["due"] is None
        assert session.scalars(select(Meter)).all() == []
