"""`plc check` and each diagnosis, against an S7 server in each kind of trouble."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest
from snap7.type import SrvArea

from plc import check as program
from plc.addressing import s7
from plc.connector import LinkError
from tests.plc.harness import Plc, RogueS7, free_port, read_reply, s7_reply
from tests.plc.hostile_s7 import HostileS7

Answer = Callable[[int, bytes], bytes | None]


@pytest.fixture
def rogue() -> Iterator[Callable[..., RogueS7]]:
    made: list[RogueS7] = []

    def make(answer: Answer, **how: object) -> RogueS7:
        made.append(RogueS7(answer, **how))
        return made[-1]

    yield make
    for server in made:
        server.close()


def diagnosis(port: int, address: str = "DB10.DBD4:REAL", timeout_s: float = 0.5) -> LinkError:
    with pytest.raises(LinkError) as caught:
        program.check("127.0.0.1", port, 0, 1, s7.parse(address), timeout_s)
    return caught.value


def test_right_value(plc: Plc) -> None:
    plc.write(1, 4, ">f", 6.25)

    found = program.check("127.0.0.1", plc.port, 0, 1, s7.parse("DB1,REAL4"))

    assert (found.value, found.pdu, found.granted) == (6.25, 480, 1)


def test_string_longer_than_the_pdu_is_put_together(rogue: Callable[..., RogueS7]) -> None:
    memory = bytes((254, 200)) + bytes(65 + n % 26 for n in range(254))

    def answer(sequence: int, parameters: bytes) -> bytes:
        size, start = struct.unpack_from(">H", parameters, 6)[0], int.from_bytes(parameters[11:14], "big") // 8
        return read_reply(sequence, [memory[start : start + size]])

    found = program.check("127.0.0.1", rogue(answer, pdu=240).port, 0, 1, s7.parse("DB1.DBB0:STRING"))

    assert found.value == memory[2:202].decode()


def test_nobody_listens() -> None:
    assert diagnosis(free_port()).reason == "refused"


def test_no_route() -> None:
    with socket.socket() as silent, contextlib.ExitStack() as waiting:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)  # a full queue: further connects get no answer at all, as from an address nobody has
        for _ in range(4):
            knocking = waiting.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(silent.getsockname())

        error = diagnosis(silent.getsockname()[1])

    assert error.reason == "no_route"
    assert "cable" in error.remedy


def test_something_else_than_a_cpu() -> None:
    with socket.create_server(("127.0.0.1", 0)) as web:

        def serve() -> None:
            connection, _ = web.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request")

        thread = threading.Thread(target=serve)
        thread.start()
        error = diagnosis(web.getsockname()[1])
        thread.join()

    assert error.reason == "protocol"


def test_wrong_slot(rogue: Callable[..., RogueS7]) -> None:
    error = diagnosis(rogue(lambda *_: None, accepts_slot=False).port)

    assert error.reason == "wrong_slot"
    assert "rack 0, slot 1" in error.remedy


def test_put_get_off(rogue: Callable[..., RogueS7]) -> None:
    error = diagnosis(rogue(lambda sequence, _: s7_reply(sequence, b"", b"", 0x8104)).port)

    assert error.reason == "put_get"
    assert "Permit access with PUT/GET communication from remote partner" in error.remedy


def test_optimized_block(rogue: Callable[..., RogueS7]) -> None:
    error = diagnosis(rogue(lambda sequence, _: read_reply(sequence, [0x05])).port)

    assert error.reason == "optimized_db"
    assert "Optimized block access" in error.remedy


def test_missing_block(rogue: Callable[..., RogueS7]) -> None:
    error = diagnosis(rogue(lambda sequence, _: read_reply(sequence, [0x0A])).port)

    assert error.reason == "db_missing"


def test_block_too_short(rogue: Callable[..., RogueS7]) -> None:
    def answer(sequence: int, parameters: bytes) -> bytes:
        return read_reply(sequence, [b"\0" if parameters[11:14] == b"\0\0\0" else 0x05])

    assert diagnosis(rogue(answer).port).reason == "out_of_range"


LIES: dict[str, Answer] = {
    "fewer items": lambda sequence, _: s7_reply(sequence, bytes((4, 0)), b""),
    "another sequence": lambda sequence, _: read_reply(sequence + 1, [bytes(4)]),
    "length beyond the frame": lambda sequence, _: s7_reply(sequence, bytes((4, 1)), struct.pack(">BBH", 0xFF, 4, 320)),
    "too few bytes": lambda sequence, _: read_reply(sequence, [bytes(2)]),
    "too many bytes": lambda sequence, _: read_reply(sequence, [bytes(40)]),
    "TPKT length lies": lambda _s, _p: b"\x03\x00\x00\x04",
    "TPKT version": lambda _s, _p: b"\x09\x00\x00\x10" + bytes(12),
    "not S7": lambda _s, _p: b"\x03\x00\x00\x15\x02\xf0\x80" + bytes(14),
    "an error word": lambda sequence, _: s7_reply(sequence, b"", b"", 0xD209),
    "reset mid-frame": lambda _s, _p: None,
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_lies_is_a_protocol_error_never_a_value(rogue: Callable[..., RogueS7], lie: str) -> None:
    assert diagnosis(rogue(LIES[lie]).port).reason == "protocol"


def test_an_answer_that_does_not_come_is_a_timeout(rogue: Callable[..., RogueS7]) -> None:
    assert diagnosis(rogue(lambda *_: b"").port).reason == "timeout"


def test_a_wrong_address_is_pointed_at(capsys: pytest.CaptureFixture[str]) -> None:
    code = program.main(["--host", "127.0.0.1", "DB1,X0.9"])

    assert code == 2
    assert capsys.readouterr().err.splitlines()[1] == "      ^ a bit .0 to .7"


def said(capsys: pytest.CaptureFixture[str], plc: Plc | HostileS7, *arguments: str) -> tuple[int, list[str]]:
    """Exit code and lines of `plc check` on a server."""
    code = program.main(["--host", "127.0.0.1", "--port", str(plc.port), "--timeout", "0.5", *arguments])
    printed = capsys.readouterr()
    return code, (printed.out + printed.err).splitlines()


def test_the_bytes_of_an_area_are_shown(capsys: pytest.CaptureFixture[str], plc: Plc) -> None:
    plc.blocks[1][32:50] = b"Sightline\0\x01\xff" + bytes(6)
    plc.areas[SrvArea.MK][2] = 0xAB

    assert said(capsys, plc, "--area", "DB1", "--from", "32", "--length", "18") == (
        0,
        ["    32  53 69 67 68 74 6c 69 6e 65 00 01 ff 00 00 00 00  Sightline.......", f"    48  {'00 00':47}  .."],
    )
    assert said(capsys, plc, "--area", "m", "--from", "2", "--length", "1")[1][0].split() == ["2", "ab", "."]
    assert said(capsys, plc, "--area", "E", "--length", "2")[0] == said(capsys, plc, "--area", "A", "--length", "2")[0] == 0


def test_more_than_one_job_of_bytes_comes_whole(capsys: pytest.CaptureFixture[str]) -> None:
    server = HostileS7({(0x84, 7): bytearray(n % 251 for n in range(2000))}, pdu=240)

    code, lines = said(capsys, server, "--area", "DB7", "--length", "2000")
    server.close()

    assert code == 0
    assert bytes.fromhex("".join(line[8:56].replace(" ", "") for line in lines)) == bytes(n % 251 for n in range(2000))


def test_timers_and_counters_are_shown_by_number(capsys: pytest.CaptureFixture[str]) -> None:
    server = HostileS7({(0x1D, 0): bytearray(range(20)), (0x1C, 0): bytearray(range(20))})

    timers, counters = (said(capsys, server, "--area", area, "--from", "3", "--length", "2") for area in ("T", "Z"))
    server.close()

    assert timers == counters == (0, [f"     3  {'06 07 08 09':47}  ...."])


@pytest.mark.parametrize(
    ("arguments", "code", "start"),
    [
        (("--area", "DB9"), 1, "db_missing: "),
        (("--area", "DB1", "--length", "300"), 1, "out_of_range: "),
        (("--area", "X"), 2, "'X': areas are DB<number>, I (E), Q (A), M, T and C (Z)"),
        (("--area", "DB0"), 2, "'DB0': DB number 1 to 65535"),
        (("--area", "DB1", "--from", "-1"), 2, "from 0 to 65535"),
    ],
)
def test_an_area_that_cannot_be_read_says_why(
    capsys: pytest.CaptureFixture[str], plc: Plc, arguments: tuple[str, ...], code: int, start: str
) -> None:
    ended, lines = said(capsys, plc, *arguments)

    assert ended == code
    assert lines[0].startswith(start)


def test_the_blocks_are_listed(capsys: pytest.CaptureFixture[str], plc: Plc) -> None:
    assert said(capsys, plc, "--blocks") == (0, ["DB1  256 bytes"])


def test_a_cpu_in_stop_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    server = HostileS7({(0x84, 1): bytearray(8)})
    server.state = 0x04

    code, lines = said(capsys, server, "DB1.DBD0:REAL")
    server.close()

    assert code == 1
    assert lines[0].startswith("stopped: ")
    assert "switch it to RUN" in lines[1]


def test_an_array_is_shown_whole(capsys: pytest.CaptureFixture[str], plc: Plc) -> None:
    assert said(capsys, plc, "DB1,INT0.3")[1][0] == "DB1.DBW0:INT[3] = [0.0, 0.0, 0.0]"
