"""Writes the demo plant into the tables: site, people, assets, tags, limits, procedures, policy, calibrations. Never twice.

Everything hangs on the site DEMO, so that `server.demo.removal` can take it out again.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.settings import Settings
from server.audit import Change, record
from server.auth.passwords import hash_password
from server.demo import plant
from server.demo.instruments import add_instruments
from server.demo.procedures import POLICIES, PROCEDURES
from server.demo.stores import add_stores
from server.demo.upkeep import add_upkeep
from server.demo.work import add_templates
from server.models.base import Base
from server.models.fault_codes import FaultCode
from server.models.feed import Marker
from server.models.ml import Baseline
from server.models.people import User
from server.models.plant import Area, Asset, AssetClass, Site, Source, Tag, TagLimit
from server.models.work import Policy, Procedure, ProcedureVersion, Team
from server.store.actor import Actor

DEMO = Actor(None, "demo", "admin", None)
TEAM = "Maintenance"
FULL_RATE = timedelta(hours=2)  # the part of the history that has the live rate; what models learn from
PEOPLE = (
    # employee number, name, role, member of the team
    ("1001", "L. Fontaine", "manager", False),
    ("2001", "A. Benali", "technician", True),
    ("2002", "S. Moreau", "technician", True),
    ("3001", "K. Weber", "operator", False),
)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def demo_site(session: Session) -> Site | None:
    """The demo's site, where it is seeded."""
    return session.scalar(select(Site).where(Site.code == plant.SITE))


def seed(session: Session, settings: Settings, ports: tuple[int, int], now: datetime) -> Site:
    """Write the whole plant but its history and baselines; the caller commits."""
    site: Site = _added(session, Site(code=plant.SITE, name=plant.SITE_NAME, time_zone=plant.TIME_ZONE, shifts=plant.SHIFTS, demo=True))
    areas = {name: _added(session, Area(site_id=site.id, name=name)) for name in plant.AREAS}
    classes = {name: _asset_class(session, name, label) for name, label in plant.CLASSES.items()}
    sources = {
        name: _added(session, Source(site_id=site.id, name=name, kind=kind, config=config, groups=groups))
        for name, kind, config, groups in plant.sources(*ports)
    }
    for row in plant.assets(settings.num_machines, settings.interval_s):
        asset = _asset(session, row, site, areas[row.area], classes[row.class_name])
        for tag in row.tags:
            _tag(session, tag, asset, sources[tag.source])
    _work_rules(session, site, {name: row.id for name, row in classes.items()})
    add_instruments(session, site, now)
    add_templates(session, site, now)
    add_stores(session, site, now)
    add_upkeep(session, site, now)
    record(session, Change("demo.seed", "site", site.id, site.id, new={"code": site.code, "name": site.name}), DEMO, now)
    return site


def _added(session: Session, row: Any) -> Any:
    session.add(row)
    session.flush()
    return row


def _asset_class(session: Session, name: str, label: str) -> AssetClass:
    found = session.scalar(select(AssetClass).where(AssetClass.name == name))
    return found or _added(session, AssetClass(name=name, label=label))


def _asset(session: Session, row: plant.AssetRow, site: Site, area: Area, asset_class: AssetClass) -> Asset:
    asset: Asset = _added(
        session,
        Asset(
            site_id=site.id,
            area_id=area.id,
            class_id=asset_class.id,
            code=row.code,
            name=row.name,
            location=row.location,
            criticality=row.criticality,
            main_tag=row.main_tag,
        ),
    )
    if row.class_name == "press":
        session.add_all(FaultCode(asset_id=asset.id, code=code, text=text, severity=severity) for code, text, severity in plant.FAULT_CODES)
    session.add(Marker(code="".join(secrets.choice(_CROCKFORD) for _ in range(7)), asset_id=asset.id))
    return asset


