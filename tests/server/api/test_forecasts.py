"""Time to limit by API: what hourly means of the history say of each limit, and nothing where they cannot say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg2
import pytest
from flask.testing import FlaskClient

from realtime.events import Batch
from realtime.history_writer import write_batches
from realtime.settings import Settings
from server.models.calibration import CalibrationRecord
from server.models.plant import Instrument, OperatingPeriod
from server.services import Services
from server.timestamps import from_ms
from tests.server.api.conftest import LogIn, Plant
from tests.server.api.test_limits import added

HOUR_MS = 3_600_000
HOURS = 150


def now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def keep(settings: Settings, tag_id: int, level: np.ndarray, *, end: int) -> None:
    """A reading an hour up to `end`."""
    n = len(level)
    t = end // HOUR_MS * HOUR_MS - (n - np.arange(n, dtype=np.int64)) * HOUR_MS + 60_000
    zeros = np.zeros(n, np.uint32)
    with psycopg2.connect(str(settings.database_url)) as connection:
        write_batches(connection, [Batch(0, end, "test", zeros + np.uint32(tag_id), t, zeros.astype(np.uint8), zeros, level)])
    connection.close()


@pytest.fixture
def rising(settings: Settings, plant: Plant) -> int:
    """The pressure has risen by 0.01 an hour for six days and stands at 6.5; its own wander is 0.05."""
    now = now_ms()
    wander = np.random.default_rng(4).normal(0, 0.05, HOURS)
    keep(settings, plant.tag_id, 5.0 + 0.01 * np.arange(HOURS) + wander, end=now)
    return now


def told(client: FlaskClient, path: str, headers: Any) -> dict[tuple[str, float], dict[str, Any]]:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return {(one["side"], one["value"]): one for one in answer.json["forecasts"]}


def test_a_level_that_rises_towards_its_limit_has_a_time_with_a_band(client: FlaskClient, plant: Plant, bearer: LogIn, rising: int) -> None:
    headers = bearer("manager")
    for side, value in (("high", 7.5), ("high", 6.0), ("high", 60.0), ("low", 2.0)):
        added(client, plant, headers, side=side, value=value)

    found = told(client, f"/api/tags/{plant.tag_id}/forecast", headers)

    ahead = found["high", 7.5]
    assert ahead["state"] == "expected"
    hours = {
        name: (datetime.fromisoformat(ahead[name]).timestamp() * 1000 - rising) / HOUR_MS for name in ("earliest", "expected", "latest")
    }
    assert hours["earliest"] <= hours["expected"] <= hours["latest"]
    assert 85 < hours["expected"] < 115  # it is a hundred hours away
    assert ahead["per_day"] == pytest.approx(0.24, rel=0.1)
    assert (ahead["tag"], ahead["unit"], ahead["severity"]) == (plant.tag, "bar", "warning")
    assert [found[key]["state"] for key in (("high", 6.0), ("high", 60.0), ("low", 2.0))] == ["beyond", "far", "away"]
    assert all(found[key]["expected"] is None for key in found if key != ("high", 7.5))


@pytest.mark.usefixtures("rising")
def test_an_asset_tells_of_all_its_limits_soonest_first(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    for value in (6.0, 8.0, 7.5):
        added(client, plant, headers, value=value)

    answer = client.get(f"/api/assets/{plant.asset}/forecast", headers=headers).json

    assert [one["value"] for one in answer["forecasts"]] == [7.5, 8.0, 6.0]
    assert answer["forecasts"] == client.get(f"/api/assets/{plant.asset}/forecast", headers=headers).json["forecasts"]


def test_without_history_or_with_a_silent_tag_there_is_no_forecast(
    client: FlaskClient, settings: Settings, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    added(client, plant, headers, value=7.5)
    path = f"/api/tags/{plant.tag_id}/forecast"
    assert [one["state"] for one in told(client, path, headers).values()] == ["too_little"]

    keep(settings, plant.tag_id, 5.0 + 0.01 * np.arange(100), end=now_ms() - 6 * HOUR_MS)

    assert [one["state"] for one in told(client, path, headers).values()] == ["too_little"]


@pytest.mark.usefixtures("rising")
def test_what_was_before_a_calibration_does_not_count(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    added(client, plant, headers, value=7.5)
    at = datetime.fromtimestamp(now_ms() / 1000 - 5 * 3600, UTC)
    with services.database.transaction() as session:
        instrument = Instrument(asset_id=plant.asset_id, tag_id=plant.tag_id, tag="PT-1", name="Pressure", type="pressure")
        session.add(instrument)
        session.flush()
        facts = {"number": f"CAL-F{plant.tag_id}", "performed_at": at, "performed_by": "Ada", "standard": "REF-1"}
        verdict = {"error_pct": 0.1, "left_error_pct": 0.0, "tolerance_pct": 1.0, "found_passed": True, "passed": True}
        session.add(CalibrationRecord(instrument_id=instrument.id, **facts, **verdict))

    assert [one["state"] for one in told(client, f"/api/tags/{plant.tag_id}/forecast", headers).values()] == ["too_little"]


def test_whole_days_of_stops_bend_no_trend_of_a_limit_that_holds_while_running(
    client: FlaskClient, services: Services, settings: Settings, plant: Plant, bearer: LogIn
) -> None:
    headers, now = bearer("manager"), now_ms()
    stood = np.isin(np.arange(HOURS) // 24, (2, 4))  # two whole days of six, with the pressure at nothing
    level = 5.0 + 0.01 * np.arange(HOURS) + np.random.default_rng(4).normal(0, 0.05, HOURS)
    keep(settings, plant.tag_id, np.where(stood, 0.0, level), end=now)
    first = now // HOUR_MS * HOUR_MS - HOURS * HOUR_MS
    edges = np.flatnonzero(np.diff(np.r_[False, stood, False].astype(int)))
    with services.database.transaction() as session:
        for start, end in edges.reshape(-1, 2).tolist():
            times = {"started_at": from_ms(first + start * HOUR_MS), "ended_at": from_ms(first + end * HOUR_MS)}
            session.add(OperatingPeriod(asset_id=plant.asset_id, operating="stopped", **times))
    for holds in ("running", "always"):
        added(client, plant, headers, value=7.5, holds=holds)

    answer = client.get(f"/api/tags/{plant.tag_id}/forecast", headers=headers).json["forecasts"]

    while_running, always = answer
    assert while_running["state"] == "expected"
    assert 85 < (datetime.fromisoformat(while_running["expected"]).timestamp() * 1000 - now) / HOUR_MS < 115
    assert while_running["per_day"] == pytest.approx(0.24, rel=0.1)
    assert always["state"] != "expected"


def test_a_stranger_finds_neither(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("viewer")

    assert client.get("/api/tags/999999999/forecast", headers=headers).status_code == 404
    assert client.get("/api/assets/NO-SUCH/forecast", headers=headers).status_code == 404
    assert client.get(f"/api/tags/{plant.tag_id}/forecast").status_code == 401
