"""Short ways for programs: what every tag says now, and one address for each paper (S2-R9)."""

from __future__ import annotations

import time

import numpy as np
import psycopg2
from flask.testing import FlaskClient

from realtime.events import Batch
from realtime.historian import write_batches
from server.services import Services
from tests.server.api.callers import an_order
from tests.server.api.conftest import LogIn, Plant


def test_the_newest_value_of_each_tag_of_the_own_site(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("viewer")
    before = client.get(f"/api/live-readings?search={plant.tag}", headers=headers).json
    now = time.time_ns() // 1_000_000
    batch = Batch(
        shard=0,
        received_ms=now,
        source="test",
        ids=np.full(2, plant.tag_id, np.uint32),
        t=np.array([now - 2000, now - 1000], dtype=np.int64),
        quality=np.zeros(2, np.uint8),
        seq=np.zeros(2, np.uint32),
        values=np.array([5.02, 5.04]),
    )
    connection = psycopg2.connect(str(services.settings.database_url))
    write_batches(connection, [batch])
    connection.commit()
    connection.close()

    after = client.get(f"/api/live-readings?asset={plant.asset}", headers=headers).json
    whole = client.get("/api/live-readings?limit=500", headers=headers).json

    assert (before["total"], before["items"][0]["t"], before["items"][0]["value"]) == (1, None, None)
    (row,) = after["items"]
    assert (row["tag"], row["asset"], row["t"], row["value"], row["quality"]) == (plant.tag, plant.asset, now - 1000, 5.04, 0)
    assert 0 <= row["age_ms"] < 120_000
    assert plant.other_tag not in {one["tag"] for one in whole["items"]}


def test_each_paper_has_an_address_that_leads_to_its_pdf(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    with services.database.transaction() as session:
        order = an_order(session, plant.site, plant.asset_id).number
    made = {"tag": f"PT-{plant.asset}", "asset": plant.asset, "name": "Pressure", "type": "pressure", "range_low": 0.0, "range_high": 16.0}
    instrument = client.post("/api/instruments", json=made, headers=headers).json["id"]

    papers = [f"work-orders/{order}", f"instruments/{instrument}", f"labels?codes={plant.asset}"]
    answers = [client.get(f"/api/print/{paper}", headers=headers, follow_redirects=True) for paper in papers]

    assert [(answer.status_code, answer.mimetype) for answer in answers] == [(200, "application/pdf")] * 3
    assert client.get("/api/print/work-orders/none", headers=headers, follow_redirects=True).status_code == 404
    assert client.get("/api/print/calibrations/1").status_code == 401
