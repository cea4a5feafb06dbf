"""However many rows there are, a GET asks the database few questions: ten at most, each page of a collection as few as a short one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from server.models.alerts import AlertRecord
from server.models.notifications import Notification
from server.models.people import User
from server.models.plant import Area, Asset, Tag
from server.models.work import WorkOrder
from server.services import Services
from tests.server.api.conftest import LogIn, Plant
from tests.server.api.operations import Operation, document, operations

MOST = 10
ROWS = 60
NOW = datetime.now(UTC)


@contextmanager
def counted(services: Services) -> Iterator[list[str]]:
    """The statements that run meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(" ".join(statement.split()))

    engine = services.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def fill(session: Session, plant: Plant) -> None:
    """More assets, tags, alerts, orders and messages than one page holds."""
    people = session.query(User).filter(User.site_id == plant.site).all()
    areas = [Area(site_id=plant.site, name=f"Hall {n}") for n in range(ROWS)]
    session.add_all(areas)
    session.flush()
    for n in range(ROWS):
        asset = Asset(site_id=plant.site, area_id=areas[n].id, code=f"Q{plant.site}-{n:03}", name=f"Pump {n}")
        session.add(asset)
        session.flush()
        session.add(Tag(asset_id=asset.id, name=f"{asset.code}.v", unit="mm/s"))
        number = f"WO-Q{plant.site}-{n}"
        order = WorkOrder(number=number, site_id=plant.site, asset_id=asset.id, title=f"Order {n}", created_by="test")
        order.assignee_id = people[n % len(people)].id
        order.created_at = order.changed_at = NOW - timedelta(hours=n)
        session.add(order)
        session.flush()
        session.add(alert_of(asset, order, n))
        session.add_all(Notification(user_id=who.id, kind="test", title=f"Message {n}", created_at=NOW) for who in people)


def alert_of(asset: Asset, order: WorkOrder, n: int) -> AlertRecord:
    """An open alert of an asset that has become an order."""
    return AlertRecord(
        site_id=asset.site_id,
        asset_id=asset.id,
        tag=f"{asset.code}.v",
        number=f"AL-{asset.code}",
        type="rule_violation",
        code="high",
        detector="limits",
        origin="rule",
        severity="warning",
        condition="active",
        message=f"Alert {n}",
        raised_at=NOW,
        last_at=NOW,
        work_order_id=order.id,
    )


def things_of(client: FlaskClient, one: Operation, headers: dict[str, str]) -> dict[str, Any]:
    """Values for the places of a path, from the first row of the collection before each."""
    values: dict[str, Any] = {}
    before, _brace, rest = one.path.partition("/{")
    answer = client.get(before, headers=headers)
    rows = answer.json.get("items") if answer.status_code == 200 and isinstance(answer.json, dict) else None
    if rows:
        name = rest.partition("}")[0]
        values[name] = rows[0].get(name.rpartition("_")[2], rows[0].get("id"))
    return values


def test_no_get_of_the_api_asks_more_than_ten_questions(client: FlaskClient, services: Services, bearer: LogIn, plant: Plant) -> None:
    with services.database.transaction() as session:
        fill(session, plant)
    headers = bearer("admin")
    answered, wrong = 0, {}

    for one in [one for one in operations(document(client)) if one.method == "get"]:
        query = {"limit": 100} if "limit" in one.query else {}
        address = one.address(**(things_of(client, one, headers) if "{" in one.path else {}))
        client.get(address, query_string=query, headers=headers)  # the first reading of a site makes its own lists of words
        with counted(services) as seen:
            answer = client.get(address, query_string=query, headers=headers)
        answered += answer.status_code == 200
        if len(seen) > MOST:
            wrong[one.name] = (len(seen), *(statement[:30] + statement[statement.find(" FROM") :][:60] for statement in seen))

    assert answered > 25
    assert wrong == {}


def test_no_page_asks_more_than_ten_questions(app: Flask, client: FlaskClient, services: Services, bearer: LogIn, plant: Plant) -> None:
    headers = {**bearer("admin"), "Accept": "text/html"}
    with services.database.transaction() as session:
        fill(session, plant)
    pages = [str(rule) for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not str(rule).startswith(("/api", "/ar"))]
    wrong = {}

    for page in [page for page in pages if "<" not in page]:
        with counted(services) as seen:
            client.get(page, headers=headers)
        if len(seen) > MOST:
            wrong[page] = (len(seen), seen)

    assert wrong == {}
