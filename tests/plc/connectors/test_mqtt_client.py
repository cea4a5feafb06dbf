"""The short way for incoming MQTT packets holds to what paho 2.2 does: any cut of the stream, any mix of packets, any lie."""

from __future__ import annotations

import struct

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import MQTTErrorCode

from plc.connectors.mqtt_batch import Message
from plc.connectors.mqtt_client import LeanClient


class Wire:
    """Stands for the socket of a client: hands out what is put in, and keeps what is written."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)
        self.written = b""

    def recv(self, size: int) -> bytes:
        if not self.parts:
            raise BlockingIOError
        return self.parts.pop(0)

    def send(self, data: bytes) -> int:
        self.written += bytes(data)
        return len(data)

    def close(self) -> None:
        self.parts.clear()

    def fileno(self) -> int:
        return -1


def client_of(wire: Wire) -> LeanClient:
    client = LeanClient("test")
    client._sock = wire
    return client


def publish(message: Message, *, dup: bool = False) -> bytes:
    topic = message.topic.encode()
    body = struct.pack(">H", len(topic)) + topic + (struct.pack(">H", message.mid) if message.qos else b"") + message.payload
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes((digit | (128 if size else 0),))
        if not size:
            break
    return bytes((0x30 | dup << 3 | message.qos << 1 | message.retain,)) + length + body


messages = st.builds(
    lambda topic, payload, qos, mid, retain: Message(topic, payload, mid if qos else 0, qos, retain),
    st.text(min_size=1, max_size=20),
    st.binary(max_size=300),
    st.sampled_from([0, 1]),
    st.integers(1, 65535),
    st.booleans(),
)


@given(st.lists(messages, max_size=12), st.integers(1, 50))
def test_messages_come_out_whole_however_the_stream_is_cut(sent: list[Message], step: int) -> None:
    stream = b"".join(publish(message, dup=True) for message in sent)
    client = client_of(Wire(*(stream[at : at + step] for at in range(0, len(stream), step))))

    while client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS:
        pass

    assert client.take() == sent
    assert client.take() == []
    assert client.inbox_bytes == 0


def test_other_packets_go_to_paho_between_messages() -> None:
    subscribed: list[int] = []
    message = Message("readings/A", b"{}", 7, 1, False)
    client = client_of(Wire(publish(message) + b"\x90\x03\x00\x05\x01" + b"\xd0\x00" + publish(message)))
    client.on_subscribe = lambda _c, _d, mid, _codes, _p: subscribed.append(mid)

    assert client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS

    assert subscribed == [5]
    assert len(client.take()) == 2


def test_acks_leave_in_one_write_as_paho_writes_them() -> None:
    wire = Wire()
    client = client_of(wire)

    client.ack_all([1, 258])
    client.ack_all([])

    assert wire.written == b"\x40\x02\x00\x01\x40\x02\x01\x02"


@pytest.mark.parametrize(
    "lie",
    [
        b"\x32\xff\xff\xff\xff\x01",
        b"\x32\x03\x00\x09a",
        b"\x36\x05\x00\x01a\x00\x01",
        b"\x30\x01\x00",
        b"\x30\x00",
        b"\x00\x00",
        b"\x90\x00",
    ],
    ids=["length without end", "topic beyond the packet", "QoS 3", "half a length", "nothing in it", "no such packet", "empty SUBACK"],
)
def test_a_broker_that_lies_loses_the_connection_not_the_process(lie: bytes) -> None:
    gone: list[object] = []
    client = client_of(Wire(lie))
    client.on_disconnect = lambda *_: gone.append(1)

    rc = client.loop_read()

    assert rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN)
    assert gone == [1]
    assert client.take() == []


def test_closed_by_the_broker_is_told() -> None:
    gone: list[object] = []
    client = client_of(Wire(b""))
    client.on_disconnect = lambda *_: gone.append(1)

    assert client.loop_read() == MQTTErrorCode.MQTT_ERR_CONN_LOST
    assert gone == [1]


def test_the_session_is_persistent_and_acknowledged_by_hand() -> None:
    client = LeanClient("fixed")

    assert (client._client_id, client._clean_session, client._manual_ack, client._protocol) == (b"fixed", False, True, mqtt.MQTTv311)
