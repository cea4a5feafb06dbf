"""What a network does to an S7 link, through a proxy that cuts, stalls, delays, resets and goes half-open, with the real program.

Promised: good again within seconds, by itself; the gap begins with the first poll that failed and ends with the first that did not;
nothing read before or after is lost, nothing is shown as good meanwhile.
"""

from __future__ import annotations

import secrets
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from realtime.bus import Bus, connect, now_ms
from realtime.events import Quality, Reason, SignalName, quality_byte
from realtime.snapshot import Source, Tag
from tests.plc.harness import Sample, Tap, collecting, environment_of, tag
from tests.plc.hostile_s7 import HostileS7
from tests.plc.proxy import FaultProxy
from tests.waiting import PATIENCE, wait_for

COMM = quality_byte(Quality.BAD, Reason.COMM)
STALE = quality_byte(Quality.UNCERTAIN, Reason.STALE)
PERIOD_S, TIMEOUT_S = 0.2, 1.0
POLL_MS = int(PERIOD_S * 1000)
STOP, RUN = 0x04, 0x08
SLACK_MS = int(PATIENCE * 2 * POLL_MS)  # a busy machine polls late


@dataclass
class Line:
    """A PLC whose REAL counts its own reads, the proxy before it, and what the collector made of it."""

    number: int
    name: str
    plc: HostileS7
    proxy: FaultProxy
    source: Source
    tag: Tag
    tap: Tap
    began: int = 0
    ended: int = 0


def hold(line: Line, begin: Callable[[], None], end: Callable[[], None], until: Callable[[], bool]) -> None:
    """The fault until something has come of it."""
    line.began = now_ms()
    begin()
    wait_for(until, timeout_s=20, what=f"{line.name} to be noticed")
    end()
    line.ended = now_ms()


def until_lost(line: Line, begin: Callable[[], None], end: Callable[[], None]) -> None:
    """The fault until the source is told to be lost."""
    hold(line, begin, end, lambda: any(told.data["source"] == line.source.name for told in line.tap.signals(SignalName.SOURCE_LOST)))


def at_once(line: Line, fault: Callable[[], None]) -> None:
    """A fault of one moment."""
    line.began = now_ms()
    fault()
    line.ended = now_ms()


def late(line: Line) -> None:
    """300 ms more an answer, for ten answers."""
    reads = line.plc.reads
    hold(line, lambda: line.proxy.delay(0.3), lambda: line.proxy.delay(0), lambda: line.plc.reads >= reads + 10)


LASTING = {
    "cut": lambda line: until_lost(line, line.proxy.cut, line.proxy.restore),
    "stall": lambda line: until_lost(line, line.proxy.stall, line.proxy.resume),
    "too slow": lambda line: until_lost(line, lambda: line.proxy.delay(3 * TIMEOUT_S), lambda: line.proxy.delay(0)),
}
SHORT = {
    "reset": lambda line: at_once(line, line.proxy.reset),
    "half-open": lambda line: at_once(line, line.proxy.half_open),
    "lost bytes": lambda line: at_once(line, lambda: line.proxy.drop_bytes(5)),
}
HARMLESS = {"300 ms late": late}
STOPPED = {"stop": lambda line: until_lost(line, lambda: setattr(line.plc, "state", STOP), lambda: setattr(line.plc, "state", RUN))}
FAULTS = {**LASTING, **SHORT, **HARMLESS, **STOPPED}


def counting_plc() -> HostileS7:
    memory = {(0x84, 1): bytearray(4)}
    server = HostileS7(memory)
    server.before_read = lambda: memory[0x84, 1].__setitem__(slice(0, 4), struct.pack(">i", server.reads))
    return server


@dataclass
class Record:
    """All that came onto the bus."""

    lines: dict[str, Line]
    samples: dict[int, list[Sample]]
    lost: list[str]
    recovered: list[str]
    reasons: dict[str, str]
    alive: bool


