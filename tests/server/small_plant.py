"""A site with a pump (M2), a press (PL-1) and its people: enough for every rule of the maintenance domain."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from realtime.events import AlertType, Because, Edge, Finding, Severity
from server.models.fault_codes import FaultCode
from server.models.people import User
from server.models.plant import Area, Asset, AssetClass, Site, Source, Tag, TagLimit
from server.models.work import Policy, Procedure, ProcedureVersion, Team
from server.rules.roles import Role
from server.store.actor import Actor

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)

STEPS: list[dict[str, Any]] = [
    {"id": "s1", "n": 1, "k": "confirm", "t": "Stop the pump", "must": True},
    {"id": "s2", "n": 2, "k": "info", "t": "Look at the coupling", "must": False},
    {
        "id": "s3",
        "n": 3,
        "k": "measure",
        "t": "Measure vibration",
        "must": True,
        "live": ["{asset}.vibration"],
        "in": {"unit": "mm/s", "lo": 0, "hi": 7.1, "tag": "{asset}.vibration", "on_hi": "s1"},
    },
]


@dataclass
class SmallPlant:
    """Ids and people by short names."""

    site: int
    pump: int
    press: int
    vibration: int
    source: int
    people: dict[str, Actor] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Actor:
        return self.people[name]


def build(session: Session) -> SmallPlant:
    site = Site(code="T", name="Test plant", time_zone="Europe/Paris")
    other = Site(code="O", name="Other plant", time_zone="UTC")
    session.add_all([site, other])
    session.flush()
    area = Area(site_id=site.id, name="Utilities")
    pump_class, press_class = AssetClass(name="pump"), AssetClass(name="press")
    team = Team(site_id=site.id, name="Maintenance")
    source = Source(site_id=site.id, name="press-s7", kind="s7", config={"host": "127.0.0.1"}, groups={"fast": 0.2, "normal": 1.0})
    session.add_all([area, pump_class, press_class, team, source])
    session.flush()
    pump = Asset(site_id=site.id, area_id=area.id, class_id=pump_class.id, code="M2", name="Booster pump", operating="running")
    press = Asset(site_id=site.id, area_id=area.id, class_id=press_class.id, code="PL-1", name="Press line")
    pump.main_tag, pump.health = "M2.vibration", 100
    session.add_all([pump, press])
    session.flush()
    vibration = _tags(session, pump, press, source)
    people = _people(session, site, other, team)
    _policies(session, site, team, pump_class)
    session.add(FaultCode(class_id=press_class.id, code="7", text="Hydraulic pressure low"))
    session.flush()
    return SmallPlant(site.id, pump.id, press.id, vibration.id, source.id, people)


def _tags(session: Session, pump: Asset, press: Asset, source: Source) -> Tag:
    vibration = Tag(asset_id=pump.id, name="M2.vibration", label="Vibration", unit="mm/s", low=0, high=4.5)
    temperature = Tag(asset_id=pump.id, name="M2.temperature", label="Temperature", unit="°C")
    pressure = Tag(asset_id=press.id, source_id=source.id, name="PL-1.pressure", label="Main pressure", unit="bar")
    running = Tag(asset_id=press.id, source_id=source.id, name="PL-1.running", role="running")
    session.add_all([vibration, temperature, pressure, running])
    session.flush()
    session.add(TagLimit(tag_id=vibration.id, side="high", value=7.1, severity="critical"))
    session.add(TagLimit(tag_id=temperature.id, side="high", value=80, severity="warning", confirmed=False))
    return vibration


def _people(session: Session, site: Site, other: Site, team: Team) -> dict[str, Actor]:
    rows = {
        "manager": ("L.Fontaine", Role.MANAGER, site.id, None),
        "benali": ("A.Benali", Role.TECHNICIAN, site.id, team.id),
        "moreau": ("S.Moreau", Role.TECHNICIAN, site.id, team.id),
        "operator": ("O.Petit", Role.OPERATOR, site.id, None),
        "viewer": ("Andon", Role.VIEWER, site.id, None),
        "stranger": ("X.Other", Role.MANAGER, other.id, None),
    }
    people: dict[str, Actor] = {}
    for number, (key, (name, role, site_id, team_id)) in enumerate(rows.items(), 1001):
        user = User(employee_number=str(number), name=name, role=str(role), site_id=site_id, team_id=team_id, password_hash="x")
        session.add(user)
        session.flush()
        people[key] = Actor(user.id, user.name, role, site_id)
    return people


def _policies(session: Session, site: Site, team: Team, pump_class: AssetClass) -> None:
    procedure = Procedure(site_id=site.id, code="VIB-01", title="Find and remove vibration", class_id=pump_class.id)
    session.add(procedure)
    session.flush()
    session.add(ProcedureVersion(procedure_id=procedure.id, version=1, steps=STEPS, estimated_min=45))
    for type_ in (AlertType.RULE_VIOLATION, AlertType.DRIFT, AlertType.INSTRUMENT_FAULT, AlertType.MACHINE_FAULT, AlertType.ANOMALY):
        row = Policy(site_id=site.id, alert_type=str(type_), team_id=team.id, auto_assign=True)
        row.procedure_id = procedure.id if type_ is AlertType.RULE_VIOLATION else None
        session.add(row)


def finding(plant: SmallPlant, edge: Edge = "open", t: int = NOW_MS, **other: Any) -> Finding:
    """M2.vibration above 7.1 mm/s as ml's limit detector says it; anything may be replaced."""
    fields: dict[str, Any] = {
        "key": "limits:1:high:1",
        "edge": edge,
        "asset": plant.pump,
        "tag": "M2.vibration",
        "type": AlertType.RULE_VIOLATION,
        "detector": "limits",
        "code": "high",
        "t": t,
        "t_onset": NOW_MS - 4000,
        "severity": Severity.CRITICAL,
        "score": 0.5 if edge == "close" else 1.3,
        "limit": 1.0,
        "value": 3.0 if edge == "close" else 9.42,
        "because": (Because("M2.vibration", 1.0),),
        "config_version": 1,
    }
    return Finding(**{**fields, **other})
