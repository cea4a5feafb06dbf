"""Where a thing that was just made can be read: the Location of a 201."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response


def located(answer: Response, address: str) -> Response:
    """The answer with Location, `address` filled from its body: "/api/areas/{id}"."""
    body = answer.get_json()
    answer.headers["Location"] = address.format_map({key: quote(str(value), safe="") for key, value in body.items()})
    return answer
