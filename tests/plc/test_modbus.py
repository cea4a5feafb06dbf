"""Modbus: addresses, reads as few as they can be, byte orders, wrong tags and dead units beside good ones."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plc.addressing import modbus
from plc.addressing.errors import AddressError
from plc.addressing.modbus import ORDERS, ModbusAddress
from plc.connector import LinkError, Readings
from plc.connectors.modbus import ModbusConnector
from plc.connectors.modbus_plan import ALONE, MOST_BITS, Place, blocks
from plc.connectors.modbus_values import value_of
from realtime import settings as settings_module
from realtime.bus import Bus
from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Source, Tag
from tests.plc.harness import Tap, collecting, free_port, tag
from tests.plc.modbus_device import ModbusDevice, registers_of
from tests.waiting import wait_for


class Refusals:
    """A report that keeps the reasons."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        self.reasons += [reason] * count

    def discovered(self, tag: str, value: float | str) -> None:
        raise AssertionError("nothing is discovered")


@pytest.fixture
def device() -> Iterator[ModbusDevice]:
    made = ModbusDevice((1, 5)).start()
    yield made
    made.stop()


def connected(source: Source, tags: list[Tag]) -> tuple[ModbusConnector, Refusals]:
    report = Refusals()
    made = ModbusConnector(source, settings_module.load({}, None), report)
    assert made.plan(tags) == []
    made.connect()
    return made, report


def values(parts: list[Readings]) -> dict[int, tuple[object, int]]:
    return {int(i): (v, int(q)) for part in parts for i, v, q in zip(part.ids, part.values, part.quality, strict=True)}


# --- addresses ---


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("holding:100:float32:CDAB", "holding:100:float32:CDAB"),
        (" HR 7 ", "holding:7:uint16"),
        ("hr7:int", "holding:7:int16"),
        ("40001", "holding:0:uint16"),
        ("400001:real", "holding:0:float32"),
        ("465536", "holding:65535:uint16"),
        ("30010:dint", "input:9:int32"),
        ("10001", "discrete:0:bool"),
        ("00008", "coil:7:bool"),
        ("u5/input:3:uint64:DCBA", "u5/input:3:uint64:DCBA"),
        ("holding:10.3", "holding:10.3:bool"),
        ("di:12", "discrete:12:bool"),
        ("holding:20:string[10]", "holding:20:string[10]"),
        ("holding:20:BADC", "holding:20:uint16:BADC"),
    ],
)
def test_dialects_have_one_canonical_form(written: str, canonical: str) -> None:
    assert modbus.parse(written).canonical() == canonical
    assert modbus.parse(canonical).canonical() == canonical


def test_a_type_of_the_tag_map_stands_in_for_one_that_is_not_written() -> None:
    assert modbus.parse("40101", "float32").canonical() == "holding:100:float32"
    assert modbus.parse("40101:int16", "float32").canonical() == "holding:100:int16"


@pytest.mark.parametrize(
    ("written", "position"),
    [
        ("", 0),
        ("register 5", 0),
        ("holding:70000", 8),
        ("40000", 1),
        ("u300/holding:1", 1),
        ("holding:1.16", 10),
        ("coil:1.0", 7),
        ("coil:5:int16", 12),
        ("holding:5:bool", 14),
        ("holding:5:floaty", 10),
        ("holding:5:int16:ACDB", 16),
        ("holding:5:int16 now", 15),
        ("holding:5:string[0]", 10),
        ("holding:5:string[251]", 10),
        ("holding:5:int16[4]", 10),
        ("holding:65535:int32", 19),
    ],
)
def test_a_wrong_address_is_refused_where_it_is_wrong(written: str, position: int) -> None:
    with pytest.raises(AddressError) as caught:
        modbus.parse(written)

    assert caught.value.position == position
    assert caught.value.hint


def tried(text: str) -> ModbusAddress | AddressError:
    try:
        return modbus.parse(text)
    except AddressError as error:
        return error


