"""An alarm of a whole machine is told once it has stood for a while, at once where it is a witness, and the wait outlives a restart."""

from __future__ import annotations

import numpy as np
import pytest

from ml.book import Book
from ml.channels import Channels
from ml.fusion import PATIENCE_MS
from ml.scoring import Score
from realtime.events import AlertType, Because, Finding
from tests.ml.plant import T0, snapshot, tag

WAIT_MS = PATIENCE_MS["residual"]


class Said:
    """A detector of which the test says what it says; one row, the first asset or tag."""

    def __init__(self, name: str) -> None:
        self.name, self.type, self.codes = name, AlertType.ANOMALY, (name,)
        self.slot = 0 if name == "drift" else -1
        self.active = False

    def row_keys(self) -> list[str]:
        return [f"{self.name}-row"]

    def is_active(self, row: int) -> bool:
        return self.active

    def asset_row(self, row: int) -> int:
        return 0

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        return (Because("T1", 1.0),)

    def says(self, t: int, *, active: bool) -> Score:
        self.active = active
        one = np.array([t])
        zero, value = np.zeros(1, np.int64), np.array([2.0 if active else 0.1])
        return Score(zero, value, np.ones(1), np.array([active]), zero, np.array([self.slot]), one, one, np.array([np.nan]), zero - 1)


def a_book(detectors: dict[str, Said]) -> Book:
    return Book(Channels(snapshot(tag(1)), 1), detectors, frozenset())  # type: ignore[arg-type]


def edges(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.detector, one.edge) for one in found]


@pytest.mark.parametrize("name", sorted(PATIENCE_MS))
def test_an_alarm_of_a_machine_is_told_once_it_has_stood(name: str) -> None:
    one = Said(name)
    book = a_book({name: one})

    assert book.fold(name, one.says(T0, active=True)) == []
    assert book.fold(name, one.says(T0 + PATIENCE_MS[name] - 1, active=True)) == []
    told = book.fold(name, one.says(T0 + PATIENCE_MS[name], active=True))

    assert edges(told) == [(name, "open")]
    assert edges(book.fold(name, one.says(T0 + PATIENCE_MS[name] + 1, active=False))) == [(name, "close")]


def test_what_ended_before_it_was_told_begins_anew() -> None:
    one = Said("residual")
    book = a_book({"residual": one})
    book.fold("residual", one.says(T0, active=True))

    over = book.fold("residual", one.says(T0 + 1000, active=False))

    assert over == []
    assert book.fold("residual", one.says(T0 + 2000, active=True)) == []
    assert book.fold("residual", one.says(T0 + WAIT_MS, active=True)) == []
    assert edges(book.fold("residual", one.says(T0 + 2000 + WAIT_MS, active=True))) == [("residual", "open")]


def test_a_witness_is_told_with_what_it_confirms() -> None:
    residual, drift = Said("residual"), Said("drift")
    book = a_book({"residual": residual, "drift": drift})
    book.fold("residual", residual.says(T0, active=True))

    told = book.fold("drift", drift.says(T0 + 1000, active=True))

    assert edges(told) == [("residual", "open"), ("drift", "open")]
    assert edges(book.fold("residual", residual.says(T0 + 2000, active=False))) == [("residual", "close")]


def test_the_wait_outlives_a_restart() -> None:
    one = Said("residual")
    book = a_book({"residual": one})
    book.fold("residual", one.says(T0, active=True))
    again = a_book({"residual": one})

    assert again.adopt(book.export(), T0 + 1000) == []

    assert edges(again.fold("residual", one.says(T0 + WAIT_MS, active=True))) == [("residual", "open")]


def test_the_echo_of_what_another_finding_told_is_not_told_after_it() -> None:
    cva, limits = Said("cva"), Said("limits")
    book = a_book({"cva": cva, "limits": limits})
    book.fold("limits", limits.says(T0, active=True))
    for t in range(T0, T0 + 2 * PATIENCE_MS["cva"], 10_000):
        assert book.fold("cva", cva.says(t, active=True)) == []
    over = T0 + 2 * PATIENCE_MS["cva"]
    book.fold("limits", limits.says(over, active=False))

    echo = [one for k in range(5) for one in book.fold("cva", cva.says(over + k * 10_000, active=True))]

    assert echo == []
    assert edges(book.fold("cva", cva.says(over + 40_000 + PATIENCE_MS["cva"], active=True))) == [("cva", "open")]
