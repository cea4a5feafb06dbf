"""What every tag says now (S2-R9): one answer for programs that ask instead of subscribing."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from realtime import historian
from realtime.events import Quality, split_quality
from server.api.blueprint import Page, collection, resource
from server.api.schemas import Collection
from server.auth.guard import current_user, right
from server.services import services
from server.store import live_tags
from server.timestamps import to_ms

blueprint = resource("live-readings", "The newest value of each tag")


class LiveQuery(Page):
    """Which tags."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    asset = ma.fields.String(load_default=None, metadata={"description": "an asset's code"})


@blueprint.route("/live-readings")
@blueprint.arguments(LiveQuery, location="query")
@blueprint.response(200, Collection)
@right("readings.read")
def list_live(query: dict[str, Any]) -> Response:
    """`t` (ms), `value`, `quality` and `reason` as numbers of the newest sample, `age_ms`; null before the first."""
    at = services()
    with at.database.transaction() as session:
        page = live_tags.list_tags(session, current_user().site_id, query)
        rows = [(tag.id, {"id": tag.id, "tag": tag.name, "asset": code, "unit": tag.unit, "label": tag.label}) for tag, code in page.items]
    with at.database.raw() as connection:
        newest = historian.latest(connection, [tag_id for tag_id, _row in rows])
    now = to_ms(at.clock())
    items = [{**row, **_sample(newest.get(tag_id), now)} for tag_id, row in rows]
    return jsonify(collection(items, page.total, query))


def _sample(found: tuple[int, float | None, int] | None, now: int) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys(("t", "value", "quality", "reason", "age_ms"))
    t, value, byte = found
    quality, reason = split_quality(byte)
    shown = None if quality is Quality.BAD else value
    return {"t": t, "value": shown, "quality": int(quality), "reason": int(reason), "age_ms": max(0, now - t)}
