"""QoS 1 through kill -9 of the collector and through a bus that goes away: nothing lost, nothing acknowledged too early."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from realtime.bus import Bus, connect, now_ms
from realtime.embedded.home import Home, home_for, remove_home
from realtime.embedded.valkey import EmbeddedValkey
from realtime.snapshot import Snapshot, Source
from tests.plc.harness import Program, Publisher, Tap, collecting, tag
from tests.waiting import wait_for

# the readings of a stopped collector wait at the broker: with another than our configuration it may drop them
pytestmark = pytest.mark.owns_services

SOURCE = Source(id=1, name="broker", kind="mqtt")
TAGS = [tag(n, f"T{n}", "broker") for n in range(1, 9)]
RATE = 1000


class Load(threading.Thread):
    """Publishes `total` readings at RATE a second and waits for every ack of the broker."""

    def __init__(self, publisher: Publisher, total: int) -> None:
        super().__init__(daemon=True)
        self.publisher = publisher
        self.total = total
        self.sent: list[tuple[int, int, float, int]] = []
        self.pace = threading.Event()

    def run(self) -> None:
        started, t0, last = time.monotonic(), now_ms(), None
        for number in range(self.total):
            wait = started + number / RATE - time.monotonic()
            if wait > 0:
                self.pace.wait(wait)
            which = number % len(TAGS)
            body = {"tag": TAGS[which].name, "timestamp": t0 + number, "value": float(number), "seq": number}
            last = self.publisher.send(f"readings/{TAGS[which].name}", body)
            self.sent.append((TAGS[which].id, t0 + number, float(number), number))
        assert last is not None
        last.wait_for_publish(30)


def arrived(tap: Tap) -> set[tuple[int, int, float, int]]:
    return {(s.tag, s.t, float(s.value), s.seq) for s in tap.samples() if s.quality == 0}


def test_kill_9_of_the_collector_under_load_loses_nothing(
    publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    load = Load(publisher, 5000)
    with collecting(plc_environment, bus, [SOURCE], TAGS) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        load.start()
        for share in (0.2, 0.4, 0.6):
            wait_for(lambda share=share: len(load.sent) > share * load.total, timeout_s=30, what="the load")
            child = wait_for(lambda: [body["pid"] for body in tap.health()], what="a child")
            for pid in child:
                _kill(pid)
        load.join(60)
        wait_for(lambda: arrived(tap) == set(load.sent), timeout_s=30, every_s=0.5, what="every reading")

    assert len(load.sent) == load.total


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # a heartbeat outlives its child by some seconds


@pytest.fixture
def own_home(tmp_path_factory: pytest.TempPathFactory, services_home: Home) -> Home:
    """Folders for a Valkey of this test's own, which it kills."""
    return home_for(services_home.data.parent / f"own{time.monotonic_ns() % 100000}")


def test_bus_killed_under_load_loses_nothing(publisher: Publisher, own_home: Home, plc_environment: dict[str, str], tmp_path: Path) -> None:
    server = EmbeddedValkey(own_home)
    server.start()
    server.wait_ready()
    bus = Bus(connect(server.url), plc_environment["BUS_PREFIX"])
    tap = Tap(bus)
    load = Load(publisher, 4000)
    bus.publish_config(Snapshot(version=1, sources=[SOURCE], tags=TAGS))
    program = Program({**plc_environment, "REDIS_URL": server.url})
    try:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        load.start()
        wait_for(lambda: len(load.sent) > 1500, what="some load")
        server.process.kill()
        server.process.wait()
        wait_for(lambda: len(load.sent) > 2500, what="more load")
        server.start()
        server.wait_ready()
        load.join(60)
        wait_for(lambda: set(load.sent) <= arrived(tap), timeout_s=30, every_s=0.5, what="every reading")
        arrived_in_all = arrived(tap)
    finally:
        program.stop()
        server.stop()
        remove_home(own_home.data)

    assert arrived_in_all == set(load.sent)
