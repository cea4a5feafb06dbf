"""The history is told to keep what lies around alerts and calibrations, once, however often it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from realtime.retention import DAYS
from server.database import Database
from server.models.alerts import AlertRecord
from server.models.calibration import CalibrationRecord
from server.models.plant import Instrument
from server.store import kept_spans
from server.timestamps import to_ms
from tests.server.small_plant import NOW, SmallPlant

HOUR = timedelta(hours=1)


def alert(plant: SmallPlant, number: str, **fields: Any) -> AlertRecord:
    kind = {"type": "range", "severity": "warning", "detector": "limits", "origin": "rule", "message": "high", "code": number}
    return AlertRecord(number=number, site_id=plant.site, asset_id=plant.pump, raised_at=NOW - 5 * HOUR, last_at=NOW, **kind, **fields)


def kept(database: Database) -> set[tuple[int, int, int, str]]:
    with database.engine.connect() as connection:
        return {tuple(row) for row in connection.execute(text("SELECT tag, started, ended, reason FROM history_keeps"))}


def test_an_alert_keeps_an_hour_around_its_life_on_every_tag_of_its_asset(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        row = alert(plant, "A1", condition="active")
        session.add_all([row, alert(plant, "A2", watch=True)])
        session.flush()
        reason = f"alert {row.id}"
        tags = set(session.scalars(text("SELECT id FROM tags WHERE asset_id = :asset"), {"asset": plant.pump}))
        assert kept_spans.tell(session, NOW) == len(tags)
        assert kept_spans.tell(session, NOW) == 0
    with database.transaction() as session:
        session.get_one(AlertRecord, row.id).returned_at = NOW + HOUR
        assert kept_spans.tell(session, NOW + 2 * HOUR) == len(tags)

    assert kept(database) == {(tag, to_ms(NOW - 6 * HOUR), to_ms(NOW + 2 * HOUR), reason) for tag in tags}


def test_a_calibration_keeps_the_hours_around_it(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        instrument = Instrument(asset_id=plant.pump, tag_id=plant.vibration, tag="VT-1", name="Vibration", type="vibration")
        session.add(instrument)
        session.flush()
        facts = {"performed_by": "A. Person", "standard": "S1", "error_pct": 0.1, "left_error_pct": 0.1, "tolerance_pct": 1.0}
        verdict = {"found_passed": True, "passed": True}
        row = CalibrationRecord(number="C1", instrument_id=instrument.id, performed_at=NOW - HOUR, **facts, **verdict)
        session.add(row)
        session.flush()
        assert kept_spans.tell(session, NOW) == 1
        reason = f"calibration {row.id}"

    assert kept(database) == {(plant.vibration, to_ms(NOW - 2 * HOUR), to_ms(NOW), reason)}


def test_a_span_is_told_while_its_readings_are_still_there() -> None:
    assert timedelta(days=DAYS["raw"]) > kept_spans.LOOKS_BACK
