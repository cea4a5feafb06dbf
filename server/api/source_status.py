"""How a source and each of its tags stand: what its collector says, and the newest value of every tag with quality, reason and age."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
import redis
from flask import Response, jsonify
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime import historian
from realtime.bus import now_ms
from realtime.errors import BusUnavailable
from realtime.events import split_quality
from realtime.supervise import heartbeats
from server.api.blueprint import Page, collection, resource
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.models.plant import Source, Tag
from server.services import services
from server.store import sources
from server.store.page import ordering, page_of
from server.timestamps import rfc3339

blueprint = resource("source_status", "How sources and their tags stand")
_SORTS = {"tag": Tag.name, "group": Tag.poll_group, "id": Tag.id}


class TagsOf(Page):
    """Which tags."""

    search = ma.fields.String(validate=ma.validate.Length(max=100))


def said_of(name: str) -> dict[str, Any] | None:
    """What the collector that has this source last said of it; None where none has."""
    try:
        beats = heartbeats(services().bus)
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    for beat in beats:
        listed = beat.get("sources")
        if isinstance(listed, dict) and isinstance(listed.get(name), dict):
            return {**listed[name], "collector": {"program": beat.get("program"), "pid": beat.get("pid"), "at": beat.get("at")}}
    return None


@blueprint.route("/sources/<id:source_id>/status")
@blueprint.response(200, Body)
@right("sources.write")
def get_status(source_id: int) -> Response:
    """State, rate, lag, jobs a cycle, overruns, drops by reason, reconnects, and which tags are not good and why."""
    with services().database.transaction() as session:
        row = sources.get_source(session, source_id, current_user())
        known = {"id": row.id, "source": row.name, "kind": row.kind, "enabled": row.enabled, "state_since": rfc3339(row.state_since)}
        name, enabled, stored = row.name, row.enabled, {"state": row.state, "detail": row.detail}
    said = said_of(name)
    standing = str(said["state"]) if said else "no_collector"
    return jsonify({**known, "state": standing if enabled else "off", "told": stored, "collector": said})


@blueprint.route("/sources/<id:source_id>/tags")
@blueprint.arguments(TagsOf, location="query")
@blueprint.response(200, Collection)
@right("sources.write")
def list_tags(query: dict[str, Any], source_id: int) -> Response:
    """Every tag of it with its newest value, quality, reason and age."""
    with services().database.transaction() as session:
        source = sources.get_source(session, source_id, current_user())
        total, tags = _page(session, source, query)
        name = source.name
    wrong = {row["tag"]: row for row in (said_of(name) or {}).get("not_good_tags", [])}
    with services().database.raw() as connection:
        newest = historian.latest(connection, [tag.id for tag in tags])
    now = now_ms()
    items = [_shown(tag, newest.get(tag.id), wrong.get(tag.name), now) for tag in tags]
    return jsonify(collection(items, total, query))


def _page(session: Session, source: Source, query: dict[str, Any]) -> tuple[int, list[Tag]]:
    statement = select(Tag).where(Tag.source_id == source.id, Tag.deleted_at.is_(None))
    if query.get("search"):
        statement = statement.where(Tag.name.icontains(query["search"], autoescape=True))
    page = page_of(session, statement, ordering(query["sort"], _SORTS, "tag"), query["limit"], query["offset"])
    return page.total, list(page.items)


def _shown(tag: Tag, newest: tuple[int, float | None, int] | None, wrong: dict[str, Any] | None, now: int) -> dict[str, Any]:
    """What the collector says of a tag that is not good counts more than the history, which has it a moment later."""
    same = {"id": tag.id, "tag": tag.name, "address": tag.address, "unit": tag.unit, "group": tag.poll_group, "enabled": tag.enabled}
    body: dict[str, Any] = {**same, "value": None, "quality": "none", "reason": "never", "t": None, "age_ms": None, "since": None}
    if newest is not None:
        quality, reason = split_quality(newest[2])
        said = {"quality": quality.name.lower(), "reason": reason.name.lower()}
        body |= {"value": newest[1], **said, "t": newest[0], "age_ms": max(now - newest[0], 0)}
    if wrong is not None:
        body |= {"quality": ("good", "uncertain", "bad")[int(wrong["quality"])], "reason": wrong["reason"], "since": wrong["since"]}
    return body
