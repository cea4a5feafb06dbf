"""QR code and printable labels of assets; the code leads to the machine's page and is what glasses read."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote

import marshmallow as ma
import segno
from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api.blueprint import resource
from server.api.exports import attachment
from server.auth.guard import current_user, right
from server.errors import Invalid, NotFound
from server.export.labels import Label, sheet
from server.models.plant import Asset
from server.services import services
from server.store import assets, markers

blueprint = resource("labels", "QR codes and labels of assets")
MOST = 200


class LabelsQuery(ma.Schema):
    """Which assets."""

    codes = ma.fields.String(required=True, validate=ma.validate.Length(1, 13_000), metadata={"description": "codes with commas between"})


def base() -> str:
    """Where phones reach this instance: PUBLIC_URL, else the address it was asked by."""
    return (services().settings.public_url or request.host_url).rstrip("/")


def page_address(code: str, mark: str | None) -> str:
    """The address in the QR code: the short one of the marker, which leads to the asset's page."""
    return f"{base()}/q/{mark}" if mark else f"{base()}/assets/{quote(code, safe='')}"


@blueprint.route("/assets/<string(maxlength=64):code>/qr.svg")
@blueprint.response(200, content_type="image/svg+xml")
@right("assets.read")
def qr_svg(code: str) -> Response:
    """The QR code of an asset's page, black on white."""
    with services().database.transaction() as session:
        asset = assets.get_asset(session, code, current_user())
        address = page_address(asset.code, markers.marker_of(session, asset))
    drawn = io.BytesIO()
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", border=4, scale=8, light="#fff")
    return Response(drawn.getvalue(), mimetype="image/svg+xml")


@blueprint.route("/assets/labels")
@blueprint.arguments(LabelsQuery, location="query")
@blueprint.response(200, content_type="application/pdf")
@right("assets.read")
def labels_pdf(query: dict[str, Any]) -> Response:
    """A sheet of labels to print, with the QR of the public fault report where the asset has one."""
    codes = list(dict.fromkeys(code.strip() for code in query["codes"].split(",") if code.strip()))
    if not 1 <= len(codes) <= MOST:
        raise Invalid("codes", "length", f"1 to {MOST} codes")
    with services().database.transaction() as session:
        made = _labels(session, codes)
    return attachment(io.BytesIO(sheet(made)), "application/pdf", "labels.pdf")


def _labels(session: Session, codes: list[str]) -> list[Label]:
    query = select(Asset).where(Asset.site_id == current_user().site_id, Asset.code.in_(codes), Asset.deleted_at.is_(None))
    found = {asset.code: asset for asset in session.scalars(query)}
    missing = next((code for code in codes if code not in found), None)
    if missing is not None:
        raise NotFound("asset", missing)
    ids = [asset.id for asset in found.values()]
    marks, tokens, places = (
        markers.marks_of(session, ids),
        markers.tokens_of(session, ids),
        markers.places_of(session, list(found.values())),
    )
    return [
        Label(
            code=asset.code,
            name=asset.name,
            place=places[asset.id],
            page=page_address(asset.code, marks.get(asset.id)),
            mark=marks.get(asset.id, ""),
            report=f"{base()}/report/{tokens[asset.id]}" if asset.id in tokens else None,
        )
        for asset in (found[code] for code in codes)
    ]
