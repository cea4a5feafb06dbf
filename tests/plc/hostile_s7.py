"""An S7 server of our own that serves memory rightly until told to be hostile: at set-up, in an answer, or in its state.

It reads ahead while it thinks, so that it sees how many jobs are out at a time; more than it granted are violations.
"""

from __future__ import annotations

import queue
import select
import socket
import struct
import threading
import time
from collections.abc import Callable

from tests.plc.harness import read_reply, s7_reply, tpkt

RESET = struct.pack("ii", 1, 0)
Twist = Callable[[bytes], "list[bytes | None]"]  # the right frame -> what is sent instead; None in it resets the connection
LEN_HEAD = 7  # TPKT 4, COTP 3


class HostileS7:
    """memory: bytes of each area by (area code, DB number); 0x84 DB, 0x83 M. Everything may be changed while it runs."""

    def __init__(self, memory: dict[tuple[int, int], bytearray], *, pdu: int = 480, granted: int = 1, think_s: float = 0.0) -> None:
        self.memory = memory
        self.pdu = pdu
        self.granted = granted
        self.think_s = think_s
        self.state: int | None = 0x08  # low nibble of the mode byte; None: the CPU does not tell
        self.is_mute = False  # no answer at all to questions for state or blocks
        self.setup: Twist | None = None
        self.twists: list[Twist] = []  # one for each of the next read answers
        self.refuses: int | None = None  # error word for every read
        self.accepts_slot = True
        self.before_read: Callable[[], None] | None = None
        self.reads = self.setups = self.most_out = self.violations = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and drop all."""
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            waiting: queue.Queue[bytes | None] = queue.Queue()
            threading.Thread(target=self._listen, args=(connection, waiting), daemon=True).start()
            threading.Thread(target=self._serve, args=(connection, waiting), daemon=True).start()

    def _listen(self, connection: socket.socket, waiting: queue.Queue[bytes | None]) -> None:
        try:
            while True:
                head = _exactly(connection, 4)
                waiting.put(_exactly(connection, int.from_bytes(head[2:4], "big") - 4))
        except (OSError, ValueError):  # closed under our hands
            waiting.put(None)

    def _serve(self, connection: socket.socket, waiting: queue.Queue[bytes | None]) -> None:
        try:
            while (body := waiting.get()) is not None:
                for frame in self._answers(body, waiting):
                    if frame is None:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        connection.close()
                        return
                    connection.sendall(frame)
        except OSError:
            pass
        connection.close()

    def _answers(self, body: bytes, waiting: queue.Queue[bytes | None]) -> list[bytes | None]:
        if body[1] == 0xE0:
            if not self.accepts_slot:
                raise OSError("no such slot")
            return [tpkt(bytes((len(body) - 1, 0xD0, 0, 1, 0, 1, 0)) + body[7:])]  # with the terms asked for, as CPUs do
        if body[1] != 0xF0:  # disconnect request
            raise OSError("closed")
        request = body[3:]
        sequence = int.from_bytes(request[4:6], "big")
        if request[1] == 7 and self.is_mute:
            return []
        if request[1] == 7:
            return [self._userdata(sequence, request)]
        if request[10] == 0xF0:
            self.setups += 1
            return self._twisted(self.setup, self._setup(sequence, request))
        self.reads += 1
        if self.before_read is not None:
            self.before_read()
        if self.think_s:
            time.sleep(self.think_s)
        out = 1 + sum(one is not None and one[1] == 0xF0 for one in list(waiting.queue))  # a disconnect is no job
        self.most_out = max(self.most_out, out)
        self.violations += out > self.granted
        if self.refuses is not None:
            return [s7_reply(sequence, b"", b"", self.refuses)]
        return self._twisted(self.twists.pop(0) if self.twists else None, read_reply(sequence, self._items(request)))

    def _twisted(self, twist: Twist | None, right: bytes) -> list[bytes | None]:
        return [right] if twist is None else twist(right)

    def _setup(self, sequence: int, request: bytes) -> bytes:
        caller, callee, pdu = struct.unpack_from(">HHH", request, 12)
        terms = struct.pack(">BBHHH", 0xF0, 0, min(self.granted, caller), min(self.granted, callee), min(self.pdu, pdu))
        return s7_reply(sequence, terms, b"")

    def _items(self, request: bytes) -> list[bytes | int]:
        found: list[bytes | int] = []
        for number in range(request[11]):
            unit, count, db, area = struct.unpack_from(">BHHB", request, 12 + 12 * number + 3)
            address = int.from_bytes(request[12 + 12 * number + 9 : 12 + 12 * number + 12], "big")
            start, size = (address * 2, count * 2) if unit in {0x1C, 0x1D} else (address // 8, count)
            memory = self.memory.get((area, db))
            if memory is None:
                found.append(0x0A)
            else:
                found.append(bytes(memory[start : start + size]) if start + size <= len(memory) else 0x05)
        return found

    def _userdata(self, sequence: int, request: bytes) -> bytes:
        group, function = request[15] & 0x0F, request[16]
        data = b""
        if (group, function) == (4, 1) and self.state is not None:
            data = struct.pack(">HHHH", 0x0424, 0, 20, 1) + bytes((0x51, 0x44, 0xFF, self.state)) + bytes(16)
        elif (group, function) == (3, 2):
            data = b"".join(struct.pack(">HBB", db, 0, 0) for area, db in self.memory if area == 0x84)
        error = b"" if data else struct.pack(">BBH", 0x0A, 0, 0)
        content = error or struct.pack(">BBH", 0xFF, 9, len(data)) + data
        parameters = bytes((0, 1, 0x12, 8, 0x12, 0x80 | group, function, 1, 0, 0)) + (b"\0\0" if data else b"\xd4\x01")
        head = struct.pack(">BBHHHH", 0x32, 7, 0, sequence, len(parameters), len(content))
        return tpkt(bytes((2, 0xF0, 0x80)) + head + parameters + content)


def _exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes; looks up now and then, because a socket that somebody waits on is not closed by closing it."""
    data = b""
    while len(data) < size:
        if connection.fileno() < 0:
            raise OSError("closed")
        if not select.select([connection], [], [], 0.05)[0]:
            continue
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data
