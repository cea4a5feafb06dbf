"""Users and teams of a site: made, changed, deactivated. Nothing here commits, and nobody is ever deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.people import User
from server.models.plant import Area, Site
from server.models.work import Team
from server.rules.roles import RESERVED_NAMES, Role
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of

PLAIN = ("name", "email", "role", "skills", "shift", "language", "on_duty")  # columns that take what the body says
WATCHED = (*PLAIN, "team_id", "area_id", "active", "granted")
SORTS = {
    "employee_number": User.employee_number,
    "name": User.name,
    "role": User.role,
    "last_login_at": User.last_login_at,
    "created_at": User.created_at,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which users; None = all."""

    search: str | None = None
    role: str | None = None
    team: int | None = None
    active: bool | None = None
    skill: str | None = None


def _of_site(site_id: int | None) -> Select[User]:
    query = select(User).where(User.contractor.is_(False))
    return query if site_id is None else query.where(User.site_id == site_id)


def contains(words: str) -> str:
    """An ILIKE pattern for "contains these words as they stand"."""
    plain = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{plain}%"


def list_users(session: Session, user: Person, which: Which, page: Mapping[str, Any]) -> Page[Any]:
    """People of the caller's site."""
    query = _of_site(user.site_id)
    if which.search:
        like = contains(which.search)
        query = query.where(or_(User.employee_number.ilike(like), User.name.ilike(like), User.email.ilike(like)))
    if which.role is not None:
        query = query.where(User.role == which.role)
    if which.team is not None:
        query = query.where(User.team_id == which.team)
    if which.active is not None:
        query = query.where(User.active.is_(which.active))
    if which.skill is not None:
        query = query.where(User.skills.contains([which.skill]))
    order = ordering(page["sort"], SORTS, "employee_number")
    return page_of(session, query, order, page["limit"], page["offset"])


def get_user(session: Session, user_id: int, user: Person, *, lock: bool = False) -> User:
    """A person of the caller's site; raises NotFound."""
    query = _of_site(user.site_id).where(User.id == user_id)
    row = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("user", user_id)
    return row


def create_user(session: Session, body: Mapping[str, Any], password_hash: str, by: Person, now: datetime) -> User:
    """A new person with a first password that must be changed. Raises Invalid, Conflict."""
    need(by, "users.write")
    number = body["employee_number"].strip()
    _refuse_reserved("employee_number", number)
    _refuse_reserved("name", body["name"])
    if session.scalar(select(User.id).where(func.lower(User.employee_number) == number.lower())) is not None:
        raise Conflict("number_taken", f"employee number {number} is taken")
    site_id = _site(session, body.get("site"), by)
    row = User(
        employee_number=number,
        site_id=site_id,
        password_hash=password_hash,
        must_change_password=True,
        active=True,
        created_at=now,
        **{name: body[name] for name in PLAIN},
    )
    _place(session, row, body)
    session.add(row)
    session.flush()
    audit.record(session, audit.Change("create", "user", row.id, row.site_id, None, {"employee_number": number, **_watched(row)}), by, now)
    return row


def _site(session: Session, code: str | None, by: Person) -> int:
    query = select(Site.id).where(Site.code == code) if code is not None else select(Site.id).where(Site.id == by.site_id)
    found = session.scalar(query)
    if found is None:
        raise Invalid("site", "unknown", "there is no such site")
    return found


def _refuse_reserved(field: str, words: str) -> None:
    if words.strip().lower() in RESERVED_NAMES:
        raise Invalid(field, "reserved", "the audit trail keeps this word for what no person did")


def _watched(row: User) -> dict[str, Any]:
    return {name: getattr(row, name) for name in WATCHED}


def _place(session: Session, row: User, body: Mapping[str, Any]) -> None:
    """Team, area and shift of the person's own site."""
    if "team" in body:
        row.team_id = body["team"]
        own = row.team_id is None or session.scalar(
            select(Team.id).where(Team.id == row.team_id, Team.site_id == row.site_id, Team.deleted_at.is_(None))
        )
        if not own:
            raise Invalid("team", "unknown", "not a team of the person's site")
    if "area" in body:
        row.area_id = body["area"]
        if row.area_id is not None and session.scalar(select(Area.id).where(Area.id == row.area_id, Area.site_id == row.site_id)) is None:
            raise Invalid("area", "unknown", "not an area of the person's site")
    check_shift(session, row.site_id, row.shift)


