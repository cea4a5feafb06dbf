"""An S7 PLC in trouble, seen through the connector: each diagnosis with its remedy, tags isolated and healed, jobs as granted."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from plc.connector import Browser, Diagnoser, LinkError
from plc.connectors import s7 as module
from plc.connectors.s7 import S7Connector
from realtime import settings as settings_module
from realtime.bus import now_ms
from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Source
from tests.plc.harness import Plc, RogueS7, read_reply, tag
from tests.plc.hostile_s7 import HostileS7

CONFIG = quality_byte(Quality.BAD, Reason.CONFIG)
DB, M, T, C = 0x84, 0x83, 0x1D, 0x1C
STOP, RUN = 0x04, 0x08


class Refusals:
    """A report that keeps the reasons."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        self.reasons += [reason] * count

    def discovered(self, tag: str, value: float | str) -> None:
        raise AssertionError("S7 discovers nothing")


@pytest.fixture
def server() -> Iterator[HostileS7]:
    memory = bytearray(struct.pack(">500f", *range(500)))
    made = HostileS7({(DB, 1): memory, (M, 0): bytearray(16), (T, 0): bytearray(20), (C, 0): bytearray(20)})
    yield made
    made.close()


def connector(server: HostileS7 | RogueS7, tags: list[Any], report: Refusals | None = None, **config: Any) -> S7Connector:
    settings = {"host": "127.0.0.1", "port": server.port, "timeout_s": 0.5, **config}
    source = Source(id=1, name="plc", kind="s7", config=settings, groups={"normal": 0.2})
    made = S7Connector(source, settings_module.load({}, None), report or Refusals())
    assert made.plan(tags) == []
    return made


def values(made: S7Connector) -> dict[int, tuple[float, int]]:
    return {
        int(i): (float(v), int(q)) for part in made.read("normal", 0) for i, v, q in zip(part.ids, part.values, part.quality, strict=True)
    }


def reals(count: int, step: int = 4) -> list[Any]:
    return [tag(n, f"t{n}", "plc", f"DB1.DBD{step * n}:REAL") for n in range(count)]


@pytest.mark.parametrize(("granted", "asked", "out"), [(1, 8, 1), (2, 8, 2), (4, 3, 3), (8, 8, 8), (8, 1, 1)])
def test_never_more_jobs_are_out_than_granted_and_configured(server: HostileS7, granted: int, asked: int, out: int) -> None:
    server.granted, server.think_s = granted, 0.004
    made = connector(server, reals(250, 8), pdu=240, max_jobs=asked)
    made.connect()

    found = values(made)
    made.close()

    assert found == {n: (2.0 * n, 0) for n in range(250)}
    assert (server.violations, server.most_out) == (0, out)
    assert server.reads > 8


def test_by_default_one_job_is_out_whatever_is_granted(server: HostileS7) -> None:
    server.granted, server.think_s = 8, 0.002
    made = connector(server, reals(250, 8), pdu=240)
    made.connect()
    values(made)
    made.close()

    assert (server.violations, server.most_out) == (0, 1)


def test_a_wrong_slot_is_said_with_the_right_ones(server: HostileS7) -> None:
    server.accepts_slot = False

    with pytest.raises(LinkError) as caught:
        connector(server, reals(1)).connect()

    assert caught.value.reason == "wrong_slot"
    assert "rack 0, slot 1" in caught.value.remedy


def test_put_get_off_is_said_with_the_place_of_the_tick(server: HostileS7) -> None:
    server.refuses = 0x8104
    report = Refusals()
    made = connector(server, reals(1), report)
    made.connect()

    with pytest.raises(LinkError) as caught:
        made.read("normal", 0)
    made.close()

    assert caught.value.reason == "put_get"
    assert "Permit access with PUT/GET communication from remote partner" in caught.value.remedy
    assert report.reasons == ["put_get"]


