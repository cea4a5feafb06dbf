"""The recorder stores what is on the bus once, whatever goes away meanwhile, and a bad entry stops nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg2
import pytest
from psycopg2.extensions import connection

from realtime.bus import DEAD, READINGS, SIGNALS, Bus
from realtime.codec import decode_signal
from realtime.events import SHARDS, Batch, SignalName
from realtime.recorder import GROUP, Recorder
from tests.realtime.batches import GOOD, T0, batch_of, series, texts
from tests.waiting import wait_for


@pytest.fixture
def database(fresh_postgres_url: str) -> Iterator[connection]:
    """A history of this test's own; reads see what is committed."""
    conn = psycopg2.connect(fresh_postgres_url)
    conn.autocommit = True
    yield conn
    conn.close()


def stored(conn: connection, table: str = "raw_readings") -> int:
    with conn.cursor() as cur:
        cur.execute(f"SELECT count(*) FROM {table}")
        return int(cur.fetchone()[0])


def rolled_up(conn: connection) -> int:
    with conn.cursor() as cur:
        cur.execute("SELECT coalesce(sum(n), 0) FROM rollup_1m")
        return int(cur.fetchone()[0])


def pending(bus: Bus) -> int:
    return sum(bus.client.xpending(bus.key(stream), GROUP)["pending"] for stream in READINGS)


@contextmanager
def running(bus: Bus, url: str, count: int = 1) -> Iterator[list[Recorder]]:
    """Recorders in threads of this process, stopped at the end."""
    stop = threading.Event()
    recorders = [Recorder(bus, url, stop, f"recorder-{i}") for i in range(count)]
    threads = [threading.Thread(target=recorder.run) for recorder in recorders]
    for thread in threads:
        thread.start()
    try:
        yield recorders
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
        for recorder in recorders:
            recorder.close()
        assert not any(thread.is_alive() for thread in threads)


def numbered(count: int, size: int = 10) -> list[Batch]:
    """Batches over all shards whose values are all different; value = number of the reading."""
    return [
        batch_of([(shard + 1, T0 + i * 1000, float(i), GOOD, 0) for i in range(first, first + size)], shard)
        for first in range(0, count, size)
        for shard in [first // size % SHARDS]
    ]


def test_what_is_on_the_bus_is_stored_and_acknowledged(bus: Bus, fresh_postgres_url: str, database: connection) -> None:
    bus.add_batches([*numbered(100), texts(50, ["a", "b"])])

    with running(bus, fresh_postgres_url) as (recorder,):
        wait_for(lambda: stored(database) == 100 and stored(database, "text_readings") == 2, what="102 stored readings")
        wait_for(lambda: pending(bus) == 0, what="the acknowledgement")

    assert rolled_up(database) == 100
    assert recorder.counters.written.stored == 102


def test_nothing_is_acknowledged_before_it_is_committed(bus: Bus, fresh_postgres_url: str, database: connection) -> None:
    bus.add_batches([series(1, [1.0])])
    blocker = psycopg2.connect(fresh_postgres_url)
    blocker.cursor().execute("LOCK TABLE rollup_1m IN ACCESS EXCLUSIVE MODE")

    with running(bus, fresh_postgres_url):
        wait_for(lambda: waits_for_a_lock(database), what="the recorder to wait")
        assert pending(bus) == 1
        assert stored(database) == 0

        blocker.rollback()
        wait_for(lambda: pending(bus) == 0, what="the acknowledgement")
    blocker.close()
    assert stored(database) == 1


def waits_for_a_lock(conn: connection) -> bool:
    with conn.cursor() as cur:
        cur.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        return bool(cur.fetchone()[0])


UNKNOWN_TIME = batch_of([(1, 5, 1.0, GOOD, 0)])


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        ({"h": b"{"}, b"unreadable"),
        ({"nothing": b"at all"}, b"unreadable"),
        (UNKNOWN_TIME, b"2000"),
        (series(2**31, [1.0]), b"tag id"),
    ],
)
def test_a_poison_entry_goes_to_the_dead_letters_and_the_others_are_stored(
    bus: Bus, fresh_postgres_url: str, database: connection, poison: Any, reason: bytes
) -> None:
    bus.add_batches([series(1, [1.0])])
    if isinstance(poison, Batch):
        bus.add_batches([poison])
    else:
        bus.client.xadd(bus.key(READINGS[0]), poison)
    bus.add_batches([series(2, [2.0])])

    with running(bus, fresh_postgres_url) as (recorder,):
        wait_for(lambda: stored(database) == 2, what="the good readings")
        wait_for(lambda: pending(bus) == 0, what="the acknowledgement")

    ((_, dead),) = bus.client.xrange(bus.key(DEAD))
    assert reason in dead[b"reason"]
    assert recorder.counters.rejected == 1


