"""Areas (process units) of the caller's site, and the site itself (S2-6)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server.api import etags
from server.api.blueprint import Page, collection, resource, text
from server.api.locations import located
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.idempotency import once
from server.services import services
from server.store import areas

blueprint = resource("areas", "Areas of a site, and the site")


class AreasQuery(Page):
    """Which areas."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))


class AreaBody(ma.Schema):
    """An area's name."""

    name = text(200, required=True)


class SitePatch(ma.Schema):
    """What people decide about a site; amounts already written are not converted to another currency."""

    name = text(200)
    time_zone = text(64)
    currency = ma.fields.String(validate=ma.validate.Regexp(r"[A-Z]{3}\Z", error="Three capital letters (ISO 4217)."))


@blueprint.route("/areas")
@blueprint.arguments(AreasQuery, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_areas(query: dict[str, Any]) -> Response:
    """Areas of the caller's site by name, with the number of assets in each."""
    with services().database.transaction() as session:
        span = {name: query[name] for name in ("search", "sort", "limit", "offset")}
        page = areas.list_areas(session, site=current_user().site_id, **span)
        return jsonify(collection(areas.area_bodies(session, page.items), page.total, query))


@blueprint.route("/areas", methods=["POST"])
@blueprint.arguments(AreaBody)
@blueprint.response(201, Body)
@right("assets.write")
def create_area(body: dict[str, Any]) -> Response:
    """A new area."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = areas.create_area(session, body["name"], current_user(), services().clock())
        return areas.area_bodies(session, [row])[0], 201

    return located(once("areas", deed), "/api/areas/{id}")


@blueprint.route("/areas/<id:area_id>")
@blueprint.response(200, Body)
@right("assets.read")
def get_area(area_id: int) -> Response:
    """One area."""
    with services().database.transaction() as session:
        return etags.tagged(areas.area_bodies(session, [areas.get_area(session, area_id, current_user())])[0])


@blueprint.route("/areas/<id:area_id>", methods=["PATCH"])
@blueprint.arguments(AreaBody(partial=True))
@blueprint.response(200, Body)
@right("assets.write")
def change_area(body: dict[str, Any], area_id: int) -> Response:
    """Rename an area."""
    at = services()
    with at.database.transaction() as session:
        row = areas.get_area(session, area_id, current_user(), lock=True)
        etags.check_match(row.rev)
        areas.rename_area(session, row, body.get("name", row.name), current_user(), at.clock())
        return etags.tagged(areas.area_bodies(session, [row])[0])


@blueprint.route("/areas/<id:area_id>", methods=["DELETE"])
@blueprint.response(204)
@right("assets.write")
def delete_area(area_id: int) -> Response:
    """Take an empty area out."""
    at = services()
    with at.database.transaction() as session:
        row = areas.get_area(session, area_id, current_user(), lock=True)
        etags.check_match(row.rev)
        areas.delete_area(session, row, current_user(), at.clock())
    return Response(status=204)


@blueprint.route("/sites")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_sites(query: dict[str, Any]) -> Response:
    """The sites that the caller sees."""
    with services().database.transaction() as session:
        page = areas.sites_of(session, current_user(), **{name: query[name] for name in ("sort", "limit", "offset")})
        return jsonify(collection([areas.site_body(row) for row in page.items], page.total, query))


@blueprint.route("/sites/<id:site_id>")
@blueprint.response(200, Body)
@right("assets.read")
def get_site(site_id: int) -> Response:
    """The caller's site: time zone, currency."""
    with services().database.transaction() as session:
        return etags.tagged(areas.site_body(areas.get_site(session, site_id, current_user())))


@blueprint.route("/sites/<id:site_id>", methods=["PATCH"])
@blueprint.arguments(SitePatch)
@blueprint.response(200, Body)
@right("policies.write")
def change_site(body: dict[str, Any], site_id: int) -> Response:
    """Change a site's name, time zone or currency."""
    at = services()
    with at.database.transaction() as session:
        row = areas.get_site(session, site_id, current_user(), lock=True)
        etags.check_match(row.rev)
        areas.change_site(session, row, body, current_user(), at.clock())
        return etags.tagged(areas.site_body(row))
