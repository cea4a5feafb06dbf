"""Areas of a site and the site itself: names, time zone, currency. Nothing here commits; everything is audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.people import User
from server.models.plant import Area, Asset, Site
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of
from server.timestamps import rfc3339


def list_areas(session: Session, *, site: int | None, search: str | None, sort: str, limit: int, offset: int) -> Page[Area]:
    """Areas of a site by name."""
    query = select(Area).where(Area.deleted_at.is_(None))
    if site is not None:
        query = query.where(Area.site_id == site)
    if search:
        query = query.where(Area.name.icontains(search, autoescape=True))
    return page_of(session, query, ordering(sort, {"name": Area.name, "id": Area.id}, "name"), limit, offset)


def get_area(session: Session, area_id: int, user: Person, *, lock: bool = False) -> Area:
    """A visible area, locked until commit where it is to be changed; raises NotFound."""
    row = session.get(Area, area_id, with_for_update={"key_share": True} if lock else None)
    if row is None or row.deleted_at is not None or row.site_id != user.site_id:
        raise NotFound("area", area_id)
    return row


def create_area(session: Session, name: str, user: Person, now: datetime) -> Area:
    """A new area, or one of that name that was deleted come back; raises Conflict."""
    need(user, "assets.write")
    assert user.site_id is not None
    row = session.scalars(select(Area).where(Area.site_id == user.site_id, Area.name == name).with_for_update()).one_or_none()
    if row is not None and row.deleted_at is None:
        raise Conflict("name_taken", f"there is an area {name} already")
    row = row or Area(site_id=user.site_id, name=name, rev=0)
    row.deleted_at = None
    row.rev += 1
    session.add(row)
    session.flush()
    audit.record(session, audit.Change("create", "area", row.id, row.site_id, None, {"name": name}), user, now)
    return row


def rename_area(session: Session, row: Area, name: str, user: Person, now: datetime) -> None:
    """Another name; raises Conflict where it is taken."""
    need(user, "assets.write")
    if name == row.name:
        return
    if session.scalar(select(Area.id).where(Area.site_id == row.site_id, Area.name == name)) is not None:
        raise Conflict("name_taken", f"there is an area {name} already")
    audit.record(session, audit.Change("change", "area", row.id, row.site_id, {"name": row.name}, {"name": name}), user, now)
    row.name = name
    row.rev += 1


def delete_area(session: Session, row: Area, user: Person, now: datetime) -> None:
    """Take an empty area out; raises Conflict while assets or people are in it."""
    need(user, "assets.write")
    assets = session.scalar(select(func.count()).where(Asset.area_id == row.id, Asset.deleted_at.is_(None))) or 0
    people = session.scalar(select(func.count()).where(User.area_id == row.id, User.active)) or 0
    if assets or people:
        raise Conflict("not_empty", f"{row.name} has {assets} assets and {people} people")
    row.deleted_at = now
    row.rev += 1
    audit.record(session, audit.Change("delete", "area", row.id, row.site_id, {"name": row.name}, None), user, now)


def area_bodies(session: Session, rows: Sequence[Area]) -> list[dict[str, Any]]:
    """The REST bodies, with the number of assets in each."""
    ids = [row.id for row in rows]
    counted = select(Asset.area_id, func.count()).where(Asset.area_id.in_(ids), Asset.deleted_at.is_(None)).group_by(Asset.area_id)
    counts = {int(row[0]): int(row[1]) for row in session.execute(counted)}
    return [{"id": row.id, "name": row.name, "site": row.site_id, "assets": counts.get(row.id, 0), "rev": row.rev} for row in rows]


def get_site(session: Session, site_id: int, user: Person, *, lock: bool = False) -> Site:
    """The caller's site, locked until commit where it is to be changed; raises NotFound for any other."""
    row = session.get(Site, site_id, with_for_update={"key_share": True} if lock else None)
    if row is None or user.site_id not in {None, site_id}:
        raise NotFound("site", site_id)
    return row


def sites_of(session: Session, user: Person, *, sort: str, limit: int, offset: int) -> Page[Site]:
    """The sites a person sees, by code."""
    query = select(Site) if user.site_id is None else select(Site).where(Site.id == user.site_id)
    return page_of(session, query, ordering(sort, {"code": Site.code, "name": Site.name}, "code"), limit, offset)


def change_site(session: Session, row: Site, given: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change name, time zone or currency; amounts already written are not converted. Raises Invalid."""
    need(user, "policies.write")
    if "time_zone" in given:
        check_zone(given["time_zone"])
    changed = {name: value for name, value in given.items() if getattr(row, name) != value}
    if not changed:
        return
    old = {name: getattr(row, name) for name in changed}
    audit.record(session, audit.Change("change", "site", row.id, row.id, old, changed), user, now)
    for name, value in changed.items():
        setattr(row, name, value)
    row.rev += 1


def site_day(session: Session, site_id: int | None, now: datetime) -> date:
    """The calendar day at a site; in UTC where no site is asked for."""
    zone = session.scalar(select(Site.time_zone).where(Site.id == site_id)) or "UTC"
    return now.astimezone(ZoneInfo(zone)).date()


def check_zone(name: str) -> None:
    """Raise Invalid where no such time zone is known."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("time_zone", "unknown", "a name of the time zone database, Europe/Paris") from error


def site_body(row: Site) -> dict[str, Any]:
    """The REST body."""
    names = ("id", "code", "name", "time_zone", "currency", "demo", "rev")
    return {**{name: getattr(row, name) for name in names}, "created_at": rfc3339(row.created_at)}
