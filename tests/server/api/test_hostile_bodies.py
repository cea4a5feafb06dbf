"""Hostile bodies over every endpoint that takes one: a 4xx problem each, nothing stored, the good request beside each arrives."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app import create_app
from realtime.bus import COMMANDS, READINGS, SIGNALS
from realtime.codec import decode_batch
from server.models.audit import AuditLog, AuditSeal
from server.models.metadata import Base
from server.services import Services
from tests.server.api.conftest import LogIn, Plant
from tests.server.api.operations import Operation, document, operations

pytestmark = pytest.mark.timeout(300)  # thousands of requests in a test
REFUSALS = ("refuse", "refuse_login")  # a try that was refused stands in the audit trail, with its seal (server/auth/refusals.py)
DEEP = 100_000
# name -> body, and the one status it must get everywhere; None = any 4xx, by what the endpoint expects
UNREADABLE: dict[str, bytes] = {
    "empty": b"",
    "blank": b"   ",
    "half an object": b'{"a": 1',
    "two values": b"{} {}",
    "trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "comment": b'{"a": 1 /* x */}',
    "NaN": b'{"value": NaN}',
    "Infinity": b'{"value": Infinity}',
    "minus Infinity": b'{"value": -Infinity}',
    "1e999": b'{"value": 1e999}',
    "number of 400 digits": b'{"value": ' + b"9" * 400 + b"}",
    "leading zero": b'{"value": 007}',
    "hexadecimal": b'{"value": 0x10}',
    "duplicate key": b'{"tag": "a", "tag": "b"}',
    "duplicate key by escape": b'{"tag": "a", "t\\u0061g": "b"}',
    "duplicate key below": b'{"a": [{"x": 1, "x": 2}]}',
    "lone high surrogate": b'{"name": "\\ud800"}',
    "lone low surrogate": b'{"name": "\\udc00"}',
    "surrogates reversed": b'{"name": "\\udc00\\ud800"}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "raw NUL": b'{"name": "a\x00b"}',
    "NUL after": b"{}\x00",
    "raw newline in a text": b'{"name": "a\nb"}',
    "bad escape": b'{"name": "\\x41"}',
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "21 deep": b'{"a":' * 21 + b"1" + b"}" * 21,
    "unclosed deep": b"[" * DEEP,
    "XML": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    "form": b"tag=a&value=1",
    "pickle": b"\x80\x04K\x01.",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "random bytes": bytes(range(256)),
}
WRONG: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "a number": b"5",
    "a text": b'"x"',
    "NUL escape": b'{"employee_number": "a\\u0000", "password": "x", "title": "\\u0000"}',
    "NUL escape in a key": b'{"a\\u0000b": 1}',
    "ten thousand keys": json.dumps({f"k{i}": i for i in range(10_000)}).encode(),
    "__proto__": b'{"__proto__": {"admin": true}}',
    "constructor": b'{"constructor": {"prototype": {"role": "admin"}}}',
    "session": b'{"session": 1, "user": 2, "now": 3, "order_id": 4, "action": "x"}',
    "wrong types": b'{"tag": [], "value": {}, "employee_number": 1, "password": [], "title": 5, "target": {}, "kind": [], "name": {}}',
    "booleans for numbers": b'{"value": true, "alert_id": true, "low": false, "title": true}',
    "huge integer": b'{"alert_id": 9223372036854775808, "asset": "x", "title": "x"}',
    "negative id": b'{"alert_id": -1}',
    "SQL": json.dumps(
        {"employee_number": "' OR 1=1 --", "password": "x", "title": "'; DROP TABLE users; --", "asset": "' OR '1'='1"}
    ).encode(),
    "template": b'{"employee_number": "{{7*7}}", "password": "${7*7}", "title": 1}',
    "long text": json.dumps({"employee_number": "x" * 500_000, "password": "y", "title": "z" * 300_000}).encode(),
    "array of nulls": b"[null, null]",
    "array of arrays": b"[[[]]]",
    "empty array": b"[{}]",
    "right to left": '{"title": "\u202egnp.exe", "kind": "\u202e"}'.encode(),
}
BODIES = {**UNREADABLE, **WRONG}
ENDPOINTS = (
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/password"),
    ("POST", "/api/alerts/1/resolve"),
    ("POST", "/api/alerts/1/shelve"),
    ("POST", "/api/work-orders"),
    ("POST", "/api/work-orders/from-alert"),
    ("PATCH", "/api/work-orders/1"),
    ("POST", "/api/work-orders/1/actions/complete"),
    ("POST", "/api/work-orders/1/steps/s1"),
    ("PUT", "/api/tags"),
    ("PUT", "/api/sources"),
    ("POST", "/api/tokens"),
    ("POST", "/api/simulator/faults"),
    ("POST", "/api/pair/approve"),
)


def stored(services: Services) -> dict[str, int]:
    """How much of anything there is: rows of every table, entries of every stream; but for the audit's rows of what was refused."""
    refused = select(AuditLog.id).where(AuditLog.action.in_(REFUSALS))
    with services.database.transaction() as session:
        rows = {name: session.scalar(select(func.count()).select_from(table)) or 0 for name, table in Base.metadata.tables.items()}
        rows["audit_log"] -= session.scalar(select(func.count()).select_from(refused.subquery())) or 0
        rows["audit_seals"] -= session.scalar(select(func.count()).where(AuditSeal.audit_id.in_(refused))) or 0
    return rows | {name: int(services.bus.client.xlen(services.bus.key(name))) for name in (COMMANDS, SIGNALS, *READINGS)}


