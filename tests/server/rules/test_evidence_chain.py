"""A chain of evidence: any change of a link is found, and rewriting the JSON is none."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules import evidence_chain
from server.rules.evidence_chain import Link

LINKS = [
    Link("readings", "2026-11-20T14:00:00.000Z", {"points": [[1.0, 2.5], [2, 1e20]]}),
    Link("alert", "2026-11-20T14:00:01.000Z", {"message": "Vibration above 7.10 mm/s"}),
    Link("act", "2026-11-20T14:01:00.000Z", {"action": "start", "old": None}),
    Link("verdict", None, {"verdict": "confirmed", "ok": True}),
]


def chain() -> list[dict[str, Any]]:
    return deepcopy(evidence_chain.chained(LINKS))


def edited(n: int, **fields: Any) -> list[dict[str, Any]]:
    links = chain()
    links[n] |= fields
    return links


def test_an_untouched_chain_holds() -> None:
    assert evidence_chain.problems_of(chain()) == []
    assert evidence_chain.problems_of([]) == []


@pytest.mark.parametrize(
    "links",
    [
        edited(1, content={"message": "Vibration above 9.10 mm/s"}),
        edited(2, at="2026-11-20T13:01:00.000Z"),
        edited(2, kind="answer"),
        edited(3, content={"verdict": "confirmed", "ok": 1}),
        chain()[1:],
        [chain()[0], *chain()[2:]],
        [chain()[1], chain()[0], *chain()[2:]],
        [*chain()[:3], {**chain()[3], "hash": "0" * 64}],
        [*chain()[:2], {"n": 3}],
        ["x"],
    ],
    ids=["content", "time", "kind", "true is not 1", "first gone", "one gone", "moved", "hash", "no content", "no link"],
)
def test_any_change_is_named(links: list[Any]) -> None:
    assert evidence_chain.problems_of(links)


def test_a_link_put_in_anew_with_right_hashes_is_betrayed_by_the_signature() -> None:
    forged = evidence_chain.chained([*LINKS[:3], Link("verdict", None, {"verdict": "false", "ok": True})])
    signed = evidence_chain.signature(b"key", "WO-1", evidence_chain.head_of(chain()))

    assert evidence_chain.problems_of(forged) == []
    assert signed != evidence_chain.signature(b"key", "WO-1", evidence_chain.head_of(forged))
    assert signed != evidence_chain.signature(b"key", "WO-2", evidence_chain.head_of(chain()))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=3), min_size=1, max_size=5), st.data())
def test_rewriting_the_json_keeps_it_and_dropping_any_link_does_not(contents: list[dict[str, Any]], data: st.DataObject) -> None:
    links = evidence_chain.chained([Link("act", None, content) for content in contents])

    read = json.loads(json.dumps(links, indent=2, sort_keys=True))
    gone = data.draw(st.integers(0, len(links) - 1))

    assert evidence_chain.problems_of(read) == []
    if gone < len(links) - 1:
        assert evidence_chain.problems_of(read[:gone] + read[gone + 1 :])
