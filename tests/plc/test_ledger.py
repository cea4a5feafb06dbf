"""What was refused and what nobody configured: counted always, sampled and told at a bounded rate."""

from __future__ import annotations

from typing import Any

from plc.ledger import DISCOVERED_AT_ONCE, DISCOVERED_KEPT, Ledger
from realtime.events import Signal


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Kept:
    """An outlet that keeps what it is given."""

    def __init__(self) -> None:
        self.refused: list[dict[str, Any]] = []
        self.signals: list[Signal] = []

    def add_refused(self, items: list[dict[str, Any]]) -> None:
        self.refused += items

    def add_signals(self, signals: list[Signal]) -> None:
        self.signals += signals

    def add_batches(self, *_args: object, **_more: object) -> None:
        raise AssertionError("a ledger delivers no readings")


def made() -> tuple[Ledger, Kept, Clock]:
    kept, clock = Kept(), Clock()
    return Ledger(kept, "line", clock=clock), kept, clock


def test_what_is_wrong_for_ever_leaves_room_in_the_quarantine_for_what_is_rare() -> None:
    ledger, kept, clock = made()

    for second in range(86_400 // 30):  # a day of a dead unit, asked each 30 s
        clock.now += 30
        ledger.reject("silent_unit", sample=b"unit 9: no answer")
        if second == 1000:
            clock.now += 1
            ledger.reject("not_json", topic="readings/PT-101", sample=b"{")

    assert ledger.drops == {"silent_unit": 2880, "not_json": 1}
    assert len(kept.refused) < 40
    assert [row["reason"] for row in kept.refused].count("not_json") == 1


def test_what_comes_again_after_a_long_time_is_sampled_at_once() -> None:
    ledger, kept, clock = made()
    for _ in range(100):
        clock.now += 1
        ledger.reject("unit", topic="readings/PT-101")
    before = len(kept.refused)

    clock.now += 10_000
    ledger.reject("unit", topic="readings/PT-101")
    clock.now += 1
    ledger.reject("unit", topic="readings/TT-201")

    assert [row["topic"] for row in kept.refused[before:]] == ["readings/PT-101", "readings/TT-201"]


def test_every_unknown_name_of_a_burst_is_told_in_its_turn() -> None:
    ledger, kept, clock = made()

    for number in range(DISCOVERED_KEPT + 20):
        ledger.discovered(f"M.{number}", float(number))
    for _ in range(DISCOVERED_KEPT // DISCOVERED_AT_ONCE):
        clock.now += 0.5
        ledger.tell_discovered()

    assert [signal.data["tag"] for signal in kept.signals] == [f"M.{number}" for number in range(DISCOVERED_KEPT)]
    assert ledger.drops == {"unknown_tag": DISCOVERED_KEPT + 20}


def test_an_unknown_tag_is_told_again_with_its_last_value_after_a_minute() -> None:
    ledger, kept, clock = made()
    for second in range(121):
        ledger.discovered("M.1", float(second))
        ledger.tell_discovered()
        clock.now += 1

    assert [signal.data["value"] for signal in kept.signals] == [0.0, 60.0, 120.0]
