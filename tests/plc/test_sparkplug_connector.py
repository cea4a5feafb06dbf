"""The Sparkplug connector on a real broker: the host's STATE, births on request, groups that come later, browsing, retained lies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from plc.connector import Browser
from realtime.bus import now_ms
from tests.plc.edge_node import EdgeNode, encoded, metric
from tests.plc.harness import tag
from tests.plc.pushed import Pushed
from tests.waiting import wait_for


class Watcher:
    """A node's view of its primary host: the newest word on its STATE topic."""

    def __init__(self, url: str, host_id: str) -> None:
        self.topic = f"spBv1.0/STATE/{host_id}"
        self.words: list[tuple[dict[str, Any], bool]] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        parts = urlsplit(url)
        if parts.username:
            self.client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        self.client.on_connect = lambda client, *_: client.subscribe(self.topic, 1)
        self.client.on_message = lambda _c, _d, message: self.words.append((json.loads(message.payload or b"null"), message.retain))
        self.client.connect(parts.hostname or "", parts.port or 1883)
        self.client.loop_start()

    def until(self, online: bool) -> dict[str, Any]:
        """The newest word, once it says so."""
        return wait_for(lambda: self.words and self.words[-1][0]["online"] is online and self.words[-1][0], what=f"online {online}")

    def say(self, payload: bytes) -> None:
        """Say it in the host's place, retained."""
        self.client.publish(self.topic, payload, qos=1, retain=True).wait_for_publish(5)

    def close(self) -> None:
        """Leave nothing on the broker."""
        self.client.on_message = None
        self.say(b"")
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def host_id(bus_prefix: str) -> str:
    return f"host-{bus_prefix}"


@pytest.fixture
def watcher(mqtt_url: str, host_id: str) -> Iterator[Watcher]:
    found = Watcher(mqtt_url, host_id)
    yield found
    found.close()


@pytest.fixture
def node(mqtt_url: str, bus_prefix: str) -> Iterator[EdgeNode]:
    births = {"": [metric("CPU", 12.5)], "Press": [metric("A", 6.25, alias=1), metric("Recipe", "x", "String")]}
    found = EdgeNode(mqtt_url, bus_prefix, "Edge", births)
    yield found
    found.close()


def test_the_host_says_that_it_is_there_takes_it_back_and_insists(mqtt_url: str, watcher: Watcher, host_id: str, bus_prefix: str) -> None:
    before = now_ms()
    ours = Pushed("sparkplug", {"url": mqtt_url, "host_id": host_id, "group_ids": [bus_prefix]}, [], prefix=bus_prefix)
    with ours:
        first = watcher.until(online=True)
        assert before <= first["timestamp"] <= now_ms()

        watcher.say(json.dumps({"online": False, "timestamp": first["timestamp"]}).encode())
        ours.until(lambda _: len(watcher.words) >= 3, "the host's objection")
        assert watcher.until(online=True)["timestamp"] >= first["timestamp"]

        ours.connector.link.client._sock_close()  # type: ignore[attr-defined]
        assert watcher.until(online=False)  # the will
        ours.connector.close()
        ours.connector.connect()
        watcher.until(online=True)

    watcher.until(online=False)
    late = Watcher(mqtt_url, host_id)
    late.until(online=False)
    assert late.words[0][1], "retained"
    late.client.disconnect()
    late.client.loop_stop()


def test_a_probe_says_nothing_in_the_hosts_name_and_lists_what_is_born(
    mqtt_url: str, watcher: Watcher, host_id: str, node: EdgeNode, bus_prefix: str
) -> None:
    config = {"url": mqtt_url, "host_id": host_id, "group_ids": [bus_prefix], "probe": True}
    with Pushed("sparkplug", config, [tag(1, "A", "s", f"{bus_prefix}/Edge/Press:A")], prefix=bus_prefix) as probe:
        assert isinstance(probe.connector, Browser)
        nodes = probe.connector.browse("")
        own = probe.connector.browse(nodes[0].path)
        below = probe.connector.browse(f"{bus_prefix}/Edge/Press")

    assert [(one.name, one.detail) for one in nodes] == [(f"{bus_prefix}/Edge", "born")]
    assert own[0].path == f"{bus_prefix}/Edge/Press"
    assert [(b.name, b.address, b.kind, b.value, b.detail) for b in below] == [
        ("A", f"{bus_prefix}/Edge/Press:A", "f64", "6.25", "Double"),
        ("Recipe", f"{bus_prefix}/Edge/Press:Recipe", "text", "x", "String"),
    ]
    assert ("CPU", f"{bus_prefix}/Edge:CPU") in [(one.name, one.address) for one in own]
    assert watcher.words == []


def test_a_tag_of_another_group_is_heard_without_a_new_link(mqtt_url: str, node: EdgeNode, bus_prefix: str) -> None:
    other = EdgeNode(mqtt_url, f"{bus_prefix}-b", "Edge", {"": [metric("CPU", 50.0)]})
    tags = [tag(1, "A", "s", f"{bus_prefix}/Edge/Press:A"), tag(2, "CPU", "s", f"{bus_prefix}-b/Edge:CPU")]
    ours = Pushed("sparkplug", {"url": mqtt_url}, tags, prefix=bus_prefix)
    ours.connector.plan(tags[:1])
    with ours:
        ours.until(lambda rows: rows, "the first group's birth")
        client = ours.connector.link.client  # type: ignore[attr-defined]
        ours.connector.plan(tags)
        ours.until(lambda rows: [row for row in rows if row.tag == "CPU"], "the other group's birth")
        assert ours.connector.link.client is client  # type: ignore[attr-defined]
    other.close()

    assert {(row.tag, row.value) for row in ours.rows} == {("A", 6.25), ("CPU", 50.0)}


def test_a_retained_birth_is_no_news(mqtt_url: str, node: EdgeNode, bus_prefix: str) -> None:
    lie = encoded([metric("bdSeq", 0, "UInt64"), metric("A", 1.0)], seq=0, t=now_ms())
    node.client.publish(f"spBv1.0/{bus_prefix}/NBIRTH/Ghost", lie, qos=1, retain=True).wait_for_publish(5)
    with Pushed("sparkplug", {"url": mqtt_url, "group_ids": [bus_prefix]}, [tag(1, "A", "s", f"{bus_prefix}/Ghost:A")]) as ours:
        ours.until(lambda _: ours.notes.reasons["retained"], "the refusal")
    node.client.publish(f"spBv1.0/{bus_prefix}/NBIRTH/Ghost", b"", qos=1, retain=True).wait_for_publish(5)

    assert ours.rows == []


def test_the_state_of_the_nodes_is_told(mqtt_url: str, node: EdgeNode, bus_prefix: str) -> None:
    with Pushed("sparkplug", {"url": mqtt_url}, [tag(1, "A", "s", f"{bus_prefix}/Edge/Press:A")], prefix=bus_prefix) as ours:
        ours.until(lambda rows: rows, "the birth")
        described = ours.connector.describe()

    assert (described["nodes"], described["holes"], described["host_id"]) == (1, 0, f"{bus_prefix}-s")
