"""Default deny, and the authorisation matrix: who reaches what, generated from the url map and the socket events against rights.toml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app import create_app
from server.auth.guard import OPEN, SIGNED_IN, declared_right
from server.doors import SOCKET_RIGHTS
from server.rules.roles import ALL_RIGHTS
from server.services import Services
from tests.server.api import rights_table
from tests.server.api.callers import CALLERS, Caller, an_order, bearer, caller, foreign_things
from tests.server.api.conftest import LogIn, Plant
from tests.server.api.rights_table import name_of, rules_of

NOWHERE = 2**31 - 1  # an id that nothing has
ENDS_THE_LOGIN = {"auth.log_out", "web.logout"}
MATRIX = tuple(name for name in CALLERS if name != "anonymous")


def address(app: Flask, rule: Rule, method: str, things: Mapping[str, str] | None = None) -> str:
    """An address that this route matches: of the given things, else of one that does not exist."""
    values: dict[str, Any] = {}
    for name, converter in rule._converters.items():
        numeric = "nt" in type(converter).__name__ or type(converter).__name__ == "IdConverter"
        values[name] = NOWHERE if numeric else "nothing"
        given = (things or {}).get(name)
        if given is not None and (given.isdigit() or not numeric):
            values[name] = int(given) if numeric else given
    return app.url_map.bind("localhost").build(rule.endpoint, values, method=method, append_unknown=False)


def lacks_the_right(answer: TestResponse) -> bool:
    """The guard's refusal; a store that refuses an act says something else."""
    is_problem = "problem" in (answer.content_type or "")
    return answer.status_code == 403 and is_problem and "lacks the right" in answer.json["detail"]


def is_for_browsers(answer: TestResponse) -> bool:
    """The guard's refusal of a token where only a person's own browser session counts; it says nothing of any thing."""
    return answer.status_code == 403 and answer.json["code"] == "browser_only"


def reaches(who: Caller, right: str) -> bool:
    """What the table says of a cell."""
    return right == OPEN or (right == SIGNED_IN and who.is_person) or right in who.rights


# --- the table ---


@pytest.mark.parametrize("part", ["routes", "sockets", "rights"])
def test_what_asks_for_which_right_is_what_people_agreed_on(app: Flask, part: str) -> None:
    differences = rights_table.differences(app, part)

    assert differences == [], "think, run `python -m tests.server.api.rights_table --write`, read the diff"


def test_every_route_declares_a_right_that_exists(app: Flask) -> None:
    missing = [str(rule) for rule in app.url_map.iter_rules() if declared_right(app, rule.endpoint) is None]
    unknown = {declared_right(app, rule.endpoint) for rule in app.url_map.iter_rules()} - ALL_RIGHTS - {OPEN, SIGNED_IN, None}

    assert missing == []
    assert unknown == set()


def test_every_socket_event_declares_its_rights(app: Flask) -> None:
    handled = set(app.extensions["socketio"].server.handlers["/"])

    assert handled == set(SOCKET_RIGHTS)


def test_a_route_without_a_declared_right_is_refused(services: Services, bearer: LogIn) -> None:
    forgetful = create_app(services.settings)
    forgetful.add_url_rule("/api/forgotten", "forgotten", lambda: "secret")

    answer = forgetful.test_client().get("/api/forgotten", headers=bearer("admin"))

    assert answer.status_code == 403
    forgetful.extensions["sightline"].database.close()


# --- the matrix ---


def test_nobody_unnamed_passes_a_closed_route(app: Flask, client: FlaskClient) -> None:
    passed = []
    for rule, method in rules_of(app):
        if declared_right(app, rule.endpoint) == OPEN:
            continue
        for asked in (method, "HEAD", "OPTIONS"):
            answer = client.open(address(app, rule, method), method=asked)
            page = answer.status_code == 302 and answer.headers["Location"].startswith("/login")
            if answer.status_code not in {401, 405} and not page:
                passed.append((asked, str(rule), answer.status_code))

    assert passed == []


@pytest.mark.parametrize("name", MATRIX)
def test_a_caller_reaches_exactly_the_routes_of_their_rights(
    app: Flask, client: FlaskClient, services: Services, plant: Plant, name: str
) -> None:
    who = caller(name, client, services, plant)

    wrong = list(misjudged(app, client, who))

    assert wrong == []


