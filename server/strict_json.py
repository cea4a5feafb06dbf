"""JSON as the API and the feed accept it: strict where Flask is lenient (AR_FEED.md section 5).

It knows nothing of HTTP but the two errors it raises; what fields mean is the schemas' business.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from server.errors import Invalid
from server.problems import bad_request

MAX_DEPTH = 20
MAX_TOKENS = 250_000  # values in one body: 10,000 readings have 50,000; bounds the time a body may take
_STRING_OR_KEY = re.compile(rb'"(?:[^"\\]|\\.)*"(\s*:)?', re.DOTALL)


def loads(raw: bytes) -> Any:
    """The value of a JSON text.

    Raises Problem 400 when it is malformed, not UTF-8, not finite, nested too deep, has a lone surrogate or a key twice;
    Invalid (422) where a string holds U+0000, which no text column keeps.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise bad_request("malformed_json", f"body is not JSON: {error.msg} at character {error.pos}") from error
    keys = _count_keys(value)
    if keys != sum(1 for match in _STRING_OR_KEY.finditer(raw) if match.group(1)):
        raise bad_request("duplicate_key", "an object of the body has the same key twice")
    return value


def _count_keys(value: Any) -> int:
    """Keys of all objects below `value`; walks without recursion and judges depth and text on the way."""
    keys = seen = 0
    pending: list[tuple[Any, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        seen += 1
        if seen > MAX_TOKENS:
            raise bad_request("too_many_values", f"body has more than {MAX_TOKENS} values")
        if isinstance(item, str):
            _refuse_nul(item)
            continue
        if not isinstance(item, dict | list):
            continue
        if depth > MAX_DEPTH:
            raise bad_request("too_deep", f"body is nested deeper than {MAX_DEPTH}")
        if isinstance(item, dict):
            keys += len(item)
            for key in item:
                _refuse_nul(key)
        pending += [(child, depth + 1) for child in (item.values() if isinstance(item, dict) else item)]
    return keys


def _refuse_nul(text: str) -> None:
    if "\0" in text:
        raise Invalid("body", "nul", "text must not hold the character U+0000")
