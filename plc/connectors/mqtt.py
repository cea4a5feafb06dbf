"""MQTT connector: 3.1.1, QoS 1 with a persistent session, acknowledged only after the bus has the readings; pushed.

Source time is the payload's own timestamp. It cannot see what a device did not publish, nor what the broker dropped:
mosquitto keeps 1,000 messages a client by default and tells nobody (docs/connectors.md). QoS 0 is at most once.
"""

from __future__ import annotations

import logging
import select
import ssl
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from plc.addressing import mqtt as address
from plc.addressing.errors import AddressError
from plc.connector import LinkError, Readings, Report
from plc.connectors.mqtt_batch import Parser
from plc.connectors.mqtt_client import LeanClient, refusal
from realtime.bus import now_ms
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.mqtt")

DEFAULT_TOPICS = ("readings/#", "machines/#")
CONNECT_WITHIN_S = 5.0
KEEPALIVE_S = 30
BATCH_MESSAGES = 5_000
INBOX_BYTES = 64_000_000
MISC_EVERY_S = 1.0
PACE_S = 0.002  # a batch costs 0.2 ms of CPU over eight shards whatever is in it; see bench/collectors.py
PACED_BELOW = 500  # messages


class MqttConnector:
    """One broker session. config: url (null = MQTT_URL), topics, qos 1, time: receipt for devices without a clock."""

    def __init__(self, source: Source, settings: Settings, report: Report) -> None:
        self.name = source.name
        self.report = report
        self.prefix = settings.mqtt_prefix
        self.url = urlsplit(str(source.config.get("url") or settings.mqtt_url or ""))
        self.topics = [self.prefix + str(topic) for topic in source.config.get("topics") or DEFAULT_TOPICS]
        self.qos = 0 if source.config.get("qos") == 0 else 1
        self.no_time = source.config.get("time") == "receipt"
        self.client_id = f"{settings.bus_prefix}-{source.name}"
        self.messages = 0
        self._client: LeanClient | None = None
        self._connected: str | None = None  # "" = yes, else the broker's refusal
        self._subscribed: list[Any] | None = None  # reason codes
        self._gone: str | None = None
        self._unacked: list[int] = []
        self._misc_at = 0.0
        self._handed_at = 0.0
        self._heard_at: float | None = None
        self._parser = Parser([], self.prefix, report, no_time=self.no_time)

    def connect(self) -> None:
        """Connect with the fixed client id and subscribe; raises LinkError."""
        if not self.url.hostname:
            raise LinkError("config", f"{self.name}: no broker", "set MQTT_URL or url in the source")
        self._connected = self._gone = None
        self._subscribed = None
        self._unacked = []  # ids of a former connection mean nothing on this one; the broker sends those messages again
        client = self._client = self._made()
        port = self.url.port or (8883 if self.url.scheme == "mqtts" else 1883)
        where = f"{self.url.hostname}:{port}"
        try:
            client.connect(self.url.hostname, port, keepalive=KEEPALIVE_S)
        except ConnectionRefusedError as error:
            raise LinkError("refused", f"broker {where}: connection refused", "check that the broker runs") from error
        except OSError as error:
            raise LinkError("no_route", f"broker {where}: {error}", "check the address and the network") from error
        self._until(lambda: self._connected is not None, f"broker {where} does not answer")
        if self._connected:
            raise LinkError("login", f"broker {where}: {self._connected}", "check user, password and the broker's access list")
        client.subscribe([(topic, self.qos) for topic in self.topics])
        self._until(lambda: self._subscribed is not None, f"broker {where} does not confirm the subscription")
        reasons: list[Any] = self._subscribed or []
        if any(reason.is_failure for reason in reasons):
            raise LinkError("login", f"broker {where}: subscription refused", "check the broker's access list")
        log.info("%s: subscribed at %s as %s", self.name, where, self.client_id)

    def _made(self) -> LeanClient:
        client = LeanClient(self.client_id)
        client.connect_timeout = CONNECT_WITHIN_S
        if self.url.username:
            client.username_pw_set(unquote(self.url.username), unquote(self.url.password or ""))
        if self.url.scheme == "mqtts":
            client.tls_set_context(ssl.create_default_context())
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._connected = refusal(reason) if reason.is_failure else ""

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
        self._subscribed = reasons

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._gone = refusal(reason)

    def _until(self, done: Any, what: str) -> None:
        deadline = time.monotonic() + CONNECT_WITHIN_S
        while not done():
            if time.monotonic() > deadline:
                raise LinkError("timeout", what)
            self._pump(0.1)

    def plan(self, tags: Sequence[Tag]) -> list[tuple[Tag, str]]:
        """Compile topics to tags; the session stays."""
        usable: list[Tag] = []
        unusable: list[tuple[Tag, str]] = []
        for tag in tags:
            try:
                address.parse(tag.address)
                usable.append(tag)
            except AddressError as error:
                unusable.append((tag, f"address {tag.address!r}: {error}"))
        self._parser = Parser(usable, self.prefix, self.report, no_time=self.no_time)
        return unusable

    def read(self, group: str, timeout_s: float) -> list[Readings]:
        """Everything that has arrived, as columns; waits up to timeout_s for the first."""
        client = self._client
        if client is None:
            raise LinkError("protocol", "not connected")
        self._pump(0.0 if client.inbox else timeout_s)
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
            self._pump(0.0)
        self._handed_at = time.monotonic()

    def confirm(self) -> None:
        """Acknowledge the messages of the last read to the broker."""
        mids, self._unacked = self._unacked, []
        if self._client is not None:
            self._client.ack_all(mids)

    def idle(self, timeout_s: float) -> None:
        """Keep the session while the bus is away: take into memory up to INBOX_BYTES, then leave it to the broker."""
        self._pump(timeout_s)

    def _pump(self, timeout_s: float) -> None:
        """Move bytes: wait for the socket, read until it is empty or the batch is full, write what waits, keep alive."""
        client = self._client
        sock = client.socket() if client is not None else None
        if client is None or sock is None:
            raise LinkError("protocol", f"broker connection lost ({self._gone or 'closed'})")
        room = client.inbox_bytes < INBOX_BYTES
        readable, _, _ = select.select([sock] if room else [], [sock] if client.want_write() else [], [], timeout_s)
        if readable:
            while len(client.inbox) < BATCH_MESSAGES and client.loop_read() == 0:
                pass
        if client.want_write():
            client.loop_write()
        if time.monotonic() - self._misc_at > MISC_EVERY_S:
            self._misc_at = time.monotonic()
            client.loop_misc()
        if self._gone is not None:
            raise LinkError("protocol", f"broker connection lost ({self._gone})")

    def close(self) -> None:
        """Disconnect; the broker keeps the session and what we have not acknowledged."""
        if self._client is not None:
            self._client.on_disconnect = None
            self._client.disconnect()
            self._client = None

    def quiet_s(self) -> float | None:
        """The broker may live while every device behind it is dead. Retained messages are old words."""
        return None if self._heard_at is None else time.monotonic() - self._heard_at

    def describe(self) -> dict[str, str | int | float]:
        """Messages taken so far and those waiting."""
        waiting = len(self._client.inbox) if self._client else 0
        return {"messages": self.messages, "waiting": waiting, "client_id": self.client_id}
