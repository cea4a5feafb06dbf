"""OPC UA against asyncua's own server: subscription, status, source time, frames with statistics, loss and recovery."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from asyncua import ua
from asyncua.server.server import Server

from plc.connectors.opcua_columns import Columns
from plc.connectors.opcua_values import stamp_ms
from realtime.bus import Bus, now_ms
from realtime.events import Frame, Quality, Reason, SignalName, quality_byte
from realtime.snapshot import Source
from tests.plc.harness import Tap, collecting, free_port, is_nan, tag
from tests.waiting import wait_for

URI = "urn:sightline:test"
COMM = quality_byte(Quality.BAD, Reason.COMM)


class Printer:
    """An OPC UA server with a scalar, a text and a 3 x 4 array, in a thread of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server: Server | None = None

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(40)

    def start(self) -> None:
        """Open the port."""
        self.run(self._open())

    async def _open(self) -> None:
        self.server = Server()
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}/")
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await self.server.register_namespace(URI)
        objects = self.server.nodes.objects
        self.nodes = {
            "power": await objects.add_variable(f"ns={index};s=power", "power", 1.5),
            "text": await objects.add_variable(f"ns={index};s=text", "text", "idle"),
            "plate": await objects.add_variable(f"ns={index};s=plate", "plate", [[20.0] * 4] * 3, varianttype=ua.VariantType.Float),
        }
        await self.server.start()

    def write(self, name: str, value: Any, *, status: int = 0, at: datetime | None = None, kind: Any = None) -> None:
        """Write a value with status and source time."""
        moment = at or datetime.now(UTC)
        data = ua.DataValue(ua.Variant(value, kind), ua.StatusCode(status), SourceTimestamp=moment, ServerTimestamp=moment)
        self.run(self.nodes[name].write_value(data))

    def stop(self) -> None:
        """Close the port and every session."""
        if self.server is not None:
            server, self.server = self.server, None
            self.run(server.stop())

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    @property
    def source(self) -> Source:
        """A source that reads this server."""
        return Source(id=3, name="printer", kind="opcua", config={"url": f"opc.tcp://127.0.0.1:{self.port}/", "publishing_ms": 50})


TAGS = [
    tag(1, "D.power", "printer", f"nsu={URI};s=power", unit="kW", asset=5),
    tag(2, "D.text", "printer", f"nsu={URI};s=text", kind="text", asset=5),
    tag(3, "D.plate", "printer", f"nsu={URI};s=plate", kind="frame", unit="°C", asset=5),
    *(tag(4 + n, f"D.plate.{stat}", "printer", unit="°C", asset=5, virtual=True) for n, stat in enumerate(("min", "max", "mean", "std"))),
]


@pytest.fixture
def printer() -> Iterator[Printer]:
    server = Printer()
    server.start()
    yield server
    server.close()


