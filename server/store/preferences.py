"""What each person wants to be told of; without a row the defaults of the role hold. A person changes only the own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import Severity
from server import audit
from server.errors import Forbidden, Invalid
from server.models.notifications import NotificationPreference
from server.models.people import User
from server.models.plant import Area, Site
from server.rules.notices import Choice, Preference, Quiet, Topic, defaults
from server.rules.roles import Role, may
from server.store.actor import Person


@dataclass(frozen=True, slots=True)
class Receiver:
    """A person with what decides how a message arrives."""

    user_id: int
    email: str | None
    preference: Preference
    zone: ZoneInfo


def receivers(session: Session, user_ids: Collection[int]) -> list[Receiver]:
    """The active ones of these people, by id; one query however many."""
    if not user_ids:
        return []
    return _receivers(session, User.id.in_(user_ids))


def watchers(session: Session, site_id: int | None) -> list[int]:
    """Active people of a site (None = of any) who may see alerts and have a bell."""
    roles = [str(role) for role in Role if may(role, "alerts.read") and may(role, "notifications.read")]
    query = select(User.id).where(User.active, User.role.in_(roles)).order_by(User.id)
    return list(session.scalars(query if site_id is None else query.where(User.site_id == site_id)))


def _receivers(session: Session, condition: Any) -> list[Receiver]:
    query = select(User, NotificationPreference, Site.time_zone).join(Site, Site.id == User.site_id)
    rows = session.execute(
        query.outerjoin(NotificationPreference, NotificationPreference.user_id == User.id).where(User.active, condition).order_by(User.id)
    )
    return [Receiver(user.id, user.email, _read(user, row), ZoneInfo(zone)) for user, row, zone in rows]


def _read(user: User, row: NotificationPreference | None) -> Preference:
    if row is None:
        return defaults(user.role_of)
    quiet = Quiet(time.fromisoformat(row.quiet_from), time.fromisoformat(row.quiet_to)) if row.quiet_from and row.quiet_to else None
    return Preference(tuple(_choice(one) for one in row.choices), quiet, row.critical_passes)


def _choice(stored: dict[str, Any]) -> Choice:
    severity = Severity(stored["severity"]) if stored["severity"] else None
    return Choice(Topic(stored["topic"]), stored["in_app"], stored["mail"], stored["area"], severity)


def body_of(session: Session, user: Person) -> dict[str, Any]:
    """The caller's preference as REST shows it: what was chosen, else the defaults of the role."""
    person = _person(session, user)
    row = session.get(NotificationPreference, person.id)
    found = _read(person, row)
    return {
        "choices": [
            {
                "topic": str(one.topic),
                "area": one.area_id,
                "severity": str(one.severity) if one.severity else None,
                "in_app": one.in_app,
                "mail": one.mail,
            }
            for one in found.choices
        ],
        "quiet_from": row.quiet_from if row else None,
        "quiet_to": row.quiet_to if row else None,
        "critical_passes": found.critical_passes,
        "chosen": row is not None,
        "email": person.email,
        "rev": row.rev if row else 0,
    }


def choose(session: Session, wanted: dict[str, Any], user: Person, now: datetime) -> dict[str, Any]:
    """Put the caller's preference in place of the former; raises Invalid for an area of another site or half a quiet time."""
    person = _person(session, user)
    _check(session, wanted, person.site_id)
    row = session.get(NotificationPreference, person.id, with_for_update=True)
    old = None if row is None else _columns(row)
    if row is None:
        row = NotificationPreference(user_id=person.id, rev=0, changed_at=now)
        session.add(row)
    row.choices, row.quiet_from, row.quiet_to = wanted["choices"], wanted["quiet_from"], wanted["quiet_to"]
    row.critical_passes, row.changed_at = wanted["critical_passes"], now
    row.rev += 1
    session.flush()
    audit.record(session, audit.Change("change", "notification_preference", person.id, person.site_id, old, _columns(row)), user, now)
    return body_of(session, user)


def _columns(row: NotificationPreference) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("choices", "quiet_from", "quiet_to", "critical_passes")}


def _check(session: Session, wanted: dict[str, Any], site_id: int) -> None:
    if (wanted["quiet_from"] is None) != (wanted["quiet_to"] is None) or (
        wanted["quiet_from"] and wanted["quiet_from"] == wanted["quiet_to"]
    ):
        raise Invalid("quiet_to", "no_span", "quiet hours need a start and another end")
    areas = {one["area"] for one in wanted["choices"] if one["area"] is not None}
    unknown = areas - _areas_of(session, site_id, areas)
    if unknown:
        raise Invalid("choices", "unknown_area", f"there is no area {min(unknown)}")


def _areas_of(session: Session, site_id: int, areas: Iterable[int]) -> set[int]:
    found: Sequence[int] = session.scalars(select(Area.id).where(Area.site_id == site_id, Area.id.in_(areas))).all()
    return set(found)


def _person(session: Session, user: Person) -> User:
    found = session.get(User, user.id) if user.id is not None else None
    if found is None:
        raise Forbidden("no_person", "only a person has preferences")
    return found
