"""PROTOCOLS.md 8, Modbus: whatever a device answers, the connector lives, the case is counted, and good tags are read beside it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from plc.connector import LinkError, Readings
from plc.connectors.modbus import ModbusConnector
from realtime import settings as settings_module
from realtime.bus import Bus
from realtime.events import Quality, Reason, quality_byte
from tests.plc.harness import Tap, collecting, tag
from tests.plc.modbus_device import ModbusDevice, framed
from tests.plc.proxy import FaultProxy
from tests.plc.test_modbus import Refusals, values
from tests.waiting import wait_for

BAD = {reason: quality_byte(Quality.BAD, reason) for reason in Reason}
GOOD, EVIL = 1, 5  # units: what is wrong with one behind a gateway is none of the other's business


@pytest.fixture
def device() -> Iterator[ModbusDevice]:
    made = ModbusDevice((GOOD, EVIL)).start()
    made.holding[GOOD][0] = 42
    yield made
    made.stop()


def connected(device: ModbusDevice) -> tuple[ModbusConnector, Refusals]:
    report = Refusals()
    made = ModbusConnector(device.source(), settings_module.load({}, None), report)
    made.plan([tag(1, "good", "modbus", "holding:0:int16"), tag(2, "evil", "modbus", f"u{EVIL}/holding:0:int16")])
    made.connect()
    return made, report


def of_evil(reply: bytes | None, *, transaction: int | None = None):  # type: ignore[no-untyped-def]
    """Answer unit EVIL with this PDU (None = never), everyone else rightly."""

    def answer(request: bytes, right: bytes) -> bytes | None:
        if request[6] != EVIL:
            return right
        return None if reply is None else framed(request, reply, transaction=transaction)

    return answer


# what unit EVIL answers -> (why it is counted, quality of its tag)
EXCEPTIONS = {
    "1 function not supported": (b"\x83\x01", "bad_address", Reason.CONFIG),
    "2 no such register": (b"\x83\x02", "bad_address", Reason.CONFIG),
    "3 too many": (b"\x83\x03", "bad_address", Reason.CONFIG),
    "4 device failure": (b"\x83\x04", "exception_4", Reason.DEVICE),
    "6 busy": (b"\x83\x06", "exception_6", Reason.COMM),
    "10 no path": (b"\x83\x0a", "silent_unit", Reason.COMM),
    "11 the unit does not answer": (b"\x83\x0b", "silent_unit", Reason.COMM),
    "an exception nobody knows": (b"\x83\x63", "exception_99", Reason.DEVICE),
    "silence": (None, "silent_unit", Reason.COMM),
}


@pytest.mark.parametrize("case", EXCEPTIONS, ids=list(EXCEPTIONS))
def test_an_exception_of_one_unit_is_counted_and_leaves_the_other_alone(device: ModbusDevice, case: str) -> None:
    reply, counted, reason = EXCEPTIONS[case]
    device.answer = of_evil(reply)
    connector, report = connected(device)

    found = values(connector.read("normal", 0))

    assert found[1] == (42.0, 0)
    assert found[2][1] == BAD[reason]
    assert report.reasons == [counted]
    connector.close()


# frames that break the protocol: what is sent to unit EVIL, given its request and the right answer
BROKEN = {
    "wrong transaction id": lambda request, right: framed(request, right[7:], transaction=60000),
    "another unit answers": lambda request, right: right[:6] + b"\x63" + right[7:],
    "fewer registers than asked": lambda request, right: framed(request, b"\x03\x00"),
    "more registers than asked": lambda request, right: framed(request, b"\x03\x04\x00\x01\x00\x02"),
    "a byte count that lies": lambda request, right: framed(request, b"\x03\xff\x00\x01"),
    "another function": lambda request, right: framed(request, b"\x04\x02\x00\x01"),
    "an odd count of bytes": lambda request, right: framed(request, b"\x03\x03\x00\x01\x00"),
    "a length that lies": lambda request, right: right[:4] + struct.pack(">H", 200) + right[6:],
    "no Modbus at all": lambda request, right: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "nothing but a head": lambda request, right: right[:7],
    "hangs up": lambda request, right: b"",
}


@pytest.mark.parametrize("case", BROKEN, ids=list(BROKEN))
def test_a_broken_frame_is_never_a_value_and_good_ones_come_after_it(device: ModbusDevice, case: str) -> None:
    connector, report = connected(device)
    connector.read("normal", 0)
    device.answer = lambda request, right: BROKEN[case](request, right) if request[6] == EVIL else right

    parts, error = read_or_error(connector)
    assert not [v for i, (v, q) in values(parts).items() if i == 2 and q & 3 == 0 and v != 0.0]
    assert error is None or error.reason in {"protocol", "timeout"}
    assert error is not None or set(report.reasons) <= {"silent_unit", "exception_4"}
    assert error is not None or report.reasons

    device.answer = None
    connector.close()
    connector.connect()
    assert values(connector.read("normal", 0)) == {1: (42.0, 0), 2: (0.0, 0)}
    connector.close()


def read_or_error(connector: ModbusConnector) -> tuple[list[Readings], LinkError | None]:
    try:
        return connector.read("normal", 0), None
    except LinkError as error:
        return [], error


def test_an_answer_that_comes_late_is_not_taken_for_the_next_ones(device: ModbusDevice) -> None:
    kept: list[bytes] = []

    def late(request: bytes, right: bytes) -> bytes | None:
        if request[6] == EVIL:
            kept.append(framed(request, b"\x03\x02\x0b\xad"))
            return None
        return b"".join(kept) + right  # on a fresh connection even: an echo of the past

    device.answer = late
    connector, _ = connected(device)

    for _ in range(4):
        parts, _error = read_or_error(connector)
        assert 0x0BAD not in [v for v, _ in values(parts).values()]
    connector.close()


def test_nan_and_infinity_of_a_device_are_counted(device: ModbusDevice) -> None:
    device.holding[GOOD][10:14] = [0x7FC0, 0, 0x7F80, 0]
    report = Refusals()
    connector = ModbusConnector(device.source(), settings_module.load({}, None), report)
    connector.plan([tag(1, "nan", "modbus", "holding:10:float32"), tag(2, "inf", "modbus", "holding:12:float32")])
    connector.connect()

    connector.read("normal", 0)

    assert report.reasons == ["not_finite", "not_finite"]
    connector.close()


# --- the link, through a proxy and the whole program ---

FAULTS = {
    "cut": (FaultProxy.cut, FaultProxy.restore),
    "stall": (FaultProxy.stall, FaultProxy.resume),
    "reset": (FaultProxy.reset, None),
    "half_open": (FaultProxy.half_open, None),
    "delay": (lambda proxy: proxy.delay(0.1), lambda proxy: proxy.delay(0.0)),
}
LOSES = {"cut", "stall"}  # the others are over before three polls are missed, or lose nothing


@pytest.mark.parametrize("fault", FAULTS, ids=list(FAULTS))
def test_after_a_fault_of_the_link_values_come_again_and_the_gap_is_exact(
    fault: str, device: ModbusDevice, bus: Bus, environment: dict[str, str]
) -> None:
    begin, end = FAULTS[fault]
    tap = Tap(bus)

    with FaultProxy("127.0.0.1", device.port) as proxy:
        source = device.source(port=proxy.port)
        with collecting(environment, bus, [source], [tag(1, "good", "modbus", "holding:0:int16")]):
            wait_for(lambda: bool(tap.good(1)), 20, "the first reading")
            begin(proxy)
            device.holding[GOOD][0] = 43
            if fault in LOSES:
                wait_for(lambda: bool(tap.signals("source.lost")), 20, "the loss")
            if end is not None:
                end(proxy)
            wait_for(lambda: any(s.value == 43.0 for s in tap.good(1)), 30, "the value after the fault")

    samples = sorted(tap.samples(1), key=lambda sample: sample.t)
    bad = [sample for sample in samples if sample.quality & 3 == 2]
    assert len(tap.signals("source.lost")) == (1 if fault in LOSES else 0)
    assert {sample.quality for sample in bad} <= {BAD[Reason.COMM]}
    if fault in LOSES:  # from one poll after the last good reading; nothing in it is good
        last_good = max(sample.t for sample in samples if sample.quality == 0 and sample.value == 42.0)
        assert 0 < min(sample.t for sample in bad) - last_good <= 400
