"""Every operation of the served document, with what a test needs to call it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One method of one path; `body` names the media types it takes."""

    method: str
    path: str
    query: frozenset[str]
    body: frozenset[str]
    answers: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"

    def address(self, **values: Any) -> str:
        """The path with its places filled; 1 where nothing is given."""
        return re.sub(r"{([^{}]+)}", lambda match: str(values.get(match[1], 1)), self.path)


def document(client: FlaskClient) -> dict[str, Any]:
    """The served document."""
    answer = client.get("/api/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json)


def operations(found: dict[str, Any]) -> Iterator[Operation]:
    """Each operation of a document."""
    for path, item in found["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            parameters = [*item.get("parameters", []), *item[method].get("parameters", [])]
            query = frozenset(p["name"] for p in parameters if p.get("in") == "query")
            body = frozenset(item[method].get("requestBody", {}).get("content", {}))
            yield Operation(method, path, query, body, item[method]["responses"])
