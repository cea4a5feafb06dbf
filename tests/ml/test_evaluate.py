"""What an evaluation program is handed is the monitor itself: its classes, its constants, and no look ahead."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ml.detector import DETECTORS
from ml.detectors.novelty import Novelty
from ml.engine import Engine
from ml.evaluate import make_plant, make_process, make_stream
from ml.evaluate.__main__ import main
from ml.evaluate.labelled import NotReadable, compared, read
from ml.evaluate.measures import measured
from ml.evaluate.plant import Plant
from ml.evaluate.process import Process
from ml.evaluate.replayer import REPLAYED_PERIODS, rig, shipped_settings
from ml.evaluate.stream import Stream
from ml.scoring import Floats, History
from ml.training import learn
from realtime import settings as settings_module
from tests.ml.plant import T0, batch, chunk, detector, series, snapshot, tag, wander

TRAIN, FAULT = 600, 60


@cache
def recording() -> np.ndarray:
    values = wander(TRAIN + 160, channels=3)
    values[TRAIN + FAULT :, 1] += 6.0
    return values


def judged(plant: Plant | Process | Stream, rows: np.ndarray) -> list[tuple[float, bool]]:
    return [(plant.score(row), plant.alarm) for row in rows]


def test_plant_is_the_monitors_engine_with_its_own_classes() -> None:
    engine = make_plant(recording()[:TRAIN]).replay.engine

    assert type(engine) is Engine
    fresh = Engine(engine.channels.snapshot, 1, shipped_settings())
    assert {name: type(one) for name, one in engine.detectors.items()} == {name: type(one) for name, one in fresh.detectors.items()}
    assert list(engine.detectors) == list(DETECTORS)


def test_settings_are_the_shipped_ones_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSUM_H", "1")
    monkeypatch.setenv("AGGREGATION_WINDOW_SECONDS", "7")

    shipped = make_plant(recording()[:TRAIN]).replay.engine.settings

    defaults = settings_module.load({"SIGHTLINE_ENV_FILE": "none"}, None, resolve=False)
    assert shipped == defaults


def test_model_is_what_training_makes() -> None:
    made = rig(recording()[:TRAIN])

    trained = learn(made.history, made.snapshot.assets[0], made.snapshot, made.settings, provisional=False, version=None)

    assert made.model.learned.keys() == trained.learned.keys()
    for name, arrays in trained.learned.items():
        for key, array in arrays.items():
            np.testing.assert_array_equal(made.model.learned[name][key], array)


def test_plant_says_what_an_engine_made_here_of_the_same_parts_says() -> None:
    train, live = recording()[:TRAIN], wander(TRAIN + 160, channels=3)[TRAIN:]
    live[:, 2] += np.interp(np.arange(len(live)), [FAULT, len(live)], [0, 4.0])  # goes over every limit slowly
    made, plant = rig(train), make_plant(train)
    engine = Engine(made.snapshot, 1, shipped_settings())
    engine.load(learn(made.history, made.snapshot.assets[0], made.snapshot, shipped_settings(), provisional=False, version=None))
    first = TRAIN - REPLAYED_PERIODS
    engine.start_listening(int(made.t[first]))

    for at, row in enumerate([*train[first:], *live], first):
        t = int(made.t[0]) + at * 1000
        engine.process([batch([1, 2, 3], row.tolist(), t, source="replay")])
        engine.tick(t)
        if at >= TRAIN:
            score, standing = plant.score(row), engine.pages()
            assert (score, plant.alarm) == (max((one.score / one.limit for one in standing), default=0.0), bool(standing))
            assert in_alarm(plant.replay.engine) == in_alarm(engine)
    assert plant.alarm


def in_alarm(engine: Engine) -> dict[str, list[bool]]:
    return {name: [one.is_active(row) for row in range(len(one.row_keys()))] for name, one in engine.detectors.items()}


@pytest.mark.parametrize(("name", "make", "period_s"), [("cva", make_process, 180.0), ("novelty", make_stream, 60.0)])
def test_a_detector_alone_says_what_the_one_of_the_table_says(
    name: str, make: Callable[[Floats], Process | Stream], period_s: float
) -> None:
    width = 6 if name == "cva" else 1
    values = wander(TRAIN + 200, channels=width, seed=2)
    values[TRAIN + 100 :, 0] += 9.0
    tags = [tag(i + 1, period_s=period_s, stuck_s=None) for i in range(width)]
    past = tuple(series(values[:TRAIN, i], T0, round(period_s * 1000)) for i in range(width))
    baseline = History(tuple(tags), past, shipped_settings().aggregation_window_s, 100)
    one = detector(name, snapshot(*tags), baseline=baseline, NOVELTY="*" if name == "novelty" else "")
    evaluated, last, most = make(values[:TRAIN]), 0.0, 0.0

    for at, row in enumerate(values[TRAIN:], TRAIN):
        said = one.score(chunk(range(width), row.tolist(), T0 + round(at * period_s * 1000), fresh=at == TRAIN, dt=period_s))
        if said is not None and len(said.rows):
            last = float(one.held.max()) if isinstance(one, Novelty) else float(said.value[-1])  # without the life cycle of findings
        assert evaluated.score(row) == pytest.approx(last)
        most = max(most, last)
    assert most > 1


@pytest.mark.parametrize("make", [make_plant, make_process, make_stream])
def test_nothing_looks_ahead(make: Callable[[Floats], Plant | Process | Stream]) -> None:
    train, live = recording()[:TRAIN], recording()[TRAIN:]
    whole = judged(make(train), live)

    other = live.copy()
    other[90:] = -other[90:]

    assert judged(make(train), other)[:90] == whole[:90]


def test_plant_is_quiet_in_health_and_names_the_channel_that_left_its_level() -> None:
    plant = make_plant(recording()[:TRAIN])

    alarms = [alarm for _, alarm in judged(plant, recording()[TRAIN:])]

    assert not any(alarms[:FAULT])
    assert any(alarms[FAULT : FAULT + 60])
    assert int(plant.contributions().argmax()) == 1


def test_readings_that_are_missing_are_no_readings() -> None:
    plant = make_plant(recording()[:TRAIN])
    rows = recording()[TRAIN : TRAIN + FAULT].copy()
    rows[10:20, 0] = np.nan

    assert not any(alarm for _, alarm in judged(plant, rows))


def test_measures_of_a_known_row() -> None:
    label = np.array([0, 0, 1, 1, 1, 1, 0, 0], bool)
    alarm = np.array([1, 0, 0, 1, 1, 0, 0, 1], bool)

    one = measured(np.arange(8) * 10.0, label, alarm)

    assert (one.f1, one.far, one.mar) == (2 * 2 / (2 * 2 + 2 + 2), 50.0, 50.0)
    assert (one.found, one.events, one.delay_s, one.false_alarms) == (1, 1, 10.0, 2)
    assert one.cost(1.0, 360.0) == pytest.approx(2 * 1.0 + 360.0 * 20 / 3600)


def written(path: Path, values: np.ndarray, first_fault: int) -> Path:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["time", "pressure", "flow", "level", "label"])
        out.writerows([1_767_600_000 + i, *row, int(i >= first_fault)] for i, row in enumerate(values))
    return path


def test_file_is_compared_by_detector_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "pump.csv", recording(), TRAIN + FAULT)

    assert main([str(path), "--train", str(TRAIN)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["detector", "F1", "FAR", "%", "MAR", "%", "found", "delay", "s", "false", "cost"]
    assert {line.split()[0] for line in lines[1:]} == {"pages", "always", *DETECTORS}
    assert "nan" not in "".join(lines)
    assert "-" in next(line for line in lines if line.startswith("stuck")).split()
    found = compared(read(path), TRAIN)
    assert found["drift"].found == found["pages"].found == 1
    assert found["drift"].false_alarms == found["pages"].false_alarms == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the heading needs"),
        ("time,a,label\n", "no readings"),
        ("time,label\n1,0\n", "at least one channel"),
        ("time,a,label\n1,2,0\n2,x,0\n", "line 3"),
        ("time,a,label\n1,2,0\n\n2,0\n", "line 4: 2 cells, and the heading has 3"),
        ("time,a,label\n2,2,0\n\n1,3,0\n", "line 4: time does not go on"),
        ("time,a,label\nnan,2,0\n", "line 2: nan is no time"),
        ("time,a,label\n1e30,2,0\n", "line 2: 1e30 is no time"),
        ("time,a,label\n1,2,nan\n", "line 2: the label is nan, not 0 or 1"),
        ("time,a,label\n1,2,-1\n", "line 2: the label is -1, not 0 or 1"),
        ("time,a,flow\n1,2,50.3\n", "line 2: 50.3 is no label, and no column is called label: then the last one, flow,"),
        ("time,a,label\n1," + "9" * 200_000 + ",0\n", "line 2: field larger"),
    ],
    ids=[
        "empty",
        "no-rows",
        "no-channel",
        "no-number",
        "short",
        "backwards",
        "nan",
        "far",
        "no-label",
        "odd-label",
        "no-label-column",
        "long-cell",
    ],
)
def test_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)

    with pytest.raises(NotReadable, match=says):
        read(path)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_file_in_another_encoding_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("time,°C,label\n1,2,0\n", encoding)

    assert main([str(path)]) == 2
    assert "not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["time;a;label\n1,5;2,25;0\n2;;1\n", "\ufefftime,a,label\r\n1.5,2.25,0\r\n\r\n2,,1\r\n\r\n", "time, a, label\n1.5, 2.25, 0\n2, , 1\n"],
    ids=["semicolon-and-decimal-comma", "spreadsheet", "spaces"],
)
def test_file_of_a_spreadsheet_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(text.encode())

    found = read(path)

    assert (found.t.tolist(), found.label.tolist(), found.names) == ([1500, 2000], [False, True], ("a",))
    assert np.array_equal(found.x, [[2.25], [np.nan]], equal_nan=True)


def test_faults_are_never_learned_from(tmp_path: Path) -> None:
    path = written(tmp_path / "pump.csv", recording(), 300)

    with pytest.raises(NotReadable, match="reading 301 is labelled"):
        compared(read(path), TRAIN)
