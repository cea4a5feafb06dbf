"""Spoken commands: the standing set and the demo's procedures can be heard apart."""

from __future__ import annotations

import pytest

from ar_feed import words
from server.demo import procedures as demo


@pytest.mark.parametrize("language", sorted(words.STANDING))
def test_standing_commands_can_be_spoken_together(language: str) -> None:
    assert words.screen_faults(list(words.STANDING[language].values())) == []


def test_main_acts_can_be_spoken() -> None:
    assert [fault for kind in ("confirm", "check", "measure", "scan", "?") for fault in words.faults(words.main_act(kind))] == []


@pytest.mark.parametrize("row", [row for row in vars(demo).values() if isinstance(row, demo.ProcedureRow)], ids=lambda row: row.code)
def test_procedures_of_the_demo_can_be_spoken(row: demo.ProcedureRow) -> None:
    assert words.lint(row.steps) == []


@pytest.mark.parametrize(
    ("say", "fault"),
    [
        ("Next step", "not uppercase"),
        ("NEXT", "not 2 to 4 words"),
        ("GO TO THE NEXT STEP NOW", "not 2 to 4 words"),
        ("MEASURE THE TEMPERATURE NOW", "longer than 24 characters"),
        ("NEXT STEP!", "holds something that cannot be spoken"),
        ("PAGE DOWN", "is one of the device's own commands"),
    ],
)
def test_lint_says_what_is_wrong(say: str, fault: str) -> None:
    assert fault in words.faults(say)


def test_same_last_words_on_one_screen_are_found() -> None:
    assert words.screen_faults(["NEXT PAGE", "LAST PAGE"]) == ["last words are not all different: PAGE, PAGE"]
