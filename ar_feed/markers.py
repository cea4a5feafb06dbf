"""`GET /markers/{code}` and `/q/{code}`: what stands behind a printed code on a machine."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, jsonify, redirect
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from ar_feed import cards, live, plant, tasks
from realtime import historian
from realtime.bus import now_ms
from server.auth.guard import current_user, right
from server.errors import NotFound
from server.models.feed import Marker
from server.models.plant import Area, Asset
from server.models.work import WorkOrder
from server.problems import Problem
from server.services import services

markers = Blueprint("ar_markers", __name__)

_CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{6,8}")  # Crockford base32
_READ_AS = str.maketrans("OIL", "011")


def find(session: Session, raw: str, site_id: int) -> tuple[Marker, Asset]:
    """The marker and its asset; raises NotFound, or Problem 410 for a retired one."""
    code = raw.upper().translate(_READ_AS)
    row = session.scalars(select(Marker).where(Marker.code == code)).one_or_none() if _CODE.fullmatch(code) else None
    asset = session.get(Asset, row.asset_id) if row else None
    if row is None or asset is None or asset.site_id != site_id:
        raise NotFound("marker", raw[:16])
    if row.retired_at is not None:
        raise Problem(410, "retired", f"marker {row.code} was retired; look for the new label on {asset.code}")
    return row, asset


@markers.get("/ar/v1/markers/<code>")
@right("ar.read")
def marker(code: str) -> Response:
    """The asset behind a code with its open tasks and live values."""
    at, person = services(), current_user()
    with at.database.transaction() as session:
        row, asset = find(session, code, person.site_id)
        area = session.get(Area, asset.area_id)
        query = select(WorkOrder).where(WorkOrder.asset_id == asset.id, WorkOrder.state.in_(tasks.ACTIVE)).order_by(WorkOrder.id).limit(20)
        shown = [cards.summary(task) for task in tasks.facts_of(session, list(session.scalars(query)))]
        body: dict[str, Any] = {
            "code": row.code,
            "size_m": row.size_m,
            "asset": {
                "id": asset.id,
                "name": asset.name,
                "code": asset.code,
                "loc": asset.location or (area.name if area else ""),
                "state": asset.operating,
            },
            "tasks": shown,
            "docs": [],
        }
        asset_id = asset.id
    tags = [(tag.name, tag) for tag in plant.snapshot().tags if tag.asset == asset_id and tag.kind == "f64"][: cards.MAX_LIVE]
    with at.database.raw() as connection:
        rows = historian.latest(connection, [tag.id for _name, tag in tags]) if tags else {}
    body["live"] = live.frame(tags, rows, now_ms())
    return jsonify(body)


@markers.get("/q/<code>")
@markers.get("/Q/<code>")
@right("assets.read")
def page(code: str) -> AnyResponse:
    """A phone that scanned the label lands on the machine's page."""
    with services().database.transaction() as session:
        _row, asset = find(session, code, current_user().site_id)
        return redirect(f"/assets/{asset.code}")