def _tag(session: Session, row: plant.TagRow, asset: Asset, source: Source) -> None:
    tag = _added(
        session,
        Tag(
            asset_id=asset.id,
            source_id=source.id,
            name=row.name,
            label=row.label,
            unit=row.unit,
            kind=row.kind,
            decimals=row.decimals,
            address=row.address,
            poll_group=row.group,
            period_s=row.period_s,
            role=row.role,
            scale_raw=None if row.scale is None else list(row.scale[0]),
            scale_eng=None if row.scale is None else list(row.scale[1]),
            low=row.normal("low"),
            high=row.normal("high"),
            range_low=None if row.top is None else 0.0,
            range_high=row.top,
            stuck_s=plant.STUCK_S if row.watched else None,
            drift=row.watched,
            joint=row.watched,
            virtual=row.virtual,
        ),
    )
    for limit in row.limits:
        session.add(
            TagLimit(
                tag_id=tag.id,
                side=limit.side,
                value=limit.value,
                severity=limit.severity,
                deadband=limit.deadband,
                on_delay_s=limit.on_delay_s,
                off_delay_s=limit.off_delay_s,
            )
        )


def _work_rules(session: Session, site: Site, classes: dict[str, int]) -> None:
    """Team, procedures in their first version, and the policy that joins them to alerts."""
    team = _added(session, Team(site_id=site.id, name=TEAM))
    procedures: dict[str, int] = {}
    for row in PROCEDURES:
        class_id = classes[row.class_name] if row.class_name else None
        procedure = _added(session, Procedure(site_id=site.id, code=row.code, title=row.title, class_id=class_id))
        session.add(
            ProcedureVersion(
                procedure_id=procedure.id,
                version=1,
                steps=list(row.steps),
                safety=list(row.safety),
                hazards=list(row.hazards),
                lock_out=row.lock_out,
                estimated_min=row.estimated_min,
                published_by=DEMO.name,
            )
        )
        procedures[row.code] = procedure.id
    for rule in POLICIES:
        session.add(
            Policy(
                site_id=site.id,
                alert_type=rule.alert_type,
                class_id=classes[rule.class_name] if rule.class_name else None,
                opens_order=rule.opens_order,
                priority=rule.priority,
                procedure_id=procedures[rule.procedure] if rule.procedure else None,
                team_id=team.id,
                auto_assign=True,
            )
        )


def add_people(session: Session, site: Site) -> dict[str, dict[str, str]]:
    """Make the demo's people, or give them new passwords; returns their logins, which are stored nowhere else."""
    team = session.scalars(select(Team).where(Team.site_id == site.id, Team.name == TEAM)).one()
    logins: dict[str, dict[str, str]] = {}
    for number, name, role, in_team in PEOPLE:
        password = secrets.token_urlsafe(12)
        user = session.scalar(select(User).where(User.employee_number == number))
        if user is None:
            user = User(
                employee_number=number, name=name, role=role, site_id=site.id, team_id=team.id if in_team else None, password_hash=""
            )
            session.add(user)
        if user.site_id == site.id:  # a number that a person of another site already holds is left alone
            user.password_hash = hash_password(password)
            logins[number] = {"name": name, "role": role, "password": password}
    return logins


def add_baselines(session: Session, site: Site, end: datetime) -> int:
    """Confirm the end of the seeded history as healthy for every asset of the demo; returns how many were new."""
    baselines: list[Base] = []
    known = select(Baseline.asset_id)
    for asset in session.scalars(select(Asset).where(Asset.site_id == site.id, Asset.id.not_in(known)).order_by(Asset.id)):
        baseline = Baseline(
            asset_id=asset.id, starts_at=end - FULL_RATE, ends_at=end, confirmed=True, confirmed_by=DEMO.name, confirmed_at=end
        )
        session.add(baseline)
        session.flush()
        new = {"asset": asset.code, "from": baseline.starts_at.isoformat(), "to": baseline.ends_at.isoformat()}
        record(session, Change("baseline.confirm", "baseline", baseline.id, site.id, new=new), DEMO, end)
        baselines.append(baseline)
    return len(baselines)


def set_ports(session: Session, ports: tuple[int, int]) -> bool:
    """Point the sources at the simulated devices; True when something changed."""
    changed = False
    for name, _kind, config, _groups in plant.sources(*ports):
        source = session.scalar(select(Source).where(Source.name == name))
        if source is not None and {**source.config, **_address(config)} != source.config:
            source.config = {**source.config, **_address(config)}
            changed = True
    return changed


def _address(config: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in config.items() if key in {"host", "port"} or (key == "url" and value is not None)}
