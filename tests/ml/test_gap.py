"""Silence: found by the timer, on a live source, once."""

from __future__ import annotations

from realtime.events import Finding
from realtime.snapshot import Snapshot
from tests.ml.plant import BAD_COMM, T0, batch, engine, snapshot, tag

ONE_EACH = snapshot(tag(11), tag(12, asset=9))
MACHINE = snapshot(tag(11, period_s=3.0), tag(12, period_s=3.0), tag(13, asset=9))


def live(
    plant: Snapshot, silent: dict[int, int], seconds: int, *, every: dict[int, int] | None = None, comm_at: int | None = None
) -> list[Finding]:
    """Feed every tag each second (or `every` n seconds); tag -> second from which it is silent; ticks in between."""
    one = engine(plant)
    found: list[Finding] = []
    for i in range(seconds):
        now = T0 + i * 1000
        due = [t.id for t in plant.tags if i % (every or {}).get(t.id, 1) == 0 and i < silent.get(t.id, seconds)]
        if due:
            found += one.process([batch(due, [50.0 + i % 7 for _ in due], now)])
        if i == comm_at:
            found += one.process([batch([t.id for t in plant.tags], [float("nan")] * len(plant.tags), now + 1, quality=BAD_COMM)])
        found += one.tick(now + 600)
    return [f for f in found if f.type == "data_gap"]


def test_single_silent_tag_on_a_live_source_is_found() -> None:
    found = live(ONE_EACH, {11: 40}, 60)

    assert [(f.edge, f.tag, f.code) for f in found[:1]] == [("open", "T-11", "silence")]
    assert (found[0].t - T0) / 1000 < 40 + 10
    assert found[0].t_onset == T0 + 39_000


def test_every_tag_speaking_raises_nothing() -> None:
    assert live(ONE_EACH, {}, 120) == []


def test_silence_ends_with_the_next_reading() -> None:
    one = engine(ONE_EACH)
    found: list[Finding] = []
    for i in range(90):
        due = [12] if 40 <= i < 60 else [11, 12]
        found += one.process([batch(due, [1.0] * len(due), T0 + i * 1000)])
        found += one.tick(T0 + i * 1000 + 600)

    gaps = [f for f in found if f.type == "data_gap"]
    assert [f.edge for f in gaps if f.edge != "update"] == ["open", "close"]
    assert next(f.t for f in gaps if f.edge == "close") == T0 + 60_000


def test_lost_source_is_no_gap() -> None:
    assert live(ONE_EACH, {11: 40, 12: 40}, 120, comm_at=45) == []


def test_tag_without_a_sample_of_its_own_is_lost_with_its_source() -> None:
    one = engine(snapshot(tag(11), tag(12)))
    found: list[Finding] = []
    for i in range(120):
        if i < 40:
            found += one.process([batch([11, 12], [1.0, 2.0], T0 + i * 1000)])
        if i == 43:  # frames have no bad sample
            found += one.process([batch([11], [float("nan")], T0 + i * 1000, quality=BAD_COMM)])
        found += one.tick(T0 + i * 1000 + 600)

    assert [f for f in found if f.type == "data_gap"] == []


def test_tag_that_stays_away_when_its_source_is_back_is_found() -> None:
    one = engine(snapshot(tag(11), tag(12)))
    found: list[Finding] = []
    for i in range(160):
        if i < 40:
            found += one.process([batch([11, 12], [1.0, 2.0], T0 + i * 1000)])
        if i == 43:
            found += one.process([batch([11, 12], [float("nan")] * 2, T0 + i * 1000, quality=BAD_COMM)])
        if i > 80:
            found += one.process([batch([11], [1.0 + i % 5], T0 + i * 1000)])
        found += one.tick(T0 + i * 1000 + 600)

    gaps = [f for f in found if f.type == "data_gap"]
    assert {(f.tag, f.edge) for f in gaps} == {("T-12", "open"), ("T-12", "update")}
    assert gaps[0].t > T0 + 81_000


def test_source_that_is_lost_stays_so_over_a_restart_of_the_monitor() -> None:
    one = engine(ONE_EACH)
    for i in range(45):
        quality = BAD_COMM if i == 44 else 0
        one.process([batch([11, 12], [1.0 + i % 5, 2.0 + i % 5], T0 + i * 1000, quality=quality)])
    heir = engine(ONE_EACH)
    heir.adopt(one.export(), T0 + 60_000)
    heir.start_listening(T0 + 60_000)

    assert [f for second in range(0, 300, 5) for f in heir.tick(T0 + 60_000 + second * 1000)] == []


def test_machine_that_falls_silent_as_a_whole_is_one_finding() -> None:
    found = live(MACHINE, {11: 60, 12: 60}, 120, every={11: 3, 12: 3})

    assert {(f.tag, f.edge) for f in found} == {(None, "open"), (None, "update")}
    assert [b.tag for b in found[0].because] == ["T-11", "T-12"]


def test_one_tag_of_a_machine_is_named_itself() -> None:
    assert {f.tag for f in live(MACHINE, {11: 60}, 120, every={11: 3, 12: 3})} == {"T-11"}


def test_slow_publisher_is_not_silent_between_its_readings() -> None:
    assert live(ONE_EACH, {}, 300, every={11: 20}) == []


def test_tag_that_never_spoke_is_not_silent() -> None:
    assert live(ONE_EACH, {11: 0}, 120) == []


def test_nothing_is_silent_right_after_the_monitor_took_over() -> None:
    one = engine(ONE_EACH)
    for i in range(60):
        one.process([batch([11, 12], [1.0, 2.0], T0 + i * 1000)])
    heir = engine(ONE_EACH)
    heir.adopt(one.export(), T0 + 600_000)
    heir.start_listening(T0 + 600_000)

    assert [f for second in range(25) for f in heir.tick(T0 + 600_000 + second * 1000)] == []
