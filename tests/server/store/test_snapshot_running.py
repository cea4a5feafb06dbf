"""What a class says of when its machines run, and what was under work, reach the monitor with the plant."""

from __future__ import annotations

from datetime import timedelta

import pytest

from realtime.snapshot import Asset as WireAsset
from realtime.snapshot import Work
from server.database import Database
from server.models.maintenance import MaintenanceWindow
from server.models.ml import Baseline
from server.models.plant import Asset, AssetClass
from server.store import snapshot
from server.timestamps import to_ms
from tests.server.small_plant import NOW, SmallPlant


def pump_of(database: Database, plant: SmallPlant) -> WireAsset:
    with database.transaction() as session:
        return snapshot.build(session, NOW).asset_by_id()[plant.pump]


@pytest.mark.parametrize(
    ("settings", "runs_by", "start_up_s"),
    [
        ({}, "auto", None),
        ({"running": {"role": "status", "on_delay_s": 45}}, "status", 45),
        ({"running": {"role": None, "on_delay_s": 0}}, "always", 0),
    ],
    ids=["nothing", "status word", "always"],
)
def test_running_condition_of_the_class_is_in_the_plant(
    database: Database, plant: SmallPlant, settings: dict[str, object], runs_by: str, start_up_s: float | None
) -> None:
    with database.transaction() as session:
        class_id = session.get_one(Asset, plant.pump).class_id
        session.get_one(AssetClass, class_id).settings = settings

    pump = pump_of(database, plant)

    assert (pump.runs_by, pump.start_up_s) == (runs_by, start_up_s)


def test_work_of_the_last_days_and_of_baselines_is_in_the_plant(database: Database, plant: SmallPlant) -> None:
    def window(days: float, hours: float = 1) -> MaintenanceWindow:
        began = NOW - timedelta(days=days)
        return MaintenanceWindow(
            asset_id=plant.pump, by="x", starts_at=began, until=began + timedelta(hours=12), ended_at=began + timedelta(hours=hours)
        )

    recent, inside, old = window(1), window(30), window(60)
    with database.transaction() as session:
        session.add_all([recent, inside, old])
        session.add(Baseline(asset_id=plant.pump, starts_at=NOW - timedelta(days=31), ends_at=NOW - timedelta(days=29), confirmed=True))
        told = [Work(start=to_ms(one.starts_at), end=to_ms(one.ended_at)) for one in (inside, recent) if one.ended_at]

    assert pump_of(database, plant).work == told