def misjudged(app: Flask, client: FlaskClient, who: Caller) -> Iterator[str]:
    """Cells that are refused though the table lets the caller in, let in though it does not, or that fail."""
    agreed = rights_table.expected()["routes"]
    for rule, method in rules_of(app):
        right = agreed.get(name_of(rule, method), "")
        if rule.endpoint in ENDS_THE_LOGIN and who.is_person:
            continue  # logging out would end the walk
        answer = client.open(address(app, rule, method), method=method, headers=who.headers)
        if answer.status_code >= 500 and rule.rule != "/ready":  # nothing else runs here, and /ready says so
            yield f"{name_of(rule, method)}: fails with {answer.status_code}"
        elif reaches(who, right) and (lacks_the_right(answer) or (answer.status_code == 401 and right != OPEN)):
            yield f"{name_of(rule, method)}: asks {right}, refused with {answer.status_code}"
        elif not reaches(who, right) and not lacks_the_right(answer):
            yield f"{name_of(rule, method)}: asks {right}, answers {answer.status_code}"


SOCKETS = {"anonymous": False, "ingest": False, "contractor": False}  # the others connect


@pytest.mark.parametrize("name", CALLERS)
def test_a_caller_has_exactly_the_socket_events_of_their_rights(
    app: Flask, client: FlaskClient, services: Services, plant: Plant, name: str
) -> None:
    who = caller(name, client, services, plant)
    auth = {"token": who.headers["Authorization"].removeprefix("Bearer ")} if who.headers else None

    socket = app.extensions["socketio"].test_client(app, auth=auth)

    assert socket.is_connected() is SOCKETS.get(name, True)
    if socket.is_connected():
        for event, body in (("subscribe", {"tags": [plant.tag]}), ("resume", {"since": None})):
            answer = socket.emit(event, body, callback=True)
            refused = answer.get("code") == "forbidden"
            assert refused is not bool(SOCKET_RIGHTS[event] & who.rights), (event, answer)
        socket.disconnect()


# --- things of others ---


@pytest.mark.parametrize("name", ["admin", "technician", "planner"])
def test_another_sites_things_are_not_there_at_all(app: Flask, client: FlaskClient, services: Services, plant: Plant, name: str) -> None:
    who = caller(name, client, services, plant)
    with services.database.transaction() as session:
        things = {**foreign_things(session, plant), "tag": plant.other_tag}

    seen = []
    for rule, method in rules_of(app):
        named = rule._converters.keys() & things.keys()
        if not named or not rule.rule.startswith(("/api/", "/ar/")) or declared_right(app, rule.endpoint) == OPEN:
            continue
        body = None if method in {"GET", "DELETE"} else {}
        answer = client.open(address(app, rule, method, things), method=method, headers=who.headers, json=body)
        hidden = {404, 422} if body is None else {400, 404, 415, 422}  # 422: a query or body was wanted
        if answer.status_code not in hidden and not lacks_the_right(answer) and not is_for_browsers(answer):
            seen.append((name_of(rule, method), answer.status_code))

    assert seen == []


def test_another_sites_values_are_not_there(client: FlaskClient, bearer: LogIn, plant: Plant) -> None:
    assert client.get(f"/api/readings?tag={plant.other_tag}", headers=bearer("admin")).status_code == 404


def test_another_persons_order_is_seen_but_not_worked_on(client: FlaskClient, services: Services, plant: Plant) -> None:
    a, b = (caller(name, client, services, plant).headers for name in ("technician", "technician_b"))
    with services.database.transaction() as session:
        order = an_order(session, plant.site, plant.asset_id).number
    path = f"/api/work-orders/{order}/actions"
    assert client.post(f"{path}/start", headers=a).status_code == 200

    refused = {
        action: client.post(f"{path}/{action}", headers=b, json=body).status_code
        for action, body in (
            ("hold", {"reason": "mine"}),
            ("problem", {"note": "mine"}),
            ("complete", {"notes": "done"}),
            ("cancel", {"reason": "no"}),
        )
    }
    refused["patch"] = client.patch(f"/api/work-orders/{order}", headers=b, json={"status": "completed", "notes": "x"}).status_code

    assert set(refused.values()) == {403}, refused
    assert client.get(f"/api/work-orders/{order}", headers=b).json["status"] == "in_progress"
    assert client.post(f"{path}/assign", headers=b, json={}).status_code == 200  # taking it over is allowed, and audited
    assert client.post(f"{path}/complete", headers=b, json={"notes": "done", "actual_minutes": 5}).status_code == 200
    assert client.post(f"{path}/verify", headers=b, json={}).status_code == 403  # never by the completer
    assert client.post(f"{path}/verify", headers=a, json={}).status_code == 200


