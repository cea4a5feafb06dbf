"""What an S7 device may send and must not harm (PROTOCOLS.md 8), against a hostile server of our own and the real program.

One collector serves all cases at once, each a source of its own with a good tag beside the bad one.
"""

from __future__ import annotations

import math
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from plc.addressing import s7
from realtime.bus import Bus, connect, now_ms
from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Source, Tag
from tests.plc.harness import Sample, Tap, collecting, environment_of, tag
from tests.plc.hostile_s7 import LEN_HEAD, HostileS7, Twist
from tests.waiting import wait_for

RANGE = quality_byte(Quality.BAD, Reason.RANGE)
GOOD_AT, BAD_AT = 0, 100
TIMEOUT_S = 1.5  # the servers share the test's process: a busy machine must not look like a PLC that is silent
AT_ONCE = 0x84, 1


def replaced(offset: int, content: bytes) -> Twist:
    """Other bytes at an offset of the S7 frame (behind TPKT and COTP), the lengths left as they are."""
    return lambda right: [right[: LEN_HEAD + offset] + content + right[LEN_HEAD + offset + len(content) :]]


def tpkt_says(length: int) -> Twist:
    return lambda right: [right[:2] + struct.pack(">H", length) + right[4:]]


def slowly(right: bytes) -> list[bytes | None]:
    """Comes after the collector has given up."""
    time.sleep(TIMEOUT_S + 0.5)
    return [right]


def fewer_items(right: bytes) -> list[bytes | None]:
    """The second item is left out."""
    return [right[: LEN_HEAD + 13] + b"\x01" + right[LEN_HEAD + 14 :]]


FRAMES: dict[str, tuple[Twist, str]] = {
    "fewer items": (fewer_items, "protocol"),
    "no items": (replaced(13, b"\x00"), "protocol"),
    "another sequence": (replaced(4, b"\x7f\xff"), "protocol"),
    "no S7": (replaced(0, b"\x99"), "protocol"),
    "a request instead of an answer": (replaced(1, b"\x01"), "protocol"),
    "another function": (replaced(12, b"\x05"), "protocol"),
    "an error word": (replaced(10, b"\xd2\x09"), "protocol"),
    "put/get switched off": (replaced(10, b"\x81\x04"), "put_get"),
    "parameters beyond the frame": (replaced(6, b"\xff\xff"), "protocol"),
    "data beyond the frame": (replaced(8, b"\xff\xff"), "protocol"),
    "an item beyond the frame": (replaced(16, b"\xff\xff"), "protocol"),
    "an item of no length": (replaced(16, b"\x00\x00"), "protocol"),
    "TPKT too short": (tpkt_says(20), "protocol"),
    "TPKT of nothing": (tpkt_says(0), "protocol"),
    "TPKT too long": (tpkt_says(4000), "timeout"),
    "TPKT of another version": (lambda right: [b"\x09" + right[1:]], "protocol"),
    "COTP of another kind": (lambda right: [right[:5] + b"\x80" + right[6:]], "protocol"),
    "64 KB of noise": (lambda _right: [b"\x00" * 65536], "protocol"),
    "half a frame, then a reset": (lambda right: [right[:20], None], "protocol"),
    "nothing at all": (lambda _right: [], "timeout"),
    "an answer after the timeout": (slowly, "timeout"),
    "an answer twice": (lambda right: [right, right], "protocol"),
}


def real(value: float) -> bytes:
    return struct.pack(">f", value)


