"""Only good samples of known tags are scored, in time order, away from start-up and standstill."""

from __future__ import annotations

import numpy as np
import pytest

from ml.channels import Channels
from ml.gate import Gate
from ml.scoring import IDLE, RUNNING, STARTING, STOPPED, UNKNOWN, Chunk
from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Asset, Limit, Source
from tests.ml.plant import BAD_COMM, T0, batch, engine, history, model, snapshot, tag, wander

RUN_BIT = tag(20, role="running")
UNCERTAIN = quality_byte(Quality.UNCERTAIN, Reason.STALE)
BAD_DEVICE = quality_byte(Quality.BAD, Reason.DEVICE)
BAD_RANGE = quality_byte(Quality.BAD, Reason.RANGE)


def gate(*tags: object) -> Gate:
    made = Gate(Channels(snapshot(*tags), 1))  # type: ignore[arg-type]
    settle(made, [t.id for t in tags])  # type: ignore[attr-defined]
    return made


def admit(one: Gate, *batches: object) -> list[Chunk]:
    return [r.scored for r in one.rounds(one.arrivals(batches))]  # type: ignore[arg-type]


def settle(one: Gate, ids: list[int]) -> None:
    for i in range(-10, 0):
        admit(one, batch(ids, [1.0] * len(ids), T0 + i * 1000))


def test_repeated_readings_of_a_tag_come_in_rounds_in_time_order() -> None:
    one = gate(tag(11), tag(12))

    chunks = admit(one, batch([11, 12], [3.0, 5.0], T0 + 2000), batch([11], [2.0], T0 + 1000))

    assert [dict(zip(c.slots.tolist(), c.v.tolist(), strict=True)) for c in chunks] == [{0: 2.0, 1: 5.0}, {0: 3.0}]


def test_older_reading_than_the_last_is_left_out_and_counted() -> None:
    one = gate(tag(11))

    assert not sum(len(c) for c in admit(one, batch([11], [1.0], T0 - 5000)))
    assert one.drops["out_of_order"] == 1


def test_unknown_tag_is_ignored_and_counted() -> None:
    one = gate(tag(11))

    chunks = admit(one, batch([11, 999], [1.0, 2.0], T0))

    assert [c.slots.tolist() for c in chunks] == [[0]]
    assert one.drops["unknown_tag"] == 1


@pytest.mark.parametrize("flag", ["replay", "late"])
def test_replayed_and_late_readings_are_left_out(flag: str) -> None:
    one = gate(tag(11))

    assert admit(one, batch([11], [1.0], T0, flags=frozenset({flag}))) == []


@pytest.mark.parametrize("quality", [UNCERTAIN, BAD_COMM, BAD_DEVICE])
def test_sample_that_is_not_good_is_not_scored_and_windows_restart_after_it(quality: int) -> None:
    one = gate(tag(11))

    assert not sum(len(c) for c in admit(one, batch([11], [1.0], T0, quality=quality)))
    (after,) = admit(one, batch([11], [1.0], T0 + 1000))
    assert after.fresh.tolist() == [True]


def test_not_a_number_is_not_scored_whatever_its_quality() -> None:
    assert not sum(len(c) for c in admit(gate(tag(11)), batch([11], [np.nan], T0)))


def test_long_interval_restarts_the_windows() -> None:
    one = gate(tag(11))
    admit(one, batch([11], [1.0], T0))

    (after,) = admit(one, batch([11], [1.0], T0 + 60_000))

    assert after.fresh.tolist() == [True]
    assert after.dt.tolist() == [0.0]


def test_first_readings_after_a_start_are_not_judged() -> None:
    one = Gate(Channels(snapshot(tag(11)), 1))

    sizes = [len(c) for i in range(8) for c in admit(one, batch([11], [1.0], T0 + i * 1000))]

    assert sizes == [0, 0, 0, 0, 0, 1, 1, 1]


def test_machine_state_comes_from_its_run_bit() -> None:
    one = gate(tag(11), RUN_BIT)

    (running,) = admit(one, batch([11, 20], [1.0, 1.0], T0))
    (stopped,) = admit(one, batch([11, 20], [1.0, 0.0], T0 + 1000))
    (unknown,) = admit(one, batch([11], [1.0], T0 + 3000), batch([20], [0.0], T0 + 2000, quality=BAD_COMM))

    assert [running.running.tolist(), stopped.running.tolist(), unknown.running.tolist()] == [[1], [0], [-1]]
    assert not one.steady(stopped).any()
    (again,) = admit(one, batch([11, 20], [1.0, 1.0], T0 + 4000))
    assert not one.steady(again).any()  # starting up
    (later,) = admit(one, batch([11, 20], [1.0, 1.0], T0 + 15_000))
    assert one.steady(later).all()


def stepped(one: Gate, seconds: range, state: dict[int, float]) -> list[int]:
    """Regimes that tag 11 is judged in, a second each, while the state tags say `state`."""
    found = []
    for i in seconds:
        (chunk,) = admit(one, batch([11, *state], [1.0, *state.values()], T0 + i * 1000))
        found += chunk.running.tolist()
    return found


STATUS = tag(21, role="status", source="plc")


