"""A TCP proxy that makes the faults of a network on purpose: cut, stall, half-open, delay, reset, lost bytes.

One background thread carries all connections; every fault has happened when its method returns. It knows no protocol.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

CHUNK = 65536
HELD_MOST = 1_000_000  # bytes waiting for one receiver: then its sender has to wait
UPSTREAM_WITHIN_S = 2.0
DOES_WITHIN_S = 10.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST

Hook = Callable[[int, bytes], None]  # connection number from 1, the bytes as they came


class _Flow:
    """One direction of one connection: what was read and is still to be sent, each with the moment it is due."""

    def __init__(self, source: socket.socket, sink: socket.socket, *, is_answer: bool) -> None:
        self.source = source
        self.sink = sink
        self.is_answer = is_answer
        self.held: deque[tuple[float, bytes]] = deque()
        self.ended = False

    @property
    def is_full(self) -> bool:
        return sum(len(data) for _, data in self.held) >= HELD_MOST

    def send_due(self, now: float) -> None:
        """Send what is due, as far as the receiver takes it; raises OSError."""
        while self.held and self.held[0][0] <= now:
            due, data = self.held.popleft()
            try:
                sent = self.sink.send(data)
            except BlockingIOError:
                sent = 0
            if sent < len(data):
                self.held.appendleft((due, data[sent:]))
                return
        if self.ended and not self.held:
            raise OSError("ended")


class _Connection:
    """A client and its own connection to the server behind us."""

    def __init__(self, number: int, client: socket.socket, server: socket.socket) -> None:
        self.number = number
        self.client = client
        self.server = server
        self.flows = (_Flow(client, server, is_answer=False), _Flow(server, client, is_answer=True))
        self.is_deaf = False  # half-open: whatever the client sends is swallowed

    def close(self) -> None:
        self.client.close()
        self.server.close()

    def reset(self) -> None:
        for end in (self.client, self.server):
            if end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.close()


class FaultProxy:
    """Forwards 127.0.0.1:port to host:port and breaks as told. Use as a context manager, or call `close`.

    on_request and on_answer see every chunk in the order of the wire, on the proxy's thread: a chunk is no frame.
    """

    def __init__(self, host: str, port: int, *, on_request: Hook | None = None, on_answer: Hook | None = None) -> None:
        self.upstream = (host, port)
        self.on_request = on_request
        self.on_answer = on_answer
        self.accepted = 0
        self._delay_s = 0.0
        self._is_stalled = False
        self._to_drop = 0
        self._connections: list[_Connection] = []
        self._numbers = itertools.count(1)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_listening = True
        self._orders: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self._wake_out, self._wake_in = os.pipe()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def open_connections(self) -> int:
        """Connections that stand now, half-open ones included."""
        return len(self._connections)

    def cut(self) -> None:
        """Close every connection and refuse new ones until `restore`."""
        self._do(self._cut)

    def restore(self) -> None:
        """Listen again after `cut`."""
        self._do(self._listen)

    def stall(self) -> None:
        """From now on nothing passes; connections are still accepted. What is sent meanwhile waits for `resume`."""
        self._do(lambda: setattr(self, "_is_stalled", True))

    def resume(self) -> None:
        """Let pass again, first what waited."""
        self._do(lambda: setattr(self, "_is_stalled", False))

    def half_open(self) -> None:
        """The peer of every standing connection is gone without a word; new connections work. As after a power cut."""
        self._do(self._vanish)

    def delay(self, seconds: float) -> None:
        """Each answer comes this much later from now on."""
        self._do(lambda: setattr(self, "_delay_s", seconds))

    def reset(self) -> None:
        """RST to both ends of every standing connection; new ones work."""
        self._do(self._reset)

    def drop_bytes(self, count: int) -> None:
        """Swallow the next `count` bytes that the server sends, as a broken middle box would."""
        self._do(lambda: setattr(self, "_to_drop", self._to_drop + count))

    def close(self) -> None:
        """End the thread, the port and every connection."""
        if not self._is_closing:
            self._do(lambda: setattr(self, "_is_closing", True))
            self._thread.join(DOES_WITHIN_S)

    def _do(self, order: Callable[[], None]) -> None:
        """Run on the proxy's thread and wait until it has happened."""
        done = threading.Event()
        self._orders.append((order, done))
        os.write(self._wake_in, b"x")
        if not done.wait(DOES_WITHIN_S):
            raise TimeoutError("the proxy's thread does not answer")

    def _run(self) -> None:
        while not self._is_closing:
            ready = self._wait()
            if self._wake_out in ready:
                self._obey()
            if self._is_listening and self._listener.fileno() in ready:
                self._accept()
            for connection in list(self._connections):
                try:
                    self._carry(connection, ready)
                except OSError:
                    self._drop(connection)
        for connection in self._connections:
            connection.close()
        self._listener.close()
        os.close(self._wake_out)
        os.close(self._wake_in)

    def _wait(self) -> set[int]:
        """File numbers that can be read or written now; at the latest when the next held chunk is due."""
        poll = select.poll()
        poll.register(self._wake_out, select.POLLIN)
        if self._is_listening:
            poll.register(self._listener, select.POLLIN)
        wanted: dict[int, int] = {}
        now, due = time.monotonic(), float("inf")
        for flow in self._moving():
            if not flow.ended and not flow.is_full:
                wanted[flow.source.fileno()] = wanted.get(flow.source.fileno(), 0) | select.POLLIN
            if flow.held and flow.held[0][0] <= now:
                wanted[flow.sink.fileno()] = wanted.get(flow.sink.fileno(), 0) | select.POLLOUT
            elif flow.held:
                due = min(due, flow.held[0][0])
        for number, mask in wanted.items():
            poll.register(number, mask)
        return {number for number, _ in poll.poll(None if due == float("inf") else max((due - now) * 1000, 0) + 1)}

    def _moving(self) -> list[_Flow]:
        if self._is_stalled:
            return []
        return [flow for one in self._connections for flow in one.flows if not (one.is_deaf and flow.is_answer)]

    def _obey(self) -> None:
        os.read(self._wake_out, CHUNK)
        while self._orders:
            order, done = self._orders.popleft()
            order()
            done.set()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self.accepted += 1
        try:
            server = socket.create_connection(self.upstream, UPSTREAM_WITHIN_S)
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.append(_Connection(next(self._numbers), client, server))

    def _carry(self, connection: _Connection, ready: set[int]) -> None:
        if self._is_stalled:
            return
        for flow in connection.flows:
            if connection.is_deaf and flow.is_answer:
                continue
            if flow.source.fileno() in ready and not flow.ended and not flow.is_full:
                self._take(connection, flow)
            flow.send_due(time.monotonic())

    def _take(self, connection: _Connection, flow: _Flow) -> None:
        try:
            data = flow.source.recv(CHUNK)
        except BlockingIOError:
            return
        if not data:
            flow.ended = True
            return
        if connection.is_deaf:
            return
        hook = self.on_answer if flow.is_answer else self.on_request
        if hook is not None:
            hook(connection.number, data)
        if flow.is_answer and self._to_drop:
            dropped = min(self._to_drop, len(data))
            self._to_drop -= dropped
            data = data[dropped:]
        if data:
            flow.held.append((time.monotonic() + (self._delay_s if flow.is_answer else 0.0), data))

    def _drop(self, connection: _Connection) -> None:
        connection.close()
        if connection in self._connections:
            self._connections.remove(connection)

    def _cut(self) -> None:
        if self._is_listening:
            self._listener.close()
            self._listener = socket.socket()  # holds the port without listening: refused, and nobody else's meanwhile
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", self.port))
            self._is_listening = False
        for connection in list(self._connections):
            self._drop(connection)

    def _listen(self) -> None:
        if not self._is_listening:
            self._listener.listen()
            self._is_listening = True

    def _reset(self) -> None:
        for connection in self._connections:
            connection.reset()
        self._connections.clear()

    def _vanish(self) -> None:
        for connection in self._connections:
            connection.is_deaf = True
            connection.server.close()
            for flow in connection.flows:
                flow.held.clear()
