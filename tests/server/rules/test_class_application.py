"""Applying a class: added where nothing is, changed where a class was before, kept where a person decided; twice is once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules.class_application import Change, TagNow, TagTemplate, class_change, tag_changes

OLD, NEW = [{"side": "high", "value": 4.5}], [{"side": "high", "value": 7.1}]
TEMPLATE = TagTemplate("vibration", {"unit": "mm/s"}, NEW)


@pytest.mark.parametrize(
    ("now", "replace", "acts"),
    [
        (None, False, [("add", "tag"), ("add", "limits")]),
        (TagNow({"unit": "mm/s"}, NEW), False, []),
        (TagNow({"unit": ""}), False, [("add", "value"), ("add", "limits")]),
        (TagNow({"unit": "mm/s"}, OLD), False, [("keep", "limits")]),
        (TagNow({"unit": "mm/s"}, OLD), True, [("change", "limits")]),
        (TagNow({"unit": "mm/s"}, OLD, given_limits=OLD), False, [("change", "limits")]),
        (TagNow({"unit": "in/s"}, NEW), False, [("keep", "value")]),
        (TagNow({"unit": "in/s"}, NEW), True, [("change", "value")]),
        (TagNow({"unit": "in/s"}, NEW, given_columns={"unit": "in/s"}), False, [("change", "value")]),
        (TagNow({"unit": "-"}, NEW, plain={"unit": "-"}), False, [("change", "value")]),
    ],
)
def test_a_persons_own_value_stays_unless_replaced(now: TagNow | None, replace: bool, acts: list[tuple[str, str]]) -> None:
    found = tag_changes("P-1.vibration", TEMPLATE, now, replace=replace)

    assert [(change.act, change.kind) for change in found] == acts


def test_an_asset_of_another_class_stays_there_unless_replaced() -> None:
    assert class_change("P-1", "pump", "pump", replace=False) is None
    assert class_change("P-1", None, "pump", replace=False) == Change("add", "class", "P-1", old=None, new="pump")
    assert [class_change("P-1", "fan", "pump", replace=replace).act for replace in (False, True)] == ["keep", "change"]  # type: ignore[union-attr]


values = st.one_of(st.none(), st.just(""), st.integers(0, 3))
columns = st.dictionaries(st.sampled_from("abc"), values)
limits = st.lists(st.fixed_dictionaries({"value": st.integers(0, 2)}), max_size=2)


@given(st.builds(TagTemplate, st.just("x"), columns, limits), st.none() | st.builds(TagNow, columns, limits, columns), st.booleans())
def test_what_was_applied_has_nothing_left_to_apply(template: TagTemplate, now: TagNow | None, replace: bool) -> None:
    made = [change for change in tag_changes("t", template, now, replace=replace) if change.act != "keep"]

    after = _after(made, template, now)

    again = tag_changes("t", template, after, replace=replace)
    assert [change for change in again if change.act != "keep"] == []
    assert not replace or again == []


def _after(made: list[Change], template: TagTemplate, now: TagNow | None) -> TagNow:
    held: dict[str, Any] = dict(now.columns) if now else dict(template.columns)
    shown = list(now.limits) if now else []
    for change in made:
        if change.kind == "value":
            held[change.field] = change.new
        if change.kind == "limits":
            shown = change.new
    return TagNow(held, shown)
