"""A Modbus TCP device for tests, on threads of its own: units with registers and bits, and bad manners where a test wants them."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from realtime.snapshot import Source
from tests.plc.harness import free_port

SIZE = 1000
Answer = Callable[[bytes, bytes], bytes | None]  # (request frame, right answer) -> what is sent; None = nothing, b"" = hang up


def registers_of(form: str, value: float) -> list[int]:
    """The 16-bit words of a packed value, big end first."""
    raw = struct.pack(form, value)
    return list(struct.unpack(f">{len(raw) // 2}H", raw))


class ModbusDevice:
    """units: the unit numbers that answer; holes: registers that do not exist; answer: what to send instead of the right answer."""

    def __init__(self, units: tuple[int, ...] = (1,), port: int | None = None) -> None:
        self.port = port or free_port()
        self.units = set(units)
        self.holding = {unit: [0] * SIZE for unit in units}
        self.input = {unit: [0] * SIZE for unit in units}
        self.coils = {unit: [0] * SIZE for unit in units}
        self.discrete = {unit: [0] * SIZE for unit in units}
        self.holes: set[int] = set()
        self.answer: Answer | None = None
        self.requests: list[tuple[int, int, int, int]] = []  # unit, function, start, count
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []

    def start(self) -> ModbusDevice:
        """Open the port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in self._open:
            connection.close()
        self._open.clear()

    def source(self, name: str = "modbus", **config: Any) -> Source:
        """A source that reads this device each 0.1 s."""
        settings = {"host": "127.0.0.1", "port": self.port, "timeout_s": 0.4, **config}
        return Source(id=1, name=name, kind="modbus", config=settings, groups={"normal": 0.1})

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while True:
                head = _exactly(connection, 6)
                frame = head + _exactly(connection, struct.unpack(">H", head[4:6])[0])
                right = self._right(frame)
                sent = self.answer(frame, right) if self.answer else (None if frame[6] not in self.units else right)
                if sent == b"":
                    connection.close()
                    return
                if sent is not None:
                    connection.sendall(sent)
        except OSError:
            connection.close()

    def _right(self, frame: bytes) -> bytes:
        unit, function, start, count = struct.unpack(">BBHH", frame[6:12])
        self.requests.append((unit, function, start, count))
        if unit not in self.units:
            return framed(frame, bytes((function | 0x80, 11)))
        tables: dict[int, Any] = {1: self.coils, 2: self.discrete, 3: self.holding, 4: self.input}
        if start + count > SIZE or (function > 2 and self.holes & set(range(start, start + count))):
            return framed(frame, bytes((function | 0x80, 2)))
        values = tables[function][unit][start : start + count]
        if function > 2:
            body = struct.pack(f">{count}H", *values)
        else:
            body = sum(bit << i for i, bit in enumerate(values)).to_bytes((count + 7) // 8, "little")
        return framed(frame, bytes((function, len(body))) + body)


def framed(request: bytes, pdu: bytes, *, transaction: int | None = None) -> bytes:
    """A reply frame to a request."""
    number = struct.unpack(">H", request[:2])[0] if transaction is None else transaction
    return struct.pack(">HHHB", number, 0, len(pdu) + 1, request[6]) + pdu


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError("gone")
        data += part
    return data
