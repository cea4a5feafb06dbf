"""The runner of one source: quality ladder, exact gaps, status, links that do not wait for each other, and what the spool's alarm tells."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from plc.connector import KINDS
from plc.grid import spread_start
from plc.runner import SourceRunner
from realtime import settings as settings_module
from realtime.bus import Bus, connect, now_ms
from realtime.events import Quality, Reason, SignalName, quality_byte
from realtime.settings import Settings
from realtime.snapshot import Source, Tag
from tests.plc.harness import RogueS7, Tap, environment_of, read_reply, tag
from tests.waiting import wait_for

COMM = quality_byte(Quality.BAD, Reason.COMM)
STALE = quality_byte(Quality.UNCERTAIN, Reason.STALE)
REAL = "DB1.DBD0:REAL"
Start = Callable[..., SourceRunner]


class Talker:
    """A PLC that gives its numbers away one by one, hangs or is gone as told."""

    def __init__(self) -> None:
        self.is_hung = False
        self.told: list[float] = []
        self._numbers = count(1)
        self.server = RogueS7(self._answer)

    def _answer(self, sequence: int, _request: bytes) -> bytes:
        if self.is_hung:
            return b""
        self.told.append(float(next(self._numbers)))
        return read_reply(sequence, [struct.pack(">f", self.told[-1])])

    def source(self, name: str = "plc", **config: Any) -> Source:
        """A source that reads it ten times a second."""
        link = {"host": "127.0.0.1", "port": self.server.port, "timeout_s": 0.5, **config}
        return Source(id=1, name=name, kind="s7", config=link, groups={"normal": 0.1})


@pytest.fixture
def talker() -> Iterator[Talker]:
    plc = Talker()
    yield plc
    plc.server.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_module.load(environment_of(DATA_DIR=str(tmp_path / "var")), None)


@pytest.fixture
def start(settings: Settings, bus: Bus) -> Iterator[Start]:
    """Starts runners that end with the test."""
    running: list[SourceRunner] = []

    def begin(source: Source, tags: list[Tag], outlet: Bus = bus, **more: Any) -> SourceRunner:
        runner = SourceRunner(KINDS[source.kind], source, tags, settings, outlet, **more)
        runner.start()
        running.append(runner)
        return runner

    yield begin
    for runner in running:
        runner.stop(10)


def test_good_then_uncertain_with_the_last_value_then_bad_and_good_again(talker: Talker, start: Start, tap: Tap) -> None:
    start(talker.source(), [tag(1, "A", "plc", REAL)])
    wait_for(lambda: len(tap.good(1)) > 3, what="good readings")

    talker.is_hung = True
    wait_for(lambda: [s for s in tap.samples(1) if s.quality == COMM], timeout_s=20, what="bad samples")
    talker.is_hung = False
    since = now_ms()
    wait_for(lambda: [s for s in tap.good(1) if s.t > since], timeout_s=30, what="good readings again")

    samples = sorted(tap.samples(1), key=lambda s: s.t)
    turns = [samples[n] for n in range(1, len(samples)) if samples[n].quality != samples[n - 1].quality]
    assert [s.quality for s in turns] == [STALE, COMM, 0]
    last_good = max(s.t for s in tap.good(1) if s.t < turns[0].t)
    assert turns[0].value == next(s.value for s in tap.good(1) if s.t == last_good)
    assert turns[1].t == turns[0].t + 1  # the gap begins with the first read that failed, not when the loss was told
    lost = tap.signals(SignalName.SOURCE_LOST)[0]
    assert lost.t - turns[1].t >= 1000


def test_a_collector_that_was_dead_leaves_a_gap_from_the_first_poll_it_missed(
    talker: Talker, start: Start, tap: Tap, settings: Settings
) -> None:
    first = start(talker.source(), [tag(1, "A", "plc", REAL)])
    wait_for(lambda: len(tap.good(1)) > 3, what="good readings")
    first.stop()
    last = tap.good(1)[-1].t
    record = settings.data_dir / "spool" / "plc.link"
    stood = record.stat().st_mtime_ns // 1_000_000
    assert abs(stood - last) <= 100  # the time of the last good read is kept to a poll
    an_hour_ago = stood - 3_600_000
    os.utime(record, ns=(an_hour_ago * 1_000_000,) * 2)

    start(talker.source(), [tag(1, "A", "plc", REAL)])
    wait_for(lambda: [s for s in tap.good(1) if s.t > last], what="good readings again")

    bad = [s for s in tap.samples(1) if s.quality & 3 == Quality.BAD]
    assert [(s.t, s.quality) for s in bad] == [(an_hour_ago + 100, COMM)]
    assert "replay" in bad[0].flags


def test_a_loss_that_was_told_is_taken_back_by_the_next_collector_too(talker: Talker, start: Start, tap: Tap) -> None:
    first = start(talker.source(), [tag(1, "A", "plc", REAL)])
    wait_for(lambda: tap.good(1), what="good readings")
    talker.is_hung = True
    wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=20, what="source.lost")
    first.stop()
    talker.is_hung = False

    start(talker.source(), [tag(1, "A", "plc", REAL)])

    wait_for(lambda: tap.signals(SignalName.SOURCE_RECOVERED), timeout_s=20, what="source.recovered")


def test_a_dead_plc_never_delays_another(talker: Talker, start: Start, tap: Tap) -> None:
    dead = [Talker() for _ in range(4)]
    for number, plc in enumerate(dead):
        plc.is_hung = True
        start(plc.source(f"dead{number}"), [tag(10 + number, f"D{number}", f"dead{number}", REAL)])
    alive = start(talker.source("alive"), [tag(1, "A", "alive", REAL)])

    wait_for(lambda: len(tap.signals(SignalName.SOURCE_LOST)) == 4, timeout_s=40, what="the loss of the dead ones")
    read = len(talker.told)

    assert alive.status()["reconnects"] == 0
    assert read > 20  # ten a second, while each dead one took half a second a try
    for plc in dead:
        plc.server.close()


def test_what_is_read_while_the_bus_is_away_is_kept_thinned_by_the_quota_and_told(
    talker: Talker, start: Start, bus: Bus, tap: Tap, tmp_path: Path
) -> None:
    outlet = SwitchedBus(bus)
    runner = start(talker.source(), [tag(1, "A", "plc", REAL)], outlet, share=0.002 / 2048)  # two kilobytes
    wait_for(lambda: tap.good(1), what="good readings")
    outlet.is_away = True
    wait_for(lambda: runner.status()["spool"]["state"] != "ok", timeout_s=40, what="a full spool")
    away = runner.status()
    wait_for(lambda: runner.status()["spool"]["thinned"] > 0, what="thinned readings")
    outlet.is_away = False
    wait_for(lambda: "ok" in [s.data["state"] for s in tap.signals(SignalName.SPOOL)], timeout_s=20, what="the end of the alarm")

    assert away["delivering"] is False
    states = [s.data["state"] for s in tap.signals(SignalName.SPOOL)]
    assert (states[0], states[-1]) == ("thinning", "ok")
    late = [s for s in tap.samples(1) if "late" in s.flags]
    assert late
    assert [s.value for s in late] == sorted(s.value for s in late)


class SwitchedBus(Bus):
    """The test's bus, that can be away."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus.client, bus.prefix, bus.max_mb)
        self._there, self._nowhere = bus.client, connect("redis://127.0.0.1:1/0")

    @property
    def is_away(self) -> bool:
        return self.client is self._nowhere

    @is_away.setter
    def is_away(self, away: bool) -> None:
        self.client = self._nowhere if away else self._there


