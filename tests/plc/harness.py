"""What the collector tests share: the program as a subprocess, real devices to read, and a tap on the bus."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from snap7.server import Server
from snap7.type import SrvArea

from realtime.bus import READINGS, SIGNALS, Bus
from realtime.codec import decode_batch, decode_signal
from realtime.events import Batch, Signal
from realtime.snapshot import Snapshot, Source, Tag
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tag(number: int, name: str, source: str, address: str = "", **more: Any) -> Tag:
    """A tag of asset `number` of the given source."""
    asset = more.pop("asset", number)
    return Tag(id=number, name=name, asset=asset, shard=asset % 8, unit=more.pop("unit", ""), source=source, address=address, **more)


class Sample(NamedTuple):
    """One reading on the bus."""

    tag: int
    t: int
    value: Any
    quality: int
    seq: int
    flags: frozenset[str]


class Tap:
    """Everything that has come onto the bus so far."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def batches(self) -> list[Batch]:
        """All batches, shard by shard."""
        return [decode_batch(fields) for stream in READINGS for _, fields in self._entries(stream)]

    def samples(self, tag_id: int | None = None) -> list[Sample]:
        """All readings, or those of one tag, in stream order."""
        return [
            Sample(int(i), int(t), value, int(q), int(s), frozenset(batch.flags))
            for batch in self.batches()
            for i, t, value, q, s in zip(batch.ids, batch.t, batch.values, batch.quality, batch.seq, strict=True)
            if tag_id is None or i == tag_id
        ]

    def good(self, tag_id: int) -> list[Sample]:
        """Good readings of a tag."""
        return [sample for sample in self.samples(tag_id) if sample.quality == 0]

    def signals(self, name: str | None = None) -> list[Signal]:
        """All signals, or those of one name."""
        found = [decode_signal(fields) for _, fields in self._entries(SIGNALS)]
        return [one for one in found if name is None or one.name == name]

    def quarantine(self) -> list[dict[str, Any]]:
        """Samples of what was refused, newest first."""
        return [json.loads(raw) for raw in self.bus.client.lrange(self.bus.key("quarantine"), 0, -1)]

    def health(self) -> list[dict[str, Any]]:
        """What the living collector children say."""
        keys = [key for key in self.bus.client.scan_iter(self.bus.key("health.plc.*")) if key.count(b".") == 3]
        return [json.loads(raw) for raw in self.bus.client.mget(keys) if raw] if keys else []

    def drops(self) -> dict[str, int]:
        """Refusals by reason, of all children."""
        total: dict[str, int] = {}
        for body in self.health():
            for reason, count in body.get("drops", {}).items():
                total[reason] = total.get(reason, 0) + count
        return total

    def _entries(self, stream: str) -> Iterable[tuple[bytes, dict[bytes, bytes]]]:
        return self.bus.client.xrange(self.bus.key(stream))


class Program:
    """`python -m plc ...` as a subprocess; stderr is kept."""

    def __init__(self, environment: dict[str, str], *arguments: str, python: str | Path = sys.executable) -> None:
        log = Path(environment["DATA_DIR"])
        log.mkdir(parents=True, exist_ok=True)
        self.log = log / f"plc-{time.monotonic_ns()}.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen([python, "-m", "plc", *arguments], env=environment, cwd=ROOT, stderr=out, stdin=subprocess.PIPE)

    @property
    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text("utf-8")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, within_s: float = 10.0) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(within_s)
        if self.process.stdin:
            self.process.stdin.close()
        return code


@contextmanager
def collecting(
    environment: dict[str, str], bus: Bus, sources: Sequence[Source], tags: Sequence[Tag], version: int = 1
) -> Iterator[Program]:
    """The collectors running on this plant; the log is printed when the test fails."""
    bus.publish_config(Snapshot(version=version, sources=list(sources), tags=list(tags)))
    program = Program(environment)
    try:
        yield program
    finally:
        program.stop()
        sys.stderr.write(program.said)


class Plc:
    """python-snap7's own server with data blocks that tests write."""

    def __init__(self, sizes: dict[int, int] | None = None, port: int | None = None) -> None:
        self.port = port or free_port()
        self.blocks = {number: bytearray(size) for number, size in (sizes or {1: 256}).items()}
        self.areas = {area: bytearray(64) for area in (SrvArea.MK, SrvArea.PE, SrvArea.PA)}
        self._server: Server | None = None

    def start(self) -> Plc:
        """Open the port."""
        self._server = Server(log=False)
        for number, memory in self.blocks.items():
            self._server.register_area(SrvArea.DB, number, memory)
        for area, memory in self.areas.items():
            self._server.register_area(area, 0, memory)
        self._server.start_to("127.0.0.1", self.port)
        return self

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.stop()
            self._server.destroy()
            self._server = None

    def write(self, block: int, offset: int, form: str, value: Any) -> None:
        """Put a value at a byte of a block."""
        struct.pack_into(form, self.blocks[block], offset, value)

    def source(self, name: str = "plc", **config: Any) -> Source:
        """A source that reads this PLC, fast 0.1 s and normal 0.2 s."""
        settings = {"host": "127.0.0.1", "port": self.port, "rack": 0, "slot": 1, "timeout_s": 1.0, **config}
        return Source(id=1, name=name, kind="s7", config=settings, groups={"fast": 0.1, "normal": 0.2})


