"""Writing one value to an S7 PLC: the right bytes and no others, a bit without its neighbours, and what the CPU's refusals become."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from snap7.server import CPUState
from snap7.type import SrvArea

from plc.connector import KINDS, LinkError, WriteRefused
from plc.connectors.s7_write import S7Writer, encoded, parse_write_reply
from plc.simulator.s7_server import Controller
from tests.plc.harness import free_port

SIZE = 64
SMALL = 1500  # writes; `python -m bench.writes` makes 50,000


class Cpu:
    """A controller with DB1 and memory bits."""

    def __init__(self) -> None:
        self.port = free_port()
        self.db, self.bits = bytearray(SIZE), bytearray(SIZE)
        self.server = Controller()
        self.server.register_area(SrvArea.DB, 1, self.db)
        self.server.register_area(SrvArea.MK, 0, self.bits)
        self.server.start_to("127.0.0.1", self.port)

    def writer(self) -> S7Writer:
        """An open writer."""
        made = S7Writer({"host": "127.0.0.1", "port": self.port, "timeout_s": 2})
        made.open()
        return made


@pytest.fixture(scope="module")
def cpu() -> Iterator[Cpu]:
    made = Cpu()
    yield made
    made.server.stop()
    made.server.destroy()


@pytest.fixture
def writer(cpu: Cpu) -> Iterator[S7Writer]:
    cpu.db[:] = cpu.bits[:] = bytes(SIZE)
    cpu.server.cpu_state = CPUState.RUN
    made = cpu.writer()
    yield made
    made.close()


def test_the_table_knows_who_writes() -> None:
    assert KINDS["s7"].load_writer() is S7Writer
    with pytest.raises(LookupError):
        KINDS["mqtt"].load_writer()


@pytest.mark.parametrize(
    ("address", "value", "form"),
    [
        ("DB1.DBB8:BYTE", 200, ">B"),
        ("DB1.DBB8:SINT", -100, ">b"),
        ("DB1.DBW8:INT", -12345, ">h"),
        ("DB1.DBW8:UINT", 65535, ">H"),
        ("DB1.DBD8:DINT", -(2**31), ">i"),
        ("DB1.DBD8:UDINT", 2**32 - 1, ">I"),
        ("DB1.DBD8:REAL", 6.25, ">f"),
    ],
)
def test_a_number_is_written_with_its_type_and_nothing_beside_it(cpu: Cpu, writer: S7Writer, address: str, value: float, form: str) -> None:
    cpu.db[:] = b"\xaa" * SIZE

    writer.write(address, value)

    width = struct.calcsize(form)
    assert cpu.db[8 : 8 + width] == struct.pack(form, value)
    assert set(cpu.db[:8] + cpu.db[8 + width :]) == {0xAA}
    assert writer.read(address) == value


@pytest.mark.parametrize("address", ["M20.7", "DB1.DBX3.0"])
def test_a_bit_is_written_alone(cpu: Cpu, writer: S7Writer, address: str) -> None:
    memory, byte, bit = (cpu.bits, 20, 7) if address.startswith("M") else (cpu.db, 3, 0)
    memory[byte] = 0b01010100

    writer.write(address, 1)
    after_set = memory[byte]
    writer.write(address, 0)

    assert after_set == 0b01010100 | 1 << bit
    assert memory[byte] == 0b01010100


def test_no_bit_of_the_plc_beside_ours_is_reverted(cpu: Cpu, writer: S7Writer) -> None:
    """The PLC toggles its own bit of the same byte all the while; a read-modify-write by us would undo some of that."""
    reverted = 0
    stop = threading.Event()

    def program() -> None:
        nonlocal reverted
        mine = 0
        lock = cpu.server.area_locks[next(key for key in cpu.server.area_locks if key[1] == 0)]
        while not stop.is_set():
            with lock:
                reverted += (cpu.bits[20] & 1) != mine
                mine ^= 1
                cpu.bits[20] = cpu.bits[20] & ~1 | mine

    thread = threading.Thread(target=program)
    thread.start()
    for number in range(SMALL):
        writer.write("M20.7", number & 1)
    stop.set()
    thread.join()

    assert reverted == 0
    assert cpu.bits[20] & 0x80 == ((SMALL - 1) & 1) << 7


def test_run_and_stop_are_told_apart(cpu: Cpu, writer: S7Writer) -> None:
    assert writer.is_running() is True
    cpu.server.cpu_state = CPUState.STOP
    assert writer.is_running() is False


def test_a_cpu_that_does_not_tell_its_state_is_neither(cpu: Cpu, writer: S7Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Controller, "_get_szl_data", lambda _self, _id, _index: None)

    assert writer.is_running() is None


def test_what_the_cpu_refuses_is_refused(writer: S7Writer) -> None:
    with pytest.raises(WriteRefused):
        writer.write("DB77.DBX0.0", 1)
    with pytest.raises(ValueError, match=r"DB77"):
        writer.read("DB77.DBX0.0")


@pytest.mark.parametrize(("address", "value"), [("DB1.DBB0:BYTE", 256), ("DB1.DBW0:INT", 40000), ("DB1.DBD0:REAL", 1e300)])
def test_a_value_its_type_does_not_hold_is_never_sent(cpu: Cpu, writer: S7Writer, address: str, value: float) -> None:
    with pytest.raises(ValueError, match="does not hold"):
        writer.write(address, value)
    assert bytes(cpu.db) == bytes(SIZE)


GOOD = bytes.fromhex("32 03 0000 0007 0002 0001 00 00 05 01 ff".replace(" ", ""))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"", LinkError),
        (GOOD[:-1], LinkError),
        (GOOD.replace(b"\x00\x07", b"\x00\x08", 1), LinkError),  # of another request
        (GOOD[:12] + b"\x04" + GOOD[13:], LinkError),  # of a read
        (GOOD[:13] + b"\x02" + GOOD[14:], LinkError),
        (GOOD[:-1] + b"\x05", WriteRefused),
        (GOOD[:10] + b"\x81\x04" + GOOD[12:], WriteRefused),
    ],
)
def test_only_the_answer_to_our_own_write_counts(reply: bytes, error: type[Exception]) -> None:
    parse_write_reply(GOOD, 7)
    with pytest.raises(error):
        parse_write_reply(reply, 7)


def test_texts_are_not_written() -> None:
    from plc.addressing import s7  # noqa: PLC0415

    with pytest.raises(ValueError, match="cannot be written"):
        encoded(s7.parse("DB1,S20.20"), 1)


def test_nobody_there_is_a_link_error() -> None:
    away: Any = S7Writer({"host": "127.0.0.1", "port": free_port(), "timeout_s": 0.5})
    with pytest.raises(LinkError):
        away.open()
