"""The seeded plant is believable: it keeps every invariant that the stores keep, and the same seed gives the same plant."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from realtime.settings import load
from server.database import Database
from server.demo import seed as demo
from server.models.calibration import CalibrationRecord, MaintenanceRecord
from server.models.parts import Part, StockLevel, StockMovement
from server.models.people import User
from server.models.plant import Asset, Instrument, Site, Tag
from server.models.requests import FaultRequest
from server.models.work import WorkOrder
from server.rules.work_order import OrderState
from server.seed.__main__ import Size, add_admin, seed_plant
from server.store import maintenance_records, usage
from tests.server.small_plant import NOW

SMALL = Size(assets=40, orders=1500, seed=7)
WRONG = {
    "an order of no known state": f"SELECT 1 FROM work_orders WHERE state NOT IN ({', '.join(repr(str(state)) for state in OrderState)})",
    "done without notes": "SELECT 1 FROM work_orders WHERE state IN ('completed', 'verified') AND notes IS NULL",
    "verified by its completer": "SELECT 1 FROM work_orders o JOIN users u ON u.id = o.completed_by_id WHERE o.verified_by = u.name",
    "an alert-born order without a verdict": "SELECT 1 FROM work_orders WHERE alert_id IS NOT NULL AND verdict IS NULL",
    "times out of order": "SELECT 1 FROM work_orders WHERE NOT (created_at <= coalesce(assigned_at, created_at)"
    " AND coalesce(assigned_at, created_at) <= coalesce(started_at, 'infinity')"
    " AND coalesce(started_at, '-infinity') <= coalesce(completed_at, 'infinity')"
    " AND coalesce(completed_at, '-infinity') <= coalesce(verified_at, 'infinity'))",
    "a stock that is not its ledger's sum": "SELECT 1 FROM stock_levels l WHERE on_hand <> (SELECT sum(quantity) FROM stock_movements m"
    " WHERE m.part_id = l.part_id AND m.store_id = l.store_id)",
    "a ledger that was below zero": "SELECT 1 FROM (SELECT sum(quantity) OVER (PARTITION BY part_id, store_id ORDER BY at, id) AS s"
    " FROM stock_movements) x WHERE s < 0",
    "a passed calibration out of tolerance": "SELECT 1 FROM calibration_records WHERE passed <> (abs(left_error_pct) <= tolerance_pct)",
    "downtimes of one machine that overlap": "SELECT 1 FROM downtimes a JOIN downtimes b ON a.asset_id = b.asset_id AND a.id < b.id"
    " AND a.started_at < coalesce(b.ended_at, 'infinity') AND b.started_at < coalesce(a.ended_at, 'infinity')",
    "a hole between operating periods": "SELECT 1 FROM (SELECT started_at, lag(ended_at) OVER (PARTITION BY asset_id ORDER BY started_at)"
    " AS before FROM operating_periods) x WHERE before <> started_at",
    "an accepted report without an order": "SELECT 1 FROM fault_requests WHERE (state = 'accepted') <> (order_id IS NOT NULL)",
    "a new report in another's name": "SELECT 1 FROM audit_log WHERE actor <> 'seed' AND action = 'seed'",
}


@pytest.fixture
def seeded(database: Database) -> Database:
    with database.transaction() as session:
        seed_plant(session, "SEED", SMALL, NOW)
    return database


def counted(session: Session, model: type) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def test_it_keeps_every_invariant(seeded: Database) -> None:
    with seeded.transaction() as session:
        broken = [what for what, query in WRONG.items() if session.execute(text(query)).first()]

        assert broken == []
        assert counted(session, Asset) == SMALL.assets
        assert counted(session, WorkOrder) == SMALL.orders
        assert counted(session, Tag) == 6 * SMALL.assets
        assert min(counted(session, model) for model in (CalibrationRecord, Instrument, Part, FaultRequest)) > 10
        site = session.scalars(select(Site)).one()
        assert isinstance(usage.proposals(session, site, NOW), list)


def test_the_same_seed_gives_the_same_plant(database: Database) -> None:
    with database.transaction() as session:
        seed_plant(session, "ONE", SMALL, NOW)
        seed_plant(session, "TWO", SMALL, NOW)
        titles = (
            select(WorkOrder.title, WorkOrder.state, WorkOrder.created_at).join(Site, Site.id == WorkOrder.site_id).order_by(WorkOrder.id)
        )
        one, two = (session.execute(titles.where(Site.code == code)).all() for code in ("ONE", "TWO"))
        assert [(row.state, row.created_at) for row in one] == [(row.state, row.created_at) for row in two]
        stock = select(func.sum(StockLevel.on_hand)).join(Part, Part.id == StockLevel.part_id).join(Site, Site.id == Part.site_id)
        assert session.scalar(stock.where(Site.code == "ONE")) == session.scalar(stock.where(Site.code == "TWO"))
        assert counted(session, StockMovement) > 100


def test_a_site_that_is_there_is_left_alone(seeded: Database) -> None:
    with pytest.raises(SystemExit, match="--site"), seeded.transaction() as session:
        seed_plant(session, "SEED", SMALL, NOW)

    with seeded.transaction() as session:
        assert counted(session, Site) == 1


def test_it_stands_beside_the_demo_plant(database: Database, tmp_path: Path) -> None:
    settings = load({"DATA_DIR": str(tmp_path), "SIGHTLINE_ENV_FILE": "none"})
    settings.run_dir.mkdir(parents=True)
    with database.transaction() as session:
        demo.seed(session, settings, (1, 2), NOW)
        plant = seed_plant(session, "PLANT", Size(assets=10, orders=60, seed=7), NOW)
        add_admin(session, plant, "once and only once")
        number = maintenance_records.next_number(session)

        assert session.scalar(select(MaintenanceRecord.id).where(MaintenanceRecord.number == number)) is None
        assert set(session.scalars(select(Site.code))) >= {"PLANT", "DEMO"}
        assert session.scalars(select(User.role).where(User.employee_number == "PLANT-admin")).one() == "admin"
