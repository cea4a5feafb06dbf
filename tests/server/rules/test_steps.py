"""Answers to typed steps and the path they take."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules.steps import BadAnswer, Judged, StepAnswer, following, judge, reachable

MEASURE = {"id": "m", "k": "measure", "in": {"unit": "mm/s", "lo": 1, "hi": 7.1, "on_hi": "fix", "on_lo": "low"}}
CHOICE = {"id": "c", "k": "choice", "opt": [{"k": "yes", "go": "end"}, {"k": "no"}]}


@pytest.mark.parametrize(
    ("step", "answer", "judged"),
    [
        (MEASURE, StepAnswer(value=3.2, unit="mm/s"), Judged(True)),
        (MEASURE, StepAnswer(value=7.1), Judged(True)),
        (MEASURE, StepAnswer(value=9), Judged(False, "fix")),
        (MEASURE, StepAnswer(value=0.5), Judged(False, "low")),
        ({"k": "check"}, StepAnswer(option="fail"), Judged(False)),
        ({"k": "check"}, StepAnswer(option="na"), Judged(True)),
        (CHOICE, StepAnswer(option="yes"), Judged(True, "end")),
        ({"k": "scan", "in": {"code": "7k3m9x"}}, StepAnswer(code="7K3M9X"), Judged(True)),
        ({"k": "photo"}, StepAnswer(media=(4,)), Judged(True)),
        ({"k": "confirm"}, StepAnswer(), Judged(True)),
        ({"k": "hologram"}, StepAnswer(), Judged(True)),
    ],
)
def test_a_fitting_answer(step: dict[str, Any], answer: StepAnswer, judged: Judged) -> None:
    assert judge(step, answer) == judged


@pytest.mark.parametrize(
    ("step", "answer", "code"),
    [
        (MEASURE, StepAnswer(), "not_a_number"),
        (MEASURE, StepAnswer(value=True), "not_a_number"),
        (MEASURE, StepAnswer(value="3"), "not_a_number"),
        (MEASURE, StepAnswer(value=float("nan")), "not_a_number"),
        (MEASURE, StepAnswer(value=3, unit="bar"), "unit_mismatch"),
        ({"k": "check"}, StepAnswer(option="maybe"), "unknown_option"),
        (CHOICE, StepAnswer(option="perhaps"), "unknown_option"),
        ({"k": "scan", "in": {"code": "A"}}, StepAnswer(code="B"), "wrong_code"),
        ({"k": "photo"}, StepAnswer(), "required"),
        ({"k": "text"}, StepAnswer(value=" "), "required"),
        ({"k": "text"}, StepAnswer(value="x" * 501), "too_long"),
        ({"k": "info"}, StepAnswer(note="x" * 501), "too_long"),
        ({"k": "part"}, StepAnswer(value=-1), "out_of_range"),
    ],
)
def test_an_answer_that_does_not_fit_says_why(step: dict[str, Any], answer: StepAnswer, code: str) -> None:
    with pytest.raises(BadAnswer) as refused:
        judge(step, answer)

    assert refused.value.code == code


STEPS = [{"id": "a", "must": True}, {"id": "b"}, {"id": "c", "must": True}, {"id": "d"}]


@pytest.mark.parametrize(
    ("answered", "path", "wanted"),
    [
        ({}, ["a"], "a"),
        ({"a": "b"}, ["a", "b", "c"], "c"),
        ({"a": "b", "c": "d"}, ["a", "b", "c", "d"], None),
        ({"a": "d"}, ["a", "d"], None),
        ({"a": "end"}, ["a"], None),
        ({"a": "b", "c": "a"}, ["a", "b", "c"], "a"),
    ],
)
def test_the_path_that_answers_take(answered: dict[str, str], path: list[str], wanted: str | None) -> None:
    assert reachable(STEPS, answered) == (path, wanted)


@given(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["a", "b", "c", "d", "end"])))
def test_a_path_always_ends_and_never_passes_a_wanted_step(answered: dict[str, str]) -> None:
    path, wanted = reachable(STEPS, answered)

    assert len(path) == len(set(path))
    assert all(id_ in answered for id_ in path if id_ in {"a", "c"} and id_ != wanted)


def test_after_the_last_step_comes_the_end() -> None:
    assert following(STEPS, STEPS[3], None) == "end"
    assert following(STEPS, STEPS[0], "nowhere") == "b"
