"""Socket.IO viewers in one thread, by raw frames: they must not be what limits a bench. Prints what they saw as JSON at SIGTERM.

A value is the CLOCK_MONOTONIC of its publishing, so its age on arrival is the whole way's latency.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import selectors
import signal
import socket
import sys
import time
from typing import Any

import numpy as np
import orjson

CHUNK = 1 << 18


class Viewer:
    """One WebSocket with one subscription; keeps ages and the newest value of each tag."""

    def __init__(self, port: int, token: str, wanted: dict[str, Any] | None) -> None:
        self.wanted = wanted
        self.names: dict[str, str] = {}
        self.newest: dict[str, float] = {}
        self.ages: list[float] = []
        self.frames = 0
        self._token = token
        self._buffer = bytearray()
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", f"Origin: http://127.0.0.1:{port}"]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.sock.recv(4096)
            if not data:
                raise ConnectionError(f"no WebSocket: {head[:300]!r}")
            head += data
        status, _, rest = head.partition(b"\r\n\r\n")
        if b" 101 " not in status:
            raise ConnectionError(f"no WebSocket: {status[:300]!r}")
        self._buffer += rest

    def send(self, message: str) -> None:
        """One masked text frame (mask 0)."""
        raw = message.encode()
        size = bytes([0x80 | len(raw)]) if len(raw) < 126 else bytes([0xFE]) + len(raw).to_bytes(2, "big")
        self.sock.sendall(b"\x81" + size + bytes(4) + raw)

    def take(self) -> None:
        """Read what is there and follow the protocol."""
        data = self.sock.recv(CHUNK)
        if not data:
            raise ConnectionError("the server closed a viewer's socket")
        self._buffer += data
        while (message := self._message()) is not None:
            self._follow(message)

    def _message(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start + size:
            return None
        message = bytes(buffer[start : start + size])
        del buffer[: start + size]
        return message

    def _follow(self, message: bytes) -> None:
        if message == b"2":
            self.send("3")
        elif message[:1] == b"0":
            self.send("40" + json.dumps({"token": self._token}))
        elif message[:2] == b"40" and self.wanted is not None:
            self.send("420" + json.dumps(["subscribe", self.wanted]))
        elif message[:2] == b"44":
            raise ConnectionError(f"refused: {message!r}")
        elif message[:3] == b"430":
            answer = orjson.loads(message[3:])[0]
            if not answer["ok"]:
                raise ConnectionError(f"subscription refused: {answer}")
            self.names = {key: tag["tag"] for key, tag in answer["tags"].items()}
        elif message[:2] == b"42":
            self._event(*orjson.loads(message[2:])[:2])

    def _event(self, name: str, body: dict[str, Any]) -> None:
        now = time.monotonic()
        if name == "reading.batch":
            self.frames += 1
            self.ages += [now - value for value in body["v"] if value is not None]
            self.newest.update(zip((self.names.get(str(key), "") for key in body["id"]), body["v"], strict=True))
        elif name == "reading":
            self.frames += 1
            self.ages.append(now - body["value"])


def main() -> None:
    """Watch until SIGTERM; SIGUSR1 forgets the ages seen so far."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--token", default=os.environ.get("BENCH_TOKEN", ""))
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--subscribe", type=json.loads, default=None)
    options = parser.parse_args()
    running = True

    def stop(*_: object) -> None:
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    viewers = [Viewer(options.port, options.token, options.subscribe) for _ in range(options.count)]
    signal.signal(signal.SIGUSR1, lambda *_: [viewer.ages.clear() for viewer in viewers])
    selector = selectors.DefaultSelector()
    for viewer in viewers:
        selector.register(viewer.sock, selectors.EVENT_READ, viewer)
    told = False
    while running:
        for key, _ in selector.select(0.2):
            key.data.take()
        if not told and all(viewer.names or options.subscribe is None for viewer in viewers):
            print("ready", flush=True)
            told = True
    ages = np.concatenate([np.array(viewer.ages) for viewer in viewers]) * 1000
    p50, p99 = np.percentile(ages, (50, 99)) if len(ages) else (float("nan"), float("nan"))
    frames = sum(viewer.frames for viewer in viewers)
    json.dump({"values": len(ages), "frames": frames, "p50": p50, "p99": p99, "newest": viewers[0].newest}, sys.stdout)


if __name__ == "__main__":
    main()
