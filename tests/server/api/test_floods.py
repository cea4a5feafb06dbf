"""What a flood of alarms holds back, over REST."""

from __future__ import annotations

from datetime import timedelta

from flask.testing import FlaskClient

from server.models.alerts import AlertRecord
from server.services import Services
from tests.server.api.conftest import LogIn, Plant


def test_what_is_held_back_is_listed_with_the_word_whether_a_flood_is_on(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    def answer() -> tuple[bool, int]:
        body = client.get("/api/alerts?suppressed=true", headers=bearer("viewer")).json
        return body["flood"], body["total"]

    before = answer()
    kind = {"type": "data_gap", "severity": "warning", "detector": "gap", "origin": "rule", "message": "silent", "site_id": plant.site}
    with services.database.transaction() as session:
        for n in range(12):
            at = services.clock() - timedelta(seconds=1)
            row = AlertRecord(number=f"F{n}{plant.asset}", asset_id=plant.asset_id, code=f"x{n}", raised_at=at, last_at=at, **kind)
            row.suppressed = "flood" if n == 11 else None
            session.add(row)

    assert (before, answer()) == ((False, 0), (True, 1))