def test_a_batch_that_the_database_refuses_is_rejected_alone(bus: Bus, fresh_postgres_url: str, database: connection) -> None:
    with database.cursor() as cur:
        cur.execute("ALTER TABLE text_readings ADD CONSTRAINT short CHECK (length(v) < 5)")
    bus.add_batches([series(1, [1.0]), texts(2, ["ok"]), texts(3, ["far too long"]), series(4, [4.0])])

    with running(bus, fresh_postgres_url):
        wait_for(lambda: stored(database) == 2 and stored(database, "text_readings") == 1, what="the good readings")
        wait_for(lambda: pending(bus) == 0, what="the acknowledgement")

    ((_, dead),) = bus.client.xrange(bus.key(DEAD))
    assert b"short" in dead[b"reason"]


def test_two_recorders_never_store_twice_nor_leave_one_out(bus: Bus, fresh_postgres_url: str, database: connection) -> None:
    batches = numbered(4000, 5)
    with running(bus, fresh_postgres_url, 2) as recorders:
        for first in range(0, len(batches), 20):
            bus.add_batches(batches[first : first + 20] + batches[first : first + 5])
        wait_for(lambda: stored(database) == 4000, 30, "all readings")
        wait_for(lambda: pending(bus) == 0, 30, "the acknowledgement")

    assert rolled_up(database) == 4000
    assert sum(recorder.counters.written.stored for recorder in recorders) == 4000
    assert sum(recorder.counters.written.duplicate for recorder in recorders) == 40 * 25
    assert sum(recorder.counters.written.conflict for recorder in recorders) == 0


def test_a_lost_group_is_an_alarm_and_recording_goes_on(bus: Bus, fresh_postgres_url: str, database: connection) -> None:
    with running(bus, fresh_postgres_url):
        bus.add_batches([series(1, [1.0])])
        wait_for(lambda: stored(database) == 1, what="the first reading")
        bus.client.delete(bus.key(READINGS[0]))
        wait_for(lambda: bus.client.exists(bus.key(READINGS[0])), what="the stream to be made again")
        bus.add_batches([series(1, [2.0], T0 + 1000)])
        wait_for(lambda: stored(database) == 2, what="the second reading")

    signals = [decode_signal(fields) for _, fields in bus.client.xrange(bus.key(SIGNALS))]
    assert [(signal.name, signal.data) for signal in signals] == [(SignalName.BUS_GROUP_LOST, {"stream": READINGS[0], "group": GROUP})]


@pytest.fixture
def closed_door(fresh_postgres_url: str, postgres_server: str) -> Callable[[bool], None]:
    """Lets nobody new into this test's database, and throws out who is in; or lets them in again."""
    name = fresh_postgres_url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]

    def set_door(closed: bool) -> None:
        conn = psycopg2.connect(postgres_server)
        conn.autocommit = True
        with conn.cursor() as cur:
            cur.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {not closed}")
            if closed:
                cur.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        conn.close()

    return set_door


def test_while_postgresql_is_away_nothing_is_lost_and_nothing_more_is_read(
    bus: Bus, fresh_postgres_url: str, closed_door: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    batches = numbered(400)
    with running(bus, fresh_postgres_url) as (recorder,):
        bus.add_batches(batches[:10])
        wait_for(lambda: recorder.counters.written.stored == 100, what="the first readings")
        closed_door(True)
        bus.add_batches(batches[10:20])
        wait_for(lambda: "history:" in caplog.text, what="the recorder to notice")
        bus.add_batches(batches[20:])
        assert pending(bus) <= 10

        closed_door(False)
        wait_for(lambda: recorder.counters.written.stored == 400, 30, "all readings")
        wait_for(lambda: pending(bus) == 0, what="the acknowledgement")

    conn = psycopg2.connect(fresh_postgres_url)
    assert (stored(conn), rolled_up(conn)) == (400, 400)
    conn.close()
    assert [line for line in caplog.messages if "history" in line][-1] == "history: back"


def test_a_recorder_waits_for_tables_that_are_not_there_yet(bus: Bus, bare_postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    bus.add_batches([series(1, [1.0])])

    with running(bus, bare_postgres_url):
        wait_for(lambda: "history_state" in caplog.text, what="the recorder to complain")

    assert pending(bus) == 1
    assert bus.client.xlen(bus.key(DEAD)) == 0


def test_values_at_the_end_of_what_a_float_holds_are_kept(bus: Bus, fresh_postgres_url: str, database: connection) -> None:
    bus.add_batches([series(1, [1.7e308, -1.7e308, 5e-324])])

    with running(bus, fresh_postgres_url):
        wait_for(lambda: stored(database) == 3 and pending(bus) == 0, what="the readings")

    with database.cursor() as cur:
        cur.execute("SELECT min(v), max(v) FROM raw_readings")
        np.testing.assert_array_equal(cur.fetchone(), (-1.7e308, 1.7e308))
    assert rolled_up(database) == 1  # their squares would not fit
