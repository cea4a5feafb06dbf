"""Which fault terms go together, and that the words a site starts with do."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules.taxonomy import DEFAULTS, LEVELS, Term, wrong_level

MECHANICAL, ELECTRICAL = Term(1, "category", None), Term(2, "category", None)
SEIZED, TRIPPED = Term(3, "what", 1), Term(4, "what", 2)
WEAR, SEIZED_BY_DIRT = Term(5, "why", None), Term(6, "why", 3)
BEARING = Term(7, "where", None)


@pytest.mark.parametrize(
    ("chosen", "wrong"),
    [
        ({"category": MECHANICAL}, None),
        ({"category": MECHANICAL, "what": SEIZED, "why": WEAR, "where": BEARING}, None),
        ({"category": MECHANICAL, "what": SEIZED, "why": SEIZED_BY_DIRT}, None),
        ({"category": MECHANICAL, "where": BEARING}, None),
        ({}, "category"),
        ({"what": SEIZED}, "category"),
        ({"category": SEIZED}, "category"),
        ({"category": MECHANICAL, "what": TRIPPED}, "what"),
        ({"category": ELECTRICAL, "what": TRIPPED, "why": SEIZED_BY_DIRT}, "why"),
        ({"category": MECHANICAL, "why": SEIZED_BY_DIRT}, "why"),
        ({"category": MECHANICAL, "what": WEAR}, "what"),
    ],
)
def test_a_choice_belongs_to_the_choice_above_it(chosen: dict[str, Term | None], wrong: str | None) -> None:
    assert wrong_level(chosen) == wrong


@given(st.lists(st.tuples(st.sampled_from(LEVELS), st.none() | st.integers(1, 4)), min_size=4, max_size=8))
def test_a_chain_that_holds_is_one_of_parents(rows: list[tuple[str, int | None]]) -> None:
    terms = [Term(n, level, parent) for n, (level, parent) in enumerate(rows, 1)]
    chosen = {level: next((term for term in terms if term.level == level), None) for level in LEVELS}

    if wrong_level(chosen) is None:
        for above, level in itertools.pairwise(LEVELS):
            term, upper = chosen[level], chosen[above]
            assert term is None or term.parent is None or (upper is not None and upper.id == term.parent)


def test_the_defaults_hang_together_in_every_language() -> None:
    codes = {(default.level, default.code) for default in DEFAULTS}

    assert len(codes) == len(DEFAULTS)
    assert {default.level for default in DEFAULTS} == set(LEVELS)
    for default in DEFAULTS:
        above = LEVELS[LEVELS.index(default.level) - 1]
        assert default.of is None or (above, default.of) in codes
        assert default.en
        assert default.fr