@given(st.text(max_size=40))
def test_no_text_is_more_than_a_wrong_address(text: str) -> None:
    found = tried(text)

    assert 0 <= found.position <= len(text) if isinstance(found, AddressError) else modbus.parse(found.canonical()) == found


# --- reads ---

PLACE = st.builds(
    Place,
    unit=st.sampled_from([1, 2]),
    table=st.sampled_from(["holding", "input"]),
    start=st.integers(0, 400),
    count=st.sampled_from([1, 2, 4]),
    is_bits=st.just(False),
    strict=st.sampled_from([0, 0, 0, 1, 2]),
)


@given(st.lists(PLACE, max_size=40), st.integers(0, 20), st.sampled_from([10, 125]))
def test_every_tag_stands_whole_in_one_read_and_no_read_is_too_long(places: list[Place], gap: int, most: int) -> None:
    found = blocks(places, gap, most)

    assert sorted(i for block in found for i, _ in block.members) == list(range(len(places)))
    for block in found:
        assert block.count <= most
        for i, offset in block.members:
            assert (places[i].unit, places[i].table) == (block.unit, block.table)
            assert block.start + offset == places[i].start
            assert offset + places[i].count <= block.count
        assert len(block.members) == 1 or not any(places[i].strict == ALONE for i, _ in block.members)


def test_neighbours_share_a_read_and_far_ones_do_not() -> None:
    near = [Place(1, "holding", start, 2, False) for start in (0, 2, 14, 40)]

    assert [(b.start, b.count) for b in blocks(near, 10)] == [(0, 16), (40, 2)]
    assert len(blocks([Place(1, "holding", 2 * i, 2, False) for i in range(1000)], 10)) == 17  # 62 of two registers fit in 125
    assert len(blocks([Place(1, "coil", i, 1, True) for i in range(MOST_BITS + 1)], 10)) == 2


# --- values ---


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("kind", "form", "value"), [("float32", ">f", -12.5), ("uint32", ">I", 305419896), ("float64", ">d", 1e-7)])
def test_byte_orders_are_undone(order: str, kind: str, form: str, value: float) -> None:
    words = registers_of(form, value)
    if order in {"BADC", "DCBA"}:
        words = [struct.unpack("<H", struct.pack(">H", word))[0] for word in words]
    if order in {"CDAB", "DCBA"}:
        words = words[::-1]

    assert value_of(modbus.parse(f"holding:0:{kind}"), words, order) == value


def test_a_string_ends_at_its_nul_and_a_bit_is_a_bit() -> None:
    words = list(struct.unpack(">4H", b"PUMP\0xyz"))

    assert value_of(modbus.parse("holding:0:string[8]"), words, "ABCD") == "PUMP"
    assert value_of(modbus.parse("holding:0.3"), [0b1000], "ABCD") == 1.0
    with pytest.raises(ValueError, match="no text"):
        value_of(modbus.parse("holding:0:string[8]"), [0x0102] * 4, "ABCD")


def test_every_table_is_read_with_its_unit_its_order_and_its_counting(device: ModbusDevice) -> None:
    device.holding[1][99:101] = registers_of(">f", 6.5)[::-1]
    device.input[5][7] = 65535
    device.coils[1][3] = device.discrete[1][8] = 1
    tags = [
        tag(1, "A", "modbus", "holding:100:float32:CDAB"),
        tag(2, "B", "modbus", "u5/input:8:int16"),
        tag(3, "C", "modbus", "coil:4"),
        tag(4, "D", "modbus", "discrete:9"),
        tag(5, "E", "modbus", "40100", kind="text"),
    ]

    connector, _ = connected(device.source(base=1), tags)
    found = values(connector.read("normal", 0))
    connector.close()

    assert found[1] == (6.5, 0)
    assert found[2] == (-1.0, 0)
    assert (found[3][0], found[4][0]) == (1.0, 1.0)
    assert {unit for unit, *_ in device.requests} == {1, 5}


# --- what goes wrong ---

