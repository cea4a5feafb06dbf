"""Meters count from the machine's state and from its counter, each hour and pulse once, whatever is delivered twice or late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import psycopg2
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import Batch, Quality, Reason, Signal, SignalName, quality_byte
from realtime.historian import write_batches
from server.database import Database
from server.errors import Invalid
from server.models.meters import Meter, MeterReading
from server.models.plant import Asset, Tag
from server.signals import fold_signal
from server.store import meter_counts, meters
from server.timestamps import to_ms
from tests.server.small_plant import NOW, SmallPlant

HOUR = timedelta(hours=1)


def tell(session: Session, asset_id: int, operating: str, hour: float) -> None:
    at = NOW + hour * HOUR
    fold_signal(
        session, Signal(SignalName.STATE_OBSERVED, to_ms(at), {"asset": asset_id, "operating": operating, "fault_code": None}), at, 60.0
    )


def meter(session: Session, plant: SmallPlant, **fields: Any) -> Meter:
    given = {"asset": "PL-1", "kind": "run_hours", "source": "state", **fields}
    return meters.create(session, given, plant["manager"], NOW)


def value(session: Session, row: Meter, hour: float) -> float:
    return float(meters.bodies(session, [row], NOW + hour * HOUR)[0]["value"])


def test_run_hours_count_only_while_the_machine_is_known_to_run(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        row = meter(session, plant, value=100)
        for state, hour in (("running", 1), ("running", 1), ("fault", 3), ("running", 4), ("unknown", 5), ("idle", 9), ("running", 10)):
            tell(session, plant.press, state, hour)
            meter_counts.count(session, NOW + hour * HOUR)
            meter_counts.count(session, NOW + hour * HOUR)

        assert value(session, row, 12) == 100 + 2 + 1 + 2
        assert row.total == 103  # what is still running is not settled


def test_a_late_stop_takes_back_what_was_shown_while_it_was_not_known(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        row = meter(session, plant)
        tell(session, plant.press, "running", 0)
        meter_counts.count(session, NOW + 5 * HOUR)
        assert value(session, row, 5) == 5
        tell(session, plant.press, "stopped", 3)  # the bus was away; the news is two hours old
        meter_counts.count(session, NOW + 5 * HOUR)

        assert value(session, row, 5) == 3


def test_children_stop_counting_when_the_parent_stops_and_follow_it_where_they_have_no_bit(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        gearbox = Asset(site_id=plant.site, area_id=1, code="GB-1", name="Gearbox", parent_id=plant.press)
        session.add(gearbox)
        session.get_one(Asset, plant.pump).parent_id = plant.press
        session.flush()
        pump, box = meter(session, plant, asset="M2"), meter(session, plant, asset="GB-1")
        tell(session, plant.pump, "stopped", 0)
        for asset in (plant.press, plant.pump):
            tell(session, asset, "running", 1)
        tell(session, plant.press, "stopped", 4)
        meter_counts.count(session, NOW + 6 * HOUR)

        assert (value(session, pump, 6), value(session, box, 6)) == (3, 3)


def test_starts_are_counted_once_each(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        tell(session, plant.press, "running", -1)
        row = meter(session, plant, kind="cycles", source="starts")
        for hour, state in enumerate(["stopped", "running", "fault", "running", "unknown", "running"]):
            tell(session, plant.press, state, hour)
            meter_counts.count(session, NOW + hour * HOUR)
        meter_counts.count(session, NOW + 9 * HOUR)

        assert value(session, row, 9) == 3


def readings(database: Database, tag: int, rows: list[tuple[float, float, int]]) -> None:
    """(seconds from NOW, value, quality byte)."""
    n = len(rows)
    batch = Batch(
        shard=0,
        received_ms=to_ms(NOW),
        source="test",
        ids=np.full(n, tag, np.uint32),
        t=np.array([to_ms(NOW + timedelta(seconds=row[0])) for row in rows], np.int64),
        quality=np.array([row[2] for row in rows], np.uint8),
        seq=np.zeros(n, np.uint32),
        values=np.array([row[1] for row in rows], np.float64),
    )
    connection = psycopg2.connect(database.url)
    write_batches(connection, [batch])
    connection.commit()
    connection.close()


def test_a_counter_tag_is_counted_over_its_rollover_without_bad_values(database: Database, plant: SmallPlant) -> None:
    bad = quality_byte(Quality.BAD, Reason.COMM)
    with database.transaction() as session:
        tag = Tag(asset_id=plant.press, name="PL-1.cycles", role="counter")
        session.add(tag)
        session.flush()
        row = meter(session, plant, kind="cycles", source="counter", tag="PL-1.cycles", rollover=65536)
    readings(database, tag.id, [(1, 65500, 0), (2, 65530, 0), (3, 0, bad), (4, 4, 0)])

    for _ in range(2):
        with database.transaction() as session:
            meter_counts.count(session, NOW + HOUR)
    readings(database, tag.id, [(3, 12345, bad), (4, 4, 0), (10, 14, 0)])  # delivered again, with one new
    with database.transaction() as session:
        meter_counts.count(session, NOW + HOUR)
        assert value(session, session.get_one(Meter, row.id), 1) == 30 + 10 + 10


def test_a_reading_never_goes_back_unless_the_meter_is_new_and_its_total_goes_on(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        row = meter(session, plant, source="manual", value=4000)
        meters.read(session, row, {"value": 4100}, plant["benali"], NOW + HOUR)
        with pytest.raises(Invalid, match="4100 already"):
            meters.read(session, row, {"value": 4099}, plant["benali"], NOW + 2 * HOUR)
        with pytest.raises(Invalid, match="already"):
            meters.read(session, row, {"value": 4200, "at": NOW}, plant["benali"], NOW + 2 * HOUR)
        with pytest.raises(Invalid, match="future"):
            meters.read(session, row, {"value": 4200, "at": NOW + 3 * HOUR}, plant["benali"], NOW + 2 * HOUR)
        meters.read(session, row, {"value": 0, "replaced": True, "note": "new"}, plant["benali"], NOW + 2 * HOUR)
        meters.read(session, row, {"value": 7}, plant["benali"], NOW + 3 * HOUR)

        body = meters.bodies(session, [row], NOW + 3 * HOUR)[0]
        assert (body["value"], body["total"]) == (7, 4107)
        kinds = session.scalars(select(MeterReading.kind).order_by(MeterReading.id)).all()
        assert kinds == ["manual", "manual", "replaced", "manual"]


def test_use_is_known_from_the_readings_that_are_kept_twice_a_day(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        row = meter(session, plant)
        for day in range(8):
            tell(session, plant.press, "running", 24 * day)
            meter_counts.count(session, NOW + 24 * day * HOUR)
            tell(session, plant.press, "stopped", 24 * day + 16)
            meter_counts.count(session, NOW + (24 * day + 16) * HOUR)

        body = meters.bodies(session, [row], NOW + 8 * 24 * HOUR)[0]
        assert (body["per_day"], body["confidence"], body["value"]) == (16, "high", 128)
