"""MQTT against the independent mosquitto and its tools: 3.1.1 and 5, TLS, users, persistent sessions, probes, drops of the broker."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plc.connector import Browser, LinkError
from realtime.bus import now_ms
from tests.plc.harness import tag
from tests.plc.mosquitto import Mosquitto
from tests.plc.pushed import Pushed, Row

pytestmark = pytest.mark.peer
TAGS = [tag(1, "PT-101", "s", unit="bar"), tag(2, "M1.temperature", "s"), tag(3, "NOTE", "s", kind="text")]
WAITING = 6_000  # more than one batch: the broker says them all before it confirms a subscription
MAPPED = {
    "topic": "line/{machine}/data",
    "values": {"temperature": "/t"},
    "tag": "{machine}.{name}",
    "time": {"path": "/ts", "format": "ms"},
}


def published(broker: Mosquitto, topic: str, payload: str, *more: str) -> None:
    """Say one message with mosquitto_pub at QoS 1 and wait until the broker has it."""
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", topic, "-m", payload, *more]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


def cleared(broker: Mosquitto, topic: str) -> None:
    """Take a retained message away."""
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", topic, "-r", "-n"], check=True, timeout=30)


def lines_published(broker: Mosquitto, topic: str, payloads: list[str], *more: str) -> None:
    """Say each line with one mosquitto_pub."""
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", topic, "-l", *more]
    subprocess.run(command, input="\n".join(payloads) + "\n", text=True, check=True, capture_output=True, timeout=110)


def reading(value: float, seq: int, t: int) -> str:
    return json.dumps({"tag": "PT-101", "timestamp": t, "value": value, "unit": "bar", "seq": seq})


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    running = Mosquitto(tmp_path_factory.mktemp("mosquitto")).start()
    yield running
    running.stop()


class Beside:
    """mosquitto_sub on the same broker: what an independent subscriber hears."""

    def __init__(self, broker: Mosquitto, topic: str, count: int) -> None:
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", topic, "-C", str(count), "-d"]
        self.process = subprocess.Popen(["stdbuf", "-oL", *command], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.lines: list[str] = []
        for line in self.process.stdout:
            if "SUBACK" in line:
                break
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines = [line.strip() for line in self.process.stdout if line.startswith("{")]

    def heard(self) -> list[dict[str, Any]]:
        """Everything, once all have come."""
        self.process.wait(30)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return [json.loads(line) for line in self.lines]


@pytest.mark.parametrize("version", [3, 5])
def test_values_and_times_are_as_sent_and_as_mosquitto_sub_hears_them(broker: Mosquitto, version: int) -> None:
    beside = Beside(broker, "readings/PT-101", 200)
    t0 = now_ms()
    sent = [reading(n / 8, n, t0 + n) for n in range(200)]
    with Pushed("mqtt", {"url": broker.url, "version": version}, TAGS, prefix=f"v{version}") as ours:
        lines_published(broker, "readings/PT-101", sent, "-V", "5" if version == 5 else "311")
        rows = ours.until(lambda rows: len(rows) >= 200 and rows, "every reading")

    heard = beside.heard()
    assert [(row.t, row.value, row.seq) for row in rows] == [(one["timestamp"], one["value"], one["seq"]) for one in heard]
    assert {(row.tag, row.quality, row.replay) for row in rows} == {("PT-101", 0, False)}


@pytest.mark.parametrize("version", [3, 5])
def test_the_session_keeps_what_is_said_while_we_are_away_and_what_we_did_not_confirm(broker: Mosquitto, version: int) -> None:
    config = {"url": broker.url, "version": version}
    with Pushed("mqtt", config, TAGS, prefix=f"away{version}"):
        pass
    lines_published(broker, "readings/PT-101", [reading(n, n, now_ms()) for n in range(WAITING)])
    with Pushed("mqtt", config, TAGS, prefix=f"away{version}") as dropped:
        seen = 0
        while not seen:  # read, and never confirmed
            seen = sum(map(len, dropped.connector.read("", 0.1)))
        dropped.connector.link.client._sock_close()  # type: ignore[attr-defined]

    with Pushed("mqtt", config, TAGS, prefix=f"away{version}") as ours:
        rows = ours.until(lambda rows: len(rows) >= WAITING and rows, "everything, again what was not confirmed")

    assert [row.seq for row in rows] == list(range(WAITING))


def test_retained_messages_are_replays_and_live_ones_are_not(broker: Mosquitto) -> None:
    published(broker, "readings/PT-101", reading(1.0, 1, now_ms() - 86_400_000), "-r")
    with Pushed("mqtt", {"url": broker.url}, TAGS, prefix="retained") as ours:
        ours.until(lambda rows: rows, "the retained reading")
        published(broker, "readings/PT-101", reading(2.0, 2, now_ms()), "-r")
        rows = ours.until(lambda rows: len(rows) == 2 and rows, "the live one")
    cleared(broker, "readings/PT-101")

    assert [(row.value, row.replay) for row in rows] == [(1.0, True), (2.0, False)]


def test_mapped_payloads_come_by_a_subscription_of_their_own(broker: Mosquitto) -> None:
    t = now_ms()
    with Pushed("mqtt", {"url": broker.url, "mappings": [MAPPED]}, TAGS, prefix="mapped") as ours:
        published(broker, "line/M1/data", json.dumps({"t": 65.5, "ts": t}))
        published(broker, "line/M1/data", "hello")
        published(broker, "readings/PT-101", reading(3.0, 3, t))
        ours.until(lambda rows: len(rows) == 2, "both readings")

    assert sorted(ours.rows) == [Row("M1.temperature", t, 65.5, 0, 0, False), Row("PT-101", t, 3.0, 0, 3, False)]
    assert ours.notes.reasons == {"not_json": 1}


def test_a_wrong_mapping_ends_the_connection_with_its_place(broker: Mosquitto) -> None:
    with (
        pytest.raises(LinkError, match=r"mappings\[0\].topic at character 6"),
        Pushed("mqtt", {"url": broker.url, "mappings": [{**MAPPED, "topic": "line/{m"}]}, TAGS),
    ):
        pass


def test_a_probe_takes_nothing_from_the_collector_and_lists_what_is_said(broker: Mosquitto) -> None:
    published(broker, "browse/press/oil", json.dumps({"temperature": 41.5, "state": "ok"}), "-r")
    published(broker, "browse/level", "7.5", "-r")
    config = {"url": broker.url}
    with Pushed("mqtt", config, TAGS, prefix="probed") as ours, Pushed("mqtt", {**config, "probe": True}, TAGS, prefix="probed") as probe:
        assert isinstance(probe.connector, Browser)
        top = {branch.name: branch for branch in probe.connector.browse("browse")}
        fields = probe.connector.browse(top["press"].path + "/oil#")
        published(broker, "readings/PT-101", reading(4.0, 4, now_ms()))
        ours.until(lambda rows: rows, "the reading at the collector")
        probe.until(lambda rows: rows, "the same at the probe")
        assert probe.connector.describe()["client_id"] != ours.connector.describe()["client_id"]

    assert (top["level"].address, top["level"].kind, top["level"].value) == ("browse/level", "f64", "7.5")
    assert [(branch.name, branch.address, branch.kind, branch.value) for branch in fields] == [
        ("temperature", "browse/press/oil#temperature", "f64", "41.5"),
        ("state", "browse/press/oil#state", "text", "ok"),
    ]
    for topic in ("browse/press/oil", "browse/level"):
        cleared(broker, topic)


def test_what_the_broker_drops_is_counted_and_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    more = ["allow_anonymous true", "max_queued_messages 5", "max_inflight_messages 1", "sys_interval 1"]
    broker = Mosquitto(tmp_path / "b", more, shipped=False).start()
    with Pushed("mqtt", {"url": broker.url}, TAGS, prefix="sleeper"):
        pass  # a persistent session that nobody attends
    with Pushed("mqtt", {"url": broker.url, "topics": ["other/#"]}, TAGS, prefix="awake") as ours:
        lines_published(broker, "readings/PT-101", [reading(n, n, now_ms()) for n in range(5)])
        for _ in range(2):
            already = ours.notes.reasons["broker_dropped"]
            ours.until(lambda _: ours.connector.link._drops_seen, "the first count")  # type: ignore[attr-defined]
            lines_published(broker, "readings/PT-101", [reading(n, n, now_ms()) for n in range(50)])
            ours.until(lambda _, already=already: ours.notes.reasons["broker_dropped"] >= already + 40, "the count")
        assert ours.connector.describe()["broker_dropped"] == ours.notes.reasons["broker_dropped"]
    broker.stop()

    assert [record.message.count("drops messages") for record in caplog.records if "drops" in record.message] == [1]


def test_a_topic_that_cannot_be_one_ends_the_connection_with_a_remedy(broker: Mosquitto) -> None:
    for version in (3, 5):
        config = {"url": broker.url, "version": version, "topics": ["a/#/b"]}
        with pytest.raises(LinkError, match="correct the topics"), Pushed("mqtt", config, TAGS):
            pass
