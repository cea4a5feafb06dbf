"""The fault proxy does what it says, against an echo server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.plc.proxy import FaultProxy
from tests.waiting import wait_for


class Echo:
    """Sends back what it gets."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.open = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self.open += 1
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass
        self.open -= 1

    def close(self) -> None:
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
            self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo.port) as made:
        yield made


def connected(proxy: FaultProxy, timeout_s: float = 10.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout_s)


def asked(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text)
    answer = b""
    while len(answer) < len(text) and (part := client.recv(65536)):
        answer += part
    return answer


def test_bytes_pass_both_ways_whatever_their_number(proxy: FaultProxy) -> None:
    text = bytes(range(256)) * 20_000
    with connected(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(text,))
        sender.start()
        answer = b""
        while len(answer) < len(text):
            answer += client.recv(65536)
        sender.join()

    assert answer == text
    assert proxy.accepted == 1


def test_hooks_see_what_passes_with_the_number_of_the_connection(echo: Echo) -> None:
    seen: list[tuple[str, int, bytes]] = []
    with FaultProxy(
        "127.0.0.1",
        echo.port,
        on_request=lambda number, data: seen.append(("asked", number, data)),
        on_answer=lambda number, data: seen.append(("answered", number, data)),
    ) as proxy:
        for text in (b"one", b"two"):
            with connected(proxy) as client:
                asked(client, text)

    assert seen == [("asked", 1, b"one"), ("answered", 1, b"one"), ("asked", 2, b"two"), ("answered", 2, b"two")]


def test_cut_closes_and_refuses_until_restored(proxy: FaultProxy, echo: Echo) -> None:
    with connected(proxy) as client:
        asked(client, b"x")
        proxy.cut()
        assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    wait_for(lambda: echo.open == 0, what="the server's end to be closed")

    proxy.restore()

    with connected(proxy) as client:
        assert asked(client, b"again") == b"again"


def test_stalled_accepts_and_passes_nothing_until_resumed(proxy: FaultProxy) -> None:
    with connected(proxy, 0.2) as old:
        asked(old, b"x")
        proxy.stall()
        old.sendall(b"held")
        with connected(proxy, 0.2) as new:
            for client in (old, new):
                with pytest.raises(TimeoutError):
                    client.recv(1)

            proxy.resume()
            old.settimeout(10)
            new.settimeout(10)

            assert old.recv(10) == b"held"
            assert asked(new, b"new") == b"new"


def test_half_open_is_silent_for_the_old_and_open_for_the_new(proxy: FaultProxy, echo: Echo) -> None:
    with connected(proxy, 0.2) as old:
        asked(old, b"x")
        proxy.half_open()
        wait_for(lambda: echo.open == 0, what="the server to forget it")
        old.sendall(b"anybody there?")
        with pytest.raises(TimeoutError):
            old.recv(1)

        with connected(proxy) as new:
            assert asked(new, b"new") == b"new"


def test_delay_holds_each_answer(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        proxy.delay(0.2)
        started = time.monotonic()
        asked(client, b"x")

    assert time.monotonic() - started >= 0.2


def test_reset_is_a_reset_and_new_connections_work(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        asked(client, b"x")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    with connected(proxy) as client:
        assert asked(client, b"new") == b"new"


def test_dropped_bytes_are_missing(proxy: FaultProxy) -> None:
    with connected(proxy) as client:
        proxy.drop_bytes(3)
        client.sendall(b"abcdef")

        assert client.recv(10) == b"def"


def test_a_server_that_is_away_ends_the_connection(echo: Echo, proxy: FaultProxy) -> None:
    echo.close()
    with connected(proxy) as client:
        assert client.recv(1) == b""
