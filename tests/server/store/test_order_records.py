"""Comments, time, links, sub-orders and follow-ups of orders at the store."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import bodies
from server.database import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.notifications import Notification
from server.models.order_records import OrderLink
from server.models.work import Procedure, ProcedureVersion, Team, WorkOrder
from server.store import comments, labour, order_links, orders, steps
from server.store.orders import NewOrder
from server.store.steps import StepAnswer
from tests.server.small_plant import NOW, SmallPlant
from tests.server.store.story import completed, raised_order

CHECKS: list[dict[str, Any]] = [
    {"id": "c1", "n": 1, "k": "check", "t": "Is the guard on {asset} tight?", "must": True},
    {
        "id": "c2",
        "n": 2,
        "k": "measure",
        "t": "Oil level",
        "must": True,
        "in": {"lo": 2, "hi": 8, "unit": "cm"},
        "on_fail": {"follow_up": {"title": "Fill up {asset}", "priority": "high", "procedure": "VIB-01"}},
    },
]


def opened(session: Session, plant: SmallPlant, title: str = "Look at it", **fields: Any) -> WorkOrder:
    return orders.create_order(session, NewOrder(title=title, asset_id=plant.press, **fields), plant["manager"], NOW)


def started(session: Session, plant: SmallPlant, **fields: Any) -> WorkOrder:
    order = opened(session, plant, **fields)
    return orders.act(session, order.id, "start", plant["benali"], NOW)


def checked(session: Session, plant: SmallPlant, type_: str) -> WorkOrder:
    procedure = Procedure(site_id=plant.site, code=f"CHK-{type_}", title="Round")
    session.add(procedure)
    session.flush()
    session.add(ProcedureVersion(procedure_id=procedure.id, version=1, steps=CHECKS))
    return started(session, plant, type=type_, procedure_id=procedure.id)


def answer(session: Session, plant: SmallPlant, order: WorkOrder, step: str, given: StepAnswer) -> None:
    steps.record(session, order.id, step, given, plant["benali"], "touch", NOW, NOW)


def follow_ups(session: Session, order: WorkOrder) -> list[WorkOrder]:
    link = select(OrderLink.from_id).where(OrderLink.to_id == order.id, OrderLink.kind == "follow_up")
    return list(session.scalars(select(WorkOrder).where(WorkOrder.id.in_(link)).order_by(WorkOrder.id)))


def test_a_failed_item_opens_one_follow_up_whatever_comes_after(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = checked(session, plant, "preventive")
        answer(session, plant, order, "c1", StepAnswer(option="fail"))
        answer(session, plant, order, "c2", StepAnswer(value=1.0, unit="cm"))
        assert follow_ups(session, order) == []

        orders.act(session, order.id, "complete", plant["benali"], NOW, notes="oil is low")
        (made,) = follow_ups(session, order)
        orders.act(session, order.id, "reopen", plant["moreau"], NOW, reason="again")
        orders.act(session, order.id, "start", plant["benali"], NOW)
        answer(session, plant, order, "c1", StepAnswer(option="pass"))
        answer(session, plant, order, "c2", StepAnswer(value=1.0, unit="cm"))
        orders.act(session, order.id, "complete", plant["benali"], NOW, notes="still low")

        assert follow_ups(session, order) == [made]
        assert (made.title, made.priority, made.state, made.asset_id) == ("Fill up PL-1", "high", "open", plant.press)
        assert bodies.order_body(session, made)["procedure"]["code"] == "VIB-01"
        assert order.number in made.description
        (shown,) = order_links.of_order(session, order)
        assert (shown["direction"], shown["kind"], shown["step"], shown["order"]["number"]) == ("in", "follow_up", "c2", made.number)
        assert shown["step_text"] == "Oil level"


def test_every_failed_check_of_an_inspection_opens_one_and_what_passed_opens_none(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = checked(session, plant, "inspection")
        answer(session, plant, order, "c1", StepAnswer(option="fail", note="two bolts gone"))
        answer(session, plant, order, "c2", StepAnswer(value=4.0, unit="cm"))
        orders.act(session, order.id, "complete", plant["benali"], NOW, notes="done")

        (made,) = follow_ups(session, order)
        assert made.title == "Put right: Is the guard on PL-1 tight?"
        assert "two bolts gone" in made.description


def test_the_answers_of_a_former_round_stay_readable(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        completed(session, plant, order)
        who = "benali" if order.assignee_id == plant["benali"].id else "moreau"
        orders.act(session, order.id, "reopen", plant["manager"], NOW + timedelta(hours=1), reason="still loud")
        orders.act(session, order.id, "start", plant[who], NOW + timedelta(hours=2))

        shown = {step["id"]: step for step in steps.step_bodies(session, steps.current(session, order))}

        assert (shown["s3"]["done"], shown["s3"]["answer"]) == (False, None)
        assert [(old["value"], old["who"]) for old in shown["s3"]["former"]] == [(2.1, plant[who].name)]
        assert shown["s2"]["former"] == []


def test_time_is_priced_by_the_team_or_as_given_and_added_up(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        session.scalars(select(Team)).one().labour_rate = Decimal(45)
        session.flush()
        order = started(session, plant)
        labour.enter(session, order.id, labour.Entry(minutes=20), plant["benali"], NOW)
        labour.enter(session, order.id, labour.Entry(minutes=30, rate=60.5, person_id=plant["moreau"].id), plant["manager"], NOW)
        with pytest.raises(Forbidden):
            labour.enter(session, order.id, labour.Entry(minutes=1, person_id=plant["moreau"].id), plant["benali"], NOW)

        orders.act(session, order.id, "complete", plant["benali"], NOW, notes="done", other_cost=12.345)

        cost = bodies.order_body(session, order)["cost"]
        assert cost == {"labour": 45.25, "parts": 0.0, "other": 12.35, "total": 57.6, "currency": "EUR"}
        assert order.actual_min == 50


def test_one_timer_runs_and_ends_with_the_work(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order, other = started(session, plant), started(session, plant, title="Another")
        row = labour.start(session, order.id, plant["benali"], NOW)
        with pytest.raises(Conflict) as refused:
            labour.start(session, other.id, plant["benali"], NOW)
        assert refused.value.code == "timer_running"

        orders.act(session, order.id, "hold", plant["benali"], NOW + timedelta(minutes=12), reason="lunch")

        assert (row.minutes, row.ended_at) == (12, NOW + timedelta(minutes=12))
        with pytest.raises(Conflict) as none:
            labour.stop(session, order.id, plant["benali"], NOW)
        assert none.value.code == "no_timer"


def test_time_is_entered_after_work_began_and_taken_back_by_its_person(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        waiting = opened(session, plant)
        with pytest.raises(Conflict):
            labour.enter(session, waiting.id, labour.Entry(minutes=5), plant["benali"], NOW)
        order = started(session, plant, title="Another")
        row = labour.enter(session, order.id, labour.Entry(minutes=5), plant["benali"], NOW)
        with pytest.raises(Forbidden):
            labour.remove(session, order.id, row.id, plant["moreau"], NOW)

        labour.remove(session, order.id, row.id, plant["benali"], NOW)

        assert labour.entries(session, order.id) == []
        with pytest.raises(NotFound):
            labour.remove(session, order.id, row.id, plant["benali"], NOW)


def test_a_comment_stays_and_tells_whoever_has_the_order(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = started(session, plant)
        comments.add(session, order.id, "Bearing is on its way", plant["manager"], NOW)
        comments.add(session, order.id, "Thanks", plant["benali"], NOW)

        told = session.execute(select(Notification.user_id, Notification.body).where(Notification.kind == "order_comment")).all()
        assert [tuple(row) for row in told] == [(plant["benali"].id, "Bearing is on its way"), (plant["manager"].id, "Thanks")]
        listed = comments.list_comments(session, order.id, plant["operator"], limit=9, offset=0)
        assert [row.author for row in listed.items] == ["L.Fontaine", "A.Benali"]
        with pytest.raises(NotFound):
            comments.add(session, order.id, "Hello", plant["stranger"], NOW)


def test_a_blocked_order_starts_when_its_blocker_is_done(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        first, second, third = (opened(session, plant, title) for title in ("Scaffold", "Weld", "Paint"))
        order_links.add(session, first.id, second.id, "blocks", plant["manager"], NOW)
        order_links.add(session, second.id, third.id, "blocks", plant["manager"], NOW)
        with pytest.raises(Conflict) as circle:
            order_links.add(session, third.id, first.id, "blocks", plant["manager"], NOW)
        assert circle.value.code == "circle"
        with pytest.raises(Conflict) as refused:
            orders.act(session, second.id, "start", plant["benali"], NOW)
        assert (refused.value.code, second.state) == ("blocked", "open")

        orders.act(session, first.id, "start", plant["benali"], NOW)
        orders.act(session, first.id, "complete", plant["benali"], NOW, notes="stands")

        assert orders.act(session, second.id, "start", plant["benali"], NOW).state == "in_progress"


def test_links_are_made_once_and_taken_away(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        first, second = opened(session, plant, "One"), opened(session, plant, "Two")
        link = order_links.add(session, first.id, second.id, "relates", plant["operator"], NOW)
        with pytest.raises(Conflict):
            order_links.add(session, first.id, second.id, "relates", plant["operator"], NOW)
        with pytest.raises(Invalid):
            order_links.add(session, first.id, first.id, "relates", plant["operator"], NOW)

        order_links.remove(session, second.id, link.id, plant["manager"], NOW)

        assert order_links.of_order(session, first) == []


def test_an_order_is_not_completed_over_an_open_sub_order(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = started(session, plant)
        part = opened(session, plant, "A part of it", parent_id=order.id)
        with pytest.raises(Conflict) as refused:
            orders.act(session, order.id, "complete", plant["benali"], NOW, notes="done")
        assert refused.value.code == "sub_order_open"

        orders.act(session, part.id, "cancel", plant["manager"], NOW, reason="not needed")

        assert orders.act(session, order.id, "complete", plant["benali"], NOW, notes="done").state == "completed"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parts", [{"sku": "6308", "qty": -1}]),
        ("parts", [{"sku": "", "qty": 1}]),
        ("other_cost", -0.01),
        ("signature", {"name": " "}),
        ("signature", {"name": "A", "strokes": [[[0, 2]]]}),
    ],
)
def test_closing_refuses_what_cannot_be(database: Database, plant: SmallPlant, field: str, value: Any) -> None:
    with database.transaction() as session:
        order = started(session, plant)

        with pytest.raises(Invalid) as refused:
            orders.act(session, order.id, "complete", plant["benali"], NOW, notes="done", **{field: value})

        assert (refused.value.field, order.state) == (field, "in_progress")
