"""The S7 connector against python-snap7's server: every type and area, values no sensor can say, one owner, long values."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from snap7.type import SrvArea

from plc.addressing import s7
from plc.connectors.s7 import S7Connector
from plc.connectors.s7_values import decoder
from realtime import settings as settings_module
from realtime.events import Quality, Reason, quality_byte
from tests.plc.harness import Plc, tag

BAD_RANGE = quality_byte(Quality.BAD, Reason.RANGE)


class Refusals:
    """A report that keeps the reasons."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        self.reasons += [reason] * count

    def discovered(self, tag: str, value: float | str) -> None:
        raise AssertionError("S7 discovers nothing")


VALUES: list[tuple[str, bytes, Any]] = [
    ("DB1.DBX0.3:BOOL", b"\x08", 1.0),
    ("DB1.DBB2:BYTE", b"\xff", 255.0),
    ("DB1.DBB4:SINT", b"\xff", -1.0),
    ("DB1.DBW6:WORD", b"\xff\xfe", 65534.0),
    ("DB1.DBW8:INT", struct.pack(">h", -1234), -1234.0),
    ("DB1.DBW10:UINT", b"\xff\xff", 65535.0),
    ("DB1.DBD12:DWORD", b"\xff\xff\xff\xff", 4294967295.0),
    ("DB1.DBD16:DINT", struct.pack(">i", -70000), -70000.0),
    ("DB1.DBD20:UDINT", struct.pack(">I", 70000), 70000.0),
    ("DB1.DBD24:REAL", struct.pack(">f", 6.25), 6.25),
    ("DB1.DBB28:LREAL", struct.pack(">d", -1e-9), -1e-9),
    ("DB1.DBD36:TIME", struct.pack(">i", -1500), -1500.0),
    ("DB1.DBD40:TOD", struct.pack(">I", 86_399_999), 86_399_999.0),
    ("DB1.DBW44:S5TIME", b"\x21\x27", 127_000.0),
    ("DB1.DBB46:CHAR", b"A", "A"),
    ("DB1.DBB48:STRING[10]", b"\x0a\x03abc" + bytes(7), "abc"),
    ("DB1.DBW60:DATE", struct.pack(">H", 36), "1990-02-06"),
    ("DB1.DBB62:DT", bytes.fromhex("2611200801025678"), "2026-11-20T08:01:02.567"),
    ("DB1.DBB70:DTL", struct.pack(">HBBBBBBI", 2026, 11, 20, 6, 8, 1, 2, 250_000_000), "2026-11-20T08:01:02.250"),
    ("DB1.DBW82:WCHAR", "\u00c4".encode("utf-16-be"), "\u00c4"),
    ("DB1.DBB84:WSTRING[4]", struct.pack(">HH", 4, 2) + "\u03a9m".encode("utf-16-be") + bytes(4), "\u03a9m"),
    ("DB1.DBB96:LTIME", struct.pack(">q", -1_500_000), -1.5),
    ("DB1.DBB104:LTOD", struct.pack(">Q", 3_600_000_500_000), 3_600_000.5),
    ("DB1.DBB112:LDT", struct.pack(">q", 1_795_000_000_123_456_789), "2026-11-18T11:06:40.123456"),
    ("DB1.DBB120:LINT", struct.pack(">q", -(2**40)), -(2.0**40)),
    ("DB1.DBB128:ULINT", struct.pack(">Q", 2**53), 2.0**53),
    ("DB1.DBB136:USINT", b"\xff", 255.0),
    ("DB1.DBB138:CHAR[6]", b"ABC\0\0\0", "ABC"),
    ("DB1.DBW144:WCHAR[2]", "\u00c4b".encode("utf-16-be"), "\u00c4b"),
]


def connector(plc: Plc, tags: list[Any]) -> tuple[S7Connector, Refusals]:
    report = Refusals()
    made = S7Connector(plc.source(), settings_module.load({}, None), report)
    assert made.plan(tags) == []
    made.connect()
    return made, report


def by_tag(made: S7Connector) -> dict[int, tuple[Any, int]]:
    return {int(i): (v, int(q)) for part in made.read("normal", 0) for i, v, q in zip(part.ids, part.values, part.quality, strict=True)}


def test_every_type_is_read_right(plc: Plc) -> None:
    tags = []
    for number, (address, raw, value) in enumerate(VALUES):
        parsed = s7.parse(address)
        plc.blocks[1][parsed.byte : parsed.byte + len(raw)] = raw
        tags.append(tag(number, address, "plc", address, kind="text" if isinstance(value, str) else "f64"))
    made, _ = connector(plc, tags)

    found = by_tag(made)
    made.close()

    assert found == {number: (value, 0) for number, (_, _, value) in enumerate(VALUES)}


def test_inputs_outputs_and_memory_bits_are_read_too(plc: Plc) -> None:
    plc.areas[SrvArea.MK][20] = 0b1000
    plc.areas[SrvArea.PE][4:6] = struct.pack(">h", -7)
    plc.areas[SrvArea.PA][0] = 1
    made, _ = connector(
        plc, [tag(1, "m", "plc", "M20.3"), tag(2, "i", "plc", "EW4:INT"), tag(3, "q", "plc", "A0.0"), tag(4, "r", "plc", "DB1,R0")]
    )

    found = by_tag(made)
    made.close()

    assert found == {1: (1.0, 0), 2: (-7.0, 0), 3: (1.0, 0), 4: (0.0, 0)}


