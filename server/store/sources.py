"""Sources of a site as people keep them: read, made, changed, switched off, deleted softly. Nothing here commits.

Tag maps and whole sets of tags are tag_writes'. Every change is audited with its secrets masked and is one new version of the plant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.masking import masked, unmasked
from server.models.plant import Source, Tag
from server.store import snapshot_version
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of
from server.store.tag_writes import SourceWrite, Writer
from server.timestamps import rfc3339

SORTS = {"name": Source.name, "kind": Source.kind, "id": Source.id}
SHORTEST_S, LONGEST_S = 0.05, 86400.0
MOST_GROUPS = 50


def list_sources(session: Session, user: Person, wanted: Sequence[ColumnElement[bool]], query: Mapping[str, Any]) -> Page[Source]:
    """Sources of the caller's site."""
    statement = select(Source).where(Source.site_id == user.site_id, Source.deleted_at.is_(None), *wanted)
    return page_of(session, statement, ordering(query["sort"], SORTS, "name"), query["limit"], query["offset"])


def get_source(session: Session, source_id: int, user: Person, *, lock: bool = False) -> Source:
    """A source of the caller's site; raises NotFound."""
    query = select(Source).where(Source.id == source_id, Source.site_id == user.site_id, Source.deleted_at.is_(None))
    row = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("source", source_id)
    return row


def by_name(session: Session, name: str, user: Person) -> Source | None:
    """The source of the caller's site with that name, None where there is none."""
    query = select(Source).where(Source.name == name, Source.site_id == user.site_id, Source.deleted_at.is_(None))
    return session.scalars(query).one_or_none()


def bodies(session: Session, rows: Sequence[Source]) -> list[dict[str, Any]]:
    """The REST bodies; secrets are masked."""
    query = select(Tag.source_id, func.count()).where(Tag.source_id.in_([row.id for row in rows]), Tag.deleted_at.is_(None))
    counts = {int(key): int(n) for key, n in session.execute(query.group_by(Tag.source_id)) if key is not None}
    same = ("id", "name", "kind", "enabled", "groups", "state", "detail", "rev")
    return [
        {
            **{name: getattr(row, name) for name in same},
            "config": masked(row.config),
            "state_since": rfc3339(row.state_since),
            "tags": counts.get(row.id, 0),
        }
        for row in rows
    ]


def create_source(session: Session, given: Mapping[str, Any], user: Person, now: datetime) -> Source:
    """A new source; raises Conflict where the name is taken."""
    need(user, "sources.write")
    if session.scalar(select(Source.id).where(Source.name == given["name"], Source.deleted_at.is_(None))) is not None:
        raise Conflict("name_taken", f"there is a source {given['name']}; change it, or take another name")
    writer = Writer(session, user, now)
    writer.put_source(SourceWrite(given["name"], given["kind"], given["config"], checked_groups(given["groups"]), given["enabled"]))
    writer.finish()
    found = by_name(session, given["name"], user)
    assert found is not None
    return found


def change_source(session: Session, row: Source, given: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change what is given of a locked source, `config` as a whole (*** keeps a secret); a group in use cannot be left out."""
    need(user, "sources.write")
    new = dict(given)
    if "config" in new:
        new["config"] = unmasked({key: value for key, value in (new["config"] or {}).items() if value is not None}, row.config)
    if "groups" in new:
        new["groups"] = checked_groups(new["groups"])
        _keep_used(session, row, new["groups"])
    writer = Writer(session, user, now)
    writer.source_changed = writer.change("source", row, new)
    if "groups" in new:
        _follow_periods(session, row, new["groups"])
    writer.finish()


def checked_groups(groups: Mapping[str, float]) -> dict[str, float]:
    """Group names with their periods in seconds; raises Invalid."""
    if len(groups) > MOST_GROUPS or any(not 1 <= len(name) <= 64 or not name.isprintable() for name in groups):
        raise Invalid("groups", "names", f"at most {MOST_GROUPS} groups with names of 1 to 64 printable characters")
    for name, period in groups.items():
        if not SHORTEST_S <= period <= LONGEST_S:
            raise Invalid(f"groups.{name}", "range", f"{SHORTEST_S} s to one day")
    return {name: float(period) for name, period in groups.items()}


def _keep_used(session: Session, row: Source, groups: Mapping[str, float]) -> None:
    query = select(Tag.poll_group).where(Tag.source_id == row.id, Tag.deleted_at.is_(None), Tag.virtual.is_(False)).distinct()
    gone = (set(session.scalars(query)) & set(row.groups)) - set(groups)
    if gone:
        raise Conflict("group_in_use", f"tags are read in {', '.join(sorted(gone))}; move them to another group first")


def _follow_periods(session: Session, row: Source, groups: Mapping[str, float]) -> None:
    """Tags are expected as often as their group is read."""
    for tag in session.scalars(select(Tag).where(Tag.source_id == row.id, Tag.poll_group.in_(list(groups)), Tag.deleted_at.is_(None))):
        tag.period_s = groups[tag.poll_group]


def delete_source(session: Session, row: Source, *, with_tags: bool, user: Person, now: datetime) -> int:
    """Delete softly; raises Conflict while it has tags, unless they are to go with it. Returns how many did."""
    need(user, "sources.write")
    tags = list(session.scalars(select(Tag).where(Tag.source_id == row.id, Tag.deleted_at.is_(None)).with_for_update()))
    if tags and not with_tags:
        raise Conflict("has_tags", f"{len(tags)} tags come from {row.name}; delete them with it (tags=delete), or give them another source")
    for tag in tags:
        mark_deleted(session, tag, user, now)
    row.deleted_at, row.enabled = now, False
    row.rev += 1
    audit.record(
        session, audit.Change("delete", "source", row.id, row.site_id, masked({"name": row.name, "config": row.config})), user, now
    )
    session.flush()
    snapshot_version.bump(session, now, user.name)
    return len(tags)


def delete_tag(session: Session, tag: Tag, user: Person, now: datetime) -> None:
    """Delete a locked tag softly: its history stays, nobody reads or judges it any more."""
    need(user, "tags.write")
    mark_deleted(session, tag, user, now)
    session.flush()
    snapshot_version.bump(session, now, user.name)


def mark_deleted(session: Session, tag: Tag, user: Person, now: datetime) -> None:
    """Mark one tag as gone, audited; the caller makes the new version."""
    tag.deleted_at = now
    tag.rev += 1
    audit.record(session, audit.Change("delete", "tag", tag.id, user.site_id, {"name": tag.name, "address": tag.address}), user, now)
