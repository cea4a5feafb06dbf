"""The promises of store and forward (PROTOCOLS.md 6), each from the device to the history, named as they are promised there."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg2
import pytest

from plc.connector import Readings, numbers
from plc.delivery import Delivery
from plc.ledger import Ledger
from plc.spool import Spool
from realtime.bus import Bus, connect, now_ms
from realtime.embedded.home import Home, home_for, remove_home
from realtime.embedded.valkey import EmbeddedValkey
from realtime.events import Quality, Reason, quality_byte
from realtime.gaps import OPEN_END
from realtime.live import LiveTable
from realtime.recorder import Recorder
from realtime.snapshot import Snapshot, Source
from tests.conftest import run_on, with_database
from tests.plc.harness import ROOT, Plc, Program, Publisher, Tap, collecting, tag
from tests.plc.test_mqtt_durability import SOURCE, TAGS, Load
from tests.waiting import wait_for

COMM = quality_byte(Quality.BAD, Reason.COMM)
STALE = quality_byte(Quality.UNCERTAIN, Reason.STALE)

pytestmark = pytest.mark.timeout(240)


class History:
    """Rows of a database."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.url)
        try:
            cursor = connection.cursor()
            cursor.execute(statement, values)
            return cursor.fetchall()
        finally:
            connection.close()

    def rows(self, tag_id: int) -> list[tuple[int, float, int, int]]:
        """(t, value, quality, seq) by time."""
        return self.ask("SELECT t, v, q, seq FROM raw_readings WHERE tag = %s ORDER BY t, seq", tag_id)

    def gaps(self, tag_id: int) -> list[tuple[int, int, int]]:
        """(started, ended, reason)."""
        return self.ask("SELECT started, ended, reason FROM reading_gaps WHERE tag = %s ORDER BY started", tag_id)


@pytest.fixture
def history(fresh_postgres_url: str) -> History:
    return History(fresh_postgres_url)


