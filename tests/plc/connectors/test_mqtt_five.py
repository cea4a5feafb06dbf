"""MQTT 5's PUBLISH has properties before the payload: they are stepped over, whatever stands in them, and lies end the link."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import MQTTErrorCode

from plc.connectors.mqtt_batch import Message
from plc.connectors.mqtt_client import LeanClient
from tests.plc.connectors.test_mqtt_client import Wire


def client_of(*parts: bytes) -> LeanClient:
    client = LeanClient("test", version=5)
    client._sock = Wire(*parts)
    return client


def varint(size: int) -> bytes:
    made = b""
    while True:
        size, digit = divmod(size, 128)
        made += bytes((digit | (128 if size else 0),))
        if not size:
            return made


def publish(message: Message, properties: bytes) -> bytes:
    topic = message.topic.encode()
    mid = struct.pack(">H", message.mid) if message.qos else b""
    body = struct.pack(">H", len(topic)) + topic + mid + varint(len(properties)) + properties + message.payload
    return bytes((0x30 | message.qos << 1 | message.retain,)) + varint(len(body)) + body


messages = st.builds(
    lambda topic, payload, qos, mid: Message(topic, payload, mid if qos else 0, qos, retain=False),
    st.text(st.characters(codec="utf-8", exclude_characters="$"), min_size=1, max_size=20),
    st.binary(max_size=300),
    st.sampled_from([0, 1]),
    st.integers(1, 65535),
)


@given(st.lists(st.tuples(messages, st.binary(max_size=200)), max_size=8), st.integers(1, 50))
def test_properties_are_stepped_over_however_the_stream_is_cut(sent: list[tuple[Message, bytes]], step: int) -> None:
    stream = b"".join(publish(message, properties) for message, properties in sent)
    client = client_of(*(stream[at : at + step] for at in range(0, len(stream), step)))

    while client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS:
        pass

    assert client.take() == [message for message, _ in sent]


def test_properties_longer_than_the_packet_end_the_link() -> None:
    for lie in (b"\x05", b"\xff\xff\xff\xff\x01", b"\x80"):
        client = client_of(b"\x30" + varint(3 + len(lie)) + b"\x00\x01t" + lie)

        assert client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS
        assert client.take() == []


def test_what_the_broker_says_of_itself_never_reaches_the_inbox() -> None:
    told: list[tuple[str, bytes]] = []
    client = client_of(publish(Message("$SYS/broker/publish/messages/dropped", b"17", 0, 0, retain=True), b""))
    client.on_sys = lambda topic, payload: told.append((topic, payload))

    client.loop_read()

    assert told == [("$SYS/broker/publish/messages/dropped", b"17")]
    assert client.take() == []