def test_a_cpu_in_stop_is_no_live_source_until_it_runs_again(server: HostileS7, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATE_EVERY_S", 0.0)
    made = connector(server, reals(1))
    made.connect()
    assert values(made) == {0: (0.0, 0)}

    server.state = STOP
    for ask in (lambda: made.read("normal", 0), made.connect):
        with pytest.raises(LinkError) as caught:
            ask()
        assert caught.value.reason == "stopped"
        assert "switch it to RUN" in caught.value.remedy
        made.close()

    server.state = RUN
    made.connect()
    assert values(made) == {0: (0.0, 0)}
    made.close()


def test_a_cpu_that_does_not_tell_its_state_is_read_all_the_same(server: HostileS7) -> None:
    server.state = None
    made = connector(server, reals(1))
    made.connect()

    assert values(made) == {0: (0.0, 0)}
    made.close()


def test_a_device_that_never_answers_the_question_for_its_state_is_read_after_two_tries(server: HostileS7) -> None:
    server.is_mute = True
    made = connector(server, reals(1), timeout_s=0.2)
    for _ in range(2):
        with pytest.raises(LinkError) as caught:
            made.connect()
        assert caught.value.reason == "timeout"
        made.close()

    made.connect()

    assert values(made) == {0: (0.0, 0)}
    made.close()


def test_the_clock_of_the_plc_may_jump_our_times_do_not(server: HostileS7) -> None:
    made = connector(server, [tag(1, "clock", "plc", "DB1,DT0", kind="text")])
    made.connect()
    seen = []
    for written in ("2611200801025678", "9001010000000000", "8912312359595999"):
        server.memory[DB, 1][:8] = bytes.fromhex(written)
        before = now_ms()
        (part,) = made.read("normal", 0)
        assert before <= int(part.t[0]) <= now_ms()
        seen.append(part.values[0])
    made.close()

    assert seen == ["2026-11-20T08:01:02.567", "1990-01-01T00:00:00.000", "2089-12-31T23:59:59.599"]


def test_bad_tags_are_isolated_in_the_same_cycle_each_with_its_own_remedy(server: HostileS7) -> None:
    report = Refusals()
    wrong = {
        "missing": ("DB99.DBD0:REAL", "db_missing", "Program blocks"),
        "beyond": ("DB1.DBD3000:REAL", "out_of_range", "Offset column"),
        "no such memory": ("MD4000:REAL", "out_of_range", "memory bit ranges"),
    }
    tags = [*reals(400), *(tag(1000 + n, name, "plc", address) for n, (name, (address, *_)) in enumerate(wrong.items()))]
    made = connector(server, tags, report)
    made.connect()

    first, second = values(made), values(made)
    troubles = made.troubles()
    made.close()

    assert first == {**{n: (float(n), 0) for n in range(400)}, **{1000 + n: (pytest.approx(np.nan, nan_ok=True), CONFIG) for n in range(3)}}
    assert second == {n: (float(n), 0) for n in range(400)}
    assert isinstance(made, Diagnoser)
    for name, (_, reason, remedy) in wrong.items():
        assert troubles[name].startswith(f"{reason}: ")
        assert remedy in troubles[name]
    assert sorted(report.reasons) == ["db_missing", "out_of_range", "out_of_range"]


def test_an_optimized_block_and_a_protected_one_are_told_apart() -> None:
    codes = {b"\x84": 0x05, b"\x83": b"\0"}

    def answer(sequence: int, parameters: bytes) -> bytes:
        return read_reply(sequence, [codes[parameters[12 * n + 10 : 12 * n + 11]] for n in range(parameters[1])])

    rogue = RogueS7(answer)
    made = connector(rogue, [tag(1, "a", "plc", "DB5.DBD8:REAL")])
    said = []
    for code, memory in ((0x05, b"\0"), (0x03, b"\0"), (0x03, 0x03)):
        codes.update({b"\x84": code, b"\x83": memory})
        made.connect()
        values(made)
        said.append(made.troubles()["a"])
        made.close()
    rogue.close()

    assert [text.split(":")[0] for text in said] == ["optimized_db", "optimized_db", "put_get"]
    assert "Optimized block access" in said[0]


def test_a_bad_tag_is_tried_again_each_minute_and_heals(server: HostileS7, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.RETRY_BAD_S == 60.0
    made = connector(server, [*reals(3), tag(9, "late", "plc", "DB7.DBD0:REAL")])
    made.connect()
    assert values(made)[9][1] == CONFIG
    reads = server.reads
    assert 9 not in values(made)
    assert server.reads == reads + 1

    now = module.time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 61)
    assert values(made)[9][1] == CONFIG
    server.memory[DB, 7] = bytearray(struct.pack(">f", 2.5))
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 122)

    assert values(made)[9] == (2.5, 0)
    assert made.troubles() == {}
    made.close()


