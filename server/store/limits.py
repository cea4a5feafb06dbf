"""Limits of a tag, one by one, as a person edits them: each change audited and a new version of the plant. Nothing here commits.

Whole sets of limits come with PUT /api/tags (tag_writes) and with asset classes (class_apply).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zlib import crc32

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.plant import Asset, Tag, TagLimit
from server.rules.limit_defaults import filled, merged
from server.store import snapshot_version
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of

COLUMNS = ("side", "value", "severity", "deadband", "on_delay_s", "off_delay_s", "holds", "confirmed")
SORTS = {"id": TagLimit.id, "side": TagLimit.side, "value": TagLimit.value, "severity": TagLimit.severity}
MOST = 20


def get_tag(session: Session, tag_id: int, user: Person, *, lock: bool = False) -> Tag:
    """A tag of the caller's site, with `lock` until commit; raises NotFound."""
    query = select(Tag).join(Asset, Asset.id == Tag.asset_id)
    query = query.where(Tag.id == tag_id, Tag.deleted_at.is_(None), Asset.site_id == user.site_id)
    tag = session.scalars(query.with_for_update(of=Tag, key_share=True) if lock else query).one_or_none()
    if tag is None:
        raise NotFound("tag", tag_id)
    return tag


def list_limits(session: Session, tag: Tag, sort: str, limit: int, offset: int) -> Page[TagLimit]:
    """Limits of a tag."""
    return page_of(session, select(TagLimit).where(TagLimit.tag_id == tag.id), ordering(sort, SORTS, "id"), limit, offset)


def get_limit(session: Session, tag: Tag, limit_id: int) -> TagLimit:
    """A limit of the tag; raises NotFound."""
    row = session.get(TagLimit, limit_id)
    if row is None or row.tag_id != tag.id:
        raise NotFound("limit", limit_id)
    return row


def tag_of(session: Session, limit_id: int, user: Person) -> Tag:
    """The tag of the caller's site that a limit belongs to; raises NotFound."""
    query = select(Tag).join(Asset, Asset.id == Tag.asset_id).join(TagLimit, TagLimit.tag_id == Tag.id)
    query = query.where(TagLimit.id == limit_id, Tag.deleted_at.is_(None), Asset.site_id == user.site_id)
    tag = session.scalars(query).one_or_none()
    if tag is None:
        raise NotFound("limit", limit_id)
    return tag


def add_limit(session: Session, tag: Tag, given: Mapping[str, Any], user: Person, now: datetime) -> TagLimit:
    """One more limit of a locked tag; raises Conflict where it has as many as a tag may have, Invalid where it stands there already."""
    need(user, "tags.write")
    if (session.scalar(select(func.count()).where(TagLimit.tag_id == tag.id)) or 0) >= MOST:
        raise Conflict("too_many", f"a tag has {MOST} limits at most")
    given = filled(given, tag.range_low, tag.range_high)
    _refuse_double(session, tag, given, None)
    row = TagLimit(tag_id=tag.id, **{name: given[name] for name in COLUMNS})
    session.add(row)
    session.flush()
    _note(session, tag, "add_limit", (None, values(row)), user, now)
    return row


def change_limit(session: Session, tag: Tag, row: TagLimit, given: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change what is given; what is the same already is no change."""
    need(user, "tags.write")
    before = values(row)
    after = merged(before, given, tag.range_low, tag.range_high)
    _refuse_double(session, tag, after, row.id)
    changed = {name: value for name, value in after.items() if before[name] != value}
    if not changed:
        return
    for name, value in changed.items():
        setattr(row, name, value)
    _note(session, tag, "change_limit", (before, values(row)), user, now)


def remove_limit(session: Session, tag: Tag, row: TagLimit, user: Person, now: datetime) -> None:
    """Take a limit away; the audit trail keeps what it was."""
    need(user, "tags.write")
    before = values(row)
    session.delete(row)
    session.flush()
    _note(session, tag, "remove_limit", (before, None), user, now)


def values(row: TagLimit) -> dict[str, Any]:
    """What a person may write of a limit."""
    return {name: getattr(row, name) for name in COLUMNS}


def bodies(rows: Sequence[TagLimit]) -> list[dict[str, Any]]:
    """The REST bodies; `rev` stands for what the limit says, so that it moves with every change."""
    return [{"id": row.id, "tag": row.tag_id, **values(row), "rev": revision(values(row))} for row in rows]


def revision(told: Mapping[str, Any]) -> int:
    """A number of what is told: the table of limits counts no revisions."""
    return crc32(repr(sorted(told.items())).encode())


def _refuse_double(session: Session, tag: Tag, given: Mapping[str, Any], but: int | None) -> None:
    same = select(TagLimit.id).where(TagLimit.tag_id == tag.id, TagLimit.id.is_distinct_from(but))
    same = same.where(*(getattr(TagLimit, name) == given[name] for name in ("side", "value", "severity", "holds")))
    if session.scalar(same.limit(1)) is not None:
        raise Invalid("value", "twice", f"{tag.name} has this limit already")


def _note(
    session: Session, tag: Tag, action: str, was_is: tuple[dict[str, Any] | None, dict[str, Any] | None], user: Person, now: datetime
) -> None:
    session.flush()
    audit.record(session, audit.Change(action, "tag", tag.id, user.site_id, *was_is), user, now)
    snapshot_version.bump(session, now, user.name)