WRONG = quality_byte(Quality.BAD, Reason.CONFIG)
LOST = quality_byte(Quality.BAD, Reason.COMM)


def test_one_wrong_tag_is_found_in_the_same_cycle_and_keeps_no_neighbour_back(device: ModbusDevice) -> None:
    device.holes = {20}
    device.holding[1][10] = 7
    tags = [tag(i, f"T{i}", "modbus", f"holding:{i}:int16") for i in range(1, 30)]
    connector, report = connected(device.source(), tags)

    first = values(connector.read("normal", 0))
    asked = len(device.requests)
    second = values(connector.read("normal", 0))

    assert first[20][1] == WRONG
    assert {q for i, (_, q) in first.items() if i != 20} == {0}
    assert first[10][0] == 7.0
    assert 20 not in second
    assert len(second) == 28
    assert len(device.requests) - asked == 2  # read around it
    assert report.reasons == ["bad_address"]
    assert "T20" in connector.troubles()
    connector.close()


def test_a_device_that_refuses_holes_is_read_exactly(device: ModbusDevice) -> None:
    device.holes = {5}
    connector, report = connected(device.source(), [tag(1, "A", "modbus", "holding:4:int16"), tag(2, "B", "modbus", "holding:6:int16")])

    assert {q for _, q in values(connector.read("normal", 0)).values()} == {0}
    device.requests.clear()
    assert {q for _, q in values(connector.read("normal", 0)).values()} == {0}
    assert [(start, count) for _, _, start, count in device.requests] == [(4, 1), (6, 1)]
    assert report.reasons == []
    connector.close()


def test_a_dead_unit_goes_to_the_slow_lane_and_its_neighbour_is_read_on(device: ModbusDevice) -> None:
    tags = [tag(1, "A", "modbus", "holding:0:int16"), tag(2, "B", "modbus", "u9/holding:0:int16")]
    connector, report = connected(device.source(), tags)

    first = values(connector.read("normal", 0))
    device.requests.clear()
    rest = [values(connector.read("normal", 0)) for _ in range(5)]

    assert first[1][1] == 0
    assert first[2][1] == LOST
    assert [sorted(found) for found in rest] == [[1]] * 5
    assert {unit for unit, *_ in device.requests} == {1}
    assert report.reasons == ["silent_unit"]
    assert connector.describe()["silent_units"] == "9"
    connector.close()


def test_all_units_silent_is_a_lost_link() -> None:
    device = ModbusDevice(()).start()
    connector, _ = connected(device.source(), [tag(1, "A", "modbus", "holding:0:int16")])

    with pytest.raises(LinkError) as caught:
        connector.read("normal", 0)

    assert caught.value.reason == "timeout"
    connector.close()
    device.stop()


def test_settings_that_make_no_sense_are_refused_with_a_remedy() -> None:
    for wrong in ({"order": "ABDC"}, {"max_registers": 500}, {"base": 7}, {"unit": "one"}, {"gap": -1}):
        made = ModbusConnector(
            Source(id=1, name="x", kind="modbus", config={"host": "127.0.0.1", "port": free_port(), **wrong}),
            settings_module.load({}, None),
            Refusals(),
        )
        with pytest.raises(LinkError) as caught:
            made.connect()
        assert (caught.value.reason, bool(caught.value.remedy)) == ("config", True)


def test_collector_reads_it_through_the_whole_program(bus: Bus, environment: dict[str, str], device: ModbusDevice) -> None:
    device.holding[1][0] = 42
    tap = Tap(bus)

    with collecting(environment, bus, [device.source()], [tag(1, "A", "modbus", "holding:0:int16")]):
        wait_for(lambda: any(s.value == 42.0 for s in tap.good(1)), 20, "the first reading")
        device.stop()
        wait_for(lambda: bool(tap.signals("source.lost")), 20, "the loss")
        device.start()
        wait_for(lambda: bool(tap.signals("source.recovered")), 30, "the recovery")
