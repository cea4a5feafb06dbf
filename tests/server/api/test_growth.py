"""Three times the orders, the same work for a page of them (S1-50): pages are read by an index, not by looking at everything."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, insert, text

from server.models.work import WorkOrder
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

FIRST, LATER = 5_000, 15_000
START = datetime(2024, 1, 1, tzinfo=UTC)


def add_orders(services: Services, plant: Plant, n: int) -> None:
    """So many orders of one machine."""
    mark = secrets.token_hex(4)
    common = {"site_id": plant.site, "asset_id": plant.asset_id, "created_by": "x", "title": "Replace the bearing"}
    times = [START + timedelta(minutes=i) for i in range(n)]
    rows = [
        {**common, "number": f"G-{mark}-{i}", "created_at": at, "changed_at": at, "due": at if i % 5 else None}
        for i, at in enumerate(times)
    ]
    with services.database.transaction() as session:
        session.execute(insert(WorkOrder), rows)
    with services.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE work_orders"))


def blocks_of_pages(services: Services, client: FlaskClient, headers: dict[str, str], path: str) -> int:
    """Blocks that the statements with a LIMIT on orders touch, asked of PostgreSQL itself."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM work_orders" in statement and "LIMIT" in statement:
            sent.append((statement, parameters))

    event.listen(services.database.engine, "before_cursor_execute", note)
    answer = client.get(path, headers=headers)
    event.remove(services.database.engine, "before_cursor_execute", note)
    assert answer.status_code == 200, answer.text
    assert sent
    total = 0
    with services.database.raw() as connection, connection.cursor() as cursor:
        for statement, parameters in sent:
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, parameters)
            plan = cursor.fetchone()[0][0]["Plan"]
            total += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return total


@pytest.mark.parametrize("query", ["", "offset=50", "sort=-due_at"])
def test_a_page_of_orders_costs_the_same_at_three_times_the_orders(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, query: str
) -> None:
    headers = bearer("manager")
    path = f"/api/work-orders?limit=50&{query}"
    add_orders(services, plant, FIRST)
    before = blocks_of_pages(services, client, headers, path)

    add_orders(services, plant, LATER - FIRST)
    after = blocks_of_pages(services, client, headers, path)

    assert after <= 1.5 * before + 10, (before, after)
