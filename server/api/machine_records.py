"""What a machine recorded, picture by picture: statistics of its temperatures and the values that stood beside them (S4-13..23).

A record is a picture of one of the machine's array tags; the pictures themselves are at /api/frames/at.
"""

from __future__ import annotations

from typing import Any

import marshmallow as ma
import numpy as np
from flask import Response, jsonify
from sqlalchemy import select

from realtime import historian
from server.api.blueprint import resource
from server.api.schemas import Body
from server.api.times import LATEST_MS, Span, span_of
from server.auth.guard import current_user, right
from server.errors import NotFound
from server.models.plant import Asset, Tag
from server.services import services
from server.store import assets

blueprint = resource("machine-records", "Records of machines that take pictures")
BESIDE_MS = 60_000  # a value stands beside a picture when it is no older
MOST = 200
Tags = list[Tag]


class RecordsQuery(Span):
    """Which records."""

    before = ma.fields.Integer(validate=ma.validate.Range(0, LATEST_MS), metadata={"description": "`next` of the page before"})
    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, MOST))


@blueprint.route("/machine-records")
@blueprint.response(200, Body)
@right("readings.read")
def list_machines() -> Response:
    """Machines of the caller's site that take pictures, with their array tags and the time of the newest record."""
    at = services()
    query = select(Asset.code, Asset.name, Tag.id, Tag.name).join(Tag, Tag.asset_id == Asset.id)
    query = query.where(Asset.site_id == current_user().site_id, Tag.kind == "frame", Asset.deleted_at.is_(None), Tag.deleted_at.is_(None))
    with at.database.transaction() as session:
        rows = session.execute(query.order_by(Asset.code, Tag.name)).all()
    now = int(at.clock().timestamp() * 1000)
    items: dict[str, dict[str, Any]] = {}
    with at.database.raw() as connection:
        for code, name, tag_id, tag in rows:
            newest = historian.frame_at(connection, tag_id, now)
            item = items.setdefault(code, {"machine": code, "name": name, "tags": [], "newest": None})
            item["tags"].append(tag)
            item["newest"] = max(item["newest"] or 0, newest[0]) if newest else item["newest"]
    return jsonify(items=list(items.values()), total=len(items))


@blueprint.route("/machine-records/<string(maxlength=64):code>")
@blueprint.arguments(RecordsQuery, location="query")
@blueprint.response(200, Body)
@right("readings.read")
def list_records(query: dict[str, Any], code: str) -> Response:
    """Records of a machine in a span, newest first, and their summary; `next` leads to the older ones."""
    at = services()
    start, end = span_of(query, at.clock())
    picture, numbers = _tags(code)
    with at.database.raw() as connection:
        rows = historian.frames(connection, picture.id, start, min(end, query.get("before", end)), query["limit"])[::-1]
        records = _records(connection, rows, numbers)
    older = rows[-1][0] if len(rows) == query["limit"] else None
    return jsonify(machine=code, tag=picture.name, unit=picture.unit, items=records, summary=_summary(rows), next=older)


@blueprint.route("/machine-records/<string(maxlength=64):code>/latest")
@blueprint.response(200, Body)
@right("readings.read")
def get_latest(code: str) -> Response:
    """The newest record; new ones are pushed (`frame.taken`)."""
    return _one(code, int(services().clock().timestamp() * 1000))


@blueprint.route("/machine-records/<string(maxlength=64):code>/<int(max=4102444800000):t>")
@blueprint.response(200, Body)
@right("readings.read")
def get_record(code: str, t: int) -> Response:
    """The record that was current at a time (ms UTC)."""
    return _one(code, t)


def _one(code: str, t: int) -> Response:
    picture, numbers = _tags(code)
    with services().database.raw() as connection:
        found = historian.frame_at(connection, picture.id, t)
        if found is None:
            raise NotFound("record", f"{code} at {t}")
        rows = historian.frames(connection, picture.id, found[0], found[0] + 1, 1)
        (record,) = _records(connection, rows, numbers)
    return jsonify(machine=code, tag=picture.name, unit=picture.unit, shape=found[1].shape, **record)


def _tags(code: str) -> tuple[Tag, Tags]:
    """The machine's first array tag and its tags of numbers; raises NotFound."""
    with services().database.transaction() as session:
        asset = assets.get_asset(session, code, current_user())
        tags = session.scalars(select(Tag).where(Tag.asset_id == asset.id, Tag.deleted_at.is_(None)).order_by(Tag.name)).all()
    pictures = [tag for tag in tags if tag.kind == "frame"]
    if not pictures:
        raise NotFound("array tag of machine", code)
    return pictures[0], [tag for tag in tags if tag.kind == "f64" and not tag.virtual]


def _records(connection: Any, rows: list[Any], numbers: Tags) -> list[dict[str, Any]]:
    """Each picture's statistics and the values beside it."""
    records: list[dict[str, Any]] = [
        {"t": t, "temperature": {"min": low, "max": high, "mean": mean, "std": std}, "values": {}} for t, low, high, mean, std in rows
    ]
    if not rows:
        return []
    first, last = min(row[0] for row in rows), max(row[0] for row in rows)
    for tag in numbers:
        found = historian.readings(connection, tag.id, first - BESIDE_MS, last + 1, None, 200_000)
        times = np.array([t for t, _, _ in found], np.int64)
        for record in records:
            i = int(np.searchsorted(times, record["t"], "right")) - 1
            if i >= 0 and record["t"] - times[i] <= BESIDE_MS:
                record["values"][tag.name] = {"t": found[i][0], "value": found[i][1], "q": found[i][2], "unit": tag.unit}
    return records


def _summary(rows: list[Any]) -> dict[str, float | int | None]:
    """Over the records of the answer: the least and greatest temperature, mean and deviation of all their cells."""
    whole = [row[1:] for row in rows if None not in row]
    if not whole:
        return {"n": len(rows), "min": None, "max": None, "mean": None, "std": None}
    low, high, mean, std = np.array(whole, np.float64).T
    return {
        "n": len(rows),
        "min": float(low.min()),
        "max": float(high.max()),
        "mean": float(mean.mean()),
        "std": float(np.sqrt((std**2 + (mean - mean.mean()) ** 2).mean())),  # of all cells together: pictures are of one size
    }
