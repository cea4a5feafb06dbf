"""How long lists, searches and reports take at a plant of 500 assets with 100,000 orders, beside the same queries run bare.

Each request is answered by the whole application in this process (no network); the statements it sent are then run alone on a plain
psycopg2 connection. A ratio of 1 would be an application that costs nothing. `python -m bench.api [ORDERS]`.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
import psycopg2  # noqa: E402
from flask import Flask  # noqa: E402
from flask.testing import FlaskClient  # noqa: E402
from sqlalchemy import event, select  # noqa: E402

from app import create_app  # noqa: E402
from bench.house import House, house, machine  # noqa: E402
from realtime import settings  # noqa: E402
from server.auth.passwords import hash_password  # noqa: E402
from server.models.people import User  # noqa: E402
from server.seed.__main__ import main as seed_plant  # noqa: E402
from server.services import Services  # noqa: E402

ORDERS = 100_000
ROUNDS = 20
GOAL_MS = 300.0  # p95 of a list, RELIABILITY.md 2c
PASSWORD = "only for this bench"
PATHS = (
    "/api/work-orders",
    "/api/work-orders?status=active",
    "/api/work-orders?search=bearing",
    "/api/work-orders?sort=-due_at",
    "/api/work-orders?offset=90000",
    "/api/register/assets?limit=100",
    "/api/register/assets?search=pump",
    "/api/instruments?search=pressure",
    "/api/calibrations",
    "/api/interventions",
    "/api/maintenance",
    "/api/downtimes",
    "/api/alerts?active=all",
    "/api/parts",
    "/api/parts?search=bearing",
    "/api/parts?below_minimum=true",
    "/api/movements",
    "/api/requests",
    "/api/purchases/proposals",
    "/api/audit",
    "/api/kpis",
    "/api/reports/work-orders",
    "/api/reports/downtime",
    "/api/reports/faults",
    "/api/reports/parts",
    "/api/reports/maintenance",
    "/api/reports/calibration",
)
Statement = tuple[str, Any]


def main(orders: int) -> int:
    """Seed, measure, print; 1 when a request failed."""
    with house() as services:
        began = time.perf_counter()
        environment = environment_of(services)
        seeded(environment, orders)
        print(f"api: 500 assets and {orders:,} orders seeded in {time.perf_counter() - began:.0f} s")
        app = create_app(settings.load(environment, None))
        client, headers = signed_in(app)
        with psycopg2.connect(services.database_url) as bare:
            results = [measured(app, client, headers, bare, path) for path in PATHS]
        held: Services = app.extensions["sightline"]
        held.database.close()
        held.bus.client.close()
    print(f"api: p95 of {ROUNDS} requests; bare = the request's own statements alone; {machine()}")
    return 0 if all(results) else 1


def environment_of(services: House) -> dict[str, str]:
    """What the application is told."""
    return {
        "SIGHTLINE_ENV_FILE": "none",
        "DATABASE_URL": services.database_url,
        "REDIS_URL": services.redis_url,
        "MQTT_URL": services.mqtt_url,
        "DATA_DIR": str(services.folder / "var"),
        "PORT": "0",
    }


def seeded(environment: dict[str, str], orders: int) -> None:
    """The plant, by the same program that people run."""
    os.environ.update(environment)
    assert seed_plant(["--orders", str(orders)]) == 0


def signed_in(app: Flask) -> tuple[FlaskClient, dict[str, str]]:
    """A client with a manager's token."""
    services: Services = app.extensions["sightline"]
    with services.database.transaction() as session:
        manager = session.scalars(select(User).where(User.role == "manager").order_by(User.id)).first()
        assert manager is not None
        manager.password_hash = hash_password(PASSWORD)
        number = manager.employee_number
    client = app.test_client()
    answer = client.post("/api/auth/login", json={"employee_number": number, "password": PASSWORD})
    return client, {"Authorization": f"Bearer {answer.get_json()['access_token']}"}


def measured(app: Flask, client: FlaskClient, headers: dict[str, str], bare: Any, path: str) -> bool:
    """One line: p95 of the request and of its statements."""
    sent = statements_of(app, lambda: client.get(path, headers=headers).status_code)
    answer = client.get(path, headers=headers)
    if answer.status_code != 200:
        print(f"{path:42} {answer.status_code} {answer.get_data(as_text=True)[:120]}")
        return False
    request_ms = p95(lambda: client.get(path, headers=headers))
    bare_ms = p95(lambda: run(bare, sent))
    late = "" if request_ms < GOAL_MS else f"  over {GOAL_MS:g} ms"
    print(f"{path:42} p95 {request_ms:6.1f} ms, {len(sent):2} statements bare {bare_ms:6.1f} ms, ratio {request_ms / bare_ms:4.1f}{late}")
    return True


def statements_of(app: Flask, deed: Callable[[], object]) -> list[Statement]:
    """What the deed sends to the database, with its values."""
    services: Services = app.extensions["sightline"]
    sent: list[Statement] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(services.database.engine, "before_cursor_execute", note)
    deed()
    event.remove(services.database.engine, "before_cursor_execute", note)
    return sent


def run(bare: Any, statements: list[Statement]) -> None:
    """The statements one after another, every row fetched; nothing is kept."""
    with bare.cursor() as cursor:
        for statement, parameters in statements:
            cursor.execute(statement, parameters)
            if cursor.description:
                cursor.fetchall()
    bare.rollback()


def p95(deed: Callable[[], object]) -> float:
    """Milliseconds, the first round not counted."""
    deed()
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        deed()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.quantiles(times, n=20)[-1]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS))
