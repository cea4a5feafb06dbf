"""Sparkplug B against an independent edge node: npm's sparkplug-client over a real mosquitto. Values, qualities and times as sent."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plc.connectors.sparkplug import SparkplugConnector
from plc.connectors.sparkplug_host import COMM, CONFIG, NULL, STALE
from realtime import settings as settings_module
from realtime.bus import now_ms
from realtime.snapshot import Source, Tag
from tests.plc.harness import tag
from tests.plc.mosquitto import Mosquitto
from tests.plc.sparkplug_stage import Notes
from tests.waiting import wait_for

HERE = Path(__file__).parent
pytestmark = pytest.mark.peer

TYPED: list[tuple[str, Any, float | str]] = [
    ("Int8", -7, -7.0),
    ("Int16", -30_000, -30_000.0),
    ("Int32", -2_000_000_000, -2e9),
    ("Int64", 2**40, float(2**40)),
    ("UInt8", 255, 255.0),
    ("UInt16", 65_535, 65_535.0),
    ("UInt32", 4_294_967_295, 4_294_967_295.0),
    ("UInt64", 2**45, float(2**45)),
    ("Float", 1.5, 1.5),
    ("Double", 5.02, 5.02),
    ("Boolean", True, 1.0),
    ("DateTime", 1_763_700_000_123, 1_763_700_000_123.0),
    ("String", "recipe µ", "recipe µ"),
    ("Text", "long text", "long text"),
    ("UUID", "0b4e7f3a-1c2d-4e5f-8a9b-0c1d2e3f4a5b", "0b4e7f3a-1c2d-4e5f-8a9b-0c1d2e3f4a5b"),
]
OPAQUE: list[tuple[str, Any]] = [
    ("DataSet", {"numOfColumns": 1, "types": ["Int32"], "columns": ["a"], "rows": [[1]]}),
    ("Template", {"isDefinition": False, "templateRef": "T", "version": "1", "metrics": [], "parameters": []}),
]
TAGS: list[Tag] = [
    tag(n + 1, kind, "s", f"G/N/D:{kind}", kind="text" if isinstance(value, str) else "f64") for n, (kind, value, _) in enumerate(TYPED)
] + [tag(50 + n, kind, "s", f"G/N/D:{kind}") for n, (kind, _) in enumerate(OPAQUE)]
TAGS += [tag(60, "ALIASED", "s", "G/N/D:Aliased"), tag(61, "NULL", "s", "G/N/D:Null"), tag(62, "OWN", "s", "G/N:Own")]


class Peer:
    """The node as a process."""

    def __init__(self, url: str) -> None:
        command = ["node", str(HERE / "sparkplug_node.js"), url, "G", "N"]
        self.process = subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.heard: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        wait_for(lambda: self.heard, what="the peer's connection")

    def _listen(self) -> None:
        assert self.process.stdout is not None
        self.heard.extend(json.loads(line) for line in self.process.stdout)

    def tell(self, **order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """kill -9, and collect what is left of it."""
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        for end in (self.process.stdin, self.process.stdout):
            assert end is not None
            end.close()

    @property
    def rebirths(self) -> int:
        return sum("ncmd" in event for event in self.heard)


class Link:
    """Our connector, and everything that came by it."""

    def __init__(self, url: str) -> None:
        self.notes = Notes()
        settings = settings_module.load({"BUS_PREFIX": "peer"}, None)
        self.connector = SparkplugConnector(Source(id=1, name="s", kind="sparkplug", config={"url": url}), settings, self.notes)
        self.connector.plan(TAGS)
        self.connector.connect()
        self.rows: list[tuple[str, int, Any, int, bool]] = []
        self._names = {one.id: one.name for one in TAGS}

    def pump(self) -> list[tuple[str, int, Any, int, bool]]:
        """(tag, t, value, quality, replay) of all so far."""
        for part in self.connector.read("", 0.05):
            for i, t, value, quality in zip(part.ids, part.t, part.values, part.quality, strict=True):
                self.rows.append(
                    (self._names[int(i)], int(t), value if isinstance(value, str) else float(value), int(quality), part.replay)
                )
        self.connector.confirm()
        return self.rows

    def until(self, done: Any, what: str) -> None:
        wait_for(lambda: done(self.pump()), what=f"{what}: {self.notes.reasons}")

    def of(self, name: str) -> list[tuple[int, Any, int, bool]]:
        return [row[1:] for row in self.rows if row[0] == name]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    running = Mosquitto(tmp_path_factory.mktemp("mosquitto")).start()
    yield running
    running.stop()


@pytest.fixture
def peer(broker: Mosquitto) -> Iterator[Peer]:
    node = Peer(broker.url)
    stamp = now_ms()
    device = [{"name": kind, "type": kind, "value": value, "timestamp": stamp} for kind, value, _ in TYPED]
    device += [{"name": kind, "type": kind, "value": value} for kind, value in OPAQUE]
    device += [{"name": "Aliased", "type": "Double", "value": 1.25, "alias": 7}, {"name": "Null", "type": "Double", "value": None}]
    node.tell(births={"": [{"name": "Own", "type": "Double", "value": 2.5}], "D": device})
    yield node
    if node.process.poll() is None:
        node.kill()


@pytest.fixture
def link(broker: Mosquitto, peer: Peer) -> Iterator[Link]:
    ours = Link(broker.url)
    ours.until(lambda rows: len({row[0] for row in rows}) == len(TAGS), "a birth of every tag")
    yield ours
    ours.connector.close()


def test_a_birth_tells_every_datatype_as_sent(link: Link) -> None:
    for kind, _, expected in TYPED:
        value, quality = link.of(kind)[-1][1:3]
        assert (kind, value, quality) == (kind, expected, 0)
    assert [link.of(kind)[-1][2] for kind, _ in OPAQUE] == [CONFIG, CONFIG]
    assert link.of("NULL")[-1][2] == NULL
    assert link.notes.topics == {"datatype": {f"G/N/D:{kind}" for kind, _ in OPAQUE}}  # as often as born: unasked, asked, or both


def test_data_by_name_and_alias_keeps_its_times_and_history_is_a_replay(link: Link, peer: Peer) -> None:
    stamp = now_ms()
    peer.tell(device="D", timestamp=stamp, data=[{"alias": 7, "type": "Double", "value": 3.5, "timestamp": stamp - 40}])
    peer.tell(device="D", timestamp=stamp, data=[{"name": "Double", "type": "Double", "value": 6.5}])
    old = {"name": "Float", "type": "Float", "value": 0.5, "timestamp": stamp - 3_600_000, "isHistorical": True}
    peer.tell(device="D", timestamp=stamp, data=[old])
    peer.tell(timestamp=stamp, data=[{"name": "Own", "type": "Double", "value": 9.5, "timestamp": stamp - 1}])
    link.until(lambda _: link.of("OWN")[-1][1] == 9.5, "the last value")

    assert link.of("ALIASED")[-1] == (stamp - 40, 3.5, 0, False)
    assert link.of("Double")[-1] == (stamp, 6.5, 0, False)
    assert link.of("Float")[-1] == (stamp - 3_600_000, 0.5, 0, True)
    assert link.of("OWN")[-1] == (stamp - 1, 9.5, 0, False)


def test_deaths_of_device_and_node_are_bad_at_once_and_a_birth_makes_good(link: Link, peer: Peer, broker: Mosquitto) -> None:
    died_at = now_ms() + 5
    peer.tell(death="D", timestamp=died_at)
    link.until(lambda _: link.of("Double")[-1][2] == COMM, "the device's death")
    assert link.of("Double")[-1][0] == died_at
    assert link.of("OWN")[-1][2] == 0

    before = now_ms()
    peer.kill()
    link.until(lambda _: link.of("OWN")[-1][2] == COMM, "the will of the killed node")
    assert before <= link.of("OWN")[-1][0] <= now_ms()

    again = Peer(broker.url)
    again.tell(births={"": [{"name": "Own", "type": "Double", "value": 4.5}], "D": []})
    link.until(lambda _: link.of("OWN")[-1][1:3] == (4.5, 0), "the new birth")
    again.kill()


def test_after_a_lost_message_the_node_is_asked_and_bears_again(link: Link, peer: Peer) -> None:
    node = link.connector.host.nodes[("G", "N")]
    node.asked_at = float("-inf")  # the request of the start was long ago
    asked = peer.rebirths
    peer.tell(skip=1)  # as if the broker had dropped one
    peer.tell(device="D", data=[{"name": "Double", "type": "Double", "value": 7.5}])
    link.until(lambda _: peer.rebirths > asked, "the request")
    link.until(lambda _: node.is_consistent and link.of("Double")[-1][1:3] == (5.02, 0), "the birth")

    assert {"name": "Node Control/Rebirth", "value": True, "type": "Boolean"} in [c for e in peer.heard for c in e.get("ncmd", [])]
    assert link.notes.reasons["seq_hole"] == 1
    assert [row[1:3] for row in link.of("Double") if row[2]] == [(5.02, STALE)]
