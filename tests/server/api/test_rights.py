"""Default deny: every route declares its right, and the matrix of who reaches what is generated from the url map."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from server.auth.guard import OPEN, SIGNED_IN, declared_right
from server.rules.roles import ALL_RIGHTS, RIGHTS, Role
from tests.server.api.conftest import LogIn

SAMPLES = {"id": "1", "string": "nothing", "path": "nothing", "default": "nothing", "int": "1", "integer": "1"}
DEVICE_RIGHTS = {"ingest": {"readings.write"}, "paired": {"ar.read", "ar.write"}}


def rules_of(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every route with every method it takes."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield rule, method


def path_of(app: Flask, rule: Rule) -> str:
    """An address that this route matches, of a thing that does not exist."""
    values = {}
    for name, converter in rule._converters.items():
        values[name] = 1 if "int" in type(converter).__name__.lower() or type(converter).__name__ == "IdConverter" else "nothing"
    adapter = app.url_map.bind("localhost")
    return adapter.build(rule.endpoint, values, method=next(iter(rule.methods)), append_unknown=False)


def test_every_route_declares_a_right_that_exists(app: Flask) -> None:
    missing = [str(rule) for rule in app.url_map.iter_rules() if declared_right(app, rule.endpoint) is None]
    unknown = {declared_right(app, rule.endpoint) for rule in app.url_map.iter_rules()} - ALL_RIGHTS - {OPEN, SIGNED_IN, None}

    assert missing == []
    assert unknown == set()


def test_a_route_without_a_declared_right_is_refused(app: Flask, bearer: LogIn) -> None:
    app.add_url_rule("/api/forgotten", "forgotten", lambda: "secret")

    answer = app.test_client().get("/api/forgotten", headers=bearer("admin"))

    assert answer.status_code == 403


def test_nobody_unnamed_passes_a_closed_route(app: Flask, client: FlaskClient) -> None:
    passed = []
    for rule, method in rules_of(app):
        if declared_right(app, rule.endpoint) == OPEN:
            continue
        answer = client.open(path_of(app, rule), method=method)
        page = answer.status_code == 302 and answer.headers["Location"].startswith("/login")
        if answer.status_code != 401 and not page:
            passed.append((method, str(rule), answer.status_code))

    assert passed == []


@pytest.mark.parametrize("role", ["technician", "manager", "admin", "viewer", "operator"])
def test_a_role_reaches_exactly_the_routes_of_its_rights(app: Flask, client: FlaskClient, bearer: LogIn, role: str) -> None:
    headers = bearer(role)

    wrong = list(misjudged(app, client, headers, RIGHTS[Role(role)] | {SIGNED_IN}))

    assert wrong == []


@pytest.mark.parametrize("kind", ["ingest", "paired"])
def test_a_device_reaches_exactly_the_routes_of_its_kind(
    app: Flask, client: FlaskClient, device: Callable[[str], dict[str, str]], kind: str
) -> None:
    wrong = list(misjudged(app, client, device(kind), DEVICE_RIGHTS[kind]))

    assert wrong == []


def misjudged(
    app: Flask, client: FlaskClient, headers: dict[str, str], rights: set[str] | frozenset[str]
) -> Iterator[tuple[str, str, int]]:
    """Routes that answer 403 though the right is there, let through though it is not, or fail."""
    for rule, method in rules_of(app):
        needed = declared_right(app, rule.endpoint)
        if needed == OPEN or rule.endpoint in {"auth.log_out", "web.logout"}:
            continue  # logging out would end the walk
        answer = client.open(path_of(app, rule), method=method, headers=headers)
        code = (answer.json or {}).get("code") if answer.is_json or "problem" in (answer.content_type or "") else None
        refused = answer.status_code == 403 and code == "forbidden"
        if refused != (needed not in rights) or answer.status_code >= 500:
            yield method, str(rule), answer.status_code


def test_another_sites_things_are_not_there_at_all(client: FlaskClient, bearer: LogIn, plant: object) -> None:
    answer = client.get(f"/api/readings?tag={plant.other_tag}", headers=bearer("admin"))

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "path", ["//api/alerts", "/api/../api/alerts", "/api/alerts/", "/API/alerts", "/api/alerts;x=1", "/api/%2e/alerts"]
)
def test_no_spelling_of_a_path_gets_around_the_guard(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code in {301, 302, 308, 401, 404}


def test_method_override_headers_are_ignored(client: FlaskClient, bearer: LogIn) -> None:
    answer = client.get("/api/alerts/1/acknowledge", headers={**bearer("viewer"), "X-HTTP-Method-Override": "POST"})

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
