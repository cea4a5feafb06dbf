"""One list of dangers for every screen."""

from __future__ import annotations

from server.rules.safety import dangers


def test_every_danger_is_listed_once_the_gravest_first_with_what_to_do() -> None:
    own = [
        {"id": "d9", "sev": "notice", "t": "Wet floor"},
        {"sev": "danger", "t": "Rotating parts", "b": "Guard stays on", "icon": "rotate"},
    ]
    steps = [{"warn": {"sev": "warning", "t": "Hot oil"}}, {"t": "no warning"}, {"warn": {"sev": "warning", "t": "Hot oil"}}, {"warn": {}}]

    assert dangers(own, steps) == [
        {"id": "d2", "sev": "danger", "t": "Rotating parts", "b": "Guard stays on", "icon": "rotate"},
        {"id": "d3", "sev": "warning", "t": "Hot oil"},
        {"id": "d9", "sev": "notice", "t": "Wet floor"},
    ]
    assert dangers([], [{"warn": {"sev": "unheard of", "t": "x"}}, {"warn": {"t": "y"}}])[0]["t"] == "y"
