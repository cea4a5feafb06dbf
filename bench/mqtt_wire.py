"""MQTT 3.1.1 in as few instructions as Python allows: the load and the plain subscriber must not be what limits a bench."""

from __future__ import annotations

import select
import socket
import struct
from urllib.parse import unquote, urlsplit

ACK = struct.Struct(">BBH")


def text(value: str) -> bytes:
    """A string with its length."""
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def packet(kind: int, body: bytes) -> bytes:
    """A control packet."""
    size, length = len(body), bytearray()
    while True:
        size, low = divmod(size, 128)
        length.append(low | (0x80 if size else 0))
        if not size:
            return bytes([kind]) + bytes(length) + body


def connect(url: str, client_id: str) -> socket.socket:
    """A clean session; raises ConnectionError when the broker refuses it."""
    parts = urlsplit(url)
    sock = socket.create_connection((str(parts.hostname), int(parts.port or 1883)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    credentials = text(unquote(parts.username or "")) + text(unquote(parts.password or ""))
    sock.sendall(packet(0x10, text("MQTT") + bytes([4, 0xC2]) + (0).to_bytes(2, "big") + text(client_id) + credentials))
    answer = sock.recv(4)
    if len(answer) < 4 or answer[3]:
        raise ConnectionError(f"broker refuses: {answer!r}")
    return sock


def publish(topic: bytes, payload: bytes, qos: int, mid: int) -> bytes:
    """A PUBLISH of a topic that has its length before it; mid counts at QoS 1."""
    head = topic + mid.to_bytes(2, "big") if qos else topic
    return packet(0x32 if qos else 0x30, head + payload)


class Acks:
    """Counts PUBACKs as they come: four bytes each."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.count = 0
        self._rest = 0

    def take(self, wait_s: float) -> None:
        """Whatever is there, waiting so long for the first."""
        if select.select([self.sock], [], [], wait_s)[0]:
            arrived = len(self.sock.recv(65536)) + self._rest
            self.count += arrived // 4
            self._rest = arrived % 4


def take_packets(buffer: bytearray) -> tuple[int, list[bytes]]:
    """Count the PUBLISH packets at the front of a buffer, cut them off, and return the ids of those at QoS 1."""
    at, count, mids, size = 0, 0, [], len(buffer)
    while at + 2 <= size:
        length, shift, start = 0, 0, at + 1
        while start < size:
            low = buffer[start]
            start += 1
            length |= (low & 127) << shift
            shift += 7
            if low < 128:
                break
        if start + length > size:
            break
        if buffer[at] & 0xF0 == 0x30:
            count += 1
            if buffer[at] & 6:
                where = start + 2 + int.from_bytes(buffer[start : start + 2], "big")
                mids.append(bytes(buffer[where : where + 2]))
        at = start + length
    del buffer[:at]
    return count, mids