# address, bytes there, reason counted
VALUES: dict[str, tuple[str, bytes, str]] = {
    "REAL NaN": ("REAL100", real(math.nan), "not_finite"),
    "REAL infinite": ("REAL100", real(math.inf), "not_finite"),
    "LREAL minus infinite": ("LREAL100", struct.pack(">d", -math.inf), "not_finite"),
    "array with NaN": ("REAL100.3", real(1) + real(math.nan) + real(3), "not_finite"),
    "STRING longer than its maximum": ("S100.10", b"\x0a\x0babcdefghijk", "malformed"),
    "STRING of maximum 0": ("S100.10", bytes(12), "malformed"),
    "WSTRING longer than its maximum": ("WS100.4", struct.pack(">HH", 4, 5) + "abcd".encode("utf-16-be"), "malformed"),
    "WSTRING with half a character": ("WS100.4", struct.pack(">HH", 4, 1) + b"\xd8\x00" + bytes(6), "malformed"),
    "DT with a nibble of 10": ("DT100", bytes.fromhex("26a1200801025678"), "malformed"),
    "DT of month 0": ("DT100", bytes.fromhex("2600200801025678"), "malformed"),
    "DTL of year 0": ("DTL100", bytes(12), "malformed"),
    "DTL of 24 o'clock": ("DTL100", struct.pack(">HBBBBBBI", 2026, 11, 20, 6, 24, 0, 0, 0), "malformed"),
    "LDT of nothing": ("LDT100", bytes(8), "malformed"),
    "S5TIME with a nibble of 15": ("S5TIME100", b"\x0f\xff", "malformed"),
    "TOD of more than a day": ("TOD100", struct.pack(">I", 86_400_000), "malformed"),
    "LTOD of more than a day": ("LTOD100", struct.pack(">Q", 86_400 * 10**9), "malformed"),
}
SETUPS: dict[str, Twist] = {
    "set-up: cut short": lambda right: [tpkt_cut(right, 14)],
    "set-up: a PDU of 0": replaced(18, b"\x00\x00"),
    "set-up: no answer": lambda _right: [],
    "set-up: reset": lambda _right: [None],
    "set-up: noise": lambda _right: [b"\x03\x00\x00\x10" + bytes(12)],
}


def tpkt_cut(right: bytes, size: int) -> bytes:
    """The first bytes of a frame, as a frame of its own."""
    return right[:2] + struct.pack(">H", size) + right[4:size]


@dataclass
class Case:
    """A hostile server, the source that reads it, and its two tags."""

    name: str
    server: HostileS7
    source: Source
    good: Tag
    bad: Tag
    twist: Callable[[], None] = field(default=lambda: None)


@dataclass
class Outcome:
    """What came of all cases."""

    samples: dict[int, list[Sample]]
    drops: dict[str, dict[str, int]]
    alive: bool
    quarantine: list[dict[str, Any]]
    said: str


def case(number: int, name: str, address: str = "INT100", content: bytes = b"") -> Case:
    memory = bytearray(200)
    memory[GOOD_AT : GOOD_AT + 4] = real(6.25)
    memory[BAD_AT : BAD_AT + len(content)] = content
    server = HostileS7({AT_ONCE: memory})
    config = {"host": "127.0.0.1", "port": server.port, "timeout_s": TIMEOUT_S}
    source = Source(id=number, name=f"s{number}", kind="s7", config=config, groups={"normal": 0.2})
    bad = address_tag(2 * number + 1, source.name, f"DB1,{address}")
    return Case(name, server, source, tag(2 * number, f"s{number}.good", source.name, "DB1,REAL0"), bad)


def address_tag(number: int, source: str, address: str) -> Tag:
    return tag(number, f"{source}.bad", source, address, kind=s7.parse(address).kind)


def cases() -> dict[str, Case]:
    made: dict[str, Case] = {}
    for name, (address, content, _) in VALUES.items():
        made[name] = case(len(made) + 1, name, address, content)
    for name, (twist, _) in FRAMES.items():
        made[name] = hostile(case(len(made) + 1, name), twist)
    for name, setup in SETUPS.items():
        made[name] = one = case(len(made) + 1, name)
        one.server.setup = setup
        one.twist = lambda server=one.server: setattr(server, "setup", None)
    return made


def hostile(one: Case, twist: Twist) -> Case:
    one.twist = lambda: one.server.twists.append(twist)
    return one


@pytest.fixture(scope="module")
def stage(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Case], Outcome]]:
    """All cases through one collector: healthy first, then hostile once, then healthy again."""
    prefix = f"t{secrets.token_hex(5)}"
    environment = environment_of(REDIS_URL=redis_url, BUS_PREFIX=prefix, DATA_DIR=str(tmp_path_factory.mktemp("hostile") / "var"))
    client = connect(redis_url)
    tap = Tap(Bus(client, prefix))
    made = cases()
    with collecting(
        environment, tap.bus, [c.source for c in made.values()], [t for c in made.values() for t in (c.good, c.bad)]
    ) as program:
        steady = [made[name] for name in (*VALUES, *FRAMES)]
        wait_for(lambda: all_good(tap, steady), timeout_s=20, what="good readings of every source")
        wait_for(lambda: all(made[name].server.setups for name in SETUPS), what="the first set-up of each")
        before = {name: made[name].server.setups for name in FRAMES}
        for one in made.values():
            one.twist()
        wait_for(lambda: all(made[name].server.setups > before[name] for name in FRAMES), timeout_s=20, what="a new link each")
        since = now_ms()
        wait_for(lambda: all_good(tap, list(made.values()), since), timeout_s=30, what="good readings of every source again")
        counted_by(tap, made)
        drops = drops_of(tap)
        alive = program.process.poll() is None
    samples: dict[int, list[Sample]] = {}
    for sample in tap.samples():
        samples.setdefault(sample.tag, []).append(sample)
    yield made, Outcome(samples, drops, alive, tap.quarantine(), program.said)
    for one in made.values():
        one.server.close()
    client.delete(*client.scan_iter(f"{prefix}:*"))
    client.close()


