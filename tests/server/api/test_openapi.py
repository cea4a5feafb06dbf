"""The document says what is there: its shape is OpenAPI 3.1 and every route under /api is in it."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

NOT_RESOURCES = {"/api/openapi.json", "/api/docs"}


def document(client: FlaskClient) -> dict[str, Any]:
    """The served document."""
    answer = client.get("/api/openapi.json")
    assert answer.status_code == 200
    return answer.json


def test_every_route_under_api_is_in_the_document(app: Flask, client: FlaskClient) -> None:
    paths = document(client)["paths"]

    missing = [
        (method, str(rule))
        for rule in app.url_map.iter_rules()
        if str(rule).startswith("/api/") and str(rule) not in NOT_RESOURCES
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if method.lower() not in paths.get(re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", str(rule)), {})
    ]

    assert missing == []


def test_the_document_has_the_shape_of_openapi_3_1(client: FlaskClient) -> None:
    found = document(client)

    assert found["openapi"].startswith("3.1")
    assert found["info"]["title"] == "Sightline"
    names: set[str] = set()
    for path, item in found["paths"].items():
        wanted = set(re.findall(r"{([^{}]+)}", path))
        for method, operation in item.items():
            if method == "parameters":
                continue
            assert operation["responses"], (method, path)
            assert operation.get("summary"), (method, path)
            given = {p["name"] for p in [*item.get("parameters", []), *operation.get("parameters", [])] if p.get("in") == "path"}
            assert given == wanted, (method, path)
            names.add(f"{method} {path}")
    assert "post /api/readings" in names


def test_every_reference_in_the_document_leads_somewhere(client: FlaskClient) -> None:
    found = document(client)

    for reference in re.findall(r"'\$ref': '#/([^']+)'", str(found)):
        at: Any = found
        for part in reference.split("/"):
            at = at[part]
        assert at


def test_the_page_of_the_document_is_local(client: FlaskClient) -> None:
    answer = client.get("/api/docs")

    assert answer.status_code == 200
    assert "/api/readings/trends" in answer.text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)
    assert "<script" not in answer.text
