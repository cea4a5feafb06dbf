"""A kept model is given to an engine only where it is that asset's, that version's, and of a form that the detectors take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ml.artefacts import Damaged, seal_model
from ml.engine import AssetModel, Engine
from ml.gate import NEVER
from ml.kept import only_asset, opened
from ml.training import LEARNER
from realtime.snapshot import Snapshot, Source
from tests.ml.plant import T0, batch, history, model, quiet_settings, snapshot, tag, wander

KEY = b"k" * 32
TAGS = [tag(11), tag(12)]
PLANT = snapshot(*TAGS)
SETTINGS = quiet_settings()
MODEL = replace(model(PLANT, history(TAGS, wander(1800, channels=2))), version=3, learner=LEARNER)
LEARNED = {name for name, arrays in MODEL.learned.items() if arrays}


def taken(one: AssetModel, about: tuple[int, int] = (1, 3), plant: Snapshot = PLANT) -> AssetModel:
    return opened(seal_model(one, {}, KEY), KEY, plant, about, SETTINGS)


def test_it_comes_as_it_was_kept() -> None:
    assert taken(MODEL).learned.keys() == LEARNED


@pytest.mark.parametrize("about", [(2, 3), (1, 4), (1, 0)])
def test_another_assets_or_versions_bytes_are_refused(about: tuple[int, int]) -> None:
    with pytest.raises(Damaged, match="version 3 of asset 1"):
        taken(MODEL, about)


@pytest.mark.parametrize(
    ("detector", "changed"),
    [
        ("residual", {"weights": np.zeros((6, 2))}),
        ("shift", {"limits": np.ones((2, 3))}),
        ("stuck", {"longest_s": np.ones(3)}),
        ("residual", {"step_ms": np.zeros(0, np.int64)}),
    ],
    ids=["other-lags", "other-spans", "other-tags", "empty"],
)
def test_arrays_that_an_earlier_release_kept_otherwise_are_damage_and_no_crash(detector: str, changed: dict[str, Any]) -> None:
    old = {**MODEL.learned, detector: {**MODEL.learned[detector], **changed}}

    with pytest.raises(Damaged, match="ten-1, learning 0"):
        taken(replace(MODEL, learned=old, learner="ten-1, learning 0"))


def test_an_older_one_that_fits_is_taken_without_the_forest_of_other_features() -> None:
    assert "forest" in taken(replace(MODEL, learner="ten-1, learning 0")).learned
    found = taken(replace(MODEL, learner="nine-7, learning 0")).learned
    assert found.keys() == LEARNED - {"forest"}


def test_one_asset_of_the_plant_runs_by_the_words_of_its_source() -> None:
    words = Source(id=1, name="plant", kind="mqtt", config={"status": {"7": "running", "1": "stopped"}})
    plant = snapshot(tag(11), tag(12, role="status", kind="f64"), tag(21, asset=2), sources=[words])
    engine = Engine(only_asset(plant, 1), 1, SETTINGS)

    engine.process([batch([12], [7.0], T0)])
    engine.process([batch([11, 12], [50.0, 7.0], T0 + 20_000)])

    assert engine.gate.changed_t[0] != NEVER
    assert engine.gate.running(np.array([0]), np.array([T0 + 20_000])).tolist() == [1]
