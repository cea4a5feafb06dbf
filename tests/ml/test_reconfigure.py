"""A new plant snapshot keeps the state of what did not change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.detector import Taught
from ml.engine import LEARNED, Engine
from realtime.snapshot import Asset, Limit, Maintenance
from tests.ml.plant import T0, batch, engine, history, model, snapshot, tag, wander

HIGH = Limit(side="high", value=80.0, severity="warning")
TAGS = [tag(11, limits=[HIGH]), tag(12), tag(31, asset=9)]
PLANT = snapshot(*TAGS)
OTHER = Asset(id=9, code="B", name="B")
BASELINE = history(TAGS[:2], wander(1800, channels=2))


def running(seconds: int) -> Engine:
    made = engine(PLANT, model(PLANT, BASELINE))
    live = wander(1800 + seconds, channels=2)[1800:]
    for i in range(seconds):
        made.process([batch([11, 12, 31], [*live[i], 7.0 + i % 5], T0 + (1800 + i) * 1000)])
    return made


def test_maintenance_changes_nothing_for_the_detectors() -> None:
    made = running(60)

    same, closed = made.reconfigured(snapshot(*TAGS, version=2, maintenance=[Maintenance(asset=1, until=T0)]), T0)

    assert same is made
    assert closed == []
    assert made.channels.version == 2


def test_start_up_time_of_the_class_is_in_force_with_the_next_plant() -> None:
    made = running(60)

    slower, closed = made.reconfigured(snapshot(*TAGS, version=2, assets=[Asset(id=1, code="A", name="A", start_up_s=60.0), OTHER]), T0)

    assert closed == []
    assert [one.start_up_s for one in slower.channels.conditions] == [10.0, 10.0]  # no state tag: it always runs
    bit = tag(40, role="running")
    with_bit, _ = made.reconfigured(snapshot(*TAGS, bit, version=3, assets=[Asset(id=1, code="A", name="A", start_up_s=60.0), OTHER]), T0)
    assert [one.start_up_s for one in with_bit.channels.conditions] == [60.0, 10.0]
    longer, _ = with_bit.reconfigured(snapshot(*TAGS, bit, version=4, assets=[Asset(id=1, code="A", name="A", start_up_s=90.0), OTHER]), T0)
    assert longer is not with_bit
    assert longer.gate.start_up_ms.tolist() == [90_000, 10_000]


def test_added_tag_leaves_the_others_where_they_were() -> None:
    made = running(60)
    before = made.detectors["drift"].export()

    grown, closed = made.reconfigured(snapshot(tag(5, asset=1), *TAGS, version=2), T0)

    after = grown.detectors["drift"].export()
    at = [after.keys.index(key) for key in before.keys]
    assert closed == []
    assert at != list(range(len(at)))
    for name, array in before.arrays.items():
        assert np.array_equal(after.arrays[name][at], array, equal_nan=array.dtype.kind == "f"), name
    assert np.array_equal(grown.drift.scale[at], made.drift.scale, equal_nan=True)


def test_alarm_of_a_tag_or_limit_that_is_gone_is_closed() -> None:
    made = running(60)
    opened = made.process([batch([11], [95.0], T0 + 1_860_000)])
    assert [f.edge for f in opened if f.detector == "limits"] == ["open"]

    for later in (snapshot(tag(11), *TAGS[1:], version=2), snapshot(*TAGS[1:], version=3)):
        _, closed = made.reconfigured(later, T0 + 1_901_000)
        gone = [f for f in closed if f.detector == "limits"]
        assert [(f.edge, f.key) for f in gone] == [("close", opened[0].key)]
        assert gone[0].score < gone[0].limit


def test_calibration_of_an_instrument_starts_its_drift_anew() -> None:
    made = running(120)
    live = wander(3000, channels=2)[1920:]
    found = []
    for i in range(300):  # the level of tag 11 leaves its place
        found += made.process([batch([11, 12, 31], [live[i][0] + 8, live[i][1], 7.0 + i % 5], T0 + (1920 + i) * 1000)])
    assert [f.tag for f in found if f.detector == "drift" and f.edge == "open"] == ["T-11"]
    other = made.drift.r[made.channels.slots_of(np.array([12], np.uint32))]

    t = T0 + 2_220_000
    calibrated, closed = made.reconfigured(snapshot(tag(11, limits=[HIGH], calibrated_at=t), *TAGS[1:], version=2), t)

    slot = calibrated.channels.slots_of(np.array([11], np.uint32))
    assert [(f.edge, f.tag) for f in closed if f.detector == "drift"] == [("close", "T-11")]
    assert np.isnan(calibrated.drift.r[slot]).all()
    assert calibrated.drift.r[calibrated.channels.slots_of(np.array([12], np.uint32))] == other
    after = []
    for i in range(300, 700):  # the new level is now the right one
        after += calibrated.process([batch([11, 12, 31], [live[i][0] + 8, live[i][1], 7.0 + i % 5], T0 + (1920 + i) * 1000)])
    assert [f for f in after if f.detector == "drift"] == []
    assert abs(calibrated.drift.r[slot][0] - 58) < 2


def shifted(*names: str) -> Engine:
    """A monitor that has learned for these detectors, three minutes after the level of tag 11 left its place."""
    whole = model(PLANT, BASELINE)
    made = engine(PLANT, replace(whole, learned={name: whole.learned[name] for name in names}))
    live = wander(3000, channels=2)[1800:]
    for i in range(600):
        made.process([batch([11, 12, 31], [live[i][0] + 8 * (i >= 420), live[i][1], 7.0 + i % 5], T0 + (1800 + i) * 1000)])
    assert standing(made) == set(names)
    return made


def standing(made: Engine) -> set[str]:
    return {one.finding.detector for one in made.book.open.values()}


@pytest.mark.parametrize("name", ["drift", "shift"])
def test_a_tag_that_is_not_watched_for_drift_any_more_keeps_no_alarm_of_it_nor_gets_one(name: str) -> None:
    made = shifted(name)

    unwatched, closed = made.reconfigured(snapshot(tag(11, limits=[HIGH], drift=False), *TAGS[1:], version=2), T0 + 2_400_000)
    rest = wander(600, channels=2, seed=2)
    after = []
    for i, row in enumerate(rest):
        after += unwatched.process([batch([11, 12, 31], [row[0] - 8 * (i > 300), row[1], 7.0 + i % 5], T0 + (2400 + i) * 1000)])

    assert [(f.detector, f.edge) for f in [*closed, *after]] == [(name, "close")]


@pytest.mark.parametrize("name", ["drift", "shift"])
def test_another_model_leaves_nothing_of_the_former_one(name: str) -> None:
    made = shifted(name)

    other, closed = made.with_model(replace(made.models[1], learned={}), T0 + 2_400_000)

    assert [(f.detector, f.edge) for f in closed] == [(name, "close")]
    judging = other.detectors[name]
    assert isinstance(judging, Taught)
    assert not judging.judges(0)


@pytest.mark.parametrize("name", ["drift", "shift"])
def test_the_same_model_anew_leaves_its_alarm_alone(name: str) -> None:
    made = shifted(name)

    same, closed = made.with_model(made.models[1], T0 + 2_400_000)

    assert closed == []
    assert standing(same) == {name}
    assert same is made  # what is learned anew every hour costs no new engine


def test_a_machine_that_lost_a_tag_of_its_joint_model_is_judged_without_it() -> None:
    six = [tag(number, range_low=0.0, range_high=100.0) for number in range(11, 17)]
    plant = snapshot(*six)
    whole = model(plant, history(six, wander(1800, channels=6)))
    made = engine(plant, whole)
    alone = [*six[:3], *(tag(number, joint=False) for number in range(14, 17))]
    fewer = model(snapshot(*alone), history(alone, wander(1800, channels=6)))
    before = {name: made.detectors[name] for name in ("residual", "cva")}
    assert all(isinstance(one, Taught) and one.judges(0) for one in before.values())

    made.start_listening(T0)
    other, _ = made.with_model(fewer, T0 + 2_400_000)

    cva, residual = other.detectors["cva"], other.residual
    assert isinstance(cva, Taught)
    assert not cva.judges(0)  # three tags are too few
    assert residual.known.tolist() == [True] * 3 + [False] * 3
    assert other.gap.live_at == made.gap.live_at


def test_a_restart_after_a_calibration_forgets_too_and_without_one_keeps_the_level() -> None:
    made = running(120)
    state = made.export()
    slot = made.channels.slots_of(np.array([11], np.uint32))

    same = engine(PLANT, model(PLANT, BASELINE))
    same.adopt(state, T0)
    later = engine(snapshot(tag(11, limits=[HIGH], calibrated_at=T0 + 1_900_000), *TAGS[1:], version=2), model(PLANT, BASELINE))
    later.adopt(state, T0)

    assert same.drift.r[slot] == made.drift.r[slot]
    assert np.isnan(later.drift.r[slot]).all()


def test_damaged_model_leaves_rules_only_and_closes_what_was_learned() -> None:
    made = running(60)
    live = wander(3000, channels=2)[1860:]
    found = []
    for i in range(300):
        found += made.process([batch([11, 12, 31], [95.0, live[i][1] + 8, 7.0 + i % 5], T0 + (1860 + i) * 1000)])
    standing = {f.detector for f in found if f.edge == "open"}
    assert {"limits", "drift"} <= standing

    bare, closed = made.unloaded(1, T0 + 2_160_000)

    assert {f.detector for f in closed} <= LEARNED
    assert "drift" in {f.detector for f in closed}
    assert {o.finding.detector for o in bare.book.open.values()} == standing - {f.detector for f in closed}
    assert bare.models == {}
    after = []
    for i in range(300, 500):
        after += bare.process([batch([11, 12, 31], [95.0, live[i][1] + 20, 7.0 + i % 5], T0 + (1860 + i) * 1000)])
    assert not {f.detector for f in after if f.edge == "open"} & (LEARNED - {"cusum"})
    assert {f.edge for f in after if f.detector == "limits"} == {"update"}
