"""The relay: numbers follow commits, every fact reaches the bus once, also when the bus or the relay fails between."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, update

from realtime.bus import FACTS, Bus, connect
from realtime.codec import decode_fact
from realtime.errors import BusUnavailable
from realtime.events import FactName
from server.database import Database
from server.models.outbox import Outbox
from server.relay import OutboxBell, Relay
from server.store import facts
from server.store.outbox import Draft, emit
from tests.server.small_plant import NOW, SmallPlant


def tell(database: Database, *names: FactName) -> None:
    with database.transaction() as session:
        for name in names:
            emit(session, Draft(name, 1, 1, "system", None, {"x": 1}), NOW)


def on_bus(bus: Bus) -> list[tuple[int, str]]:
    entries = bus.client.xrange(bus.key(FACTS))
    return [(fact.seq, str(fact.name)) for fact in (decode_fact(fields) for _, fields in entries)]  # type: ignore[union-attr,arg-type]


def test_a_fact_that_commits_later_gets_the_later_number(database: Database, bus: Bus) -> None:
    relay = Relay(database, bus)
    slow_wrote, fast_committed = threading.Event(), threading.Event()

    def slow() -> None:
        with database.transaction() as session:
            emit(session, Draft(FactName.ALERT_RAISED, 1, 1, "system", None, {}), NOW)
            slow_wrote.set()
            fast_committed.wait(10)

    thread = threading.Thread(target=slow)
    thread.start()
    slow_wrote.wait(10)
    tell(database, FactName.ALERT_RETURNED)
    relay.run_once(NOW)
    fast_committed.set()
    thread.join(10)

    relay.run_once(NOW)

    assert on_bus(bus) == [(1, "alert.returned"), (2, "alert.raised")]


def test_a_rolled_back_fact_is_never_told(database: Database, bus: Bus) -> None:
    class Refused(Exception):
        pass

    def fails() -> None:
        with database.transaction() as session:
            emit(session, Draft(FactName.ALERT_RAISED, 1, 1, "system", None, {}), NOW)
            raise Refused

    with pytest.raises(Refused):
        fails()

    assert Relay(database, bus).run_once(NOW) == 0


def test_killed_between_bus_and_database_tells_nothing_twice(database: Database, bus: Bus) -> None:
    tell(database, FactName.ALERT_RAISED, FactName.WORK_ORDER_OPENED)
    Relay(database, bus).run_once(NOW)
    with database.transaction() as session:  # as if the relay had died before it noted what it did
        session.execute(update(Outbox).values(published_at=None))
    tell(database, FactName.WORK_ORDER_ASSIGNED)

    Relay(database, bus).run_once(NOW)

    assert on_bus(bus) == [(1, "alert.raised"), (2, "work_order.opened"), (3, "work_order.assigned")]


def test_while_the_bus_is_away_facts_wait_and_then_come_in_order(database: Database, bus: Bus) -> None:
    tell(database, FactName.ALERT_RAISED)
    away = Bus(connect("redis://127.0.0.1:1/0"), bus.prefix)
    relay = Relay(database, away)
    with pytest.raises(BusUnavailable):
        relay.run_once(NOW)
    tell(database, FactName.ALERT_RETURNED)

    assert Relay(database, bus).run_once(NOW) == 2

    assert [seq for seq, _ in on_bus(bus)] == [1, 2]


def test_facts_since_a_number_come_from_the_database(database: Database, bus: Bus) -> None:
    tell(database, *[FactName.ALERT_RAISED] * 5)
    Relay(database, bus).run_once(NOW)

    with database.transaction() as session:
        assert [fact.seq for fact in facts.since(session, 3)] == [4, 5]
        assert facts.newest_seq(session) == 5
        assert session.scalars(select(Outbox).where(Outbox.published_at.is_(None))).all() == []


def test_a_commit_rings_the_bell(database: Database) -> None:
    bell = OutboxBell(database.url)
    tell(database, FactName.ALERT_RAISED)

    bell.wait(10)  # returns at once; a bell that nobody rang would only make the relay late, never lose anything

    bell.close()
    assert Relay(database, Bus(connect("redis://127.0.0.1:1/0"), "x")).plant_changed is False


def test_a_changed_plant_is_seen(database: Database, plant: SmallPlant, bus: Bus) -> None:
    relay = Relay(database, bus)
    tell(database, FactName.CONFIG_CHANGED)

    relay.run_once(NOW)

    assert relay.plant_changed
