"""The seeded plant as it stands: site, areas, people, a tree of machines with signals and the instruments behind transmitters."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.people import User
from server.models.plant import Area, Asset, AssetClass, Instrument, Site, Source, Tag
from server.models.requests import ReportLink
from server.models.work import Team
from server.seed.bulk import ACTOR, Bulk, Row
from server.seed.catalogue import AREAS, KINDS, MEASURES, NAMES, Kind, Signal

SHIFTS = [
    {"name": "A", "start": "06:00", "end": "14:00"},
    {"name": "B", "start": "14:00", "end": "22:00"},
    {"name": "C", "start": "22:00", "end": "06:00"},
]
NO_LOGIN = "!"  # no hash matches it: an admin gives a password to whoever is to sign in
TECHNICIANS = 20
HISTORY = timedelta(days=730)


@dataclass(frozen=True, slots=True)
class Machine:
    """An asset as the history needs it."""

    id: int
    code: str
    kind: Kind
    rate: Decimal
    size: str


@dataclass(slots=True)
class Plant:
    """What was written, by short names."""

    site: Site
    now: datetime
    rng: random.Random
    technicians: list[tuple[int, str]] = field(default_factory=list)
    managers: list[tuple[int, str]] = field(default_factory=list)
    planner: tuple[int, str] = (0, "")
    team: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    machines: list[Machine] = field(default_factory=list)
    instruments: list[Row] = field(default_factory=list)

    @property
    def start(self) -> datetime:
        """Since when there is a history."""
        return self.now - HISTORY


def build(session: Session, bulk: Bulk, code: str, now: datetime, rng: random.Random, assets: int) -> Plant:
    """Write the plant without its past."""
    site = Site(code=code, name=f"Plant {code}", time_zone="Europe/Paris", shifts=SHIFTS, created_at=now)
    session.add(site)
    session.flush()
    plant = Plant(site, now, rng)
    _people(session, plant)
    _classes(session, plant)
    areas = {name: Area(site_id=site.id, name=name) for name in AREAS}
    source = Source(site_id=site.id, name=f"seed-{code.lower()}", kind="mqtt", enabled=False, config={"topics": ["readings/#"]})
    session.add_all([*areas.values(), source])
    session.flush()
    rows = _machines(bulk, plant, [area.id for area in areas.values()], assets)
    _signals(bulk, plant, rows, source.id)
    return plant


def _people(session: Session, plant: Plant) -> None:
    site, words = plant.site, NAMES.split()
    names = [f"{first} {last}" for first, last in zip(words[::2], words[1::2], strict=True)]
    team = Team(site_id=site.id, name="Maintenance")
    session.add(team)
    session.flush()
    plant.team = team.id
    roles = ["manager", "manager", "planner", "storekeeper", "operator", *["technician"] * TECHNICIANS]
    for n, role in enumerate(roles):
        name = names[n % len(names)] if n < len(names) else f"{names[n % len(names)]} jr."
        user = User(employee_number=f"{site.code}-{1000 + n}", name=name, role=role, site_id=site.id, password_hash=NO_LOGIN)
        user.team_id = team.id if role == "technician" else None
        session.add(user)
        session.flush()
        if role == "technician":
            plant.technicians.append((user.id, name))
        elif role == "manager":
            plant.managers.append((user.id, name))
        elif role == "planner":
            plant.planner = (user.id, name)


def _classes(session: Session, plant: Plant) -> None:
    for kind in KINDS:
        found = session.scalar(select(AssetClass).where(AssetClass.name == kind.name).limit(1))
        row = found or AssetClass(name=kind.name, label=kind.label)
        session.add(row)
        session.flush()
        plant.classes[kind.name] = row.id


def _machines(bulk: Bulk, plant: Plant, areas: list[int], count: int) -> list[Row]:
    """Lines of machines: a main one and what hangs on it, in one area each."""
    rng, rows, ids = plant.rng, list[Row](), bulk.ids(Asset, count)
    kinds, weights, parent = list(KINDS), [kind.share for kind in KINDS], None
    for n, id_ in enumerate(ids):
        kind = rng.choices(kinds, weights)[0]
        if n % 8 == 0:  # a new line
            area, parent = areas[(n // 8) % len(areas)], None
        bought = (plant.start - timedelta(days=rng.randint(200, 6000))).date()
        rate = Decimal(rng.choice([40, 80, 120, 200, 450]))
        words, code = rng.choice(kind.words), f"{kind.prefix}-{n + 1:04d}"
        rows.append(
            {
                "id": id_,
                "site_id": plant.site.id,
                "area_id": area,
                "class_id": plant.classes[kind.name],
                "parent_id": parent,
                "code": code,
                "name": f"{words} {n // 8 + 1}.{n % 8 + 1}",
                "location": f"Hall {n // 60 + 1}, column {'ABCDEF'[n % 6]}{n % 20 + 1}",
                "criticality": rng.choices(["low", "medium", "high", "critical"], [3, 5, 3, 1])[0],
                "main_tag": f"{plant.site.code}.{code}.{kind.signals[min(1, len(kind.signals) - 1)].name}",
                "operating": "running",
                "operating_since": plant.now,
                "health": 100,
                "make": rng.choice(kind.makes),
                "model": f"{kind.prefix}{rng.choice([100, 200, 250, 400])}",
                "serial": f"{rng.randrange(10**7):07d}",
                "purchase_cost": round(kind.cost * rng.uniform(0.8, 1.3), 2),
                "purchased_on": bought,
                "installed_on": bought,
                "machine_rate": rate,
                "expected_life_years": rng.choice([10, 15, 20]),
                "created_at": plant.start,
            }
        )
        parent = parent or id_
        plant.machines.append(Machine(id_, code, kind, rate, rng.choice("SML")))
    bulk.copy(Asset, rows)
    bulk.audit("asset", plant.site.id, [(row["id"], plant.start, {"code": row["code"], "name": row["name"]}) for row in rows])
    links = [{"asset_id": row["id"], "token": secrets.token_urlsafe(16), "created_by": ACTOR, "created_at": plant.start} for row in rows]
    bulk.copy(ReportLink, links)
    return rows


def _signals(bulk: Bulk, plant: Plant, assets: list[Row], source: int) -> None:
    tags: list[Row] = []
    for machine in plant.machines:
        for signal in machine.kind.signals:
            role = "running" if signal.name == "running" else None
            range_low, range_high = signal_range(signal)
            tags.append(
                {
                    "asset_id": machine.id,
                    "source_id": source,
                    "name": f"{plant.site.code}.{machine.code}.{signal.name}",
                    "label": signal.label,
                    "unit": signal.unit,
                    "role": role,
                    "low": None if role else signal.low,
                    "high": None if role else signal.high,
                    "range_low": None if role else range_low,
                    "range_high": None if role else range_high,
                    "drift": role is None,
                    "joint": role is None,
                    "created_at": plant.start,
                }
            )
    ids = bulk.ids(Tag, len(tags))
    tags = [{"id": id_, **tag} for id_, tag in zip(ids, tags, strict=True)]
    bulk.copy(Tag, tags)
    _instruments(bulk, plant, tags, {row["id"]: row for row in assets})


def signal_range(signal: Signal) -> tuple[float, float]:
    """What the instrument can show: a span beyond normal on both sides, and zero, where most signals of a standing machine are."""
    span = signal.high - signal.low
    return min(round(signal.low - span, 3), 0.0), round(signal.high + span, 3)


def _instruments(bulk: Bulk, plant: Plant, tags: list[Row], assets: dict[int, Row]) -> None:
    measured = [tag for tag in tags if tag["name"].rpartition(".")[2] in MEASURES]
    for id_, tag in zip(bulk.ids(Instrument, len(measured)), measured, strict=True):
        asset, type_ = assets[tag["asset_id"]], tag["name"].rpartition(".")[2]
        plant.instruments.append(
            {
                "id": id_,
                "asset_id": asset["id"],
                "tag_id": tag["id"],
                "tag": tag["name"],
                "name": f"{tag['label']} of {asset['code']}",
                "type": type_,
                "variable": tag["label"],
                "unit": tag["unit"],
                "range_low": tag["range_low"],
                "range_high": tag["range_high"],
                "nominal": round((tag["low"] + tag["high"]) / 2, 3),
                "location": asset["location"],
                "accuracy_class": plant.rng.choice(["0.1", "0.25", "0.5", "1.0"]),
                "criticality": asset["criticality"],
                "calibration_interval_days": plant.rng.choice([180, 365, 365, 730]),
            }
        )
