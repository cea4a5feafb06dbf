"""paho-mqtt with a short way for incoming PUBLISH packets: one recv of many packets, one append each, acks in one write.

paho spends a select and four recv calls on each packet (12 us, PERFORMANCE.md 3); this takes 1-2 us. Connecting, sessions,
subscriptions, keep-alive and TLS stay paho's. It overrides paho's reading only; requirements.txt pins the version and
tests/plc/connectors/test_mqtt_client.py holds this file to it.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from plc.connectors.mqtt_batch import Message

CHUNK = 262_144
PUBLISH, PUBACK = 0x30, 0x40
RECEIVE_MAX = 10_000  # twice the largest batch: fewer, and the flow stalls before a batch is full
_PUBACK_HEAD = bytes((PUBACK, 2))


class LeanClient(mqtt.Client):
    """A client of one thread: call `loop_read` while it returns progress; messages wait in `inbox`."""

    def __init__(self, client_id: str, *, version: int = 3, keep: bool = True) -> None:
        """version 3 (3.1.1) or 5; keep: the broker keeps the session, under this id, when we are gone."""
        self.is_five = version == 5
        if self.is_five:
            super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5, manual_ack=True)
        else:
            super().__init__(CallbackAPIVersion.VERSION2, client_id, clean_session=not keep, protocol=mqtt.MQTTv311, manual_ack=True)
        self.on_sys: Callable[[str, bytes], None] | None = None
        self.inbox: list[Message] = []
        self.inbox_bytes = 0
        self._buffer = bytearray()
        self._topics: dict[bytes, str] = {}

    def open_session(self, host: str, port: int, keepalive_s: int, *, keep_s: int) -> None:
        """Open the socket and say hello; at version 5 the broker keeps the session keep_s seconds (0 = a new, clean one)."""
        if not self.is_five:
            self.connect(host, port, keepalive=keepalive_s)
            return
        wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wishes.SessionExpiryInterval = keep_s
        wishes.ReceiveMaximum = RECEIVE_MAX
        self.connect(host, port, keepalive=keepalive_s, clean_start=keep_s == 0, properties=wishes)

    def follow(self, topics: Iterable[tuple[str, int]]) -> int:
        """Subscribe to (filter, QoS) pairs; returns the packet's id. Raises ValueError for a filter that cannot be one."""
        pairs = list(topics)
        _, mid = self.subscribe([(topic, SubscribeOptions(qos=qos)) for topic, qos in pairs] if self.is_five else pairs)
        return mid or 0

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Take what the socket holds; MQTT_ERR_AGAIN when it held nothing."""
        try:
            data = self._sock_recv(CHUNK)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_AGAIN
        except OSError:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        if not data:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        self._buffer += data
        return self._take_packets()

    def _take_packets(self) -> MQTTErrorCode:
        buffer, at, size = bytes(self._buffer), 0, len(self._buffer)
        rc = MQTTErrorCode.MQTT_ERR_SUCCESS
        while rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            head = _head(buffer, at, size)
            if head is None:
                break
            start, end = head
            if start < 0:
                rc = self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
                break
            if end > size:
                break
            command = buffer[at]
            rc = self._publish(command, buffer, start, end) if command & 0xF0 == PUBLISH else self._other(command, buffer[start:end])
            at = end
        del self._buffer[:at]
        return rc

    def _publish(self, command: int, buffer: bytes, start: int, end: int) -> MQTTErrorCode:
        qos = command >> 1 & 3
        topic_end = start + 2 + (buffer[start] << 8 | buffer[start + 1]) if end - start >= 2 else end + 1
        body = topic_end + 2 if qos else topic_end
        if body > end or qos > 1:  # we never subscribe above QoS 1
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
        if self.is_five and body <= end:  # properties: a subscriber of ours needs none, and asked for no topic aliases
            properties = _head(buffer, body - 1, end)
            if properties is None or properties[0] < 0 or properties[1] > end:
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
            body = properties[1]
        raw = buffer[start + 2 : topic_end]
        mid = buffer[topic_end] << 8 | buffer[topic_end + 1] if qos else 0
        topic = self._topics.get(raw)
        if topic is None:
            if raw.startswith(b"$SYS/"):
                self._tell_sys(raw, buffer[body:end])
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            topic = self._learn(raw)
        self.inbox.append(Message(topic, buffer[body:end], mid, qos, bool(command & 1)))
        self.inbox_bytes += end - start
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _tell_sys(self, raw: bytes, payload: bytes) -> None:
        if self.on_sys is not None:
            self.on_sys(raw.decode("utf-8", "backslashreplace"), payload)

    def _learn(self, raw: bytes) -> str:
        topic = raw.decode("utf-8", "backslashreplace")
        if len(self._topics) < 50_000:
            self._topics[raw] = topic
        return topic

    def _other(self, command: int, packet: bytes) -> MQTTErrorCode:
        """Hand any other packet to paho as if it had read it."""
        self._in_packet = {
            "command": command,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(packet),
            "packet": bytearray(packet),
            "to_process": 0,
            "pos": 0,
        }
        try:
            rc = self._packet_handle()
        except (MQTTException, struct.error, IndexError):
            rc = MQTTErrorCode.MQTT_ERR_PROTOCOL
        return self._loop_rc_handle(rc) if rc else MQTTErrorCode.MQTT_ERR_SUCCESS

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """paho's leaves the socket open where the handshake fails, at every try of a link that cannot stand."""
        assert self._ssl_context is not None
        secured = self._ssl_context.wrap_socket(tcp_sock, server_hostname=self._host, do_handshake_on_connect=False)
        secured.settimeout(self.connect_timeout)
        try:
            secured.do_handshake()
        except OSError:
            secured.close()
            raise
        return secured

    def take(self) -> Sequence[Message]:
        """Everything that waits, and an empty inbox."""
        messages, self.inbox = self.inbox, []
        self.inbox_bytes = 0
        return messages

    def ack_all(self, mids: Iterable[int]) -> None:
        """PUBACK every mid in one packet queue entry and, where the socket takes it, one write."""
        packets = b"".join([_PUBACK_HEAD + mid.to_bytes(2, "big") for mid in mids])
        if packets:
            self._packet_queue(mqtt.PUBACK, packets, 0, 0)


def _head(buffer: bytes, at: int, size: int) -> tuple[int, int] | None:
    """Start and end of the packet at `at`; None while its length is not there yet; start -1 where it is malformed."""
    length, shift, place = 0, 0, at + 1
    while place < size:
        byte = buffer[place]
        length |= (byte & 127) << shift
        place += 1
        if byte < 128:
            return (place, place + length)
        shift += 7
        if shift > 21:
            return (-1, -1)
    return None


def refusal(reason: Any) -> str:
    """A broker's reason code in words."""
    return str(getattr(reason, "getName", lambda: reason)())