def test_status_tells_state_rate_lag_groups_drops_and_the_tags_that_are_not_good(talker: Talker, start: Start, tap: Tap) -> None:
    tags = [tag(1, "A", "plc", REAL), tag(2, "wrong", "plc", "DB1,X0.9"), tag(3, "silly", "plc", REAL, wire_break="often")]
    runner = start(talker.source(), tags[:2])
    wait_for(lambda: len(tap.good(1)) > 3 and tap.samples(2), what="readings")

    status = runner.status()

    assert json.loads(json.dumps(status)) == status
    assert (status["state"], status["error"], status["tags"], status["not_good"]) == ("live", "", 2, 1)
    assert [(row["tag"], row["quality"], row["reason"], row["last_good"]) for row in status["not_good_tags"]] == [
        ("wrong", 2, "config", None)
    ]
    assert status["groups"]["normal"]["period_s"] == 0.1
    assert status["lag_ms"] >= 0
    assert status["spool"]["fill"] == 0
    runner.update(talker.source(), [tags[0], tags[2]])
    wait_for(
        lambda: [s for s in tap.samples(3) if s.quality == quality_byte(Quality.BAD, Reason.CONFIG)], what="the tag with a wrong wire break"
    )


def test_sources_poll_at_phases_of_their_own() -> None:
    phases = {round(spread_start(f"plc-{n}", 1.0) % 1.0, 3) for n in range(50)}

    assert len(phases) > 40
    assert spread_start("a", 1.0) % 1.0 == pytest.approx(spread_start("a", 1.0) % 1.0, abs=1e-6)
