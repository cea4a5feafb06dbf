"""The address parsers: every dialect to one canonical form, nonsense refused with its place and a hint."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plc.addressing import mqtt, opcua, s7
from plc.addressing.errors import AddressError

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
    "AW4": "QW4:WORD",
}
REFUSED = {
    "": 0,
    "T5": 0,
    "hello": 0,
    "M10.8": 3,
    "M5": 2,
    "MW5.3": 3,
    "DB0.DBD0": 2,
    "DB70000.DBD0": 2,
    "DB1": 0,
    "DB1.": 4,
    "DB1.DBX4": 8,
    "DB1,X0.9": 6,
    "DB1,REAL4.2": 10,
    "DB1.DBD999999": 7,
    "DB1.DBW4:REAL": 8,
    "DB1.DBX0.1:INT": 10,
    "DB1.DBD4:FOO": 9,
    "DB1.DBD4:REAL extra": 14,
    "DB1.DBB0:STRING[300]": 8,
    "DB1.DBB0:STRING[0]": 8,
    "DB1:4:REAL[10]": 10,
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


def test_short_form_takes_the_type_of_the_tag_map() -> None:
    assert s7.parse("DB1.DBD4", "REAL").canonical() == "DB1.DBD4:REAL"


def test_odd_offset_is_a_warning_only() -> None:
    assert s7.parse("DB1.DBD5:REAL").warnings() != []
    assert s7.parse("DB1.DBD4:REAL").warnings() == []


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