def test_there_are_more_than_fifty() -> None:
    assert len(BODIES) > 50


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_no_hostile_body_is_stored_or_breaks_an_endpoint(
    client: FlaskClient, services: Services, bearer: LogIn, method: str, path: str
) -> None:
    headers = {**bearer("admin"), "Content-Type": "application/json"}
    before = stored(services)

    wrong = []
    for name, body in BODIES.items():
        answer = client.open(path, method=method, data=body, headers=headers)
        judged = 400 <= answer.status_code < 500 and answer.content_type == "application/problem+json"
        if name in UNREADABLE and path.endswith("complete") and not body:
            continue  # an act may come without a body; the order is not there: 404
        expected = answer.status_code == 400 if name in UNREADABLE else judged
        if not (judged and expected):
            wrong.append((name, answer.status_code, answer.text[:80]))

    assert wrong == []
    assert stored(services) == before


# one of each way in which a body cannot be read, and of each way to be wrong: sent to every operation that takes JSON
UNREADABLE_EVERYWHERE = ("half an object", "NaN", "duplicate key", "lone high surrogate", "not UTF-8", "deep objects", "21 deep", "XML")
WRONG_EVERYWHERE = (
    "null",
    "a text",
    "NUL escape in a key",
    "ten thousand keys",
    "__proto__",
    "session",
    "empty array",
    "array of nulls",
    "long text",
)
BELIEVED = {
    "string": ["\u0000", "x" * 300_000, 5, None, [], {}],
    "integer": [-(2**63), 2**63, 1.5, "1", True],
    "number": ["1", True, 1e308],
}
DST_HOLE = "2026-03-29T02:30:00"  # no offset: Europe/Paris never had this half hour
CONTRACTORS = "/api/contract/"  # only a contractor's link opens them
# no token gets as far as the body there; test_commands.py sends hostile ones from a browser session
BROWSERS = {"/api/commands", "/api/commands/{command_id}/confirm", "/api/commands/release", "/api/users/{user_id}/rights"}
TAKES_ANY_KEY = {"PUT /api/sources"}  # a source's document belongs to its connector


def taking_json(client: FlaskClient) -> list[Operation]:
    """Operations with a JSON body."""
    found = [one for one in operations(document(client)) if "application/json" in one.body and one.path != "/api/readings"]
    return [one for one in found if not one.path.startswith(CONTRACTORS) and one.path not in BROWSERS]


def test_every_operation_refuses_what_it_cannot_read(client: FlaskClient, services: Services, bearer: LogIn, plant: Plant) -> None:
    headers = {**bearer("admin"), "Content-Type": "application/json"}
    before = stored(services)

    wrong = []
    for one in taking_json(client):
        address = one.address(asset_id=plant.asset_id, code=plant.asset)
        for name in UNREADABLE_EVERYWHERE + WRONG_EVERYWHERE:
            answer = client.open(address, method=one.method.upper(), data=BODIES[name], headers=headers)
            judged = 400 <= answer.status_code < 500 and answer.content_type == "application/problem+json"
            if not judged or (name in UNREADABLE and answer.status_code not in {400, 404}):
                wrong.append((one.name, name, answer.status_code, answer.text[:80]))

    assert wrong == []
    assert stored(services) == before


def bodies_of(schema: dict[str, Any], spec: dict[str, Any]) -> list[tuple[str, Any]]:
    """Bodies where one value alone is wrong in its kind, its sign or its size; and one with a key too many."""
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "array":
        return [(f"[] {name}", [body]) for name, body in bodies_of(schema["items"], spec)]
    made: list[tuple[str, Any]] = [("a key too many", {"no_such_key": 1})]
    for name, field in schema.get("properties", {}).items():
        kinds = field.get("type", [])
        kind = next((one for one in ([kinds] if isinstance(kinds, str) else kinds) if one in BELIEVED), None)
        values: list[Any] = [value for value in BELIEVED.get(kind or "", []) if not (value is None and "null" in kinds)]
        values += [DST_HOLE] if field.get("format") == "date-time" else []
        values += [-1] if field.get("minimum", field.get("exclusiveMinimum", -1)) >= 0 else []
        made += [(f"{name}={str(value)[:20]!r}", {name: value}) for value in values]
    return made


