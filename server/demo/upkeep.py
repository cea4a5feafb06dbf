"""The demo's upkeep: a production calendar, reasons of downtime, meters with three weeks of use, and plans that hang on them."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.calendar import WorkCalendar
from server.models.downtime import DowntimeReason
from server.models.meters import Meter, MeterReading
from server.models.plans import PmPlan, PmPlanAsset, PmTrigger
from server.models.plant import Asset, Site, Tag
from server.models.work import Team
from server.store import numbers
from server.timestamps import to_ms

REASONS = (
    ("tool", "Change of tools", "planned"),
    ("clean", "Cleaning", "planned"),
    ("material", "No material", "unplanned"),
    ("jam", "Part jammed", "unplanned"),
    ("breakdown", "Breakdown", "unplanned"),
)
RATES = {"PL-1": 240, "M1": 60, "M2": 90, "M3": 75, "DMLS-1": 120}  # money an hour of standstill
METERS = (  # asset, kind, source, counter tag, total so far, a day
    ("M1", "run_hours", "state", None, 7_420.0, 21.5),
    ("M2", "run_hours", "state", None, 3_870.0, 19.0),
    ("M3", "run_hours", "state", None, 5_110.0, 22.0),
    ("PL-1", "run_hours", "state", None, 11_240.0, 14.0),
    ("PL-1", "cycles", "counter", "PL-1.cycles", 1_804_000.0, 9_200.0),
)
PLANS: tuple[tuple[str, tuple[str, ...], tuple[dict[str, Any], ...], dict[str, Any]], ...] = (
    (
        "Grease the bearings",
        ("M1", "M2", "M3"),
        ({"kind": "run_hours", "every": 500.0}, {"kind": "calendar", "rrule": "FREQ=MONTHLY;INTERVAL=2"}),
        {"estimated_min": 30, "series": "bearings", "level": 1},
    ),
    (
        "Change oil and filter of the press",
        ("PL-1",),
        ({"kind": "calendar", "rrule": "FREQ=MONTHLY;INTERVAL=3;BYDAY=1MO"},),
        {"estimated_min": 120, "schedule": "fixed", "shift": "after"},
    ),
    ("Check the dies", ("PL-1",), ({"kind": "cycles", "every": 100_000.0},), {"estimated_min": 45, "type": "inspection", "lead_days": 3}),
)
USED_DAYS = 21


def add_upkeep(session: Session, site: Site, now: datetime) -> None:
    """Everything, on the site, so that removal finds it."""
    assets = {asset.code: asset for asset in session.scalars(select(Asset).where(Asset.site_id == site.id))}
    week = [{"days": [0, 1, 2, 3, 4, 5, 6], "shift": shift["name"]} for shift in site.shifts]
    session.add(WorkCalendar(site_id=site.id, name="Three shifts, every day", weekly=week))
    session.add_all(DowntimeReason(site_id=site.id, code=code, label=label, category=category) for code, label, category in REASONS)
    for code, rate in RATES.items():
        if code in assets:
            assets[code].machine_rate = Decimal(rate)
    totals = {(row[0], row[1]): row[4] for row in METERS}
    for row in METERS:
        if row[0] in assets:
            _meter(session, assets[row[0]], row, now)
    team = session.scalar(select(Team.id).where(Team.site_id == site.id).order_by(Team.id).limit(1))
    for title, codes, triggers, other in PLANS:
        zone = ZoneInfo(site.time_zone)
        plan = PmPlan(
            number=f"PM-{numbers.next_number(session, 'pm_plan')}", site_id=site.id, title=title, team_id=team, created_at=now, **other
        )
        plan.starts_on = now.astimezone(zone).date()
        session.add(plan)
        session.flush()
        rows = [PmTrigger(plan_id=plan.id, **trigger) for trigger in triggers]
        session.add_all(rows)
        session.flush()
        for code in codes:
            if code in assets:
                bases = {str(row.id): totals.get((code, row.kind), 0.0) - 0.3 * (row.every or 0) for row in rows if row.every}
                begun = datetime.combine(plan.starts_on, time(12), zone)
                session.add(PmPlanAsset(plan_id=plan.id, asset_id=assets[code].id, bases=bases, last_due=begun, last_done=begun))
    session.flush()


def _meter(session: Session, asset: Asset, row: tuple[str, str, str, str | None, float, float], now: datetime) -> None:
    _, kind, source, tag, total, a_day = row
    name = "Run hours" if kind == "run_hours" else "Strokes"
    meter = Meter(site_id=asset.site_id, asset_id=asset.id, kind=kind, name=name, unit="h" if kind == "run_hours" else "strokes")
    meter.source, meter.total, meter.counted_to = source, total, now
    if tag is not None:
        meter.tag_id, meter.counted_mark = session.scalar(select(Tag.id).where(Tag.name == tag)), to_ms(now)
    session.add(meter)
    session.flush()
    for day in range(USED_DAYS, -1, -1):
        then = total - day * a_day
        session.add(MeterReading(meter_id=meter.id, at=now - timedelta(days=day), value=then, total=then, kind="counted", by="demo"))
