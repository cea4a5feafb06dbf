"""S7 against an independent implementation: the native (C) snap7 server inside python-snap7 1.4.1, in a venv of its own."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from plc.connectors.s7 import S7Connector
from realtime import settings as settings_module
from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Source, Tag
from tests.plc.s7_jobs import S7Jobs, counting

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"
SIZE = 16384

pytestmark = pytest.mark.peer


class Refusals:
    """A report that counts."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        self.reasons += [reason] * count

    def discovered(self, tag: str, value: float | str) -> None:
        raise AssertionError("S7 discovers nothing")


@dataclass
class Native:
    """The running server and what its DB1 holds, by byte."""

    port: int
    reals: dict[int, float]


@pytest.fixture(scope="module")
def native() -> Iterator[Native]:
    chance = random.Random(20261120)
    memory = bytearray(SIZE)
    reals: dict[int, float] = {}
    for offset in chance.sample(range(0, SIZE, 4), 1000):
        struct.pack_into(">f", memory, offset, chance.uniform(-1e6, 1e6))
        reals[offset] = struct.unpack_from(">f", memory, offset)[0]
    blocks = {
        "1": memory.hex(),
        "2": struct.pack(">hB", -1234, 0b100).hex(),
        "M": bytes(64).hex(),
        # this server takes a timer or counter from the byte of half its number, for its own client too; a CPU goes by number
        "T": "00002127",
        "C": "0000000042",
    }
    process = subprocess.Popen([PYTHON, HERE / "native_s7_server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(blocks) + "\n")
    process.stdin.flush()
    yield Native(int(process.stdout.readline()), reals)
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


def connected(native: Native, tags: list[Tag], pdu: int, report: Refusals, **more: Any) -> S7Connector:
    source = Source(id=1, name="native", kind="s7", config={"host": "127.0.0.1", "port": native.port, "pdu": pdu, **more})
    connector = S7Connector(source, settings_module.load({}, None), report)
    connector.plan(tags)
    connector.connect()
    return connector


def tags_of(native: Native) -> list[Tag]:
    return [
        Tag(id=number, name=f"R{offset}", asset=1, shard=1, unit="", address=f"DB1.DBD{offset}:REAL")
        for number, offset in enumerate(native.reals, start=1)
    ]


@pytest.fixture
def counted(native: Native) -> Iterator[tuple[Native, S7Jobs]]:
    """The server behind a proxy that counts jobs."""
    proxy, jobs = counting(native.port)
    with proxy:
        yield replace(native, port=proxy.port), jobs


@pytest.mark.parametrize(("pdu", "jobs_at_most"), [(240, 36), (480, 19), (960, 11)])
def test_a_thousand_scattered_reals_are_right_in_few_jobs(counted: tuple[Native, S7Jobs], pdu: int, jobs_at_most: int) -> None:
    native, jobs = counted
    report = Refusals()
    connector = connected(native, tags_of(native), pdu, report)

    (readings,) = connector.read("normal", 0)
    shown = connector.describe()
    connector.close()

    assert dict(zip(readings.ids.tolist(), readings.values, strict=True)) == dict(enumerate(native.reals.values(), start=1))
    assert shown["pdu"] == pdu
    assert 0 < jobs.reads <= jobs_at_most
    assert jobs.most_out == 1
    assert report.reasons == []


@pytest.mark.parametrize(("pdu", "jobs_at_most"), [(240, 19), (480, 9), (960, 5)])
def test_a_thousand_dense_reals_take_no_more_jobs_than_their_bytes(counted: tuple[Native, S7Jobs], pdu: int, jobs_at_most: int) -> None:
    native, jobs = counted
    dense = [Tag(id=n + 1, name=f"D{n}", asset=1, shard=1, unit="", address=f"DB1.DBD{4 * n}:REAL") for n in range(1000)]
    connector = connected(native, dense, pdu, Refusals())

    (readings,) = connector.read("normal", 0)
    connector.close()

    assert dict(zip(readings.ids.tolist(), readings.values, strict=True)) == {n + 1: native.reals.get(4 * n, 0.0) for n in range(1000)}
    assert 0 < jobs.reads <= jobs_at_most


@pytest.mark.parametrize("max_jobs", [2, 4, 8])
def test_no_more_jobs_are_out_than_configured_and_values_are_right(counted: tuple[Native, S7Jobs], max_jobs: int) -> None:
    native, jobs = counted
    connector = connected(native, tags_of(native), 240, Refusals(), max_jobs=max_jobs)

    (readings,) = connector.read("normal", 0)
    connector.close()

    assert dict(zip(readings.ids.tolist(), readings.values, strict=True)) == dict(enumerate(native.reals.values(), start=1))
    assert 1 <= jobs.most_out <= max_jobs


def test_arrays_texts_timers_and_counters_are_read(native: Native) -> None:
    tags = [
        Tag(id=1, name="array", asset=1, shard=1, unit="bar", kind="frame", address="DB1.DBD0:REAL[64]"),
        Tag(id=2, name="timer", asset=1, shard=1, unit="ms", address="T5"),
        Tag(id=3, name="counter", asset=1, shard=1, unit="", address="Z7"),
    ]
    connector = connected(native, tags, 480, Refusals())

    numbers, frames = connector.read("normal", 0)
    connector.close()

    assert dict(zip(numbers.ids.tolist(), numbers.values, strict=True)) == {2: 127_000.0, 3: 42.0}
    assert frames.values[0].array()[0].tolist() == pytest.approx([native.reals.get(4 * n, 0.0) for n in range(64)])


def test_the_blocks_of_the_cpu_are_browsed_with_their_sizes(native: Native) -> None:
    connector = connected(native, [], 480, Refusals())

    found = connector.browse("DB")
    connector.close()

    assert [(branch.name, branch.detail) for branch in found] == [("DB1", f"{SIZE} bytes"), ("DB2", "3 bytes")]


@pytest.mark.parametrize("wrong", ["DB1.DBD20000:REAL", "DB77.DBD0:REAL"])
def test_one_wrong_address_leaves_the_others_good_within_the_same_cycle(native: Native, wrong: str) -> None:
    report = Refusals()
    tags = [*tags_of(native)[:999], Tag(id=5000, name="wrong", asset=1, shard=1, unit="", address=wrong)]
    connector = connected(native, tags, 480, report)

    good, bad = connector.read("normal", 0)
    (again,) = connector.read("normal", 0)
    connector.close()

    assert sorted(good.ids.tolist()) == list(range(1, 1000))
    assert dict(zip(good.ids.tolist(), good.values, strict=True)) == dict(list(enumerate(native.reals.values(), start=1))[:999])
    assert (bad.ids.tolist(), bad.quality.tolist()) == ([5000], [quality_byte(Quality.BAD, Reason.CONFIG)])
    assert len(again) == 999
    assert report.reasons == ["db_missing" if "DB77" in wrong else "out_of_range"]


def check(native: Native, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "plc", "check", "--host", "127.0.0.1", "--port", str(native.port), *arguments],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_check_prints_value_pdu_and_round_trip(native: Native) -> None:
    said = check(native, "--rack", "0", "--slot", "1", "DB2.DBW0:INT")

    assert said.returncode == 0
    assert said.stdout.splitlines()[0] == "DB2.DBW0:INT = -1234"
    assert said.stdout.splitlines()[1].startswith("PDU 960 bytes, 8 job(s) at once, round trip ")
    assert check(native, "DB2,X2.2").stdout.startswith("DB2.DBX2.2:BOOL = 1\n")


def test_check_shows_the_bytes_of_an_area_and_the_blocks(native: Native) -> None:
    assert check(native, "--area", "DB2", "--length", "3").stdout == "     0  fb 2e 04                                         ...\n"
    assert check(native, "--area", "T", "--from", "5", "--length", "1").stdout.split()[:3] == ["5", "21", "27"]
    assert check(native, "--blocks").stdout.splitlines() == [f"DB1  {SIZE} bytes", "DB2  3 bytes"]


@pytest.mark.parametrize(
    ("address", "reason", "remedy"),
    [
        ("DB77.DBD0:REAL", "db_missing: DB77.DBD0:REAL: DB77 does not exist", "Program blocks"),
        ("DB1.DBD20000:REAL", "out_of_range: DB1.DBD20000:REAL: DB1 is readable but shorter", "Offset column"),
        ("MD5000:REAL", "out_of_range: MD5000:REAL", "memory bit ranges"),
    ],
)
def test_check_names_the_diagnosis_and_the_remedy(native: Native, address: str, reason: str, remedy: str) -> None:
    said = check(native, address)

    assert said.returncode == 1
    assert said.stderr.startswith(reason)
    assert remedy in said.stderr