def test_value_status_and_source_time_come_through(printer: Printer, bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    with collecting(plc_environment, bus, [printer.source], TAGS):
        wait_for(lambda: tap.good(1) and tap.good(2), what="first values")
        at = datetime.now(UTC).replace(microsecond=123000)
        printer.write("power", 2.5, at=at)
        printer.write("power", 3.5, status=ua.StatusCodes.UncertainSensorNotAccurate)
        printer.write("power", 4.5, status=ua.StatusCodes.BadSensorFailure)
        printer.write("text", "printing")
        wait_for(lambda: len(tap.samples(1)) >= 4 and len(tap.samples(2)) >= 2, what="every change")

    values = [(s.value, s.quality) for s in tap.samples(1)]
    assert values[:3] == [(1.5, 0), (2.5, 0), (3.5, quality_byte(Quality.UNCERTAIN, Reason.DEVICE))]
    assert values[3][1] == quality_byte(Quality.BAD, Reason.DEVICE)
    assert tap.samples(1)[1].t == round(at.timestamp() * 1000)
    assert [s.value for s in tap.samples(2)] == ["idle", "printing"]


@pytest.mark.parametrize(("repeats", "told"), [(True, [1.5, 2.5, 2.5, 3.5]), (False, [1.5, 2.5, 3.5])])
def test_a_value_that_stays_is_told_again_where_the_source_wants_it(
    printer: Printer, bus: Bus, tap: Tap, plc_environment: dict[str, str], repeats: bool, told: list[float]
) -> None:
    source = msgspec.structs.replace(printer.source, config=printer.source.config | {"repeats": repeats})
    with collecting(plc_environment, bus, [source], TAGS):
        wait_for(lambda: tap.good(1), what="first value")
        for value in (2.5, 2.5, 3.5):
            printer.write("power", value)
        wait_for(lambda: 3.5 in [sample.value for sample in tap.samples(1)], what="the last change")

    assert [sample.value for sample in tap.samples(1)] == told


class Refusals:
    """A report that keeps the reasons."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        self.reasons += [reason] * count

    def discovered(self, tag: str, value: float | str) -> None:
        raise AssertionError("OPC UA discovers nothing by itself")


@pytest.mark.parametrize(
    ("value", "reason", "refusals"),
    [
        (ua.Variant(None), Reason.DEVICE, []),
        (ua.Variant("text now", ua.VariantType.String), Reason.CONFIG, ["value_type"]),
        (ua.Variant([1.0, 2.0], ua.VariantType.Double), Reason.CONFIG, ["value_type"]),
    ],
)
def test_null_or_another_type_than_the_tags_is_bad(value: ua.Variant, reason: Reason, refusals: list[str]) -> None:
    report = Refusals()
    columns = Columns(TAGS, {}, report)
    columns.owns(7, TAGS[0])

    (made,) = columns.readings([(7, ua.DataValue(value))], now_ms())

    assert is_nan(made.values[0])
    assert made.quality[0] == quality_byte(Quality.BAD, reason)
    assert report.reasons == refusals


def test_missing_source_time_is_the_servers_else_the_receive_time() -> None:
    moment = datetime(2026, 1, 5, 8, 0, 0, 250000, UTC)

    assert stamp_ms(ua.DataValue(ua.Variant(1.0), ServerTimestamp=moment), 7) == 1767600000250
    assert stamp_ms(ua.DataValue(ua.Variant(1.0)), 7) == 7


def test_array_becomes_a_frame_and_its_statistics(printer: Printer, bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    cells = np.arange(12, dtype=float).reshape(3, 4) * 10.04 - 30
    with collecting(plc_environment, bus, [printer.source], TAGS):
        wait_for(lambda: tap.samples(3), what="the first frame")
        printer.write("plate", cells.tolist(), kind=ua.VariantType.Float)
        frames = wait_for(lambda: len(tap.samples(3)) == 2 and tap.samples(3), what="the frame")

    frame = frames[1].value
    assert isinstance(frame, Frame)
    assert (frame.shape, frame.dtype, frame.scale, frame.unit) == ((3, 4), "i2", 0.1, "°C")
    assert np.abs(frame.array() - cells).max() <= 0.05 + 1e-6
    figures = [tap.good(number)[-1].value for number in (4, 5, 6, 7)]
    assert figures == pytest.approx([cells.min(), cells.max(), cells.mean(), cells.std()], rel=1e-6)


@pytest.mark.parametrize("wrong", [[[1.0] * 4] * 2, [1.0] * 11, [[float("nan")] * 4] * 3])
def test_array_of_another_shape_or_not_finite_is_bad_and_not_stored(
    printer: Printer, bus: Bus, tap: Tap, plc_environment: dict[str, str], wrong: list[Any]
) -> None:
    with collecting(plc_environment, bus, [printer.source], TAGS):
        wait_for(lambda: tap.good(6), what="the first frame")
        printer.write("plate", wrong, kind=ua.VariantType.Float)
        bad = wait_for(lambda: [s for s in tap.samples(6) if s.quality], what="the bad statistics")

    assert is_nan(bad[0].value)
    assert len(tap.samples(3)) == 1


def test_unknown_node_is_bad_and_the_others_flow(printer: Printer, bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    tags = [*TAGS, tag(20, "gone", "printer", f"nsu={URI};s=gone"), tag(21, "nowhere", "printer", "nsu=urn:no:such;s=power")]
    with collecting(plc_environment, bus, [printer.source], tags):
        wait_for(lambda: tap.good(1) and tap.samples(20) and tap.samples(21), what="good and bad")

    config = quality_byte(Quality.BAD, Reason.CONFIG)
    assert [tap.samples(20)[0].quality, tap.samples(21)[0].quality] == [config, config]


def test_lost_server_is_told_once_and_a_fresh_session_follows(
    printer: Printer, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    with collecting(plc_environment, bus, [printer.source], TAGS):
        wait_for(lambda: tap.good(1), what="first values")
        printer.stop()
        wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=15, what="source.lost")
        assert [s.quality for s in tap.samples(1)][-1] == COMM
        printer.start()
        wait_for(lambda: tap.signals(SignalName.SOURCE_RECOVERED), timeout_s=30, what="source.recovered")
        since = now_ms()
        printer.write("power", 9.5)
        wait_for(lambda: [s for s in tap.good(1) if s.value == 9.5 and s.t >= since - 1], what="a new value")

    assert len(tap.signals(SignalName.SOURCE_LOST)) == 1
    assert {s.tag for s in tap.samples() if s.quality == COMM} == {1, 2, 4, 5, 6, 7}