@pytest.mark.parametrize(
    ("address", "raw", "shown"),
    [
        ("DB1.DBW200:INT[3]", struct.pack(">3h", -1, 0, 32767), [-1.0, 0.0, 32767.0]),
        ("DB1.DBB200:BYTE[3]", b"\x00\x7f\xff", [0.0, 127.0, 255.0]),
        ("DB1.DBW200:UINT[2]", struct.pack(">2H", 1, 65535), [1.0, 65535.0]),
        ("DB1.DBD200:REAL[2]", struct.pack(">2f", 1.5, -2.5), [1.5, -2.5]),
        ("DB1.DBB200:LREAL[2]", struct.pack(">2d", 1.5, -2.5), [1.5, -2.5]),
    ],
)
def test_an_array_is_a_frame_and_makes_its_figures(plc: Plc, address: str, raw: bytes, shown: list[float]) -> None:
    plc.blocks[1][200 : 200 + len(raw)] = raw
    figures = [tag(2, "A.min", "plc", virtual=True), tag(3, "A.max", "plc", virtual=True), tag(4, "A.mean", "plc", virtual=True)]
    made, _ = connector(plc, [tag(1, "A", "plc", address, kind="frame", unit="bar"), *figures])

    numbers, frames = made.read("normal", 0)
    made.close()

    assert frames.values[0].array().tolist() == [shown]
    assert frames.values[0].unit == "bar"
    assert numbers.values.tolist() == [min(shown), max(shown), sum(shown) / len(shown)]


def test_an_array_longer_than_the_pdu_is_one_frame_in_engineering_units(plc: Plc) -> None:
    plc.blocks[1][:240] = struct.pack(">120h", *range(120))
    whole = tag(1, "A", "plc", "DB1,INT0.120", kind="frame", scale_raw=(0, 100), scale_eng=(0.0, 10.0))
    made = S7Connector(plc.source(pdu=128, max_jobs=4), settings_module.load({}, None), Refusals())
    made.plan([whole])
    made.connect()

    (frames,) = made.read("normal", 0)
    made.close()

    assert frames.values[0].array()[0].tolist() == pytest.approx([n / 10 for n in range(120)])


@pytest.mark.parametrize(
    ("address", "raw"),
    [
        ("DB1.DBB0:STRING[10]", b"\x0a\x0babcdefghijk"),
        ("DB1.DBB0:STRING[10]", b"\x00\x00"),
        ("DB1.DBB0:DT", bytes.fromhex("26a1200801025678")),
        ("DB1.DBB0:DT", bytes.fromhex("2600200801025678")),
        ("DB1.DBB0:DTL", bytes(12)),
        ("DB1.DBW0:S5TIME", b"\x0f\xff"),
    ],
)
def test_bytes_that_are_no_such_value_are_bad_range(plc: Plc, address: str, raw: bytes) -> None:
    plc.blocks[1][: len(raw)] = raw
    kind = "f64" if "S5TIME" in address else "text"
    made, _ = connector(plc, [tag(1, "x", "plc", address, kind=kind), tag(2, "y", "plc", "DB1.DBW100:INT")])

    found = by_tag(made)
    made.close()

    with pytest.raises(ValueError):
        decoder(s7.parse(address))(bytes(plc.blocks[1]), 0)
    assert found[2] == (0.0, 0)
    if kind == "text":
        assert found[1] == ("", BAD_RANGE)
    else:
        assert np.isnan(found[1][0])


def test_text_longer_than_the_pdu_is_read_in_steps(plc: Plc) -> None:
    plc.blocks[1][:256] = bytes((254, 254)) + bytes(65 + n % 26 for n in range(254))
    source = plc.source(pdu=240)
    made = S7Connector(source, settings_module.load({}, None), Refusals())
    made.plan([tag(1, "long", "plc", "DB1.DBB0:STRING", kind="text"), tag(2, "n", "plc", "DB1.DBB3:BYTE")])
    made.connect()

    found = by_tag(made)
    made.close()

    assert found == {1: (plc.blocks[1][2:].decode(), 0), 2: (66.0, 0)}


def test_a_text_address_under_a_number_is_unusable(plc: Plc) -> None:
    made = S7Connector(plc.source(), settings_module.load({}, None), Refusals())

    unusable = made.plan([tag(1, "x", "plc", "DB1.DBB0:STRING[10]"), tag(2, "y", "plc", "DB1.DBW0:INT")])

    assert [t.name for t, _ in unusable] == ["x"]


def test_one_request_is_out_at_a_time_and_the_pdu_is_the_negotiated_one(plc: Plc) -> None:
    made, report = connector(plc, [tag(n, f"t{n}", "plc", f"DB1.DBD{4 * n}:REAL") for n in range(60)])
    made.read("normal", 0)

    assert made.describe() == {"pdu": 480, "at_once": 1, "requests": 3, "jobs": 1, "bad_tags": 0, "torn_tags": 0}
    assert report.reasons == []
    made.close()
