"""Tags that a source sent and nobody configured: kept with their last value until a person accepts or ignores each. Nothing here commits.

Nothing is ever made of them by itself, and a source that sends endless names fills no table.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from plc.addressing import kinds
from plc.addressing.errors import AddressError
from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.plant import DiscoveredTag, Source, Tag
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of
from server.store.tag_writes import TagWrite, put_tags
from server.timestamps import rfc3339

MOST = 2000  # names kept of one source
SORTS = {
    "tag": DiscoveredTag.tag,
    "source": DiscoveredTag.source,
    "last_seen": DiscoveredTag.last_seen,
    "first_seen": DiscoveredTag.first_seen,
    "seen": DiscoveredTag.seen,
    "id": DiscoveredTag.id,
}


def note(session: Session, source: str, tag: str, value: Any, at: datetime) -> None:
    """A source sent this tag at `at`: count it; a new name is kept while the source has fewer than MOST."""
    row = {"source": source[:200], "tag": tag[:200], "value": value}
    known = select(DiscoveredTag.id).where(DiscoveredTag.source == row["source"], DiscoveredTag.tag == row["tag"])
    if session.scalar(known) is None:
        kept = session.scalar(select(func.count()).select_from(DiscoveredTag).where(DiscoveredTag.source == row["source"]))
        if (kept or 0) >= MOST:
            return
    new = insert(DiscoveredTag).values(**row, first_seen=at, last_seen=at)
    again = new.on_conflict_do_update(
        index_elements=["source", "tag"],
        set_={"value": new.excluded.value, "last_seen": new.excluded.last_seen, "seen": DiscoveredTag.seen + 1},
        where=DiscoveredTag.last_seen < new.excluded.last_seen,
    )
    session.execute(again)


def list_discovered(session: Session, user: Person, query: Mapping[str, Any]) -> Page[DiscoveredTag]:
    """Those of the site's sources, by default the ones nobody has decided about."""
    statement = select(DiscoveredTag).join(Source, Source.name == DiscoveredTag.source)
    statement = statement.where(Source.site_id == user.site_id, Source.deleted_at.is_(None))
    if query["state"] != "all":
        statement = statement.where(DiscoveredTag.state == query["state"])
    if query.get("source"):
        statement = statement.where(DiscoveredTag.source == query["source"])
    if query.get("search"):
        statement = statement.where(DiscoveredTag.tag.icontains(query["search"], autoescape=True))
    return page_of(session, statement, ordering(query["sort"], SORTS, "-last_seen"), query["limit"], query["offset"])


def get_discovered(session: Session, discovered_id: int, user: Person, *, lock: bool = False) -> tuple[DiscoveredTag, Source]:
    """One of the caller's site with its source; raises NotFound."""
    query = select(DiscoveredTag, Source).join(Source, Source.name == DiscoveredTag.source)
    query = query.where(DiscoveredTag.id == discovered_id, Source.site_id == user.site_id, Source.deleted_at.is_(None))
    row = session.execute(query.with_for_update(of=DiscoveredTag) if lock else query).one_or_none()
    if row is None:
        raise NotFound("discovered tag", discovered_id)
    return row[0], row[1]


def accept(session: Session, row: DiscoveredTag, source: Source, write: TagWrite, user: Person, now: datetime) -> Tag:
    """Make the tag that a person describes; raises Conflict where it was decided before or the name is taken."""
    need(user, "tags.write")
    if row.state == "accepted":
        raise Conflict("decided", f"{row.tag} was accepted by {row.decided_by}", row.state)
    taken = session.scalar(select(Tag.id).where(Tag.name == write.name, Tag.deleted_at.is_(None)))
    if taken is not None:
        raise Conflict("name_taken", f"there is a tag {write.name}; names are unique in the whole plant")
    columns = dict(write.columns)
    if "address" not in columns:
        columns["address"] = default_address(source.kind, row.tag, write.name)
    put_tags(session, [TagWrite(write.name, columns, write.asset, source.name, write.limits)], user, now)
    _decide(session, row, "accepted", user, now)
    return session.scalars(select(Tag).where(Tag.name == write.name)).one()


def default_address(kind: str, discovered: str, name: str) -> str:
    """What a tag is read by where the person says nothing: its own name, which MQTT's topics need not be told."""
    if kind == "mqtt":
        if discovered != name:
            raise Invalid("address", "required", f"a tag of another name than {discovered} needs an address: the topic, and #field")
        return ""
    try:
        return str(kinds.parsed(kind, discovered).canonical())
    except (AddressError, KeyError) as error:
        raise Invalid("address", "required", f"give the address: {error}") from error


def decide(session: Session, row: DiscoveredTag, state: str, user: Person, now: datetime) -> None:
    """Ignore it, or take it up again; raises Conflict where it is a tag already."""
    need(user, "tags.write")
    if row.state == "accepted":
        raise Conflict("decided", f"{row.tag} was accepted by {row.decided_by}; change the tag", row.state)
    if row.state != state:
        _decide(session, row, state, user, now)


def _decide(session: Session, row: DiscoveredTag, state: str, user: Person, now: datetime) -> None:
    change = audit.Change("decide", "discovered_tag", row.id, user.site_id, {"state": row.state}, {"state": state, "tag": row.tag})
    audit.record(session, change, user, now)
    row.state, row.decided_by, row.decided_at = state, user.name, now
    session.flush()


def body(row: DiscoveredTag) -> dict[str, Any]:
    """The REST body."""
    same = {name: getattr(row, name) for name in ("id", "source", "tag", "value", "seen", "state", "decided_by")}
    times = {name: rfc3339(getattr(row, name)) for name in ("first_seen", "last_seen", "decided_at")}
    return {**same, **times}