@contextmanager
def recording(bus: Bus, history: History) -> Iterator[None]:
    """The recorder, in a thread."""
    stop = threading.Event()
    recorder = Recorder(bus, history.url, stop)
    thread = threading.Thread(target=recorder.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        recorder.close()


@pytest.fixture
def own_valkey(tmp_path_factory: pytest.TempPathFactory, services_home: Home) -> Iterator[EmbeddedValkey]:
    """A Valkey of this test's own, which it kills."""
    home = home_for(services_home.data.parent / f"own{time.monotonic_ns() % 100000}")
    server = EmbeddedValkey(home)
    server.start()
    server.wait_ready()
    yield server
    server.stop()
    remove_home(home.data)


@contextmanager
def no_database(url: str) -> Iterator[None]:
    """PostgreSQL refuses everybody: connections are cut and new ones are not let in."""
    name = urlsplit(url).path.lstrip("/")
    server = with_database(url, "postgres")
    run_on(server, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    run_on(server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    try:
        yield
    finally:
        run_on(server, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")


@pytest.mark.owns_services
def test_promise_1_exactly_once_in_the_history_across_kill_9_a_restart_of_redis_and_an_outage_of_the_database(
    publisher: Publisher, own_valkey: EmbeddedValkey, history: History, plc_environment: dict[str, str]
) -> None:
    environment = {**plc_environment, "REDIS_URL": own_valkey.url, "DATABASE_URL": history.url}
    bus, load = Bus(connect(own_valkey.url), plc_environment["BUS_PREFIX"]), Load(publisher, 4000)
    bus.publish_config(Snapshot(version=1, sources=[SOURCE], tags=TAGS))
    collector = Program(environment)
    recorders = [Process(environment)]

    def loaded(share: float) -> None:
        wait_for(lambda: len(load.sent) >= share * load.total, timeout_s=60, what="the load")

    try:
        wait_for(lambda: "subscribed" in collector.said, timeout_s=20, what="the subscription")
        load.start()
        for share in (0.1, 0.2, 0.3):
            loaded(share)
            for pid in (body["pid"] for body in Tap(bus).health()):
                kill(pid)
        recorders[-1].kill()
        recorders.append(Process(environment))
        loaded(0.5)
        own_valkey.process.kill()
        own_valkey.process.wait()
        loaded(0.6)
        own_valkey.start()
        own_valkey.wait_ready()
        with no_database(history.url):
            loaded(1.0)
        load.join(60)
        stored = "SELECT count(*) FROM raw_readings WHERE q = 0"
        wait_for(lambda: history.ask(stored)[0][0] >= load.total, timeout_s=60, every_s=0.5, what="every reading")
        rows = history.ask("SELECT tag, t, v, seq FROM raw_readings WHERE q = 0")
    finally:
        collector.stop()
        for recorder in recorders:
            recorder.kill()

    assert sorted(rows) == sorted(load.sent)


class Process:
    """`python -m realtime`: the recorder as a program."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "realtime"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # a heartbeat outlives its child by some seconds


def test_promise_2_what_was_not_read_is_a_gap_from_and_to_with_its_reason_and_never_interpolated(
    plc: Plc, bus: Bus, history: History, plc_environment: dict[str, str]
) -> None:
    plc.write(1, 0, ">f", 20.5)
    with recording(bus, history), collecting(plc_environment, bus, [plc.source()], [tag(1, "A", "plc", "DB1.DBD0:REAL")]):
        wait_for(lambda: len(history.rows(1)) > 5, timeout_s=20, what="readings in the history")
        plc.stop()
        wait_for(lambda: history.gaps(1), timeout_s=20, what="the gap")
        assert history.gaps(1)[0][1] == OPEN_END
        again = Plc(port=plc.port).start()
        again.write(1, 0, ">f", 90.0)
        wait_for(lambda: history.gaps(1)[0][1] != OPEN_END, timeout_s=40, what="the end of the gap")
        again.stop()

    ((started, ended, reason),) = history.gaps(1)
    good = [t for t, _, q, _ in history.rows(1) if q == 0]
    stale = [t for t, _, q, _ in history.rows(1) if q == STALE]
    assert reason == Reason.COMM
    assert ended in good
    assert [t for t in good if started <= t < ended] == []
    assert started == stale[0] + 1  # from the first read that failed
    assert {v for _, v, q, _ in history.rows(1) if q == 0} == {20.5, 90.0}


def test_promise_2_a_collector_killed_leaves_a_gap_too(plc: Plc, bus: Bus, history: History, plc_environment: dict[str, str]) -> None:
    with recording(bus, history):
        with collecting(plc_environment, bus, [plc.source()], [tag(1, "A", "plc", "DB1.DBD0:REAL")]) as first:
            wait_for(lambda: len(history.rows(1)) > 5, timeout_s=20, what="readings in the history")
            first.kill()
            before = wait_for(lambda: _settled(history), timeout_s=20, what="the last reading")
        again = Program(plc_environment)
        try:
            wait_for(lambda: history.rows(1)[-1][0] > before + 1000 and history.gaps(1), timeout_s=40, what="readings again")
        finally:
            again.stop()

    ((started, ended, reason),) = history.gaps(1)
    good = [t for t, _, q, _ in history.rows(1) if q == 0]
    assert reason == Reason.COMM
    assert before < started <= before + 2 * 200  # the poll that was missed first; the group is read every 200 ms
    assert ended == min(t for t in good if t > before)


def _settled(history: History) -> int | None:
    """Time of the newest reading once nothing has come for a second."""
    newest = int(history.rows(1)[-1][0])
    return newest if now_ms() - newest > 1000 else None


Judge = Callable[[list[Readings]], list[tuple[int, float, int]]]


def delivery(bus: Bus, source: Source, *tags: Any, spool: Spool | None = None) -> Delivery:
    made = Delivery(bus, source, Ledger(bus, source.name), spool)
    made.configure(source, tags)
    return made


def test_promise_3_source_time_rules_a_future_or_week_old_time_is_quarantined_unless_receipt_time_is_configured(bus: Bus, tap: Tap) -> None:
    now, day = now_ms(), 86_400_000
    times = [now - 8 * day, now - 6 * day, now, now + 4 * 60_000, now + 6 * 60_000]
    part = numbers([1] * 5, times, [0.0, 1.0, 2.0, 3.0, 4.0])
    plain, receipt = Source(id=1, name="a", kind="mqtt"), Source(id=2, name="b", kind="mqtt", config={"time": "receipt"})

    (believed,) = delivery(bus, plain, tag(1, "A", "a")).batches([part])
    (received,) = delivery(bus, receipt, tag(1, "A", "b")).batches([part])
    (replayed,) = delivery(bus, plain, tag(1, "A", "a")).batches([replace(part, replay=True)])

    assert believed.numbers().tolist() == [1.0, 2.0, 3.0]
    assert {int(t) for t in received.t} == {received.received_ms}
    assert replayed.numbers().tolist() == [0.0, 1.0, 2.0, 3.0]
    assert [row["reason"] for row in tap.quarantine()][-1] == "clock"


def test_promise_4_quality_is_good_uncertain_or_bad_with_one_of_six_reasons_and_no_bad_sample_is_rolled_up(
    bus: Bus, history: History
) -> None:
    card = {"scale_raw": (0.0, 27648.0), "scale_eng": (0.0, 100.0), "wire_break": ">27648"}
    made, now = delivery(bus, Source(id=1, name="a", kind="s7"), tag(1, "A", "a", **card)), now_ms()
    batches = made.batches([numbers([1] * 5, [now + n for n in range(5)], [27700.0, math.nan, math.inf, 32767.0, 13824.0])])
    batches += made.batches(made.standing.stale(made.columns.tags, now + 10), are_scaled=True)
    batches += made.batches([numbers([1], [now + 11], [math.nan], quality=COMM)])

    with recording(bus, history):
        made.deliver(batches)
        wait_for(lambda: len(history.rows(1)) == 7, timeout_s=20, what="the rows")

    device, ranged = (quality_byte(Quality.BAD, reason) for reason in (Reason.DEVICE, Reason.RANGE))
    assert [q for _, _, q, _ in history.rows(1)] == [device, ranged, ranged, device, 0, STALE, COMM]
    assert [v for _, v, q, _ in history.rows(1) if q & 3 != Quality.BAD] == [50.0, 50.0]  # what stands is the last good value
    assert history.ask("SELECT sum(n), max(max) FROM rollup_1m WHERE tag = 1") == [(1, 50.0)]


def test_promise_5_thinning_comes_after_the_alarm_rules_which_see_every_sample(bus: Bus, tap: Tap, history: History) -> None:
    tags = [tag(1, "A", "a", deadband=1.0), tag(2, "A.fault_code", "a", role="fault_code", deadband=1.0)]
    made, now = delivery(bus, Source(id=1, name="a", kind="s7"), *tags), now_ms() - 130_000
    values = [5.0 + 0.4 * math.sin(n) for n in range(130)]
    values[50] = 9.0  # one peak of one sample

    with recording(bus, history):
        for n, value in enumerate(values):
            made.deliver(made.batches([numbers([1, 2], [now + n * 1000] * 2, [value, 7.0])]))
        wait_for(lambda: len(history.rows(2)) == 130, timeout_s=20, what="every fault code")

    kept = [(t - now) // 1000 for t, _, _, _ in history.rows(1)]
    assert len(tap.samples(1)) == 130  # what the monitor reads
    assert kept == [0, 50, 51, 111]  # first, the peak, back from it, and a minute of silence later
    assert len(history.rows(2)) == 130


def test_order_per_tag_is_kept_and_a_late_sample_moves_no_live_value(bus: Bus, tap: Tap, history: History, tmp_path: Path) -> None:
    now, source = now_ms(), Source(id=1, name="a", kind="s7")
    away, spool = Bus(connect("redis://127.0.0.1:1/0"), "away"), Spool(tmp_path / "a.sqlite")
    made = delivery(away, source, tag(1, "A", "a"), spool=spool)
    for n in range(20):
        made.deliver(made.batches([numbers([1], [now - 5000 + n], [float(n)])]))
    live = LiveTable()
    listener = bus.client.pubsub()
    listener.subscribe(bus.key("live"))
    listener.get_message(timeout=5)

    back = delivery(bus, source, tag(1, "A", "a"), spool=spool)
    fresh = back.batches([numbers([1], [now], [99.0])])
    live.apply(fresh[0])
    with recording(bus, history):
        back.deliver(fresh)
        wait_for(lambda: len(history.rows(1)) == 21, timeout_s=20, what="every row")
    for batch in tap.batches():
        live.apply(batch)

    assert [v for _, v, _, _ in history.rows(1)] == [*(float(n) for n in range(20)), 99.0]
    assert [s.value for s in tap.samples(1) if "late" in s.flags] == [float(n) for n in range(20)]
    assert live.since(np.array([1], "u4"), 0).v.tolist() == [99.0]
    messages = [listener.get_message(timeout=1), listener.get_message(timeout=0.1)]
    assert [m["type"] if m else None for m in messages] == ["message", None]  # only the fresh one went out live
    listener.close()
    spool.close()