def test_every_operation_refuses_values_that_are_wrong(client: FlaskClient, services: Services, bearer: LogIn, plant: Plant) -> None:
    headers = bearer("admin")
    spec = document(client)
    before = stored(services)

    wrong, sent = [], 0
    for one in taking_json(client):
        address = one.address(asset_id=plant.asset_id, code=plant.asset)
        schema = spec["paths"][one.path][one.method]["requestBody"]["content"]["application/json"]["schema"]
        for name, body in bodies_of(schema, spec):
            answer = client.open(address, method=one.method.upper(), json=body, headers=headers)
            sent += 1
            if (
                not (400 <= answer.status_code < 500 and answer.content_type == "application/problem+json")
                and one.name not in TAKES_ANY_KEY
            ):
                wrong.append((one.name, name, answer.status_code, answer.text[:80]))

    assert sent > 300
    assert wrong == []
    assert stored(services) == before


def test_good_readings_arrive_beside_every_hostile_body(
    client: FlaskClient, services: Services, plant: Plant, device: Callable[[str], dict[str, str]]
) -> None:
    headers = {**device("ingest"), "Content-Type": "application/json"}
    t = time.time_ns() // 1_000_000

    wrong = []
    for i, (name, body) in enumerate(BODIES.items()):
        answer = client.post("/api/readings", data=body, headers=headers)
        if answer.status_code >= 500 or (answer.status_code == 200 and answer.json["accepted"]):
            wrong.append((name, answer.status_code))
        good = client.post("/api/readings", json=[{"tag": plant.tag, "timestamp": t - i, "value": float(i)}], headers=headers)
        if good.json["accepted"] != 1:
            wrong.append((name, good.text))

    assert wrong == []
    batches = [decode_batch(fields) for _id, fields in services.bus.client.xrange(services.bus.key(READINGS[plant.asset_id % 8]))]
    assert [list(batch.values) for batch in batches] == [[float(i)] for i in range(len(BODIES))]


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_another_media_type_is_415(client: FlaskClient, bearer: LogIn, kind: str) -> None:
    answer = client.post("/api/work-orders", data=b'{"title": "x"}', headers={**bearer("admin"), "Content-Type": kind})

    assert (answer.status_code, answer.content_type) == (415, "application/problem+json")


def test_a_body_over_one_megabyte_is_413(client: FlaskClient, bearer: LogIn) -> None:
    answer = client.post("/api/work-orders", data=b" " * 1_048_577, headers={**bearer("admin"), "Content-Type": "application/json"})

    assert (answer.status_code, answer.content_type) == (413, "application/problem+json")


@pytest.mark.parametrize(
    "path",
    [
        "/api/alerts/99999999999999999999",
        "/api/alerts/-1",
        "/api/work-orders/99999999999999999999",
        "/api/work-orders/%F0%9F%92%A9",
        "/api/work-orders/" + "9" * 19,
        "/api/assets/' OR 1=1 --",
        "/api/assets/%",
        "/api/notifications/0/read",
        "/api/frames/at?tag=%25",
        "/api/readings?tag=%25_",
    ],
)
def test_an_address_of_nothing_is_404(client: FlaskClient, bearer: LogIn, path: str) -> None:
    method = "POST" if path.endswith("read") else "GET"

    answer = client.open(path, method=method, headers=bearer("admin"))

    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1000000000", "limit=-1", "limit=x", "offset=-5", "offset=99999999999", "limit=1e3", "limit=٣x"]
)
@pytest.mark.parametrize("path", ["/api/alerts", "/api/work-orders", "/api/assets", "/api/tags", "/api/notifications"])
def test_a_wrong_page_is_422(client: FlaskClient, bearer: LogIn, path: str, query: str) -> None:
    answer = client.get(f"{path}?{query}", headers=bearer("admin"))

    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")


@pytest.mark.parametrize("path", ["/api/alerts?asset=%00", "/api/assets/a%00b", "/api/readings?tag=%00", "/%00"])
def test_nul_in_an_address_is_refused(client: FlaskClient, bearer: LogIn, path: str) -> None:
    answer = client.get(path, headers=bearer("admin"))

    assert answer.status_code in {400, 404}
    assert answer.content_type == "application/problem+json"


def test_a_failure_of_ours_says_nothing_of_its_inside(services: Services) -> None:
    def fail() -> str:
        raise RuntimeError("secret detail")

    fail.__dict__["sightline_right"] = "*"
    failing = create_app(services.settings)
    failing.add_url_rule("/api/fails", "fails", fail)

    answer = failing.test_client().get("/api/fails")

    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert "secret detail" not in answer.text
    failing.extensions["sightline"].database.close()
