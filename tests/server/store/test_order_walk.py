"""Random walks over a real order: what the table does not know is refused and no row changes; two at once, one wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.errors import SightlineError
from server.database import Database
from server.errors import Conflict, Forbidden, Invalid
from server.models.audit import AuditLog
from server.models.calibration import MaintenanceRecord
from server.models.interventions import Intervention
from server.models.maintenance import MaintenanceWindow
from server.models.notifications import Notification
from server.models.outbox import Outbox
from server.models.plant import Asset
from server.models.work import ProofWindow, WorkOrder
from server.rules.work_order import TRANSITIONS, OrderAction, OrderState
from server.store import interventions, orders, taxonomy
from server.store.orders import NewOrder
from tests.server.small_plant import NOW, SmallPlant

COUNTED = (AuditLog, Outbox, MaintenanceWindow, Notification, ProofWindow, MaintenanceRecord)
FIELDS: dict[OrderAction, list[dict[str, Any]]] = {
    OrderAction.HOLD: [{"reason": "lunch"}, {}],
    OrderAction.PROBLEM: [{"note": "no guard"}],
    OrderAction.COMPLETE: [{"notes": "done"}, {"notes": " "}, {"notes": "done", "parts": [{"sku": "6308", "qty": -1}]}],
    OrderAction.REOPEN: [{"reason": "still loud"}],
    OrderAction.CANCEL: [{"reason": "wrong machine"}, {}],
    OrderAction.VERIFY: [{}, {"notes": "looks good"}],
}
PEOPLE = ("manager", "benali", "moreau", "operator", "viewer")
ACTS = st.sampled_from(OrderAction).flatmap(
    lambda action: st.tuples(st.just(action), st.sampled_from(PEOPLE), st.sampled_from(FIELDS.get(action, [{}])))
)


def rows(session: Session, order_id: int) -> tuple[object, ...]:
    """Everything that an act on the order may touch."""
    session.flush()
    session.expire_all()
    order = session.get_one(WorkOrder, order_id)
    asset = session.get_one(Asset, order.asset_id)
    values = [tuple(getattr(row, column.name) for column in type(row).__table__.columns) for row in (order, asset)]
    return *values, *(session.scalar(select(func.count()).select_from(table)) for table in COUNTED)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(walk=st.lists(ACTS, min_size=1, max_size=14))
def test_a_refused_act_leaves_every_row_as_it_was(
    database: Database, plant: SmallPlant, walk: list[tuple[OrderAction, str, dict[str, Any]]]
) -> None:
    with database.transaction() as session:
        order = orders.create_order(session, NewOrder(title="Look at it", asset_id=plant.pump), plant["manager"], NOW)
        for n, (action, who, fields) in enumerate(walk):
            before, state = rows(session, order.id), OrderState(order.state)
            try:
                orders.act(session, order.id, action, plant[who], NOW + timedelta(minutes=n), **fields)
            except (Conflict, Forbidden, Invalid) as refused:
                assert rows(session, order.id) == before
                if isinstance(refused, Conflict) and refused.code == "wrong_state":
                    assert (state, action) not in TRANSITIONS
            else:
                assert order.state == TRANSITIONS[state, action]
                assert rows(session, order.id) != before
        session.rollback()


def race(*deeds: Callable[[], object]) -> list[object]:
    """Run all at once; what each gave, or the error it met."""
    results: list[object] = [None] * len(deeds)
    gate = threading.Barrier(len(deeds))

    def run(n: int) -> None:
        gate.wait()
        try:
            results[n] = deeds[n]()
        except SightlineError as error:
            results[n] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(deeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _started(database: Database, plant: SmallPlant) -> int:
    with database.transaction() as session:
        order = orders.create_order(session, NewOrder(title="Look at it", asset_id=plant.press), plant["manager"], NOW)
        orders.act(session, order.id, "start", plant["benali"], NOW)
        return order.id


@pytest.mark.parametrize("others", [1, 5])
def test_of_those_who_complete_an_order_at_once_one_wins_and_the_others_are_told(
    database: Database, plant: SmallPlant, others: int
) -> None:
    order_id = _started(database, plant)

    def complete(notes: str) -> str:
        with database.transaction() as session:
            return orders.act(session, order_id, "complete", plant["benali"], NOW + timedelta(minutes=9), notes=notes).notes or ""

    results = race(*(lambda n=n: complete(f"done by device {n}") for n in range(others + 1)))

    (won,) = [result for result in results if isinstance(result, str)]
    refused = [result for result in results if isinstance(result, Conflict)]
    assert (len(refused), {error.state for error in refused}) == (others, {"completed"})
    with database.transaction() as session:
        order = session.get_one(WorkOrder, order_id)
        assert (order.state, order.notes) == ("completed", won)
        assert len(session.scalars(select(MaintenanceRecord).where(MaintenanceRecord.work_order_id == order_id)).all()) == 1


def test_two_interventions_that_end_at_once_complete_the_order_once(database: Database, plant: SmallPlant) -> None:
    order_id = _started(database, plant)
    with database.transaction() as session:
        category = taxonomy.list_terms(session, plant.site, {"level": "category"}, limit=1, offset=0).items[0].id

    def save(words: str) -> int:
        fields = {"category": category, "received_at": NOW, "ended_at": NOW, "comments": words}
        with database.transaction() as session:
            return interventions.create(session, str(order_id), fields, plant["benali"], NOW).id

    results = race(lambda: save("one"), lambda: save("two"))

    assert sorted(type(result).__name__ for result in results) == ["Conflict", "int"]
    with database.transaction() as session:
        assert len(session.scalars(select(Intervention.id)).all()) == 1


def test_the_defaults_of_a_taxonomy_are_written_once_however_many_ask(database: Database, plant: SmallPlant) -> None:
    def ask() -> int:
        with database.transaction() as session:
            return taxonomy.list_terms(session, plant.site, {}, limit=1, offset=0).total

    totals = race(*[ask] * 4)

    assert len(set(totals)) == 1