# --- ways around (RELIABILITY.md B1) ---

SPELLINGS = {
    "doubled slash": lambda path: f"/{path}",
    "doubled inside": lambda path: path.replace("/api/", "/api//"),
    "dot": lambda path: path.replace("/api/", "/api/./"),
    "dots": lambda path: path.replace("/api/", "/x/../api/"),
    "upper case": lambda path: path.upper(),
    "trailing slash": lambda path: f"{path}/",
    "semicolon": lambda path: f"{path};x=1",
    "semicolon inside": lambda path: path.replace("/api/", "/api;x/"),
    "blank": lambda path: f"{path} ",
    "backslash": lambda path: path.replace("/api/", "/api\\"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_path_gets_around_the_guard(app: Flask, client: FlaskClient, spelling: str) -> None:
    passed = []
    for rule, method in rules_of(app):
        if not rule.rule.startswith("/api/") or declared_right(app, rule.endpoint) == OPEN:
            continue
        path = SPELLINGS[spelling](address(app, rule, method))
        answer = client.open("/", method=method, environ_overrides={"PATH_INFO": path})  # as the server decodes %2e and %2f
        if answer.status_code not in {301, 302, 308, 400, 401, 404, 405}:
            passed.append((method, path, answer.status_code))

    assert passed == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost", "X-Real-Ip": "127.0.0.1"},
        {"Referer": "http://localhost/", "Origin": "http://localhost"},
        {"X-Original-Url": "/live", "X-Rewrite-Url": "/live", "X-Forwarded-Prefix": "/live"},
        {"X-HTTP-Method-Override": "GET", "X-Method-Override": "GET"},
        {"Host": "127.0.0.1"},
    ],
    ids=["forwarded", "referer", "rewritten", "method", "host"],
)
def test_no_header_grants_a_right(app: Flask, client: FlaskClient, headers: dict[str, str]) -> None:
    passed = []
    for rule, method in rules_of(app):
        if not rule.rule.startswith("/api/") or declared_right(app, rule.endpoint) == OPEN:
            continue
        answer = client.open(address(app, rule, method), method=method, headers=headers)
        if answer.status_code != 401:
            passed.append((name_of(rule, method), answer.status_code))

    assert passed == []


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_method_override_headers_are_ignored(client: FlaskClient, bearer: LogIn, header: str) -> None:
    answer = client.get("/api/alerts/1/acknowledge?_method=POST", headers={**bearer("viewer"), header: "POST"})

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_key_of_narrow_scope_does_not_act_through_a_reading_route(client: FlaskClient, services: Services, plant: Plant) -> None:
    key = caller("api_key", client, services, plant).headers
    with services.database.transaction() as session:
        order = an_order(session, plant.site, plant.asset_id).number

    acted = client.post(f"/api/work-orders/{order}/actions/start", headers=key)
    made = client.post("/api/api-keys", headers=key, json={"name": "more", "scopes": ["orders.read"]})

    assert (acted.status_code, made.status_code) == (403, 403)
    assert client.get(f"/api/work-orders/{order}", headers=key).status_code == 200


def test_a_refusal_stands_in_the_audit_trail_once_a_minute(client: FlaskClient, bearer: LogIn, services: Services) -> None:
    viewer, admin = bearer("viewer"), bearer("admin")
    for _ in range(3):
        assert client.get("/api/users", headers=viewer).status_code == 403

    rows = client.get("/api/audit?action=refuse&actor=Viewer", headers=admin).json["items"]

    assert [(row["new"]["method"], row["new"]["path"]) for row in rows] == [("GET", "/api/users")]


def test_a_token_that_nobody_made_is_refused(client: FlaskClient) -> None:
    answers = [client.get("/api/contract", headers=bearer(word)).status_code for word in ("slc_", "slc_guess", "slt_guess", "slc_\u00e9")]

    assert answers == [401] * 4
