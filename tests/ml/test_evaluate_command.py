"""`make evaluate` ends in time, tells figures beside goals, and its exit code says whether all of them are met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools import evaluate
from tools.evaluate_goals import GOALS, NotMeasured, judged

OURS: dict[str, dict[str, Any]] = {
    "skab": {"detector": "ml.evaluate:make_plant", "F1_all": 0.84, "FAR_all": 24.0, "cpNAB": 28.0},
    "inject": {"detector": "ml.evaluate:make_plant", "hits": "74/96", "clean_alarms_per_h": 2.0, "named_pct": 95.0},
    "nab": {"detector": "ml.evaluate:make_stream", "own_flags_std": 68.0, "std": 70.0},
    "tep": {"detector": "ml.evaluate:make_process", "own_FDR21": 80.0, "own_FAR": 1.0, "own_FAR_pre": 0.5},
    "rul": {"model": "ml.evaluate:make_rul", "RMSE_capped": 10.0, "cover90": 90.0, "width90": 40.0},
}
BUILT_IN: dict[str, list[dict[str, Any]]] = {
    "tep": [{"detector": "crossfit_cva", "own_FDR21": 80.0, "own_FAR": 0.0}],
    "rul": [{"model": "hgb_conformal", "RMSE_capped": 10.0}],
}
WORSE = [
    ("skab", {"F1_all": 0.839}),
    ("skab", {"FAR_all": 24.1}),
    ("skab", {"cpNAB": 27.9}),
    ("inject", {"hits": "73/96"}),
    ("inject", {"clean_alarms_per_h": 2.1}),
    ("inject", {"named_pct": 94.0}),
    ("inject", {"named_pct": None}),
    ("nab", {"own_flags_std": 67.9}),
    ("tep", {"own_FDR21": 79.9}),
    ("tep", {"own_FAR_pre": 1.1}),
    ("rul", {"RMSE_capped": 10.1}),
]


def rows(suite: str, **other: Any) -> list[dict[str, Any]]:
    return [*BUILT_IN.get(suite, []), {**OURS[suite], **other}]


def test_every_suite_has_a_goal() -> None:
    assert set(GOALS) == set(evaluate.SUITES)


@pytest.mark.parametrize("suite", sorted(GOALS))
def test_a_goal_is_met_at_its_figure(suite: str) -> None:
    assert judged(suite, rows(suite)).met


@pytest.mark.parametrize(("suite", "other"), WORSE)
def test_a_goal_is_not_met_below_its_figure(suite: str, other: dict[str, Any]) -> None:
    assert not judged(suite, rows(suite, **other)).met


@pytest.mark.parametrize(
    "broken",
    [[], [*rows("tep"), {"detector": "cva", "error": "no module"}], [OURS["tep"]], [*BUILT_IN["tep"], {"detector": "ml.evaluate:x"}]],
    ids=["no rows", "a built-in row failed", "nothing to compare with", "no figures"],
)
def test_what_was_not_measured_is_not_met(broken: list[dict[str, Any]]) -> None:
    with pytest.raises(NotMeasured):
        judged("tep", broken)


def program(folder: Path, body: str) -> Path:
    (folder / "tools").mkdir()
    (folder / "tools" / "ml_eval.py").write_text(
        f"import json, sys, threading\nnamed = dict(zip(sys.argv[1::2], sys.argv[2::2]))\n{body}\n"
    )
    return folder


def writes(found: dict[str, list[dict[str, Any]]]) -> str:
    return f"json.dump({{named['--suite']: {found!r}[named['--suite']]}}, open(named['--json'], 'w'))"


def test_all_goals_met_is_exit_0_and_one_line_a_suite(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = program(tmp_path, writes({suite: rows(suite) for suite in GOALS}))

    assert evaluate.main([str(folder)]) == 0
    lines = capfd.readouterr().out.strip().splitlines()
    assert [line.split()[:2] for line in lines] == [[suite, "met"] for suite in evaluate.SUITES]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (writes({"nab": rows("nab", own_flags_std=12.0)}), "NOT MET"),
        ("sys.exit(3)", "the program ended with 3"),
        ("pass", "failed"),
        ("open(named['--json'], 'w').write('[')", "failed"),
    ],
    ids=["missed", "crashed", "wrote nothing", "wrote no JSON"],
)
def test_a_suite_that_failed_or_missed_is_exit_1(tmp_path: Path, capfd: pytest.CaptureFixture[str], body: str, says: str) -> None:
    assert evaluate.main([str(program(tmp_path, body)), "nab"]) == 1
    assert says in capfd.readouterr().out


def test_a_suite_that_does_not_end_is_ended(tmp_path: Path) -> None:
    line, met = evaluate.told(program(tmp_path, "threading.Event().wait()"), "nab", longest_s=0.5)

    assert "not ended" in line
    assert not met


def test_a_folder_without_the_program_or_an_unknown_suite_is_exit_2(tmp_path: Path) -> None:
    assert evaluate.main([str(tmp_path)]) == 2
    assert evaluate.main([str(program(tmp_path, "pass")), "chess"]) == 2
    assert evaluate.main([""]) == 2