@pytest.fixture(scope="module")
def record(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    """Every fault at once, each on a line of its own, one collector for all."""
    prefix = f"t{secrets.token_hex(5)}"
    environment = environment_of(REDIS_URL=redis_url, BUS_PREFIX=prefix, DATA_DIR=str(tmp_path_factory.mktemp("faults") / "var"))
    client = connect(redis_url)
    tap = Tap(Bus(client, prefix))
    lines = {name: line(number, name, tap) for number, name in enumerate(FAULTS, start=1)}
    with collecting(environment, tap.bus, [one.source for one in lines.values()], [one.tag for one in lines.values()]) as program:
        wait_for(lambda: len(good_since(tap, 0)) == len(lines), what="good readings on every line")
        hands = [threading.Thread(target=FAULTS[name], args=(one,)) for name, one in lines.items()]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
        since = now_ms()
        wait_for(lambda: good_since(tap, since) == {one.number for one in lines.values()}, timeout_s=20, what="good readings again")
        wait_for(lambda: len(tap.signals(SignalName.SOURCE_RECOVERED)) == len(LASTING | STOPPED), what="all recoveries")
        alive = program.process.poll() is None
    samples: dict[int, list[Sample]] = {}
    for sample in tap.samples():
        samples.setdefault(sample.tag, []).append(sample)
    told = {name: [s.data["source"] for s in tap.signals(name)] for name in (SignalName.SOURCE_LOST, SignalName.SOURCE_RECOVERED)}
    reasons = {s.data["source"]: str(s.data["reason"]) for s in tap.signals(SignalName.SOURCE_LOST)}
    yield Record(lines, samples, told[SignalName.SOURCE_LOST], told[SignalName.SOURCE_RECOVERED], reasons, alive)
    for one in lines.values():
        one.proxy.close()
        one.plc.close()
    client.delete(*client.scan_iter(f"{prefix}:*"))
    client.close()


def line(number: int, name: str, tap: Tap) -> Line:
    plc = counting_plc()
    proxy = FaultProxy("127.0.0.1", plc.port)
    config = {"host": "127.0.0.1", "port": proxy.port, "timeout_s": TIMEOUT_S}
    source = Source(id=number, name=f"line{number}", kind="s7", config=config, groups={"normal": PERIOD_S})
    return Line(number, name, plc, proxy, source, tag(number, f"line{number}.count", source.name, "DB1,DINT0"), tap)


def good_since(tap: Tap, since: int) -> set[int]:
    return {sample.tag for sample in tap.samples() if sample.quality == 0 and sample.t >= since}


def around(record: Record, name: str) -> tuple[Line, list[Sample], list[Sample], list[Sample]]:
    """The line, its good samples before the first failed poll, what was not good, and the good ones after."""
    one = record.lines[name]
    samples = sorted(record.samples[one.number], key=lambda sample: sample.t)
    poor = [sample for sample in samples if sample.quality != 0]
    before = [sample for sample in samples if sample.quality == 0 and (not poor or sample.t < poor[0].t)]
    return one, before, poor, [sample for sample in samples if sample.quality == 0 and poor and sample.t > poor[0].t]


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_fault_is_a_gap_exact_to_a_poll_told_once_and_over_by_itself(record: Record, name: str) -> None:
    one, before, poor, after = around(record, name)

    assert record.alive
    assert [sample.quality for sample in poor] == [STALE, COMM]
    assert poor[1].t == poor[0].t + 1
    assert before[-1].t <= poor[0].t <= before[-1].t + POLL_MS + SLACK_MS
    assert poor[0].t <= one.began + POLL_MS + SLACK_MS
    assert record.lost.count(one.source.name) == record.recovered.count(one.source.name) == 1
    assert after[0].t >= one.ended - SLACK_MS


@pytest.mark.parametrize("name", SHORT)
def test_a_fault_of_a_moment_costs_a_link_and_no_alert(record: Record, name: str) -> None:
    one, before, poor, after = around(record, name)

    assert record.alive
    assert [sample.quality for sample in poor] == [STALE]
    assert poor[0].t <= before[-1].t + POLL_MS + SLACK_MS
    assert one.source.name not in record.lost
    assert one.plc.setups == 2
    assert after


def test_a_cpu_in_stop_is_lost_with_that_reason_and_recovers_with_its_start(record: Record) -> None:
    one, before, poor, after = around(record, "stop")

    assert [sample.quality for sample in poor] == [STALE, COMM]
    assert poor[0].t <= before[-1].t + POLL_MS + SLACK_MS
    assert record.reasons[one.source.name] == "stopped"
    assert after[0].t >= one.ended - SLACK_MS


def test_an_answer_300_ms_late_is_late_and_nothing_else(record: Record) -> None:
    one, before, poor, _ = around(record, "300 ms late")

    assert poor == []
    assert one.source.name not in record.lost
    assert one.plc.setups == 1
    assert len(before) > 10


@pytest.mark.parametrize("name", FAULTS)
def test_what_was_read_is_there_once_in_order_and_no_answer_is_taken_for_another(record: Record, name: str) -> None:
    one = record.lines[name]
    counts = [int(sample.value) for sample in sorted(record.samples[one.number], key=lambda s: s.t) if sample.quality == 0]

    assert counts == sorted(set(counts))
    assert one.plc.reads - len(counts) <= 1 + (name not in HARMLESS) * one.plc.setups
