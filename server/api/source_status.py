"""How a source and each of its tags stand: what its collector says, and the newest value of every tag with quality, reason and age."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime import historian, text_history
from realtime.bus import now_ms
from realtime.events import split_quality
from server.api.blueprint import Page, collection, resource
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.models.plant import Source, Tag
from server.services import services
from server.source_standing import said_of_all, since_of, state_of
from server.store import sources
from server.store.page import ordering, page_of
from server.timestamps import rfc3339

blueprint = resource("source_status", "How sources and their tags stand")
Newest = tuple[int, float | str | None, int]  # t, value, quality byte
_SORTS = {"tag": Tag.name, "group": Tag.poll_group, "id": Tag.id}


class TagsOf(Page):
    """Which tags."""

    search = ma.fields.String(validate=ma.validate.Length(max=100))


@blueprint.route("/sources/<id:source_id>/status")
@blueprint.response(200, Body)
@right("sources.write")
def get_status(source_id: int) -> Response:
    """State, rate, lag, jobs a cycle, overruns, drops by reason, reconnects, and which tags are not good and why."""
    with services().database.transaction() as session:
        row = sources.get_source(session, source_id, current_user())
        known = {"id": row.id, "source": row.name, "kind": row.kind, "enabled": row.enabled}
        name, enabled = row.name, row.enabled
        stored = {"state": row.state, "detail": row.detail, "since": rfc3339(row.state_since)}
    said = said_of_all(services().bus).get(name)
    standing = {"state": state_of(said, enabled=enabled), "state_since": since_of(said)}
    return jsonify({**known, **standing, "told": stored, "collector": said})


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
    said = said_of_all(services().bus).get(name) or {}
    wrong = {row["tag"]: row for row in said.get("not_good_tags", [])}
    why = _texts(said.get("troubles"))
    with services().database.raw() as connection:
        newest = _newest(connection, tags)
    now = now_ms()
    items = [_shown(tag, newest.get(tag.id), wrong.get(tag.name), now) for tag in tags]
    items = [row | {"trouble": why.get(row["tag"], "") if row["quality"] != "good" else ""} for row in items]
    return jsonify(collection(items, total, query))


def _page(session: Session, source: Source, query: dict[str, Any]) -> tuple[int, list[Tag]]:
    statement = select(Tag).where(Tag.source_id == source.id, Tag.deleted_at.is_(None))
    if query.get("search"):
        statement = statement.where(Tag.name.icontains(query["search"], autoescape=True))
    page = page_of(session, statement, ordering(query["sort"], _SORTS, "tag"), query["limit"], query["offset"])
    return page.total, list(page.items)


def _texts(said: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in said.items()} if isinstance(said, dict) else {}


def _newest(connection: historian.Connection, tags: list[Tag]) -> dict[int, Newest]:
    """The newest of each tag, whatever it holds; of a picture its size."""
    ids = {kind: [tag.id for tag in tags if tag.kind == kind] for kind in ("f64", "text", "frame")}
    found: dict[int, Newest] = {**historian.latest(connection, ids["f64"])}
    if ids["text"]:
        found |= text_history.latest(connection, ids["text"])
    if ids["frame"]:
        found |= {
            tag: (t, f"{rows} x {columns}", q) for tag, (t, rows, columns, q) in historian.newest_frames(connection, ids["frame"]).items()
        }
    return found


def _shown(tag: Tag, newest: Newest | None, wrong: dict[str, Any] | None, now: int) -> dict[str, Any]:
    """What the collector says of a tag that is not good counts more than the history, which has it a moment later."""
    same = {
        "id": tag.id,
        "tag": tag.name,
        "address": tag.address,
        "unit": tag.unit,
        "group": tag.poll_group,
        "enabled": tag.enabled,
        "kind": tag.kind,
    }
    body: dict[str, Any] = {**same, "value": None, "quality": "none", "reason": "never", "t": None, "age_ms": None, "since": None}
    if newest is not None:
        quality, reason = split_quality(newest[2])
        said = {"quality": quality.name.lower(), "reason": reason.name.lower()}
        body |= {"value": newest[1], **said, "t": newest[0], "age_ms": max(now - newest[0], 0)}
    if wrong is not None:
        body |= {"quality": ("good", "uncertain", "bad")[int(wrong["quality"])], "reason": wrong["reason"], "since": wrong["since"]}
    return body
