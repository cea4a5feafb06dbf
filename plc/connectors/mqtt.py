"""MQTT connector: 3.1.1 or 5, QoS 1 with a persistent session, acknowledged only after the bus has the readings; pushed.

Source time is the payload's own timestamp. It cannot see what a device did not publish, nor what the broker dropped:
mosquitto keeps 1,000 messages a client by default and says so in $SYS alone (docs/connectors.md). QoS 0 is at most once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from plc.addressing import mqtt as address
from plc.addressing import mqtt_mapping
from plc.addressing.errors import AddressError
from plc.connector import Branch, LinkError, Readings, Report
from plc.connectors.mqtt_batch import Parser
from plc.connectors.mqtt_browse import branches
from plc.connectors.mqtt_client import LeanClient
from plc.connectors.mqtt_link import MqttLink, words
from realtime.bus import now_ms
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

DEFAULT_TOPICS = ("readings/#", "machines/#")
PACE_S = 0.002  # a batch costs 0.2 ms of CPU over eight shards whatever is in it; see bench/collectors.py
PACED_BELOW = 500  # messages
LOOK_S = 2.0


class MqttConnector:
    """One broker session. config: that of MqttLink, and topics, qos 1, mappings, time: receipt for devices without a clock."""

    def __init__(self, source: Source, settings: Settings, report: Report) -> None:
        self.source = source
        self.settings = settings
        self.report = report
        self.prefix = settings.mqtt_prefix
        self.qos = 0 if source.config.get("qos") == 0 else 1
        self.no_time = source.config.get("time") == "receipt"
        self.link = MqttLink(source, settings, report)
        self.messages = 0
        self._mappings: list[mqtt_mapping.Mapping] = []
        self._unacked: list[int] = []
        self._handed_at = 0.0
        self._heard_at: float | None = None
        self._parser = Parser([], self.prefix, report, no_time=self.no_time)

    def connect(self) -> None:
        """Connect with the fixed client id and subscribe; raises LinkError."""
        self._unacked = []  # ids of a former connection mean nothing on this one; the broker sends those messages again
        self.link.connect([(self.prefix + topic, self.qos) for topic in self._topics()])

    def _topics(self) -> list[str]:
        """What to subscribe to: the topics of the source and of its mappings, without those that another one covers."""
        try:
            mappings = mqtt_mapping.parse_all(self.source.config.get("mappings"))
        except AddressError as error:
            raise LinkError("config", f"{self.source.name}: {error}", "correct the mappings of the source") from error
        wanted = words(self.source.config.get("topics"), DEFAULT_TOPICS)
        return mqtt_mapping.outermost([*wanted, *(mapping.pattern.subscription for mapping in mappings)])

    def plan(self, tags: Sequence[Tag]) -> list[tuple[Tag, str]]:
        """Compile topics to tags; the session stays. A wrong mapping is told by `connect`."""
        usable: list[Tag] = []
        unusable: list[tuple[Tag, str]] = []
        for tag in tags:
            try:
                address.parse(tag.address)
                usable.append(tag)
            except AddressError as error:
                unusable.append((tag, f"address {tag.address!r}: {error}"))
        try:
            self._mappings = mqtt_mapping.parse_all(self.source.config.get("mappings"))
        except AddressError:
            self._mappings = []
        self._parser = Parser(usable, self.prefix, self.report, no_time=self.no_time, mappings=self._mappings)
        return unusable

    def read(self, group: str, timeout_s: float) -> list[Readings]:
        """Everything that has arrived, as columns; waits up to timeout_s for the first."""
        client = self.link.client
        if client is None:
            raise LinkError("protocol", "not connected")
        self.link.pump(0.0 if client.inbox else timeout_s)
        if client.inbox:
            self._gather(client)
        messages = client.take()
        self.messages += len(messages)
        if any(not message.retain for message in messages):
            self._heard_at = time.monotonic()
        self._unacked += [message.mid for message in messages if message.qos]
        return self._parser.parse(messages, now_ms()) if messages else []

    def _gather(self, client: LeanClient) -> None:
        """After an idle moment hand on at once; under load let PACE_S pass between batches, which then grow by themselves."""
        early = self._handed_at + PACE_S - time.monotonic()
        if early > 0 and len(client.inbox) < PACED_BELOW:
            time.sleep(early)
            self.link.pump(0.0)
        self._handed_at = time.monotonic()

    def confirm(self) -> None:
        """Acknowledge the messages of the last read to the broker."""
        mids, self._unacked = self._unacked, []
        if self.link.client is not None:
            self.link.client.ack_all(mids)

    def idle(self, timeout_s: float) -> None:
        """Keep the session while the bus is away: take into memory up to INBOX_BYTES, then leave it to the broker."""
        self.link.pump(timeout_s)

    def browse(self, path: str) -> list[Branch]:
        """Topics on which something is said within LOOK_S, below path, with their last payload; by a session of its own."""
        looking = MqttLink(self._as_probe(), self.settings, self.report)
        below = self.prefix + path.partition("#")[0]
        try:
            looking.connect([])
            try:
                looking.subscribe([(f"{below}/#" if path else f"{self.prefix}#", 0)])
            except LinkError:  # the access list gives us less than everything: look at what the source takes
                looking.subscribe([(self.prefix + topic, 0) for topic in self._topics()])
            until = time.monotonic() + LOOK_S
            while (left := until - time.monotonic()) > 0:
                looking.pump(left)
            assert looking.client is not None
            return branches(looking.client.take(), self.prefix, path)
        finally:
            looking.close()

    def _as_probe(self) -> Source:
        same = self.source
        return Source(id=same.id, name=same.name, kind=same.kind, config={**same.config, "probe": True})

    def close(self) -> None:
        """Disconnect; the broker keeps the session and what we have not acknowledged."""
        self.link.close()

    def quiet_s(self) -> float | None:
        """The broker may live while every device behind it is dead. Retained messages are old words."""
        return None if self._heard_at is None else time.monotonic() - self._heard_at

    def describe(self) -> dict[str, str | int | float]:
        """Messages taken so far, those waiting, and the session."""
        return {"messages": self.messages, **self.link.describe()}
