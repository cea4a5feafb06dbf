"""Writing against an independent implementation: the native (C) snap7 server takes our BIT and typed writes, and tells RUN."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from plc.connector import WriteRefused
from plc.connectors.s7_write import S7Writer

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    process = subprocess.Popen([PYTHON, HERE / "native_s7_server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"1": bytes([0xAA] * 64).hex(), "M": bytes([0x55] * 64).hex()}) + "\n")
    process.stdin.flush()
    yield int(process.stdout.readline())
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


@pytest.fixture
def writer(port: int) -> Iterator[S7Writer]:
    made = S7Writer({"host": "127.0.0.1", "port": port, "timeout_s": 5})
    made.open()
    yield made
    made.close()


@pytest.mark.parametrize(("bit", "whole", "before"), [("M20.7", "MB20:BYTE", 0x55), ("DB1.DBX3.0", "DB1.DBB3:BYTE", 0xAA)])
def test_a_bit_is_written_alone(writer: S7Writer, bit: str, whole: str, before: int) -> None:
    number = int(bit[-1])

    writer.write(bit, 1)
    after_set = writer.read(whole)
    writer.write(bit, 0)

    assert (after_set, writer.read(whole)) == (before | 1 << number, before & ~(1 << number))


@pytest.mark.parametrize(
    ("address", "value"), [("DB1.DBW8:INT", -12345), ("DB1.DBD12:DINT", -(2**31)), ("DB1.DBD16:REAL", 6.25), ("DB1.DBB20:BYTE", 7)]
)
def test_a_number_is_written_with_its_type(writer: S7Writer, address: str, value: float) -> None:
    writer.write(address, value)

    assert writer.read(address) == value
    assert (writer.read("DB1.DBB7:BYTE"), writer.read("DB1.DBB24:BYTE")) == (0xAA, 0xAA)


def test_it_says_run(writer: S7Writer) -> None:
    assert writer.is_running() is True


def test_a_block_that_is_not_there_is_refused(writer: S7Writer) -> None:
    with pytest.raises(WriteRefused):
        writer.write("DB77.DBX0.0", 1)
