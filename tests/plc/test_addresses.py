"""The address parsers: every dialect to one canonical form, nonsense refused with its place and a hint."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plc.addressing import mqtt, opcua, s7
from plc.addressing.errors import AddressError
from plc.addressing.s7_types import ARRAY_TYPES, TYPES

ROOT = Path(__file__).parents[2]
CANONICAL = {
    "DB1,REAL4": "DB1.DBD4:REAL",
    "DB1,INT2": "DB1.DBW2:INT",
    "DB1,X0.1": "DB1.DBX0.1:BOOL",
    "DB1,S20.20": "DB1.DBB20:STRING[20]",
    "DB1,R4": "DB1.DBD4:REAL",
    "DB1.R4": "DB1.DBD4:REAL",
    "DB1.DBD4": "DB1.DBD4:DWORD",
    "DB10.DBD4:REAL": "DB10.DBD4:REAL",
    "db10.dbx0.1": "DB10.DBX0.1:BOOL",
    "%DB10.DBW2:INT": "DB10.DBW2:INT",
    "DB1:4:REAL": "DB1.DBD4:REAL",
    "DB1:4.3:BOOL": "DB1.DBX4.3:BOOL",
    "DB1.DBB8:DT": "DB1.DBB8:DT",
    "DB1.DBB8:LREAL": "DB1.DBB8:LREAL",
    "DB1.DBD8:TIME": "DB1.DBD8:TIME",
    "DB1.DBB20:STRING[20]": "DB1.DBB20:STRING[20]",
    " DB1 , REAL4 ": "DB1.DBD4:REAL",
    "%MW20": "MW20:WORD",
    "MD4:REAL": "MD4:REAL",
    "M10.5": "M10.5:BOOL",
    "IB0": "IB0:BYTE",
    "QW4": "QW4:WORD",
    "PIW256": "IW256:WORD",
    "PIW256:INT": "IW256:INT",
    "E0.1": "I0.1:BOOL",
    "A0.1": "Q0.1:BOOL",
    "PEW256:INT": "IW256:INT",
    "PAW 4": "QW4:WORD",
    "PQD4:REAL": "QD4:REAL",
    "M 10.5": "M10.5:BOOL",
    "MX10.5": "M10.5:BOOL",
    "DB 10 . DBW 2 : INT": "DB10.DBW2:INT",
    "DB1 , REAL 4": "DB1.DBD4:REAL",
    "DB1,DBW4:INT": "DB1.DBW4:INT",
    "DB1,REAL4.10": "DB1.DBD4:REAL[10]",
    "DB1,REAL4.1": "DB1.DBD4:REAL",
    "DB1,INT2[3]": "DB1.DBW2:INT[3]",
    "DB1,CHAR4.20": "DB1.DBB4:CHAR[20]",
    "DB1,STRING20.20": "DB1.DBB20:STRING[20]",
    "DB1,WS20.20": "DB1.DBB20:WSTRING[20]",
    "DB1,DT4": "DB1.DBB4:DT",
    "DB1,DTL4": "DB1.DBB4:DTL",
    "DB1,B7": "DB1.DBB7:BYTE",
    "DB1,DW8": "DB1.DBD8:DWORD",
    "DB1.X5.2": "DB1.DBX5.2:BOOL",
    "DB1.S4.20": "DB1.DBB4:STRING[20]",
    "DB1.DI8": "DB1.DBD8:DINT",
    "DB1.DW8": "DB1.DBD8:DWORD",
    "MK.W20": "MW20:WORD",
    "PE.X0.1": "I0.1:BOOL",
    "PA.B4": "QB4:BYTE",
    "TM.W5": "T5:S5TIME",
    "C.W7": "C7:COUNTER",
    "MR30": "MD30:REAL",
    "MI2": "MW2:INT",
    "MREAL30": "MD30:REAL",
    "DB1:4:REAL[10]": "DB1.DBD4:REAL[10]",
    "%DB1:20:STRING(20)": "DB1.DBB20:STRING[20]",
    "%DB1.DBW0:INT[10]": "DB1.DBW0:INT[10]",
    "%M20:INT": "MW20:INT",
    "%I0.1:BOOL": "I0.1:BOOL",
    "%T5": "T5:S5TIME",
    "T 5": "T5:S5TIME",
    "T5:S5TIME": "T5:S5TIME",
    "C5": "C5:COUNTER",
    "Z5": "C5:COUNTER",
    "DB1.DBB0:LTIME": "DB1.DBB0:LTIME",
    "DB1.DBB0:LTOD": "DB1.DBB0:LTOD",
    "DB1.DBB0:LTIME_OF_DAY": "DB1.DBB0:LTOD",
    "DB1.DBB0:LDT": "DB1.DBB0:LDT",
    "DB1.DBB0:DATE_AND_LTIME": "DB1.DBB0:LDT",
    "DB1.DBD0:Time_Of_Day": "DB1.DBD0:TOD",
    "DB1.DBB0:LWORD": "DB1.DBB0:ULINT",
    "DB1.DBW0:WCHAR": "DB1.DBW0:WCHAR",
    "DB1.DBB0:WSTRING[254]": "DB1.DBB0:WSTRING[254]",
    "DB1.DBB0:STRING": "DB1.DBB0:STRING[254]",
    "DB1.DBD0:FLOAT32": "DB1.DBD0:REAL",
    "DB65535.DBB65535": "DB65535.DBB65535:BYTE",
    "AW4": "QW4:WORD",
}
REFUSED = {
    "": 0,
    "  ": 0,
    "hello": 0,
    "%": 1,
    '"Maintenance".pressure': 0,
    "M10.8": 3,
    "M 10.8": 4,
    "M5": 2,
    "M 5": 3,
    "MW5.3": 3,
    "MFOO5": 1,
    "DB0.DBD0": 2,
    "DB 70000 . DBD 0": 3,
    "DB1": 3,
    "DB1.": 4,
    "DB1.DBX4": 8,
    "DB1,X0.9": 6,
    "DB1,X0.1.8": 9,
    "DB1.4": 5,
    "DB1,STRING20.20.3": 16,
    "DB1,REAL4:INT": 10,
    "DB1.DBD999999": 7,
    "DB1.DBW4:REAL": 8,
    "DB1.DBX0.1:INT": 10,
    "DB1.DBX0.0:BOOL[8]": 16,
    "DB1.DBD4:FOO": 9,
    "DB1.DBD4:REAL extra": 14,
    "DB1.DBD4 REAL": 9,
    "DB1 2.DBD4": 3,
    "DB1.DBB0:STRING[300]": 16,
    "DB1.DBB0:STRING[0]": 16,
    "DB1.DBB0:WSTRING[255]": 17,
    "DB1:4:REAL[0]": 11,
    "DB1:4:REAL[10001]": 11,
    "DB1:4:DT[3]": 9,
    "DB1.DBB0:CHAR[255]": 14,
    "DB1.DBD65533:REAL": 7,
    "DB1.DBW0:COUNTER": 7,
    "T5:INT": 3,
    "T5[3]": 3,
    "C70000": 1,
    "T5.3": 2,
    "DB1.DBD4" + "0" * 5000: 100,
}


@pytest.mark.parametrize(("written", "canonical"), CANONICAL.items())
def test_s7_dialects_have_one_canonical_form(written: str, canonical: str) -> None:
    address = s7.parse(written)

    assert address.canonical() == canonical
    assert s7.parse(canonical) == address


@pytest.mark.parametrize(("written", "position"), REFUSED.items())
def test_s7_nonsense_is_refused_where_it_stands(written: str, position: int) -> None:
    with pytest.raises(AddressError) as caught:
        s7.parse(written)

    assert caught.value.position == position
    assert caught.value.hint


@pytest.mark.parametrize(
    ("written", "hint", "canonical"),
    [
        ("DB1.DBD4", "REAL", "DB1.DBD4:REAL"),
        ("DB1.4", "real", "DB1.DBD4:REAL"),
        ("DB1,4.3", "Bool", "DB1.DBX4.3:BOOL"),
        ("M20", "Int", "MW20:INT"),
        ("DB1.DBB20", "String[20]", "DB1.DBB20:STRING[20]"),
        ("DB1.DBD4", "Array", None),
    ],
)
def test_short_form_takes_the_type_of_the_tag_map(written: str, hint: str, canonical: str | None) -> None:
    if canonical is None:
        with pytest.raises(AddressError):
            s7.parse(written, hint)
    else:
        assert s7.parse(written, hint).canonical() == canonical


@pytest.mark.parametrize(
    ("written", "kind"),
    [("DB1.DBD4:REAL", "f64"), ("DB1.DBD4:REAL[10]", "frame"), ("DB1.DBB4:CHAR[10]", "text"), ("DB1,S0.8", "text"), ("T5", "f64")],
)
def test_an_address_says_what_kind_of_tag_it_makes(written: str, kind: str) -> None:
    assert s7.parse(written).kind == kind


def test_odd_offset_is_a_warning_only() -> None:
    assert s7.parse("DB1.DBD5:REAL").warnings() != []
    assert s7.parse("MW21").warnings() != []
    assert s7.parse("DB1.DBD4:REAL").warnings() == []
    assert s7.parse("T5").warnings() == s7.parse("DB1.DBB5:BYTE[3]").warnings() == []


PLACES = st.integers(0, 60000)
NUMBERS = st.sampled_from(sorted(set(TYPES) - {"BOOL", "STRING", "WSTRING", "COUNTER"}))
AREA = st.sampled_from(["DB1.", "DB65535,", "%DB7.", "M", "I", "Q", "E", "A"])
ADDRESSES = st.one_of(
    st.builds(lambda db, byte, kind: f"DB{db},{kind}{byte}", st.integers(1, 65535), PLACES, NUMBERS),
    st.builds(lambda db, byte, kind: f"DB{db}:{byte}:{kind}", st.integers(1, 65535), PLACES, NUMBERS),
    st.builds(
        lambda byte, n, kind: f"DB1:{byte}:{kind}[{n}]", st.integers(0, 30000), st.integers(1, 1000), st.sampled_from(sorted(ARRAY_TYPES))
    ),
    st.builds(lambda byte, n, sep: f"DB1{sep}S{byte}.{n}", PLACES, st.integers(1, 254), st.sampled_from(".,")),
    st.builds(lambda area, byte, bit: f"{area}{'DBX' if 'DB' in area else ''}{byte}.{bit}", AREA, PLACES, st.integers(0, 7)),
    st.builds(lambda area, byte, kind: f"{area}{'DBB' if 'DB' in area else 'B'}{byte}:{kind}", AREA, PLACES, NUMBERS),
    st.builds(lambda area, number: f"{area}{number}", st.sampled_from(["T", "C", "Z", "%T"]), st.integers(0, 2047)),
)


@given(ADDRESSES)
def test_what_is_kept_reads_as_itself_whatever_the_dialect(written: str) -> None:
    address = s7.parse(written)

    assert s7.parse(address.canonical()) == address
    assert s7.parse(address.canonical()).canonical() == address.canonical()


@given(ADDRESSES, st.data())
def test_spaces_between_the_parts_change_nothing(written: str, data: st.DataObject) -> None:
    pairs = [(i, written[i - 1], written[i]) for i in range(1, len(written))]
    at = [i for i, a, b in pairs if not (a.isalnum() and b.isalpha()) and not (a + b).isdigit()]
    place = data.draw(st.sampled_from([0, *(i for i in at if written[i - 1] != "%")]))

    assert s7.parse(written[:place] + "  " + written[place:]) == s7.parse(written)


@given(st.text(max_size=40))
def test_no_text_makes_a_parser_fail_in_another_way(text: str) -> None:
    for parse in (s7.parse, mqtt.parse, opcua.parse):
        with contextlib.suppress(AddressError):
            address = parse(text)
            assert parse(address.canonical()) == address


@pytest.mark.parametrize(
    ("written", "topic", "field"),
    [("", None, None), ("plant/line1", "plant/line1", None), ("plant/line1#temperature", "plant/line1", "temperature")],
)
def test_mqtt_addresses(written: str, topic: str | None, field: str | None) -> None:
    assert mqtt.parse(written) == mqtt.MqttAddress(topic, field)


@pytest.mark.parametrize("written", ["#x", "plant/+/x", "plant/line1#", "a\x00b", "x" * 600])
def test_mqtt_nonsense_is_refused(written: str) -> None:
    with pytest.raises(AddressError):
        mqtt.parse(written)


@pytest.mark.parametrize(
    "written", ["nsu=urn:plant;s=Temp;with=semicolons", "ns=2;i=1042", "i=2258", "ns=3;g=09087e75-8e5e-499b-954f-f2a9603db28a"]
)
def test_opcua_node_ids(written: str) -> None:
    assert opcua.parse(written).canonical() == written


@pytest.mark.parametrize(
    "written", ["", "Temperature", "ns=2", "ns=x;s=a", "ns=70000;s=a", "nsu=;s=a", "i=-1", "i=99999999999", "g=1", "b=?", "x=1", "s="]
)
def test_opcua_nonsense_is_refused(written: str) -> None:
    with pytest.raises(AddressError):
        opcua.parse(written)


def test_the_table_of_the_guide_is_true() -> None:
    rows = re.findall(r"^\| (`.*`) \| (`.*`) \|$", (ROOT / "docs" / "siemens.md").read_text("utf-8"), re.MULTILINE)
    table = [([cell.strip("` ") for cell in kept.split(",")], re.findall(r"`([^`]+)`", taken)) for kept, taken in rows]

    assert len(table) >= 9
    for kept, taken in table:
        assert [s7.parse(one).canonical() for one in kept] == kept
        assert {s7.parse(one).type for one in taken} <= {s7.parse(one).type for one in kept}
        if len(kept) == 1:
            assert {s7.parse(one).canonical() for one in taken} == set(kept)
