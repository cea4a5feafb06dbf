"""A new plant snapshot keeps the state of what did not change."""

from __future__ import annotations

import numpy as np

from ml.engine import Engine
from realtime.snapshot import Limit, Maintenance
from tests.ml.plant import T0, batch, engine, history, model, snapshot, tag, wander

HIGH = Limit(side="high", value=80.0, severity="warning")
TAGS = [tag(11, limits=[HIGH]), tag(12), tag(31, asset=9)]
PLANT = snapshot(*TAGS)
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
