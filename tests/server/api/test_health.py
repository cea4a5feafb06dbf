"""Health and diagnoses over REST: who sees them, and that the calculation adds up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from server.models.alerts import AlertRecord
from server.models.plant import Instrument
from server.services import Services
from tests.server.api.conftest import LogIn, Plant


@pytest.fixture
def found(services: Services, plant: Plant) -> tuple[int, int]:
    """An instrument and a stuck alert on its tag."""
    now = datetime.now(UTC)
    with services.database.transaction() as session:
        device = Instrument(asset_id=plant.asset_id, tag=plant.tag, tag_id=plant.tag_id, name="Transmitter", type="pressure")
        alert = AlertRecord(
            number=f"ALERT_{plant.asset}",
            site_id=plant.site,
            asset_id=plant.asset_id,
            tag_id=plant.tag_id,
            tag=plant.tag,
            type="instrument_fault",
            code="stuck",
            severity="critical",
            detector="stuck",
            origin="rule",
            message=f"{plant.tag} stuck",
            value=5.0,
            unit="bar",
            raised_at=now,
            last_at=now,
        )
        session.add_all([device, alert])
        session.flush()
        return device.id, alert.id


def test_health_of_an_instrument_and_its_asset_add_up_line_by_line(
    client: FlaskClient, plant: Plant, bearer: LogIn, found: tuple[int, int]
) -> None:
    device, alert = found
    own = client.get(f"/api/instruments/{device}/health", headers=bearer("technician")).json
    asset = client.get(f"/api/assets/{plant.asset}/health", headers=bearer("technician")).json
    status = client.get(f"/api/instruments/{device}/status", headers=bearer("technician")).json

    assert (own["score"], own["word"], own["tag"]) == (70, "fair", plant.tag)
    assert own["reasons"] == [
        {
            "points": 30,
            "text": f"{plant.tag} stuck at 5.00 bar",
            "kind": "instrument",
            "tag": plant.tag,
            "alert": alert,
            "value": 5.0,
            "times": None,
        }
    ]
    assert [line["points"] for line in own["calculation"]] == [100, -30, 70]
    assert (asset["score"], asset["instruments"][0]["score"], status["health"]["score"]) == (70, 70, 70)


def test_a_diagnosis_says_what_where_and_what_to_do(client: FlaskClient, bearer: LogIn, found: tuple[int, int]) -> None:
    answer = client.get(f"/api/alerts/{found[1]}/diagnosis", headers=bearer("technician")).json

    assert (answer["suspect"], answer["fault"]["label"], answer["category"]["code"]) == ("sensor", "stuck", "instrument")
    assert (answer["fault"]["method"], answer["signals"], answer["measured_at"]) == ("rules", [], None)
    assert answer["recommendation"].startswith("Check sensor ")
    assert answer["why"][0]["points"] == 4


def test_another_sites_health_is_not_there(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, found: tuple[int, int]
) -> None:
    with services.database.transaction() as session:
        session.execute(text("UPDATE users SET site_id = :site WHERE role = 'manager'"), {"site": plant.other_site})
    headers = bearer("manager")
    paths = (f"/api/instruments/{found[0]}/health", f"/api/assets/{plant.asset}/health", f"/api/alerts/{found[1]}/diagnosis")

    assert [client.get(path, headers=headers).status_code for path in paths] == [404, 404, 404]
