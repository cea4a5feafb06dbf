"""Key figures in the site's own day, and machines without a run bit seen running."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import psycopg2
from sqlalchemy import select

from realtime.events import AlertType, Batch, Edge, Finding, Quality, Reason, Severity, quality_byte
from realtime.historian import write_batches
from server.database import Database
from server.models.plant import Asset, OperatingPeriod, Source, Tag
from server.rules.asset import Operating
from server.store import assets, orders, standstill
from server.store.liveness import see_running, see_silent
from server.store.orders import NewOrder
from server.store.summary import summary
from server.timestamps import to_ms
from tests.server.small_plant import NOW, SmallPlant, finding
from tests.server.store.story import fold, raised_order

MIDNIGHT = NOW - timedelta(hours=15)  # 00:00 in Paris is 23:00 UTC


def sample(database: Database, tag: int, t: int, quality: int) -> None:
    one = np.ones(1)
    batch = Batch(
        shard=0,
        received_ms=t,
        source="test",
        ids=np.full(1, tag, np.uint32),
        t=np.full(1, t, np.int64),
        quality=np.full(1, quality, np.uint8),
        seq=np.zeros(1, np.uint32),
        values=one if quality == 0 else one * np.nan,
    )
    connection = psycopg2.connect(database.url)
    write_batches(connection, [batch])
    connection.commit()
    connection.close()


def test_orders_downtime_and_repairs_are_counted(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        raised_order(session, plant)
        orders.create_order(
            session, NewOrder(title="Grease", asset_id=plant.press, due=NOW - timedelta(hours=1), type="preventive"), plant["manager"], NOW
        )
        old = orders.create_order(session, NewOrder(title="Old repair", asset_id=plant.press), plant["manager"], NOW)
        old.state, old.started_at, old.completed_at = "verified", NOW - timedelta(hours=3), NOW - timedelta(hours=2)
        periods = (
            (MIDNIGHT - timedelta(minutes=10), MIDNIGHT + timedelta(minutes=5), "fault"),
            (MIDNIGHT + timedelta(minutes=5), NOW - timedelta(minutes=8), "running"),
            (NOW - timedelta(minutes=8), None, "stopped"),
        )
        for start, end, operating in periods:
            session.add(OperatingPeriod(asset_id=plant.press, operating=operating, started_at=start, ended_at=end))
        session.add(OperatingPeriod(asset_id=plant.pump, operating="running", started_at=MIDNIGHT, ended_at=None))
        session.flush()
        standstill.follow(session, NOW)

        figures = summary(session, plant.site, NOW)

    assert figures["day_starts_at"] == "2026-11-19T23:00:00.000Z"
    number = figures["orders"].pop("next_due")["number"]
    assert figures["orders"] == {"open": 2, "urgent": 1, "high": 0, "other": 1, "overdue": 1}
    assert number.startswith("WO-")
    assert figures["downtime_s"] == {"today": 13 * 60, "mean_7d": None}
    assert (figures["mttr_s"], figures["mttr_n"]) == (3600, 1)
    assert figures["pm"] == {"percent": 0, "done": 0, "due": 1}
    assert [row["name"] for row in figures["on_the_way"]] == ["A.Benali"]


def test_gaps_of_one_source_that_overlap_are_one(database: Database, plant: SmallPlant) -> None:
    bad = quality_byte(Quality.BAD, Reason.COMM)
    for tag, at in ((3, 60), (4, 61)):  # the press's two tags hang on one source
        sample(database, tag, to_ms(NOW) - at * 1000, 0)
        sample(database, tag, to_ms(NOW) - at * 1000 + 5000, bad)

    with database.transaction() as session:
        figures = summary(session, plant.site, NOW)

    assert figures["gaps"] == {"today": 1, "open": 1, "open_source": "press-s7"}


def test_a_machine_without_a_run_bit_runs_while_its_data_are_good(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        session.get_one(Asset, plant.pump).operating = "unknown"
    for age_s, quality, running in ((60, 0, 0), (20, quality_byte(Quality.BAD, Reason.COMM), 0), (10, 0, 1)):
        sample(database, plant.vibration, to_ms(NOW) - age_s * 1000, quality)
        with database.transaction() as session:
            assert see_running(session, NOW) == running

    with database.transaction() as session:
        assert session.get_one(Asset, plant.pump).operating == "running"
        assert session.get_one(Asset, plant.press).operating == "unknown"  # it has a run bit: the PLC says it


def silence(plant: SmallPlant, edge: Edge, t: int, asset: int) -> Finding:
    """The monitor's gap of a whole machine."""
    fields: dict[str, Any] = {
        "key": f"gap:{asset}",
        "asset": asset,
        "tag": None,
        "type": AlertType.DATA_GAP,
        "detector": "gap",
        "code": "silence",
    }
    return finding(plant, edge, t, **fields, severity=Severity.WARNING, value=None, t_onset=t, because=())


def test_a_machine_that_fell_silent_is_unknown_until_its_data_are_good_again(database: Database, plant: SmallPlant) -> None:
    for tag in (plant.vibration, 4):
        sample(database, tag, to_ms(NOW) - 5000, 0)  # still fresh when the monitor speaks of a gap
    with database.transaction() as session:
        assets.set_operating(session, session.get_one(Asset, plant.press), Operating.IDLE, None, NOW - timedelta(minutes=5))
        for asset in (plant.pump, plant.press):
            fold(session, silence(plant, "open", to_ms(NOW), asset))

        assert (see_silent(session, NOW), see_running(session, NOW)) == (2, 0)
        assert [session.get_one(Asset, id_).operating for id_ in (plant.pump, plant.press)] == ["unknown", "unknown"]
        assert see_silent(session, NOW) == 0

        back = NOW + timedelta(seconds=10)
        for asset in (plant.pump, plant.press):
            fold(session, silence(plant, "close", to_ms(back), asset), back)

        assert (see_silent(session, back), see_running(session, back)) == (0, 2)
        assert [session.get_one(Asset, id_).operating for id_ in (plant.pump, plant.press)] == ["running", "idle"]


def test_a_silent_tag_of_a_machine_that_speaks_leaves_it_running(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        for tag in session.scalars(select(Tag)):
            tag.source_id = plant.source
        gap: dict[str, Any] = {
            "key": "gap:1",
            "type": AlertType.DATA_GAP,
            "detector": "gap",
            "code": "silence",
            "severity": Severity.WARNING,
        }
        fold(session, finding(plant, "open", to_ms(NOW), **gap))
        assert see_silent(session, NOW) == 0

        fold(session, finding(plant, "open", to_ms(NOW), **{**gap, "key": "gap:2", "tag": "M2.temperature"}))
        assert see_silent(session, NOW) == 1


def test_a_lost_source_keeps_its_machines_unknown(database: Database, plant: SmallPlant) -> None:
    sample(database, 1, to_ms(NOW) - 1000, 0)
    with database.transaction() as session:
        session.get_one(Asset, plant.pump).operating = "unknown"
        session.get_one(Source, plant.source).state = "lost"
        for tag in session.scalars(select(Tag)):
            tag.source_id = plant.source
        session.flush()

        assert see_running(session, NOW) == 0
