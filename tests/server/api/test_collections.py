"""Every collection of the document keeps the same contract: pages, sort, total; every creating POST its key."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from tests.server.api.conftest import LogIn
from tests.server.api.operations import Operation, document, operations

WRONG_PAGES = ("limit=0", "limit=501", "limit=-1", "limit=x", "limit=1e3", "offset=-1", "offset=99999999999", "offset=x")
UNSORTED = {"/api/facts"}  # a log by its number
PROBLEM = "application/problem+json"


def collections(client: FlaskClient) -> list[Operation]:
    """Operations that answer a page."""
    found = [one for one in operations(document(client)) if one.method == "get" and {"limit", "offset"} <= one.query]
    return [one for one in found if not one.path.startswith("/api/contract/")]  # only a contractor's link opens them


def refused(answer: Any) -> bool:
    """A problem that says which value is wrong."""
    return answer.status_code == 422 and answer.content_type == PROBLEM and bool(answer.json["errors"])


def test_a_wrong_page_of_any_collection_is_422(client: FlaskClient, bearer: LogIn) -> None:
    headers = bearer("admin")
    found = collections(client)

    asked = [(one.name, query, client.get(f"{one.address()}?{query}", headers=headers)) for one in found for query in WRONG_PAGES]

    assert len(found) > 10
    assert [(name, query, answer.status_code) for name, query, answer in asked if not refused(answer)] == []


def test_a_sort_by_something_unknown_is_422(client: FlaskClient, bearer: LogIn) -> None:
    headers = bearer("admin")
    sorted_ones = [one for one in collections(client) if one.path not in UNSORTED and "{" not in one.path]

    asked = [(one.name, word, client.get(one.path, query_string={"sort": word}, headers=headers)) for one in sorted_ones for word in SORTS]

    assert sorted({name for name, word, answer in asked if not refused(answer)}) == []


SORTS = ("no_such_column", "-no_such_column", "id;drop table users", "--id", "\u202e")


def test_a_page_says_its_total_and_one_far_behind_is_empty(client: FlaskClient, bearer: LogIn) -> None:
    headers = bearer("admin")

    wrong = []
    for one in [one for one in collections(client) if "{" not in one.path]:
        first = client.get(one.path, query_string={"limit": 1}, headers=headers)
        far = client.get(one.path, query_string={"limit": 1, "offset": 1_000_000}, headers=headers)
        if first.status_code == far.status_code == 422 and first.json["errors"]:
            continue  # it asks for a period or a thing first
        sound = first.status_code == far.status_code == 200 and len(first.json["items"]) <= 1 and far.json["items"] == []
        if not (sound and first.json["total"] == far.json["total"] and far.json["offset"] == 1_000_000):
            wrong.append((one.name, first.status_code, first.text[:120], far.text[:120]))

    assert wrong == []


def test_a_wrong_idempotency_key_is_refused_wherever_something_is_made(client: FlaskClient, bearer: LogIn) -> None:
    headers = bearer("admin")
    creating = [one for one in operations(document(client)) if one.method == "post" and "201" in one.answers and "{" not in one.path]

    assert len(creating) > 5
    undocumented = [one.name for one in creating if "400" not in one.answers]
    asked = [(one.name, client.post(one.path, json={}, headers={**headers, "Idempotency-Key": "x" * 201})) for one in creating]
    assert undocumented == []
    assert [(name, answer.status_code) for name, answer in asked if not 400 <= answer.status_code < 500] == []
