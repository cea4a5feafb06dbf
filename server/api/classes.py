"""Asset classes, shipped presets, and applying a class to assets with a preview (S3-36)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Page, collection, resource
from server.api.class_schemas import ApplyBody, ClassColumns, NewClass
from server.api.locations import located
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.idempotency import once
from server.presets import library, vibration
from server.services import services
from server.store import class_apply, classes

blueprint = resource("classes", "Asset classes: what all pumps have in common")


class ClassesQuery(Page):
    """Which classes."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))


@blueprint.route("/classes")
@blueprint.arguments(ClassesQuery, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_classes(query: dict[str, Any]) -> Response:
    """Classes by name; all sites share them."""
    span = {name: query[name] for name in ("search", "sort", "limit", "offset")}
    with services().database.transaction() as session:
        page = classes.list_classes(session, **span)
        return jsonify(collection(classes.class_bodies(session, page.items, current_user().site_id), page.total, query))


@blueprint.route("/classes", methods=["POST"])
@blueprint.arguments(NewClass)
@blueprint.response(201, Body)
@right("classes.write")
def create_class(body: dict[str, Any]) -> Response:
    """A new class."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = classes.create_class(session, body, current_user(), services().clock())
        return classes.class_body(session, row, current_user().site_id), 201

    return located(once("classes", deed), "/api/classes/{id}")


@blueprint.route("/classes/presets")
@blueprint.response(200, Collection)
@right("assets.read")
def list_presets() -> Response:
    """Shipped sets of classes, and the zone boundaries their vibration limits stand on."""
    items = [{"name": name, **row} for name, row in library.presets().items()]
    zones = {group: {"ab": row.ab, "bc": row.bc, "cd": row.cd} for group, row in vibration.ZONES.items()}
    return jsonify(**collection(items, len(items), {"limit": len(items), "offset": 0}), zones=zones)


@blueprint.route("/classes/presets/<string(maxlength=32):name>", methods=["POST"])
@blueprint.response(200, Body)
@right("classes.write")
def install_preset(name: str) -> Response:
    """Install the classes of a preset; what is there already is completed, never overwritten."""
    at = services()
    with at.database.transaction() as session:
        return jsonify(classes.install(session, name, current_user(), at.clock()))


@blueprint.route("/classes/<id:class_id>")
@blueprint.response(200, Body)
@right("assets.read")
def get_class(class_id: int) -> Response:
    """One class with its definition."""
    with services().database.transaction() as session:
        return etags.tagged(classes.class_body(session, classes.get_class(session, class_id), current_user().site_id))


@blueprint.route("/classes/<id:class_id>", methods=["PATCH"])
@blueprint.arguments(ClassColumns)
@blueprint.response(200, Body)
@right("classes.write")
def change_class(body: dict[str, Any], class_id: int) -> Response:
    """Change what is given; assets follow when it is applied again."""
    at = services()
    with at.database.transaction() as session:
        row = classes.get_class(session, class_id, lock=True)
        etags.check_match(row.rev)
        classes.change_class(session, row, body, current_user(), at.clock())
        return etags.tagged(classes.class_body(session, row, current_user().site_id))


@blueprint.route("/classes/<id:class_id>", methods=["DELETE"])
@blueprint.response(204)
@right("classes.write")
def delete_class(class_id: int) -> Response:
    """Take out a class that no asset is in."""
    at = services()
    with at.database.transaction() as session:
        row = classes.get_class(session, class_id, lock=True)
        etags.check_match(row.rev)
        classes.delete_class(session, row, current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/classes/<id:class_id>/apply", methods=["POST"])
@blueprint.arguments(ApplyBody)
@blueprint.response(200, Body)
@right("classes.write")
def apply_class(body: dict[str, Any], class_id: int) -> Response:
    """Every change that the class makes to these assets; made unless it is a dry run. A person's own values stay without `replace`."""
    order = class_apply.Order(codes=body["assets"], dry_run=body["dry_run"], replace=body["replace"], machine_group=body["machine_group"])

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = classes.get_class(session, class_id, lock=not order.dry_run)
        return class_apply.apply(session, row, order, current_user(), services().clock()), 200

    return once("apply-class", deed)
