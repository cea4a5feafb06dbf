"""A small plant with people, one machine, one procedure and orders, written straight into the tables, for the tests of the feed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from server.auth import device_tokens
from server.models.feed import DeviceToken, Marker
from server.models.people import User
from server.models.plant import Area, Asset, Site, Source, Tag, TagLimit
from server.models.work import Procedure, ProcedureVersion
from server.services import Services
from server.store import orders
from server.store import snapshot as plant_snapshot
from server.store.actor import SYSTEM

SAFETY = [
    {"id": "d1", "sev": "danger", "t": "Rotating parts", "b": "Guard stays on until the pump stands still", "icon": "rotate"},
    {"id": "d2", "sev": "warning", "t": "Hot housing", "b": "Wear gloves", "icon": "heat"},
]


def steps(code: str) -> list[dict[str, Any]]:
    """One step of every kind that the walk needs: confirm, check, choice that jumps, part, measure with a live value."""
    del code
    return [
        {"id": "s1", "k": "confirm", "t": "Stop {asset} and lock out its drive.", "say": "DRIVE IS LOCKED", "must": True,
         "warn": {"sev": "danger", "t": "It may start until it is locked out."}},
        {"id": "s2", "k": "check", "t": "Are coupling and foundation bolts tight?", "say": "BOLTS ARE TIGHT", "must": True},
        {"id": "s3", "k": "choice", "t": "What do you find at the bearing?", "say": "CHOOSE THE CAUSE", "must": True,
         "opt": [{"k": "worn", "t": "Bearing worn or hot", "say": "BEARING IS WORN", "go": "s4"},
                 {"k": "none", "t": "Nothing to see", "say": "ALL LOOKS GOOD", "go": "s5"}]},
        {"id": "s4", "k": "part", "t": "Replace the bearing.", "say": "BEARING IS FITTED", "part": {"sku": "SKF 6308", "qty": 1}},
        {"id": "s5", "k": "measure", "t": "Measure vibration at bearing B.", "b": "At rated speed, after one minute.", "say": "USE READING",
         "must": True, "live": ["{asset}.vibration", "{asset}.temperature"],
         "warn": {"sev": "warning", "t": "Pump runs. Keep hands off the coupling."},
         "in": {"unit": "mm/s", "lo": 0.0, "hi": 4.5, "dec": 2, "tag": "{asset}.vibration"}},
    ]  # fmt: skip


@dataclass(frozen=True)
class FeedPlant:
    """Ids and tokens of what `build` made."""

    site: int
    other_site: int
    technician: int
    token: str
    colleague_token: str
    foreign_token: str
    asset: int
    asset_code: str
    vibration: int
    temperature: int
    procedure: int
    marker: str
    password_hash: str = ""


def _person(session: Session, site: Site, name: str, role: str = "technician") -> User:
    user = User(employee_number=secrets.token_hex(5), name=name, role=role, site_id=site.id, password_hash="none")
    session.add(user)
    session.flush()
    return user


def paired_token(session: Session, user: User, now: datetime, **more: Any) -> str:
    """A token as pairing gives it."""
    secret = device_tokens.new_secret()
    row = DeviceToken(token_hash=device_tokens.digest(secret), kind="paired", name="Test glasses", user_id=user.id, site_id=user.site_id,
                      scopes=["ar:read", "ar:write"], created_at=now, expires_at=now + timedelta(hours=12))  # fmt: skip
    for name, value in more.items():
        setattr(row, name, value)
    session.add(row)
    session.flush()
    return secret


def build(at: Services) -> FeedPlant:
    """Two sites, three technicians, a pump with two tags and a procedure; the snapshot is published."""
    now = datetime.now(UTC)
    mark = secrets.token_hex(3)
    with at.database.transaction() as session:
        site, other = (Site(code=f"F{mark}{n}", name="A site", time_zone="Europe/Paris") for n in "12")
        session.add_all([site, other])
        session.flush()
        area = Area(site_id=site.id, name="Utilities")
        source = Source(site_id=site.id, name=f"src-{mark}", kind="mqtt", config={})
        session.add_all([area, source])
        session.flush()
        asset = Asset(site_id=site.id, area_id=area.id, code=f"M{mark}", name="Booster pump", location="Hall 2", operating="running")
        session.add(asset)
        session.flush()
        vibration = Tag(asset_id=asset.id, source_id=source.id, name=f"{asset.code}.vibration", label="Vibration", unit="mm/s", low=0.0,
                        high=4.5, decimals=2, period_s=3)  # fmt: skip
        temperature = Tag(asset_id=asset.id, source_id=source.id, name=f"{asset.code}.temperature", label="Temperature", unit="°C",
                          low=20.0, high=80.0, decimals=1, period_s=3)  # fmt: skip
        procedure = Procedure(site_id=site.id, code=f"P-{mark}", title="Find and remove vibration")
        session.add_all([vibration, temperature, procedure])
        session.flush()
        session.add(ProcedureVersion(procedure_id=procedure.id, version=1, steps=steps(asset.code), safety=SAFETY,
                                     hazards=["rotating", "hot"], lock_out=True, estimated_min=45))  # fmt: skip
        me, colleague = _person(session, site, "A. Benali"), _person(session, site, "S. Moreau")
        foreigner = _person(session, other, "F. Remote")
        marker = "".join(secrets.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(7))
        session.add(Marker(code=marker, asset_id=asset.id))
        made = FeedPlant(
            site=site.id,
            other_site=other.id,
            technician=me.id,
            token=paired_token(session, me, now),
            colleague_token=paired_token(session, colleague, now),
            foreign_token=paired_token(session, foreigner, now),
            asset=asset.id,
            asset_code=asset.code,
            vibration=vibration.id,
            temperature=temperature.id,
            procedure=procedure.id,
            marker=marker,
        )
        session.add(TagLimit(tag_id=vibration.id, side="high", value=7.1, severity="critical"))
        session.flush()
        plant_snapshot.bump(session, now)
        at.bus.publish_config(plant_snapshot.build(session, now))
    return made


def order(at: Services, plant: FeedPlant, title: str = "Find and remove vibration", *, assignee: int | None = None, **more: Any) -> int:
    """A work order of the plant's procedure, assigned to the technician unless told otherwise; its id."""
    now = datetime.now(UTC)
    with at.database.transaction() as session:
        fields = {"procedure_id": plant.procedure, "priority": "urgent", **more}
        made = orders.create_order(session, orders.NewOrder(title=title, asset_id=plant.asset, **fields), SYSTEM, now)
        session.flush()
        orders.act(session, made.id, "assign", SYSTEM, now, assignee_id=assignee or plant.technician)
        return made.id
