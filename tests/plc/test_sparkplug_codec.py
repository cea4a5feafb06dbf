"""Sparkplug values with their datatypes, there and back, and addresses with their one spelling."""

from __future__ import annotations

import pytest

from plc.addressing.errors import AddressError
from plc.addressing.sparkplug import SparkplugAddress, parse
from plc.connectors.sparkplug_codec import PayloadError, command, decode

NOW = 1_763_700_000_000


@pytest.mark.parametrize(
    ("kind", "value"),
    [("Int8", -128), ("Int16", -2), ("Int32", -(2**31)), ("Int64", -(2**53)), ("UInt8", 255), ("UInt16", 65535), ("UInt32", 2**32 - 1)],
)
def test_whole_numbers_keep_their_sign(kind: str, value: int) -> None:
    assert decode(command("x", kind, value, NOW)).metrics[0].value == value


def test_a_command_carries_its_datatype_and_refuses_what_is_none_of_it() -> None:
    told = decode(command("Node Control/Rebirth", "Boolean", value=True, t_ms=NOW)).metrics[0]

    assert (told.name, told.datatype, told.value, told.t) == ("Node Control/Rebirth", 11, 1.0, NOW)
    for kind, value in (("Boolean", 1), ("Int8", 128), ("UInt8", -1), ("Double", "1"), ("String", 1), ("DataSet", 1), ("Int32", 1.5)):
        with pytest.raises(PayloadError):
            command("x", kind, value, NOW)


ADDRESSES = [
    ("Plant/Edge1/Press:Pump/PT 101", SparkplugAddress("Plant", "Edge1", "Press", "Pump/PT 101")),
    (" Plant/Edge1:CPU: Load ", SparkplugAddress("Plant", "Edge1", "", "CPU: Load")),
]


@pytest.mark.parametrize(("text", "expected"), ADDRESSES)
def test_addresses_have_one_spelling(text: str, expected: SparkplugAddress) -> None:
    assert parse(text) == expected
    assert parse(expected.canonical()) == expected


@pytest.mark.parametrize(
    ("text", "position"), [("", 0), ("Plant/Edge1", 11), ("Plant:M", 5), ("a/b/c/d:M", 7), ("a/+/c:M", 2), ("a//c:M", 2), ("a/b:", 4)]
)
def test_a_wrong_address_says_where(text: str, position: int) -> None:
    with pytest.raises(AddressError) as caught:
        parse(text)

    assert caught.value.position == position
