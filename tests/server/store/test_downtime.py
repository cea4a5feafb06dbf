"""Downtime follows the machines, people explain it, and many writers at once leave one open row a machine and no overlap."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import Signal, SignalName
from server import bodies
from server.database import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.audit import AuditLog
from server.models.downtime import Downtime, DowntimeReason
from server.models.notifications import Notification
from server.models.plant import Asset, OperatingPeriod
from server.models.work import WorkOrder
from server.rules.asset import Operating
from server.rules.downtime import Stretch, overlaps
from server.signals import fold_signal
from server.store import assets, downtime_acts, downtimes, orders, standstill
from server.store.orders import NewOrder
from server.timestamps import to_ms
from tests.server.conftest import emptied
from tests.server.small_plant import NOW, SmallPlant, build

HOUR = timedelta(hours=1)


def tell(session: Session, asset_id: int, operating: str, at: datetime, code: str | None = None) -> None:
    """The PLC says what a machine does, and the leader follows."""
    fold_signal(
        session, Signal(SignalName.STATE_OBSERVED, to_ms(at), {"asset": asset_id, "operating": operating, "fault_code": code}), at, 60.0
    )
    standstill.follow(session, at)


def rows(session: Session, asset_id: int) -> list[tuple[str, float, float | None]]:
    """(state, start, end) of a machine's rows in minutes from NOW."""
    query = select(Downtime).where(Downtime.asset_id == asset_id, Downtime.deleted_at.is_(None)).order_by(Downtime.started_at, Downtime.id)
    return [
        (row.state, _minutes(row.started_at), None if row.ended_at is None else _minutes(row.ended_at)) for row in session.scalars(query)
    ]


def _minutes(at: datetime) -> float:
    return (at - NOW) / timedelta(minutes=1)


def minute(n: float) -> datetime:
    return NOW + timedelta(minutes=n)


def the_row(session: Session) -> Downtime:
    return session.scalars(select(Downtime).where(Downtime.deleted_at.is_(None)).order_by(Downtime.id)).all()[-1]


