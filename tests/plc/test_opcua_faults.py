"""OPC UA through a network that fails: recovery by itself, and a gap that covers exactly what did not come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from plc.connector import KINDS
from plc.runner import SourceRunner
from realtime.bus import Bus, now_ms
from realtime.events import Quality, Reason, SignalName, quality_byte
from realtime.settings import Settings
from realtime.snapshot import Source
from tests.plc.harness import Sample, Tap, tag
from tests.plc.proxy import FaultProxy
from tests.plc.test_opcua import URI, Printer
from tests.waiting import wait_for

COMM = quality_byte(Quality.BAD, Reason.COMM)
PERIOD_MS = 100
TAG = tag(1, "D.power", "printer", f"nsu={URI};s=power", group="fast")


class Machine(threading.Thread):
    """Writes a new value each PERIOD_MS and keeps what it wrote: source time -> value."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(daemon=True)
        self.printer = printer
        self.wrote: dict[int, float] = {}
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(PERIOD_MS / 1000):
            at, value = now_ms(), float(len(self.wrote))
            self.printer.write("power", value, at=datetime.fromtimestamp(at / 1000, UTC))
            self.wrote[at] = value

    def end(self) -> None:
        self._end.set()
        self.join(10)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    printer = Printer()
    printer.start()
    living = Machine(printer)
    living.start()
    yield living
    living.end()
    printer.close()


@pytest.fixture
def proxy(machine: Machine) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", machine.printer.port) as between:
        yield between


@pytest.fixture
def runner(proxy: FaultProxy, plc_settings: Settings, bus: Bus) -> Iterator[SourceRunner]:
    config = {"url": f"opc.tcp://127.0.0.1:{proxy.port}/"}
    source = Source(id=3, name="printer", kind="opcua", config=config, groups={"fast": PERIOD_MS / 1000})
    living = SourceRunner(KINDS["opcua"], source, [TAG], plc_settings, bus)
    living.start()
    yield living
    living.stop(10)


def steady(tap: Tap, since: int = 0) -> list[Sample]:
    """Good live samples, once there are ten of them after since."""
    return wait_for(
        lambda: len(found := [s for s in tap.good(1) if s.t > since and not s.flags]) >= 10 and found, timeout_s=30, what="ten values"
    )


def gap_of(tap: Tap, machine: Machine, *, after: int) -> tuple[int, int]:
    """Start and end of the only gap, in source time; asserts that it holds every value that did not come, and no other."""
    came = sorted(s.t for s in tap.good(1))
    starts = sorted(s.t for s in tap.samples(1) if s.quality == COMM)
    start = starts[0]
    end = min(t for t in came if t > start)
    first = came[0]
    missing = [t for t in list(machine.wrote) if first < t < came[-1] and t not in set(came)]
    assert all(start <= t <= end for t in missing)
    assert [t for t in came if start <= t < end] == []
    assert max(t for t in came if t < start) >= after - 10 * PERIOD_MS  # it begins where the last value came from
    return start, end


FAULTS: dict[str, tuple[Callable[[FaultProxy], None], Callable[[FaultProxy], None]]] = {
    "cut": (FaultProxy.cut, FaultProxy.restore),
    "stall": (FaultProxy.stall, FaultProxy.resume),
    "half-open": (FaultProxy.half_open, lambda _proxy: None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_link_is_told_once_recovers_by_itself_and_its_gap_is_exact(
    fault: str, machine: Machine, proxy: FaultProxy, runner: SourceRunner, tap: Tap
) -> None:
    begin, end = FAULTS[fault]
    steady(tap)

    before = now_ms()
    begin(proxy)
    if fault == "half-open":  # the next connection works, so it may be back before anyone is told
        wait_for(lambda: runner.status()["reconnects"], timeout_s=20, what="the loss")
    else:
        wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=20, what="source.lost")
    end(proxy)
    steady(tap, since=now_ms())

    gap_of(tap, machine, after=before)
    assert len(tap.signals(SignalName.SOURCE_LOST)) == len(tap.signals(SignalName.SOURCE_RECOVERED)) <= 1


def test_a_reset_connection_leaves_a_gap_even_when_the_next_session_stands_at_once(
    machine: Machine, proxy: FaultProxy, runner: SourceRunner, tap: Tap
) -> None:
    steady(tap)

    before = now_ms()
    proxy.reset()
    wait_for(lambda: runner.status()["reconnects"], timeout_s=20, what="the loss")
    steady(tap, since=now_ms())

    gap_of(tap, machine, after=before)


def test_a_slow_line_loses_nothing_and_is_no_loss(machine: Machine, proxy: FaultProxy, runner: SourceRunner, tap: Tap) -> None:
    steady(tap)

    since = now_ms()
    proxy.delay(0.3)
    came = {s.t for s in steady(tap, since)}

    assert [t for t in list(machine.wrote) if since < t <= max(came) and t not in came] == []
    assert not tap.signals(SignalName.SOURCE_LOST)
    assert runner.status()["reconnects"] == 0