def all_good(tap: Tap, wanted: list[Case], since: int = 0) -> bool:
    """Each has a good reading of its good tag since then."""
    return {one.good.id for one in wanted} <= {sample.tag for sample in tap.samples() if sample.quality == 0 and sample.t >= since}


def uncounted(tap: Tap, made: dict[str, Case]) -> list[str]:
    """Cases that health does not tell of yet, under their reason."""
    drops = drops_of(tap)
    awaited = [*((name, reason) for name, (*_, reason) in VALUES.items()), *((name, reason) for name, (_, reason) in FRAMES.items())]
    return [
        f"{name}: {drops.get(made[name].source.name)}" for name, reason in awaited if reason not in drops.get(made[name].source.name, {})
    ]


def counted_by(tap: Tap, made: dict[str, Case]) -> None:
    """Wait until health tells of every case; where it does not, say which."""
    missing: list[str] = []

    def all_told() -> bool:
        missing[:] = uncounted(tap, made)
        return not missing

    try:
        wait_for(all_told, what="health to count all")
    except AssertionError as error:
        raise AssertionError(f"{error}: {missing}") from error


def drops_of(tap: Tap) -> dict[str, dict[str, int]]:
    return {name: status["drops"] for body in tap.health() for name, status in body["sources"].items()}


Stage = tuple[dict[str, Case], Outcome]


@pytest.mark.parametrize("name", VALUES)
def test_a_value_nobody_can_believe_is_bad_and_counted_and_the_one_beside_it_good(stage: Stage, name: str) -> None:
    made, outcome = stage
    one, reason = made[name], VALUES[name][2]

    assert outcome.alive
    assert set(outcome.drops[one.source.name]) == {reason}
    assert {(sample.value, sample.quality) for sample in outcome.samples[one.good.id]} == {(6.25, 0)}
    if one.bad.kind != "frame":
        bad = outcome.samples[one.bad.id]
        assert {sample.quality for sample in bad} == {RANGE}
        assert all(sample.value == "" if one.bad.kind == "text" else math.isnan(sample.value) for sample in bad)


@pytest.mark.parametrize("name", FRAMES)
def test_a_hostile_answer_costs_the_link_and_nothing_else(stage: Stage, name: str) -> None:
    made, outcome = stage
    one, reason = made[name], FRAMES[name][1]

    assert outcome.alive
    assert outcome.drops[one.source.name][reason] >= 1
    assert set(outcome.drops[one.source.name]) <= {reason, "timeout"}
    assert {sample.value for sample in outcome.samples[one.good.id] if sample.quality == 0} == {6.25}
    assert {sample.value for sample in outcome.samples[one.bad.id] if sample.quality == 0} == {0.0}
    assert one.server.violations == 0


@pytest.mark.parametrize("name", SETUPS)
def test_a_hostile_set_up_is_tried_again_until_it_is_right(stage: Stage, name: str) -> None:
    made, outcome = stage

    assert outcome.alive
    assert {(sample.value, sample.quality) for sample in outcome.samples[made[name].good.id] if sample.quality == 0} == {(6.25, 0)}


def test_what_was_refused_is_in_the_quarantine_with_its_tag_and_bytes(stage: Stage) -> None:
    _, outcome = stage

    assert {"not_finite", "malformed", "protocol", "timeout", "put_get"} <= {row["reason"] for row in outcome.quarantine}
    assert any("STRING header 10/11" in row["sample"] for row in outcome.quarantine)


def test_no_case_left_a_traceback(stage: Stage) -> None:
    assert "Traceback" not in stage[1].said
