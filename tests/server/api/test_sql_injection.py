"""SQL in any search, filter or sort is only text: nothing more is found by it, nothing is lost, nothing breaks (S1-44)."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import func, select

from server.models.people import User
from server.models.plant import Asset
from server.services import Services
from tests.server.api.conftest import LogIn, Plant
from tests.server.api.operations import document, operations

ATTEMPTS = (
    "' OR '1'='1' --",
    "'; DROP TABLE users CASCADE; --",
    "%' UNION SELECT id, password_hash FROM users --",
    "1); DELETE FROM assets; --",
)


def rows(services: Services) -> tuple[int, int]:
    """How many people and assets there are."""
    with services.database.transaction() as session:
        return tuple(session.scalar(select(func.count()).select_from(model)) or 0 for model in (User, Asset))  # type: ignore[return-value]


def test_sql_in_a_search_filter_or_sort_is_only_text(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers, before = bearer("admin"), rows(services)
    lists = [one for one in operations(document(client)) if one.method == "get" and "{" not in one.path and one.query]

    broken, found = [], []
    for one in lists:
        for name in sorted(one.query - {"limit", "offset", "wait"}):
            for attempt in ATTEMPTS:
                answer = client.get(one.path, query_string={name: attempt}, headers=headers)
                if answer.status_code >= 500:
                    broken.append((one.name, name, attempt))
                if name == "search" and answer.status_code == 200 and answer.is_json and (answer.json or {}).get("total"):
                    found.append((one.name, attempt))

    assert len(lists) > 20
    assert (broken, found) == ([], [])
    assert rows(services) == before
