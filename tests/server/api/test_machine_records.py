"""Records of a machine that takes pictures: listed, by time, one by one, with the values beside them."""

from __future__ import annotations

import numpy as np
import psycopg2
import pytest
from flask.testing import FlaskClient

from realtime.events import Batch, Frame
from realtime.history_writer import write_batches
from realtime.settings import Settings
from server.models.plant import Tag
from server.services import Services
from tests.server.api.conftest import LogIn, Plant
from tests.server.api.test_readings import now_ms

N = 20


@pytest.fixture
def printer(settings: Settings, services: Services, plant: Plant) -> int:
    """The pump takes a picture of 2 x 2 temperatures every ten seconds, its pressure is read every five; the time of the first."""
    start = now_ms() - 600_000
    with services.database.transaction() as session:
        tag = Tag(asset_id=plant.asset_id, name=f"{plant.asset}.plate", unit="°C", kind="frame")
        session.add(tag)
        session.flush()
        plate = tag.id
    cells = [np.array([20, 30, 40, 50], "<i2") + n for n in range(N)]
    frames = [Frame((2, 2), "i2", 1.0, 0.0, "°C", one.tobytes()) for one in cells]
    zeros, t = np.zeros(N, np.uint32), start + 10_000 * np.arange(N, dtype=np.int64)
    pictures = Batch(0, start, "test", np.full(N, plate, np.uint32), t, zeros.astype(np.uint8), zeros, frames, kind="frame")
    twice = np.zeros(2 * N, np.uint32)
    times = start + 5000 * np.arange(2 * N, dtype=np.int64)
    values = np.arange(2 * N, dtype=np.float64)
    numbers = Batch(0, start, "test", twice + np.uint32(plant.tag_id), times, twice.astype(np.uint8), twice, values)
    connection = psycopg2.connect(str(settings.database_url))
    with connection:
        write_batches(connection, [pictures, numbers])
    connection.close()
    return start


def test_machines_that_take_pictures_are_listed(client: FlaskClient, plant: Plant, bearer: LogIn, printer: int) -> None:
    found = client.get("/api/machine-records", headers=bearer("viewer")).json

    (machine,) = [item for item in found["items"] if item["machine"] == plant.asset]
    assert machine["tags"] == [f"{plant.asset}.plate"]
    assert machine["newest"] == printer + 10_000 * (N - 1)


def test_records_are_browsed_one_by_one_with_the_values_beside_them(client: FlaskClient, plant: Plant, bearer: LogIn, printer: int) -> None:
    headers, path = bearer("viewer"), f"/api/machine-records/{plant.asset}"
    records, before = [], None
    while True:
        query = {"from": printer, "limit": 7} | ({"before": before} if before else {})
        page = client.get(path, query_string=query, headers=headers).json
        records.extend(page["items"])
        before = page["next"]
        if before is None:
            break

    assert [record["t"] for record in records] == [printer + 10_000 * n for n in range(N)][::-1]
    assert records[-1]["temperature"] == {"min": 20.0, "max": 50.0, "mean": 35.0, "std": pytest.approx(11.18, abs=0.01)}
    assert records[0]["values"][plant.tag] == {"t": printer + 10_000 * (N - 1), "value": 38.0, "q": 0, "unit": "bar"}


def test_a_span_has_its_own_records_and_summary(client: FlaskClient, plant: Plant, bearer: LogIn, printer: int) -> None:
    query = {"from": printer + 20_000, "to": printer + 40_000}

    found = client.get(f"/api/machine-records/{plant.asset}", query_string=query, headers=bearer("viewer")).json

    assert [record["t"] for record in found["items"]] == [printer + 30_000, printer + 20_000]
    cells = np.add.outer([2, 3], [20, 30, 40, 50])
    expected = {"n": 2, "min": 22.0, "max": 53.0, "mean": cells.mean(), "std": pytest.approx(cells.std())}
    assert found["summary"] == expected


def test_one_record_and_the_latest_are_fetched(client: FlaskClient, plant: Plant, bearer: LogIn, printer: int) -> None:
    headers, path = bearer("viewer"), f"/api/machine-records/{plant.asset}"

    one = client.get(f"{path}/{printer + 10_500}", headers=headers).json
    latest = client.get(f"{path}/latest", headers=headers).json

    assert (one["t"], one["temperature"]["max"], one["shape"]) == (printer + 10_000, 51.0, [2, 2])
    assert latest["t"] == printer + 10_000 * (N - 1)
    assert client.get(f"{path}/{printer - 1}", headers=headers).status_code == 404


def test_a_machine_of_another_site_or_without_pictures_is_not_there(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    for code in ("nobody", plant.other_tag.split(".")[0], plant.asset):
        assert client.get(f"/api/machine-records/{code}", headers=bearer("viewer")).status_code == 404