def test_the_state_bit_opens_and_closes_downtime_once_with_its_order_and_money(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        session.get_one(Asset, plant.press).machine_rate = Decimal("120.00")
        tell(session, plant.press, "running", minute(0))
        tell(session, plant.press, "fault", minute(10), "7")
        tell(session, plant.press, "fault", minute(10), "7")  # delivered twice
        tell(session, plant.press, "stopped", minute(12))  # acknowledged at the panel: still the same stop
        tell(session, plant.press, "running", minute(40))
        standstill.tie_orders(session, minute(41))

        assert rows(session, plant.press) == [("fault", 10, 40)]
        row = the_row(session)
        order = session.scalars(select(WorkOrder)).one()
        body = downtimes.bodies(session, [row], minute(60))[0]
        assert (row.category, body["order"]["number"]) == ("unplanned", order.number)
        assert (body["minutes"], body["cost"], body["fault_code"]) == (30, 60.0, "7")
        told = session.scalars(select(AuditLog.action).where(AuditLog.thing == "downtime").order_by(AuditLog.id)).all()
        assert told == ["open", "close", "tie"]


def test_an_order_that_is_opened_while_the_machine_stands_is_tied_to_the_row(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        tell(session, plant.press, "stopped", minute(0))
        orders.create_order(
            session, NewOrder(title="Grease next week", asset_id=plant.press, type="preventive"), plant["manager"], minute(1)
        )
        assert standstill.tie_orders(session, minute(2)) == 0
        order = orders.create_order(session, NewOrder(title="Free the die", asset_id=plant.press), plant["manager"], minute(3))

        assert (standstill.tie_orders(session, minute(4)), standstill.tie_orders(session, minute(5))) == (1, 0)
        assert the_row(session).work_order_id == order.id


def test_a_lost_link_ends_the_stretch_and_unknown_time_is_no_downtime(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        tell(session, plant.press, "stopped", minute(0))
        tell(session, plant.press, "unknown", minute(5))
        tell(session, plant.press, "stopped", minute(20))

        assert rows(session, plant.press) == [("stopped", 0, 5), ("stopped", 20, None)]
        assert the_row(session).category == "unclassified"


def test_a_stopped_parent_takes_its_children_along_and_sums_count_it_once(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        session.get_one(Asset, plant.pump).parent_id = plant.press
        tell(session, plant.pump, "running", minute(0))
        tell(session, plant.press, "running", minute(0))
        tell(session, plant.press, "stopped", minute(10))
        tell(session, plant.pump, "fault", minute(15), "9")
        tell(session, plant.press, "running", minute(30))
        tell(session, plant.pump, "running", minute(45))

        assert rows(session, plant.press) == [("stopped", 10, 30)]
        assert rows(session, plant.pump) == [("parent", 10, 30), ("fault", 30, 45)]
        caused, own = session.scalars(select(Downtime).where(Downtime.asset_id == plant.pump).order_by(Downtime.id))
        assert caused.cause_id == session.scalar(select(Downtime.id).where(Downtime.asset_id == plant.press))
        assert own.cause_id is None
        assert downtimes.bodies(session, [caused], NOW)[0]["cause"]["asset"] == "PL-1"


def test_a_machine_that_stood_first_keeps_its_own_row_and_is_taken_along_when_repaired(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        session.get_one(Asset, plant.pump).parent_id = plant.press
        tell(session, plant.pump, "fault", minute(0), "9")
        tell(session, plant.press, "stopped", minute(10))
        tell(session, plant.pump, "running", minute(20))
        tell(session, plant.press, "running", minute(30))

        assert rows(session, plant.pump) == [("fault", 0, 20), ("parent", 20, 30)]


def test_planned_work_makes_planned_downtime(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = orders.create_order(session, NewOrder(title="Grease", asset_id=plant.press, type="preventive"), plant["manager"], NOW)
        orders.act(session, order.id, "start", plant["benali"], NOW)
        tell(session, plant.press, "stopped", minute(1))
        standstill.tie_orders(session, minute(2))

        assert (the_row(session).category, the_row(session).work_order_id) == ("planned", order.id)


def test_people_are_asked_once_for_the_reason_of_a_longer_stop(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        tell(session, plant.press, "stopped", minute(0))
        assert standstill.ask_reasons(session, minute(1)) == 0

        assert (standstill.ask_reasons(session, minute(3)), standstill.ask_reasons(session, minute(4))) == (1, 0)

        told = session.scalars(select(Notification).where(Notification.kind == "downtime_reason")).all()
        assert {row.title for row in told} == {"PL-1 stands: why?"}
        assert {row.user_id for row in told} == {plant[name].id for name in ("benali", "moreau", "operator")}
        assert {bodies.notification_body(row)["downtime"] for row in told} == {the_row(session).id}


@pytest.fixture
def reason(database: Database, plant: SmallPlant) -> int:
    """Change of tools, a planned stop."""
    with database.transaction() as session:
        row = DowntimeReason(site_id=plant.site, code="tool", label="Change of tools", category="planned")
        session.add(row)
        session.flush()
        return row.id


def test_a_reason_makes_the_category_also_of_what_stood_because_of_it(database: Database, plant: SmallPlant, reason: int) -> None:
    with database.transaction() as session:
        session.get_one(Asset, plant.pump).parent_id = plant.press
        tell(session, plant.press, "stopped", minute(0))
        row = session.scalars(select(Downtime).where(Downtime.asset_id == plant.press)).one()
        downtime_acts.classify(session, row, {"reason": "tool", "note": "die 4"}, plant["operator"], minute(5))
        session.expire_all()

        assert {(one.category, one.reason_id) for one in session.scalars(select(Downtime))} == {("planned", reason)}
        caused = session.scalars(select(Downtime).where(Downtime.asset_id == plant.pump)).one()
        with pytest.raises(Conflict, match="another machine"):
            downtime_acts.classify(session, caused, {"category": "planned"}, plant["operator"], NOW)
        with pytest.raises(Invalid, match="tool is planned"):
            downtime_acts.classify(session, row, {"reason": "tool", "category": "unplanned"}, plant["operator"], NOW)
        with pytest.raises(Invalid, match="not in the site"):
            downtime_acts.classify(session, row, {"reason": 99}, plant["operator"], NOW)


def test_a_row_is_split_merged_and_corrected_with_an_audit_row_each(database: Database, plant: SmallPlant) -> None:
    who = plant["operator"]
    with database.transaction() as session:
        tell(session, plant.press, "stopped", minute(0))
        first = downtime_acts.locked(session, the_row(session).id, who)
        second = downtime_acts.split(session, first, minute(20), who, minute(30))
        assert rows(session, plant.press) == [("stopped", 0, 20), ("stopped", 20, None)]
        tell(session, plant.press, "running", minute(40))

        downtime_acts.change(session, first, {"ended_at": minute(15)}, who, minute(60))
        with pytest.raises(Conflict, match="stood in that time already"):
            downtime_acts.change(session, first, {"ended_at": minute(25)}, who, minute(60))
        downtime_acts.merge(session, second, first.id, who, minute(60))
        assert rows(session, plant.press) == [("stopped", 0, 40)]

        trail = session.scalars(
            select(AuditLog.action).where(AuditLog.thing == "downtime", AuditLog.actor_id == who.id).order_by(AuditLog.id)
        )
        assert list(trail) == ["split", "split", "change", "merge", "merge"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"started_at": minute(5), "ended_at": minute(6)}, Invalid),
        ({"started_at": minute(-30), "ended_at": minute(-40)}, Invalid),
        ({"started_at": minute(-30), "ended_at": minute(5)}, Invalid),
        ({"started_at": minute(-15), "ended_at": minute(-5)}, Conflict),
        ({"started_at": minute(-15)}, Conflict),
    ],
    ids=["begins in the future", "ends before it begins", "ends in the future", "overlaps", "stands now"],
)
def test_a_stretch_entered_by_hand_fits_the_others(
    database: Database, plant: SmallPlant, fields: dict[str, Any], error: type[Exception]
) -> None:
    with database.transaction() as session:
        tell(session, plant.press, "stopped", minute(-10))

        with pytest.raises(error):
            downtime_acts.create(session, {"asset": "PL-1", **fields}, plant["operator"], NOW)

        assert len(rows(session, plant.press)) == 1


def test_a_row_entered_by_hand_is_ended_by_hand_and_the_machines_own_is_not(database: Database, plant: SmallPlant) -> None:
    who = plant["operator"]
    with database.transaction() as session:
        mine = downtime_acts.create(session, {"asset": "M2", "started_at": minute(-20)}, who, NOW)
        downtime_acts.change(session, mine, {"ended_at": minute(-5)}, who, NOW)
        tell(session, plant.press, "stopped", minute(-10))
        theirs = session.scalars(select(Downtime).where(Downtime.asset_id == plant.press)).one()

        assert rows(session, plant.pump) == [("manual", -20, -5)]
        with pytest.raises(Conflict, match="says when it runs again"):
            downtime_acts.change(session, theirs, {"ended_at": minute(-5)}, who, NOW)
        with pytest.raises(NotFound):
            downtime_acts.locked(session, theirs.id, plant["stranger"])
        with pytest.raises(Forbidden):
            downtime_acts.locked(session, theirs.id, plant["viewer"])


def test_a_second_leader_folds_nothing_twice(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        for n in range(20):
            assets.set_operating(
                session, session.get_one(Asset, plant.press), Operating.STOPPED if n % 2 else Operating.RUNNING, None, minute(n)
            )

    def lead(_: int) -> int:
        with database.transaction() as session:
            return standstill.follow(session, minute(60))

    with ThreadPoolExecutor(4) as pool:
        folded = list(pool.map(lead, range(4)))

    with database.transaction() as session:
        assert (sum(folded), len(rows(session, plant.press))) == (20, 10)


# What a writer may try on one machine of a line (0) with a machine below it (1).
Deed = Callable[[Database, SmallPlant], None]


def _state(which: int, operating: Operating, at: float) -> Deed:
    def run(database: Database, plant: SmallPlant) -> None:
        with database.transaction() as session:
            asset = assets.lock_asset(session, (plant.press, plant.pump)[which])
            assert asset is not None
            assets.set_operating(session, asset, operating, None, minute(at))
        with database.transaction() as session:
            standstill.follow(session, minute(200))

    return run


def _by_hand(which: int, start: float, length: float | None) -> Deed:
    def run(database: Database, plant: SmallPlant) -> None:
        fields = {
            "asset": ("PL-1", "M2")[which],
            "started_at": minute(start),
            "ended_at": None if length is None else minute(start + length),
        }
        with database.transaction() as session:
            downtime_acts.create(session, fields, plant["operator"], minute(200))

    return run


def _divide(which: int, at: float) -> Deed:
    def run(database: Database, plant: SmallPlant) -> None:
        with database.transaction() as session:
            found = standstill.open_row(session, (plant.press, plant.pump)[which])
            if found is not None:
                row = downtime_acts.locked(session, found.id, plant["operator"])
                downtime_acts.split(session, row, minute(at), plant["operator"], minute(200))

    return run


deeds = st.one_of(
    st.builds(_state, st.integers(0, 1), st.sampled_from(list(Operating)), st.integers(0, 100)),
    st.builds(_by_hand, st.integers(0, 1), st.integers(-100, 150), st.none() | st.integers(1, 40)),
    st.builds(_divide, st.integers(0, 1), st.integers(0, 150)),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(deeds, min_size=8, max_size=24))
def test_many_writers_leave_one_open_row_a_machine_and_no_overlap(database: Database, tried: list[Deed]) -> None:
    emptied(database)
    with database.transaction() as session:
        plant = build(session)
        session.get_one(Asset, plant.pump).parent_id = plant.press

    def attempt(deed: Deed) -> None:
        try:
            deed(database, plant)
        except (Conflict, Invalid):
            return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(attempt, tried))

    with database.transaction() as session:
        assert session.scalars(select(OperatingPeriod.id).where(~OperatingPeriod.followed)).all() == []
        for asset_id in (plant.press, plant.pump):
            found = session.scalars(select(Downtime).where(Downtime.asset_id == asset_id, Downtime.deleted_at.is_(None))).all()
            stretches = [Stretch(row.started_at, row.ended_at) for row in found if row.started_at != row.ended_at]
            assert sum(row.ended_at is None for row in found) <= 1
            assert not any(overlaps(a, b) for n, a in enumerate(stretches) for b in stretches[n + 1 :])
        below = standstill.open_row(session, plant.pump)
        assert standstill.open_row(session, plant.press) is None or below is not None
