"""Sparkplug B connector (3.0, payload B over MQTT): the host of all nodes of some groups; pushed.

Source time is the metric's, else the payload's. It cannot see what a node said at QoS 0 while the broker was away: a hole in the
order is noticed, told as uncertain and mended by a rebirth; a node that stores and forwards hands the rest in as historical.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence

import orjson

from plc.addressing import sparkplug as address
from plc.addressing.errors import AddressError
from plc.connector import Branch, LinkError, Readings, Report
from plc.connectors.mqtt_link import MqttLink, Will, words
from plc.connectors.sparkplug_codec import NAMES, TEXTS, command
from plc.connectors.sparkplug_host import NAMESPACE, Host
from realtime.bus import now_ms
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.sparkplug")

REBIRTH = "Node Control/Rebirth"
LOOK_S = 2.0


class SparkplugConnector:
    """One broker session. config: that of MqttLink, and group_ids (null = those of the tags, all without tags), host_id."""

    def __init__(self, source: Source, settings: Settings, report: Report) -> None:
        self.name = source.name
        self.link = MqttLink(source, settings, report, keep=False)  # the specification wants a clean session of its hosts
        self.host = Host(report)
        self.host_id = str(source.config.get("host_id") or f"{settings.bus_prefix}-{source.name}")
        self.group_ids = source.config.get("group_ids")
        self.messages = 0
        self.rebirths = 0
        self._followed: set[str] = set()
        self._wanted: set[str] = set()
        self._unacked: list[int] = []
        self._online_at = 0
        self._rng = random.Random()  # noqa: S311 - spreads requests, hides nothing

    @property
    def _state(self) -> str:
        return f"{NAMESPACE}/STATE/{self.host_id}"

    def connect(self) -> None:
        """Connect, listen, say that the host is there, and ask the nodes of our tags for a birth; raises LinkError."""
        self._unacked = []
        self._online_at = now_ms()
        self._followed = set(words(self.group_ids, [])) or self._wanted or {"+"}
        topics = [(f"{NAMESPACE}/{group}/#", 1) for group in sorted(self._followed)]
        if self.link.is_probe:
            self.link.connect(topics)
        else:
            self.link.connect([*topics, (self._state, 1)], Will(self._state, self._word(is_online=False)))
            self._say_online()
        self.host.connected(time.monotonic(), now_ms(), self._rng)

    def _word(self, *, is_online: bool) -> bytes:
        return orjson.dumps({"online": is_online, "timestamp": self._online_at})

    def _say_online(self) -> None:
        self.link.publish(self._state, self._word(is_online=True), qos=1, retain=True)

    def plan(self, tags: Sequence[Tag]) -> list[tuple[Tag, str]]:
        """Take these tags; the session stays, and listens to groups that are new."""
        usable: list[Tag] = []
        unusable: list[tuple[Tag, str]] = []
        for tag in tags:
            try:
                address.parse(tag.address)
                usable.append(tag)
            except AddressError as error:
                unusable.append((tag, f"address {tag.address!r}: {error}"))
        self._wanted = {address.parse(tag.address).group for tag in usable}
        self.host.configure(usable)
        return unusable

    def _follow_new_groups(self) -> None:
        fresh = set() if self.group_ids or "+" in self._followed else self._wanted - self._followed
        if fresh:
            self.link.subscribe([(f"{NAMESPACE}/{group}/#", 1) for group in sorted(fresh)])
            self._followed |= fresh

    def read(self, group: str, timeout_s: float) -> list[Readings]:
        """Everything that has arrived, as columns; waits up to timeout_s for the first. Asks for rebirths that are due."""
        client = self.link.client
        if client is None:
            raise LinkError("protocol", "not connected")
        self._follow_new_groups()
        self.link.pump(0.0 if client.inbox else timeout_s)
        messages = client.take()
        self.messages += len(messages)
        now, received = time.monotonic(), now_ms()
        for message in messages:
            if message.topic.startswith(f"{NAMESPACE}/STATE/"):
                self._heed(message.topic, message.payload)
            elif message.retain:  # births and data are never retained: whoever does that hands out old values as new
                self.link.report.reject("retained", topic=message.topic)
            else:
                self.host.handle(message.topic, message.payload, received, now)
        self.host.turn(now, received)
        for node in self.host.due_rebirths(now):
            self.rebirths += 1
            self.command(*node, "", REBIRTH, "Boolean", value=True)
        self._unacked += [message.mid for message in messages if message.qos]
        return self.host.take()

    def _heed(self, topic: str, payload: bytes) -> None:
        """Somebody, such as the will of our last life, says that we are gone: say again that we are not."""
        if topic != self._state or self.link.is_probe:
            return
        try:
            said = orjson.loads(payload)
        except orjson.JSONDecodeError:
            said = None
        if not isinstance(said, dict) or said.get("online") is not True:
            self._online_at = now_ms()
            self._say_online()

    def command(self, group: str, node: str, device: str, metric: str, datatype: str, *, value: float | str | bool) -> None:
        """Send an NCMD, or a DCMD where device is not "", with the datatype. Raises PayloadError when value is none of it."""
        payload = command(metric, datatype, value, now_ms())
        topic = f"{NAMESPACE}/{group}/DCMD/{node}/{device}" if device else f"{NAMESPACE}/{group}/NCMD/{node}"
        self.link.publish(topic, payload)

    def confirm(self) -> None:
        """Acknowledge what came at QoS 1."""
        mids, self._unacked = self._unacked, []
        if self.link.client is not None:
            self.link.client.ack_all(mids)

    def idle(self, timeout_s: float) -> None:
        """Keep the session."""
        self.link.pump(timeout_s)

    def browse(self, path: str) -> list[Branch]:
        """Nodes that have spoken; below a node its metrics and devices; below a device its metrics. Raises LinkError."""
        until = time.monotonic() + LOOK_S
        while self.link.is_probe and (left := until - time.monotonic()) > 0:
            self.read("", min(left, 0.2))
            self.confirm()
        if not path:
            return [
                Branch(f"{node.group}/{node.name}", path=f"{node.group}/{node.name}", detail="born" if node.is_born else "no birth yet")
                for node in self.host.nodes.values()
                if node.was_heard
            ]
        group, _, rest = path.partition("/")
        name, _, device = rest.partition("/")
        found = self.host.nodes.get((group, name))
        if found is None:
            return []
        devices = [Branch(each, path=f"{group}/{name}/{each}") for each in sorted(found.devices)] if not device else []
        metrics = [known for (owner, _), known in found.metrics.items() if owner == device]
        return devices + [
            Branch(
                known.name,
                address=address.SparkplugAddress(group, name, device, known.name).canonical(),
                kind="text" if known.datatype in TEXTS else "f64",
                unit=known.unit,
                value=known.shown,
                detail=NAMES[known.datatype] if known.datatype < len(NAMES) else str(known.datatype),
            )
            for known in metrics
        ]

    def close(self) -> None:
        """Say that the host goes, and disconnect."""
        if self.link.client is not None and self.link.client.is_connected() and not self.link.is_probe:
            self.link.publish(self._state, self._word(is_online=False), qos=1, retain=True)
        self.link.close()

    def quiet_s(self) -> float | None:
        """Nodes report by exception: silence means nothing while they live, and their death is told."""
        return None

    def describe(self) -> dict[str, str | int | float]:
        """Nodes, rebirths asked for, holes in their order, and the session."""
        nodes = self.host.nodes.values()
        counts = {"nodes": sum(node.is_born for node in nodes), "rebirths": self.rebirths, "holes": self.host.holes}
        return {"messages": self.messages, **counts, "host_id": self.host_id, **self.link.describe()}