@pytest.mark.parametrize(
    ("words", "idle", "running"),
    [(None, 2.0, 1.0), ({"16": "running", "8": "idle"}, 8.0, 16.0)],
    ids=["usual words", "words of the source"],
)
def test_machine_state_comes_from_its_status_word_where_its_class_says_so(
    words: dict[str, str] | None, idle: float, running: float
) -> None:
    asset = Asset(id=1, code="A1", name="A", runs_by="status", start_up_s=3.0)
    source = Source(id=1, name="plc", kind="s7", config={"status": words} if words else {})
    one = Gate(Channels(snapshot(tag(11), STATUS, RUN_BIT, assets=[asset], sources=[source]), 1))
    settle(one, [11, 20])

    assert stepped(one, range(2), {21: idle, 20: 1.0}) == [IDLE, IDLE]
    assert stepped(one, range(2, 7), {21: running, 20: 0.0}) == [STARTING] * 3 + [RUNNING] * 2
    assert stepped(one, range(7, 8), {21: 99.0}) == [UNKNOWN]


def test_idle_bit_tells_idle_from_stopped() -> None:
    one = gate(tag(11), RUN_BIT, tag(22, role="idle"))

    assert stepped(one, range(1), {20: 0.0, 22: 1.0}) == [IDLE]
    assert stepped(one, range(1, 2), {20: 0.0, 22: 0.0}) == [STOPPED]


def test_class_that_says_always_judges_a_standing_machine() -> None:
    one = Gate(Channels(snapshot(tag(11), RUN_BIT, assets=[Asset(id=1, code="A1", name="A", runs_by="always")]), 1))
    settle(one, [11, 20])

    assert stepped(one, range(2), {20: 0.0}) == [RUNNING, RUNNING]


def test_limit_that_holds_while_running_waits_for_the_end_of_the_start_up() -> None:
    limits = [Limit(side="high", value=80.0, severity="warning"), Limit(side="low", value=-5.0, severity="critical", holds="always")]
    asset = Asset(id=1, code="A1", name="A", start_up_s=20.0)
    made = engine(snapshot(tag(11, limits=limits, stuck_s=1e6), RUN_BIT, assets=[asset]))
    found = []
    for i in range(-10, 60):
        running = 0.0 if i < 0 else 1.0
        found += made.process([batch([11, 20], [90.0, running], T0 + i * 1000)])

    assert [(f.edge, f.code, f.t) for f in found if f.edge == "open"] == [("open", "high", T0 + 20_000)]


def test_run_bits_are_no_analogue_values() -> None:
    one = gate(tag(11), RUN_BIT)

    (chunk,) = admit(one, batch([11, 20], [1.0, 1.0], T0))

    assert chunk.slots.tolist() == [0]


def test_what_the_collector_calls_over_range_is_named_so() -> None:
    made = engine(snapshot(tag(11)))
    for i in range(-10, 0):
        made.process([batch([11], [1.0], T0 + i * 1000)])

    found = made.process([batch([11], [np.nan], T0, quality=BAD_RANGE)])

    assert [(f.type.value, f.code, f.value) for f in found] == [("instrument_fault", "over_range", None)]


def test_reading_outside_its_range_feeds_no_other_detector() -> None:
    made = engine(snapshot(tag(11, range_high=100.0, limits=[])))
    for i in range(-10, 200):
        made.process([batch([11], [1.0 if i < 0 else 500.0], T0 + i * 1000)])

    assert {o.finding.detector for o in made.book.open.values()} == {"range"}


def test_learned_range_yields_to_a_limit_on_its_side() -> None:
    tags = [tag(11, limits=[Limit(side="high", value=80.0, severity="warning")]), tag(12)]
    plant = snapshot(*tags)
    made = engine(plant, model(plant, history(tags, wander(1800, channels=2))))
    live = wander(1860, channels=2)[1800:]
    for i in range(60):
        made.process([batch([11, 12], live[i], T0 + (1800 + i) * 1000)])

    found = made.process([batch([11, 12], [95.0, 95.0], T0 + 1_860_000)])

    assert {(f.tag, f.code) for f in found} == {("T-11", "high"), ("T-12", "over_range")}


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("wild", [3.4e38, -1e200])
def test_what_no_process_value_can_be_is_beyond_its_range_and_no_other_detector_takes_it_in(wild: float, few: bool) -> None:
    plant = snapshot(tag(11), tag(12, range_low=0.0, range_high=100.0))  # nobody told the range of the first
    made = engine(plant, model(plant, history(plant.tags, wander(1800, channels=2), start=T0 - 1_800_000)))
    made.few = 24 if few else 0
    found = []
    for i, row in enumerate(wander(1200, channels=2, seed=2)):
        values = [wild if i == 300 else row[0], row[1] + 8.0 * (i > 900)]
        found += made.process([batch([11, 12], values, T0 + i * 1000)])

    told = [(f.detector, f.code, f.tag, f.edge, (f.t - T0) // 1000) for f in found if f.t < T0 + 900_000 and f.edge != "update"]
    code = "over_range" if wild > 0 else "under_range"
    assert told == [("range", code, "T-11", "open", 300), ("range", code, "T-11", "close", 306)]
    assert "drift" in {f.detector for f in found if f.tag == "T-12" and f.edge == "open"}
    assert all(np.isfinite(array).all() for array in (made.drift.m, made.drift.total, made.detectors["cusum"].export().arrays["sum"]))
