"""Reads MQTT tag addresses: nothing for the default topic rule, or `topic` with an optional `#field`. Pure: no I/O.

Default rule (DESIGN.md 4): tag `PT-101` comes on `readings/PT-101`; tag `M1.temperature` is field `temperature` on `machines/M1`.
"""

from __future__ import annotations

from dataclasses import dataclass

from plc.addressing.errors import AddressError

MAX_TOPIC = 512


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """topic None = the default rule; field None = the payload is a reading object or a bare number."""

    topic: str | None
    field: str | None

    def canonical(self) -> str:
        """The one spelling that is stored."""
        if self.topic is None:
            return ""
        return self.topic if self.field is None else f"{self.topic}#{self.field}"


def parse(text: str) -> MqttAddress:
    """Read one address; raises AddressError."""
    if not text.strip():
        return MqttAddress(None, None)
    topic, hash_mark, field = text.strip().partition("#")
    if not topic:
        raise AddressError(0, "a topic before #, such as plant/line1#temperature")
    if len(topic.encode()) > MAX_TOPIC:
        raise AddressError(MAX_TOPIC, f"a topic of at most {MAX_TOPIC} bytes")
    for position, character in enumerate(topic):
        if character == "+":
            raise AddressError(position, "one topic, no wildcard: subscribe with wildcards in the source")
        if not character.isprintable():
            raise AddressError(position, "printable characters only")
    if hash_mark and not field:
        raise AddressError(len(topic) + 1, "a field name after #")
    return MqttAddress(topic, field or None)
