"""`python -m realtime` as it runs: killed, stopped, without Redis, with a janitor beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from realtime.bus import FINDINGS, READINGS, SIGNALS, Bus, connect
from realtime.consumer import Consumer
from realtime.embedded.home import Home
from realtime.embedded.valkey import EmbeddedValkey
from realtime.errors import BusUnavailable
from realtime.janitor import Janitor
from realtime.lease import Lease
from realtime.partitions import AHEAD
from realtime.recorder import GROUP
from realtime.supervise import heartbeats
from tests.realtime.batches import series
from tests.realtime.test_recorder import numbered, pending, rolled_up, stored, waits_for_a_lock
from tests.waiting import wait_for

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(environment: dict[str, str], fresh_postgres_url: str) -> Iterator[Start]:
    """Starts recorders against this test's own database; those still running are killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def run(**changes: str) -> subprocess.Popen[bytes]:
        env = {**environment, "DATABASE_URL": fresh_postgres_url, **changes}
        started.append(subprocess.Popen([sys.executable, "-m", "realtime"], env=env, stderr=subprocess.PIPE))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def database(fresh_postgres_url: str) -> Iterator[Any]:
    conn = psycopg2.connect(fresh_postgres_url)
    conn.autocommit = True
    yield conn
    conn.close()


def recorders(bus: Bus) -> list[dict[str, Any]]:
    return [beat for beat in heartbeats(bus) if beat["program"] == "recorder"]


def test_it_tells_what_it_does_and_stops_when_told(bus: Bus, start: Start, database: Any) -> None:
    process = start()
    bus.add_batches(numbered(50))
    bus.client.xadd(bus.key(READINGS[0]), {"h": "poison"})

    (beat,) = wait_for(lambda: [beat for beat in recorders(bus) if beat["stored"] == 50 and beat["dead"] == 1], 30, "the heartbeat")
    process.send_signal(signal.SIGTERM)

    assert process.wait(30) == 0
    assert beat["pid"] == process.pid
    assert beat.keys() >= {"stored", "duplicate", "conflict", "rate", "lag_ms", "pending", "dead", "bus_fill", "bus_warning", "janitor"}
    assert (beat["duplicate"], beat["conflict"], beat["pending"]) == (0, 0, 0)


def test_killed_at_any_moment_it_stores_every_reading_once(bus: Bus, start: Start, database: Any) -> None:
    batches = numbered(6000, 5)
    process = start()
    for third in range(3):
        for first in range(third * 400, third * 400 + 400, 10):
            bus.add_batches(batches[first : first + 10])
        wait_for(lambda third=third: stored(database) > third * 2000, 30, "some of them")
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = start()

    wait_for(lambda: stored(database) == 6000, 30, "all readings")
    wait_for(lambda: pending(bus) == 0, 30, "the acknowledgement")
    assert rolled_up(database) == 6000


def test_what_a_killed_recorder_had_in_hand_is_taken_over(bus: Bus, start: Start, database: Any, fresh_postgres_url: str) -> None:
    blocker = psycopg2.connect(fresh_postgres_url)
    blocker.cursor().execute("LOCK TABLE rollup_1m IN ACCESS EXCLUSIVE MODE")
    bus.add_batches(numbered(100))
    process = start()
    wait_for(lambda: waits_for_a_lock(database), 30, "the recorder in the middle of its transaction")

    process.send_signal(signal.SIGKILL)
    process.wait()
    blocker.close()
    start()

    wait_for(lambda: stored(database) == 100, 30, "the readings of the dead one")
    wait_for(lambda: pending(bus) == 0, 30, "the acknowledgement")
    assert rolled_up(database) == 100


def test_without_settings_it_says_which_is_missing(start: Start) -> None:
    process = start(DATABASE_URL="")

    _, said = process.communicate(timeout=20)

    assert process.returncode == 2
    assert b"DATABASE_URL" in said


@pytest.mark.owns_services
def test_it_starts_before_redis_and_outlives_its_death(start: Start, database: Any, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    server = EmbeddedValkey(Home(data=tmp_path / "d", sockets=tmp_path, uid=None))
    process = start(REDIS_URL=server.url, BUS_PREFIX="t")
    bus = Bus(connect(server.url), "t")
    batches = numbered(200)

    server.start()
    server.wait_ready()
    bus.add_batches(batches[:10])
    wait_for(lambda: stored(database) == 100, 30, "the first readings")
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.start()
    server.wait_ready()
    wait_for(lambda: added(bus, batches[10:]), 30, "the bus")
    wait_for(lambda: stored(database) == 200, 30, "the other readings")
    wait_for(lambda: pending(bus) == 0, 30, "the acknowledgement")

    assert process.poll() is None
    assert rolled_up(database) == 200
    bus.client.close()
    server.stop()


def added(bus: Bus, batches: list[Any]) -> bool:
    try:
        bus.add_batches(batches)
    except BusUnavailable:
        return False
    return True


# ---- the janitor


def test_the_janitor_trims_what_all_groups_have_and_nothing_else(bus: Bus, fresh_postgres_url: str) -> None:
    history, monitor = Consumer(bus, READINGS[:1], GROUP, "h"), Consumer(bus, READINGS[:1], "monitor", "m")
    history.ensure_groups()
    monitor.ensure_groups()
    bus.add_batches([series(1, [float(i)]) for i in range(10)])
    history.ack(history.read(block_ms=10))
    monitor.ack(monitor.read(block_ms=10)[:4])
    janitor = Janitor(bus, fresh_postgres_url)

    janitor.round()

    assert janitor.trimmed == 4
    assert bus.client.xlen(bus.key(READINGS[0])) == 6


def test_one_janitor_works_and_the_others_stand_by(bus: Bus, fresh_postgres_url: str) -> None:
    Lease(bus, "janitor", "another").hold()
    janitor = Janitor(bus, fresh_postgres_url)

    janitor.round()

    assert not janitor.holds_lease
    assert janitor.trimmed == 0


def test_the_janitor_says_how_full_the_bus_is_and_warns_at_half(
    bus: Bus, fresh_postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    bus.max_mb = 1
    janitor = Janitor(bus, fresh_postgres_url)
    janitor.round()
    assert not janitor.warns

    for stream in (FINDINGS, SIGNALS, *READINGS):
        bus.client.xadd(bus.key(stream), {"x": os.urandom(64 * 1024)})
    janitor.round()
    janitor.round()

    assert 0.5 < janitor.fill < 0.9
    assert janitor.warns
    assert float(bus.client.get(bus.key("fill"))) == pytest.approx(janitor.fill, abs=1e-6)
    assert len([line for line in caplog.messages if "full" in line]) == 1


def test_the_janitor_makes_partitions_ahead(bus: Bus, fresh_postgres_url: str, database: Any) -> None:
    Janitor(bus, fresh_postgres_url).round()

    with database.cursor() as cur:
        cur.execute("SELECT count(*) FROM pg_inherits WHERE inhparent IN ('raw_readings'::regclass, 'frames'::regclass)")
        assert cur.fetchone() == (AHEAD["raw_readings"] + AHEAD["frames"] + 2,)
