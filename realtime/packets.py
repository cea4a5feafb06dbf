"""Engine.IO packets that are encoded once for all sockets, and that tell whether they have left.

Knows the framing of Socket.IO 5 (`2[name,data]`, binary `51-[...]`), not what is in it.
"""

from __future__ import annotations

from typing import Any

import orjson
from engineio.packet import MESSAGE, Packet

JSON_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


class Json:
    """The json module of the socket server: NaN becomes null, dates ISO, decimals text (STACK.md 1.7)."""

    @staticmethod
    def dumps(value: Any, **_options: Any) -> str:
        """Text of a value."""
        return orjson.dumps(value, default=str, option=JSON_OPTIONS).decode()

    @staticmethod
    def loads(text: str | bytes, **_options: Any) -> Any:
        """Value of a text; raises ValueError."""
        return orjson.loads(text)


def event(name: str, body: bytes) -> str:
    """Socket.IO text of an event with a body that is JSON already."""
    return f'2["{name}",{body.decode()}]'


def shared(text: str) -> Packet:
    """One packet for any number of sockets; it is encoded at its first sending."""
    return Packet(MESSAGE, text)


class LivePacket(Packet):  # type: ignore[misc] # engineio has no types
    """A live value on its way to one socket; `taken` once its writer has it, so the next may follow.

    While the network is slow the writer sits on the packet before it: this one stays not taken and the socket is skipped.
    It never uses the base class's encode cache, which would hand the base64 form of a polling client to a WebSocket.
    """

    def __init__(self, text: str) -> None:
        super().__init__(MESSAGE, text)
        self.taken = False

    def encode(self, b64: bool = False) -> str | bytes:
        """What goes on the wire, marking it as gone."""
        self.taken = True
        return "4" + self.data  # type: ignore[no-any-return]


class Attachment(Packet):  # type: ignore[misc] # engineio has no types
    """The bytes that follow a binary event on one socket, without the encode cache."""

    def __init__(self, data: bytes) -> None:
        super().__init__(MESSAGE, data)

    def encode(self, b64: bool = False) -> str | bytes:
        """Bytes for a WebSocket, base64 for a polling client."""
        self.encode_cache = None
        encoded: str | bytes = super().encode(b64)
        self.encode_cache = None
        return encoded


def binary_event(name: str, meta: dict[str, Any]) -> str:
    """Socket.IO text of an event with a meta object and one attachment of bytes to follow."""
    return f'51-["{name}",{Json.dumps(meta)},{{"_placeholder":true,"num":0}}]'


def put_together(queue: Any, packets: list[Packet]) -> None:
    """Queue packets that must not be parted: text and attachment of a binary event.

    Eventlet's queue cannot switch between two puts; the threaded one is held by its own mutex.
    """
    mutex = getattr(queue, "mutex", None)
    if mutex is None:
        for packet in packets:
            queue.put(packet)
        return
    with mutex:
        for packet in packets:
            queue.queue.append(packet)
        queue.unfinished_tasks += len(packets)
        queue.not_empty.notify()
