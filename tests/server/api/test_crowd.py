"""Many people at once on one web process (S1-48): nobody is turned away, nothing is lost or counted twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from server.models.audit import AuditLog
from server.models.work import WorkOrder
from server.services import Services
from tests.server.api.conftest import PASSWORD, Plant
from tests.waiting import wait_for

ROOT = Path(__file__).parents[3]
PEOPLE = 30
LISTS = ("/api/work-orders?limit=10", "/api/notifications/count")


@pytest.fixture
def web(environment: dict[str, str], services: Services, plant: Plant, tmp_path: Path) -> Iterator[str]:
    """`python app.py`; its address."""
    del services, plant  # made before the program starts, by the app of this test
    told = Path(environment["DATA_DIR"]) / "run" / "web.json"
    log = (tmp_path / "web.log").open("wb")
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stderr=log)
    try:
        wait_for(lambda: told.exists() or process.poll() is not None, 30, "web.json")
        assert process.poll() is None, (tmp_path / "web.log").read_text()
        yield str(json.loads(told.read_text())["url"])
    finally:
        process.kill()
        process.wait(10)
        log.close()


def test_thirty_people_read_and_write_at_once(web: str, plant: Plant, services: Services) -> None:
    tokens = {}
    for role in ("manager", "planner", "technician"):
        body = {"employee_number": plant.people[role], "password": PASSWORD}
        tokens[role] = requests.post(f"{web}/api/auth/login", json=body, timeout=20).json()["access_token"]
    roles = [list(tokens)[n % len(tokens)] for n in range(PEOPLE)]

    def works(n: int) -> list[int]:
        """One person: lists, an order of the own, the same request sent twice, lists again."""
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {tokens[roles[n]]}"
            seen = [session.get(web + path, timeout=60).status_code for path in LISTS]
            order = {"title": f"Crowd {plant.asset} {n}", "asset": plant.asset}
            headers = {"Idempotency-Key": f"crowd-{n}"}
            seen += [session.post(f"{web}/api/work-orders", json=order, headers=headers, timeout=60).status_code for _ in range(2)]
            return seen + [session.get(web + path, timeout=60).status_code for path in LISTS]

    with ThreadPoolExecutor(PEOPLE) as crowd:
        answers = list(crowd.map(works, range(PEOPLE)))

    wanted = [*[200] * len(LISTS), 201, 201, *[200] * len(LISTS)]
    assert [seen for seen in answers if seen != wanted] == []
    with services.database.transaction() as session:
        made = session.scalars(select(WorkOrder.number).where(WorkOrder.title.startswith(f"Crowd {plant.asset} "))).all()
        created = select(func.count()).where(AuditLog.thing == "work_order", AuditLog.action == "open")
        audited = session.scalar(created.where(AuditLog.site_id == plant.site))
    assert (len(made), len(set(made))) == (PEOPLE, PEOPLE)
    assert audited == PEOPLE
