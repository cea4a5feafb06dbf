"""An edge collector on a machine without Redis: PLC and broker -> edge -> HTTPS -> server -> history, through outages and kill -9."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.bus import Bus, now_ms
from realtime.events import SignalName
from realtime.snapshot import Asset, Snapshot, Source
from tests.flow.edge import EDGE, Door, Numbering, Server
from tests.plc.harness import Program, Publisher, Tap, environment_of, tag
from tests.waiting import wait_for
from tools.bootstrap import install_edge

pytestmark = [pytest.mark.owns_services, pytest.mark.timeout(180)]


@pytest.fixture
def server(tmp_path: Path, fresh_postgres_url: str, redis_url: str, bus: Bus) -> Iterator[Server]:
    running = Server(tmp_path / "server", fresh_postgres_url, redis_url, bus)
    yield running
    running.close()


@pytest.fixture
def door(tmp_path: Path, server: Server) -> Iterator[Door]:
    standing = Door(tmp_path, server.port)
    yield standing
    standing.close()


@pytest.fixture
def publisher(mqtt_url: str, mqtt_prefix: str) -> Iterator[Publisher]:
    client = Publisher(mqtt_url, mqtt_prefix)
    yield client
    client.close()


def edge_environment(tmp_path: Path, door: Door, server: Server) -> dict[str, str]:
    return environment_of(
        SINK=f"https://127.0.0.1:{door.port}", SINK_TOKEN=server.token, SINK_CA=str(door.certificate), DATA_DIR=str(tmp_path / "edge")
    )


def child_of(bus: Bus, kind: str) -> int | None:
    """Process id that the edge's collector of a kind told the server."""
    for key in bus.client.scan_iter(bus.key(f"health.plc.{kind}*")):
        raw = bus.client.get(key)
        if raw:
            return int(json.loads(raw)["pid"])
    return None


def test_nothing_read_at_the_edge_is_lost_doubled_or_out_of_order(
    tmp_path: Path, server: Server, door: Door, bus: Bus, publisher: Publisher, mqtt_url: str, mqtt_prefix: str
) -> None:
    tap, numbering = Tap(bus), Numbering()
    s7 = {"host": "127.0.0.1", "port": numbering.plc.port, "timeout_s": 1.0, "edge": EDGE}
    sources = [
        Source(id=1, name="press", kind="s7", config=s7, groups={"normal": 0.1}),
        Source(id=2, name="broker", kind="mqtt", config={"url": mqtt_url, "edge": EDGE}),
    ]
    tags = [tag(1, "A", "press", "DB1.DBD0:REAL", asset=7), tag(2, "N", "broker", asset=7)]
    bus.publish_config(Snapshot(version=1, sources=sources, tags=tags, assets=[Asset(id=7, code="P", name="P", site=server.site)]))
    sent = 0

    def send(number: int) -> None:
        body = {"tag": "N", "timestamp": now_ms(), "value": float(number), "seq": number}
        publisher.send("readings/N", body).wait_for_publish(10)

    environment = {**edge_environment(tmp_path, door, server), "MQTT_PREFIX": mqtt_prefix, "BUS_PREFIX": bus.prefix}
    program = Program(environment, python=install_edge())  # with no library but those of requirements-edge.lock
    try:
        wait_for(lambda: len(server.rows(1)) > 10, timeout_s=30, what="polled readings in the history")
        wait_for(lambda: "subscribed" in program.said, timeout_s=20, what="the subscription")
        for sent in range(10):
            send(sent)
        child = wait_for(lambda: child_of(bus, "s7"), what="the edge on /health")

        door.close()
        away = numbering.told
        wait_for(lambda: numbering.told > away + 40, timeout_s=30, what="readings while the server is away")
        for sent in range(10, 30):
            send(sent)
        os.kill(child, signal.SIGKILL)
        before = numbering.told
        wait_for(lambda: numbering.told > before + 20, timeout_s=30, what="readings of the collector that was started again")
        door.open()
        back = numbering.told
        wait_for(lambda: (rows := good(server, 1)) and rows[-1][1] > back + 5, timeout_s=60, what="all that waited")
        wait_for(lambda: len(good(server, 2)) >= 30, timeout_s=60, what="every numbered message")
        for sent in range(30, 35):
            send(sent)
        wait_for(lambda: len(good(server, 2)) >= 35, timeout_s=30, what="messages after the outage")

        numbering.plc.close()
        wait_for(lambda: losses(tap).count("press") == 1, timeout_s=30, what="source.lost from the edge")
    finally:
        program.stop()

    values = [int(value) for _, value, _ in good(server, 1)]
    assert values == sorted(set(values))  # each once, and in the order in which they were read
    missing = set(range(values[0], values[-1] + 1)) - set(values)
    assert len(missing) <= 1  # the one that was in hand when the collector was killed
    assert [int(value) for _, value, _ in good(server, 2)] == list(range(35))
    assert [s.value for s in tap.samples(1) if "late" in s.flags], "what waited is marked late"
    assert not [s for s in tap.samples(1) if "late" in s.flags and s.value < away - 5]
    assert losses(tap).count("press") == 1


def good(server: Server, number: int) -> list[tuple[int, float, int]]:
    """Good rows of a tag."""
    return [row for row in server.rows(number) if row[2] & 3 == 0]


def losses(tap: Tap) -> list[str]:
    """Names of the sources whose loss was told; the broker's is quiet between two bursts of messages, and that is told too."""
    return [signal.data["source"] for signal in tap.signals(SignalName.SOURCE_LOST)]
