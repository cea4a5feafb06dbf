"""Raw readings as CSV: streamed, quoted, with the zone said; many as a job."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg2
import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from realtime.closed_hours import close
from realtime.compaction import compact
from realtime.events import Batch, Quality, Reason, quality_byte
from realtime.history_writer import write_batches
from realtime.partitions import HOUR_MS
from realtime.settings import Settings
from server.api import reading_exports
from server.models.plant import Tag
from server.models.reports import JobFile
from server.reports import reading_job, reading_lines
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

START = int(datetime(2026, 6, 1, 10, 30, tzinfo=UTC).timestamp() * 1000)
BAD = quality_byte(Quality.BAD, Reason.COMM)
N = 50


@pytest.fixture(params=["hot", "compacted"])
def history(request: pytest.FixtureRequest, settings: Settings, plant: Plant) -> None:
    """A reading a minute from 10:30 UTC on; the last is bad."""
    quality = np.zeros(N, np.uint8)
    quality[-1] = BAD
    values = np.append(np.arange(N - 1) / 4, np.nan)
    ids = np.full(N, plant.tag_id, np.uint32)
    batch = Batch(0, START, "test", ids, START + 60_000 * np.arange(N, dtype=np.int64), quality, np.zeros(N, np.uint32), values)
    connection = psycopg2.connect(str(settings.database_url))
    with connection:
        write_batches(connection, [batch])
    if request.param == "compacted":
        close(connection, START // HOUR_MS * HOUR_MS + HOUR_MS)
        compact(connection)
    connection.close()


def table(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_readings_stream_as_csv_with_both_times(
    client: FlaskClient, plant: Plant, bearer: LogIn, history: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_lines, "PAGE", 7)

    answer = client.get(f"/api/readings/export?tag={plant.tag}&from={START}&to={START + N * 60_000}", headers=bearer("viewer"))

    head, *rows = table(answer.data)
    assert answer.content_type == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert head == ["tag", "time (UTC)", "time (Europe/Paris)", "value", "unit", "quality", "reason"]
    assert rows[1] == [plant.tag, "2026-06-01T10:31:00.000Z", "2026-06-01T12:31:00.000+02:00", "0.25", "bar", "good", ""]
    assert rows[-1][3:] == ["", "bar", "bad", "comm"]
    assert [row[1] for row in rows] == sorted({row[1] for row in rows})
    assert len(rows) == N


def test_a_name_that_a_spreadsheet_would_run_is_quoted(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    with services.database.transaction() as session:
        session.execute(update(Tag).where(Tag.id == plant.tag_id).values(name=f"=cmd|{plant.tag}", unit="@bar"))
    wanted = reading_lines.Wanted(plant.tag_id, f"=cmd|{plant.tag}", "@bar")

    line = reading_lines._line(wanted, (START, -5.25, 0), reading_lines.ZoneInfo("UTC"))

    assert (line[0], line[3], line[4]) == (f"'=cmd|{plant.tag}", "-5.25", "'@bar")


def test_foreign_and_unknown_tags_are_not_there(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    for name in (plant.other_tag, "nobody"):
        assert client.get(f"/api/readings/export?tag={plant.tag}&tag={name}", headers=bearer("viewer")).status_code == 404


def test_many_readings_are_a_job(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, history: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_exports, "MOST_ROWS", 10)
    span = {"from": "2026-06-01T10:30:00Z", "to": "2026-06-01T11:20:00Z"}
    headers: Any = bearer("viewer")

    refused = client.get("/api/readings/export", query_string={"tag": plant.tag, **span}, headers=headers)
    asked = client.post("/api/readings/export/jobs", json={"tags": [plant.tag], **span}, headers=headers)
    reading_job.make(services.database, asked.json["id"])

    assert (refused.status_code, refused.json["code"]) == (422, "too_large")
    assert asked.status_code == 202
    with services.database.transaction() as session:
        assert len(table(session.get_one(JobFile, asked.json["id"]).content)) == 1 + N


def test_texts_are_exported_and_read_like_numbers(
    client: FlaskClient, settings: Settings, services: Services, plant: Plant, bearer: LogIn
) -> None:
    with services.database.transaction() as session:
        session.execute(update(Tag).where(Tag.id == plant.tag_id).values(kind="text", unit=""))
    ids, t = np.full(3, plant.tag_id, np.uint32), START + 60_000 * np.arange(3, dtype=np.int64)
    quality = np.array([0, 0, BAD], np.uint8)
    batch = Batch(0, START, "test", ids, t, quality, np.zeros(3, np.uint32), ["LOT-42", "=cmd|x", ""], kind="text")
    connection = psycopg2.connect(str(settings.database_url))
    with connection:
        write_batches(connection, [batch])
    connection.close()
    span = f"from={START}&to={START + 600_000}"

    answer = client.get(f"/api/readings/export?tag={plant.tag}&{span}", headers=bearer("viewer"))
    read = client.get(f"/api/readings?tag={plant.tag}&{span}&limit=2", headers=bearer("viewer")).json

    assert [(row[3], row[5]) for row in table(answer.data)[1:]] == [("LOT-42", "good"), ("'=cmd|x", "good"), ("", "bad")]
    assert (read["rows"], read["next"]) == ([[START, "LOT-42", 0], [START + 60_000, "=cmd|x", 0]], START + 60_000)
