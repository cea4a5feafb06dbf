"""JSON as this server writes it: orjson, so NaN and infinity leave as null and times as RFC 3339."""

from __future__ import annotations

from typing import Any

import orjson
from flask.json.provider import JSONProvider

from server.strict_json import loads


class StrictProvider(JSONProvider):
    """Replaces Flask's provider, which writes bare NaN."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """Text of a value; objects that are no JSON are written by str()."""
        return orjson.dumps(obj, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """The value of a text, by the strict reader."""
        return loads(s.encode() if isinstance(s, str) else s)
