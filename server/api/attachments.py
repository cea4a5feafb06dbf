"""Files on assets, orders, requests, calibrations, parts, procedures, instruments and classes (S1-24, S2-7)."""

from __future__ import annotations

import hashlib
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server import pictures
from server.api.blueprint import resource
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.http_input import takes_up_to
from server.idempotency import once
from server.services import services
from server.store import attachments
from server.store.attachments import Upload

blueprint = resource("attachments", "Photos and documents on things")
IMMUTABLE = "private, max-age=31536000, immutable"


class OnThing(ma.Schema):
    """What the files hang on."""

    thing = ma.fields.String(required=True, validate=ma.validate.Length(1, 32))
    id = ma.fields.Integer(required=True, validate=ma.validate.Range(1, 2**31 - 1))


class AttachmentForm(OnThing):
    """Where a file goes, with its caption."""

    caption = ma.fields.String(load_default="", validate=[ma.validate.Length(max=200), ma.validate.ContainsNoneOf("\0")])


class AttachmentFile(ma.Schema):
    """The file: JPEG, PNG or WebP, or pdf, txt, csv, docx, xlsx; 10 MB at most."""

    file = ma.fields.Raw(required=True, metadata={"type": "string", "format": "binary"})


class FileQuery(ma.Schema):
    """How wide a picture is wanted."""

    w = ma.fields.Integer(load_default=None, validate=ma.validate.OneOf(pictures.WIDTHS))


@blueprint.route("/attachments")
@blueprint.arguments(OnThing, location="query")
@blueprint.response(200, Collection)
@right("assets.read")
def list_attachments(query: dict[str, Any]) -> Response:
    """The files on one thing, oldest first."""
    with services().database.transaction() as session:
        attachments.visible(session, query["thing"], query["id"], current_user())
        items = [attachments.body(row) for row in attachments.of(session, query["thing"], query["id"])]
    return jsonify(items=items, total=len(items), limit=attachments.MOST_ON_ONE, offset=0)


@blueprint.route("/attachments", methods=["POST"])
@takes_up_to(attachments.MAX_BYTES + 64 * 1024)
@blueprint.arguments(AttachmentForm, location="form")
@blueprint.arguments(AttachmentFile, location="files")
@blueprint.response(201, Body)
@right("attachments.write")
def add_attachment(form: dict[str, Any], files: dict[str, Any]) -> Response:
    """Put a file on a thing; what it is is judged by its bytes."""
    sent, at, user = files["file"], services(), current_user()
    upload = Upload(sent.filename or "", sent.mimetype or "", sent.read())
    if "\0" in upload.name:
        raise Invalid("file", "nul", "the file's name must not hold the character U+0000")

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        site = attachments.visible(session, form["thing"], form["id"], user, change=True)
        row = attachments.attach(session, upload, form["thing"], form["id"], site, user, at.clock(), caption=form["caption"])
        return attachments.body(row), 201

    fingerprint = f"{form}{upload.name}{hashlib.sha256(upload.content).hexdigest()}".encode()
    return once("attachments", deed, fingerprint)


@blueprint.route("/attachments/<id:attachment_id>/file")
@blueprint.arguments(FileQuery, location="query")
@blueprint.response(200, content_type="application/octet-stream")
@right("assets.read")
def get_file(query: dict[str, Any], attachment_id: int) -> Response:
    """The file: a picture to be shown, whole or at one of the widths; anything else as a download."""
    with services().database.transaction() as session:
        row = attachments.get_attachment(session, attachment_id, current_user())
        name, type_, content, is_picture = row.name, row.type, row.content, row.width is not None
    if is_picture and query["w"] is not None:
        content = pictures.narrowed(content, type_, query["w"]).content
    answer = Response(content, mimetype=type_)
    answer.headers.set("Content-Disposition", "inline" if is_picture else "attachment", filename=name)
    answer.headers["Cache-Control"] = IMMUTABLE
    return answer


@blueprint.route("/attachments/<id:attachment_id>", methods=["DELETE"])
@blueprint.response(204)
@right("attachments.write")
def delete_attachment(attachment_id: int) -> Response:
    """Take a file off its thing."""
    at = services()
    with at.database.transaction() as session:
        attachments.delete_attachment(session, attachment_id, current_user(), at.clock())
    return Response(status=204)