def test_a_block_shortened_by_a_download_costs_only_the_tags_behind_its_end(server: HostileS7) -> None:
    made = connector(server, reals(100))
    made.connect()
    values(made)

    del server.memory[DB, 1][200:]
    found = values(made)
    made.close()

    assert {n for n, (_, quality) in found.items() if quality == 0} == set(range(50))
    assert {n for n, (_, quality) in found.items() if quality == CONFIG} == set(range(50, 100))


def test_a_smaller_pdu_after_a_reconnect_is_planned_for(server: HostileS7) -> None:
    made = connector(server, reals(400))
    made.connect()
    values(made)
    made.close()

    server.pdu = 240
    made.connect()
    found = values(made)

    assert made.describe()["pdu"] == 240
    assert found == {n: (float(n), 0) for n in range(400)}
    made.close()


def test_more_than_was_asked_is_no_grant(server: HostileS7) -> None:
    server.setup = lambda right: [right[:25] + struct.pack(">H", 9999)]
    made = connector(server, reals(400), pdu=240)
    made.connect()

    assert made.describe()["pdu"] == 240
    made.close()


def test_a_consistent_group_is_read_in_one_item_each_block(server: HostileS7) -> None:
    spread = [tag(n, f"t{n}", "plc", f"DB1.DBD{100 * n}:REAL") for n in range(4)]
    apart, whole = connector(server, spread), connector(server, spread, consistent=["normal"])
    for made in (apart, whole):
        made.connect()
        assert values(made) == {n: (25.0 * n, 0) for n in range(4)}
        made.close()

    def items(made: S7Connector) -> list[tuple[int, int]]:
        return [(item.start, item.length) for job in made._groups["normal"].jobs for item in job.items]

    assert items(apart) == [(0, 4), (100, 4), (200, 4), (300, 4)]
    assert items(whole) == [(0, 304)]


def test_a_consistent_group_longer_than_the_pdu_says_so_and_is_read_all_the_same(
    server: HostileS7, caplog: pytest.LogCaptureFixture
) -> None:
    made = connector(server, [tag(n, f"t{n}", "plc", f"DB1.DBD{900 * n}:REAL") for n in range(3)], consistent=True)
    made.connect()

    assert values(made) == {n: (225.0 * n, 0) for n in range(3)}
    assert made.describe()["torn_tags"] == 3
    assert "read in several" in caplog.text
    made.close()


def test_one_bad_tag_of_a_consistent_group_leaves_the_others_together(server: HostileS7) -> None:
    made = connector(server, [*reals(3), tag(9, "beyond", "plc", "DB1.DBD1998:REAL")], consistent=["normal"], pdu=960)
    del server.memory[DB, 1][40:]
    made.connect()

    found = values(made)

    assert {n: q for n, (_, q) in found.items()} == {0: 0, 1: 0, 2: 0, 9: CONFIG}
    assert [len(job.items) for job in made._groups["normal"].jobs] == [1]
    made.close()


def test_timers_and_counters_are_asked_for_by_number(server: HostileS7) -> None:
    server.memory[T, 0][10:12] = b"\x21\x27"
    server.memory[C, 0][14:16] = b"\x09\x42"
    made = connector(server, [tag(1, "t", "plc", "T5"), tag(2, "c", "plc", "Z7"), tag(3, "none", "plc", "T10")])
    made.connect()

    found = values(made)
    made.close()

    assert found[1] == (127_000.0, 0)
    assert found[2] == (942.0, 0)
    assert found[3][1] == CONFIG


def test_areas_and_blocks_are_browsed(plc: Plc) -> None:
    made = S7Connector(plc.source(), settings_module.load({}, None), Refusals())
    made.connect()

    assert isinstance(made, Browser)
    assert [branch.name for branch in made.browse("")] == ["DB", "I", "Q", "M", "T", "C"]
    assert [(branch.name, branch.detail) for branch in made.browse("DB")] == [("DB1", "256 bytes")]
    made.close()


def test_a_cpu_that_lists_no_blocks_says_what_to_do(server: HostileS7) -> None:
    server.memory.clear()
    made = connector(server, [])
    made.connect()

    with pytest.raises(LinkError) as caught:
        made.browse("DB")

    assert "Offset column" in caught.value.remedy
    made.close()


@pytest.mark.parametrize("config", [{"port": "x"}, {"rack": None}, {"host": "a..b"}, {"port": 99999}])
def test_settings_that_cannot_be_are_a_link_error(server: HostileS7, config: dict[str, Any]) -> None:
    with pytest.raises(LinkError) as caught:
        connector(server, [], **config).connect()

    assert caught.value.reason in {"config", "no_route"}