class Publisher:
    """A paho client that publishes and waits until the broker has it."""

    def __init__(self, url: str, prefix: str) -> None:
        parts = urlsplit(url)
        self.prefix = prefix
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        if parts.username:
            self.client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        self.client.max_inflight_messages_set(200)
        self.client.connect(parts.hostname or "", parts.port or 1883)
        self.client.loop_start()
        wait_for(self.client.is_connected, what="the publisher's connection")

    def send(self, topic: str, payload: bytes | str | dict[str, Any], *, qos: int = 1, retain: bool = False) -> mqtt.MQTTMessageInfo:
        """Publish; at QoS 1 `wait_for_publish` of what is returned waits for the broker's ack."""
        body = json.dumps(payload) if isinstance(payload, dict) else payload
        return self.client.publish(self.prefix + topic, body, qos=qos, retain=retain)

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()


NOT_TOLD = bytes((0, 1, 0x12, 8, 0x12, 0x84, 1, 1, 0, 0, 0xD4, 0x01, 0x0A, 0, 0, 0))


class RogueS7:
    """An S7 server that answers as the given PLC would in trouble: `behave` maps a request's parameters to reply bytes."""

    def __init__(self, answer: Any, *, accepts_slot: bool = True, pdu: int = 480) -> None:
        self.answer = answer
        self.accepts_slot = accepts_slot
        self.pdu = pdu
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while True:
                head = _exactly(connection, 4)
                body = _exactly(connection, int.from_bytes(head[2:4], "big") - 4)
                if not self._reply(connection, body):
                    connection.close()
                    return
        except OSError:
            connection.close()

    def _reply(self, connection: socket.socket, body: bytes) -> bool:
        if body[1] == 0xE0:  # connection request
            if self.accepts_slot:
                connection.sendall(tpkt(bytes((6, 0xD0, 0, 1, 0, 1, 0))))
            return self.accepts_slot
        if body[1] != 0xF0:
            return False
        request = body[3:]
        sequence = int.from_bytes(request[4:6], "big")
        if request[1] == 7:  # a question for the CPU's state: not told
            connection.sendall(tpkt(bytes((2, 0xF0, 0x80)) + struct.pack(">BBHHHH", 0x32, 7, 0, sequence, 12, 4) + NOT_TOLD))
            return True
        if request[10] == 0xF0:  # set-up
            connection.sendall(s7_reply(sequence, struct.pack(">BBHHH", 0xF0, 0, 1, 1, self.pdu), b""))
            return True
        reply = self.answer(sequence, request[10:])
        if reply is None:
            return False
        connection.sendall(reply)
        return True

    def close(self) -> None:
        """Stop listening and drop all."""
        self._listener.shutdown(socket.SHUT_RDWR)  # else the thread that waits there still accepts one
        self._listener.close()
        for connection in self._open:
            connection.close()


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data


def tpkt(payload: bytes) -> bytes:
    """Payload in a TPKT frame."""
    return struct.pack(">BBH", 3, 0, len(payload) + 4) + payload


def s7_reply(sequence: int, parameters: bytes, data: bytes, error: int = 0) -> bytes:
    """A complete ACK_DATA frame."""
    head = struct.pack(">BBHHHHH", 0x32, 3, 0, sequence, len(parameters), len(data), error)
    return tpkt(bytes((2, 0xF0, 0x80)) + head + parameters + data)


def read_reply(sequence: int, items: Sequence[bytes | int]) -> bytes:
    """A read answer: data or a return code for each item."""
    data = b""
    for number, item in enumerate(items):
        if isinstance(item, int):
            data += struct.pack(">BBH", item, 0, 0)
        else:
            data += struct.pack(">BBH", 0xFF, 4, len(item) * 8) + item
            if len(item) % 2 and number < len(items) - 1:
                data += b"\0"
    return s7_reply(sequence, bytes((4, len(items))), data)


def is_nan(value: Any) -> bool:
    """True for NaN."""
    return bool(np.isnan(value))


def environment_of(**more: str) -> dict[str, str]:
    """A bare environment for a program of ours."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT), "SIGHTLINE_ENV_FILE": "none", **more}
