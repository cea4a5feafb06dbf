"""The strict reader against Python's own: whatever it accepts, both read the same; what Python is lenient about, it refuses."""

from __future__ import annotations

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Invalid
from server.problems import Problem
from server.strict_json import MAX_DEPTH, loads

leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)
values = st.recursive(leaves | texts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20)


@given(values)
def test_every_plain_value_comes_back(value: object) -> None:
    assert loads(json.dumps(value).encode()) == json.loads(json.dumps(value))


@given(st.dictionaries(texts, leaves, min_size=1, max_size=4))
def test_a_key_twice_is_always_refused(value: dict[str, object]) -> None:
    key = next(iter(value))
    text = json.dumps(value)[:-1] + "," + json.dumps(key) + ":1}"

    with pytest.raises(Problem):
        loads(text.encode())


@given(st.binary(max_size=60))
def test_no_bytes_do_anything_but_parse_or_be_refused(raw: bytes) -> None:
    try:
        value = loads(raw)
    except (Problem, Invalid):
        return
    assert value == orjson.loads(raw)
    assert not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("text", ['{"a": "x\\": 1"}', '{"a\\"": 1, "a": 2}', '["a:", "b\\\\", {"c": ":"}]', '{"a" : {"a": 1}}'])
def test_colons_and_quotes_inside_texts_are_no_keys(text: str) -> None:
    assert loads(text.encode()) == json.loads(text)


def test_twenty_levels_are_read_and_the_next_is_not() -> None:
    assert loads(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    with pytest.raises(Problem):
        loads(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_a_nul_in_a_text_is_well_formed_but_wrong() -> None:
    with pytest.raises(Invalid):
        loads(b'{"a": ["x\\u0000"]}')