def check_shift(session: Session, site_id: int, shift: str | None) -> None:
    """Raise Invalid unless the site has a shift of this name."""
    if shift is None:
        return
    shifts: Sequence[Mapping[str, Any]] = session.scalar(select(Site.shifts).where(Site.id == site_id)) or []
    if shift not in {row.get("name") for row in shifts}:
        raise Invalid("shift", "unknown", "the site has no shift of this name")


def change_user(session: Session, row: User, body: Mapping[str, Any], by: Person, now: datetime) -> bool:
    """Change a locked person's columns; True when the change must cut their sockets: what they may see is another thing now."""
    need(by, "users.write")
    before = _watched(row)
    if "name" in body and body["name"] != row.name:
        _refuse_reserved("name", body["name"])
    if "role" in body and body["role"] != row.role:
        _refuse_own(row, by, "your own role")
        _keep_an_admin(session, row)
    for name in PLAIN:
        if name in body:
            setattr(row, name, body[name])
    _place(session, row, body)
    if "active" in body:
        _set_active(session, row, active=body["active"], by=by, now=now)
    changed = [name for name, old in before.items() if old != getattr(row, name)]
    if not changed:
        return False
    row.rev += 1
    old, new = {name: before[name] for name in changed}, {name: getattr(row, name) for name in changed}
    audit.record(session, audit.Change("change", "user", row.id, row.site_id, old, new), by, now)
    return bool({"role", "area_id", "active"} & set(changed))


def _set_active(session: Session, row: User, *, active: bool, by: Person, now: datetime) -> None:
    if active == row.active:
        return
    if not active:
        _refuse_own(row, by, "your own account")
        _keep_an_admin(session, row)
        row.session_epoch += 1  # every login of theirs ends, and stays ended when they come back
        row.granted = []
    row.active, row.deactivated_at = active, None if active else now


def _refuse_own(row: User, by: Person, what: str) -> None:
    if row.id == by.id:
        raise Conflict("own_account", f"somebody else must change {what}")


def _keep_an_admin(session: Session, row: User) -> None:
    """The last admin of the installation can neither be demoted nor deactivated: nobody could undo it."""
    if row.role != Role.ADMIN or not row.active:
        return
    admins = session.scalars(select(User.id).where(User.role == str(Role.ADMIN), User.active).with_for_update()).all()
    if len(admins) <= 1:
        raise Conflict("last_admin", "this is the last administrator")


def grant(session: Session, row: User, granted: str, reason: str, by: Person, now: datetime) -> None:
    """Give a locked person a right that no role has; raises Conflict for one's own account."""
    need(by, "users.write")
    _refuse_own(row, by, "the rights that you are given")
    if granted not in row.granted:
        _set_granted(session, row, [*row.granted, granted], reason, by, now)


def take_away(session: Session, row: User, granted: str, by: Person, now: datetime) -> None:
    """Take it back, from the next request on; anybody who manages people may, of themselves too."""
    need(by, "users.write")
    if granted in row.granted:
        _set_granted(session, row, [one for one in row.granted if one != granted], None, by, now)


def _set_granted(session: Session, row: User, rights: list[str], reason: str | None, by: Person, now: datetime) -> None:
    old, row.granted = {"granted": list(row.granted)}, sorted(rights)
    row.rev += 1
    audit.record(session, audit.Change("grant", "user", row.id, row.site_id, old, {"granted": row.granted}, reason), by, now)


def set_password(session: Session, row: User, password_hash: str, by: Person, now: datetime) -> None:
    """Give a locked person a password to be changed at the first login; every login of theirs ends."""
    need(by, "users.write")
    row.password_hash = password_hash
    row.must_change_password = True
    row.session_epoch += 1
    row.rev += 1
    audit.record(session, audit.Change("set_password", "user", row.id, row.site_id), by, now)
