"""What the holder of a contractor link adds to the one order: remarks and photos."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Response, jsonify
from sqlalchemy.orm import Session

from server import pictures
from server.api.attachments import IMMUTABLE, AttachmentFile
from server.api.blueprint import Page, collection, resource
from server.api.contractors import Remark, own_order
from server.api.schemas import Body, Collection
from server.api.steps import photo_of
from server.auth.guard import current_user, right
from server.errors import Invalid, NotFound
from server.http_input import takes_up_to
from server.idempotency import once
from server.services import services
from server.store import attachments, comments, step_photos
from server.store.attachments import Upload

blueprint = resource("contract", "What a contractor adds to the one order of the link")


@blueprint.route("/contract/comments")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("contract.read")
def list_comments(query: dict[str, Any]) -> Response:
    """Remarks on the order, oldest first."""
    with services().database.transaction() as session:
        order = own_order(session)
        page = comments.list_comments(session, order.id, current_user(), limit=query["limit"], offset=query["offset"])
        return jsonify(collection([comments.body(row) for row in page.items], page.total, query))


@blueprint.route("/contract/comments", methods=["POST"])
@blueprint.arguments(Remark)
@blueprint.response(201, Body)
@right("contract.work")
def add_comment(body: dict[str, str]) -> Response:
    """Say something about the order."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = comments.add(session, own_order(session).id, body["body"], current_user(), services().clock())
        return comments.body(row), 201

    return once("contract", deed)


@blueprint.route("/contract/photos")
@blueprint.response(200, Body)
@right("contract.read")
def list_photos() -> Response:
    """Pictures and papers on the order."""
    with services().database.transaction() as session:
        items = [attachments.body(row) for row in attachments.of(session, "work_order", own_order(session).id)]
    return jsonify(items=items, total=len(items))


@blueprint.route("/contract/photos", methods=["POST"])
@takes_up_to(attachments.MAX_BYTES + 64 * 1024)
@blueprint.arguments(AttachmentFile, location="files")
@blueprint.response(201, Body)
@right("contract.work")
def add_photo(files: dict[str, Any]) -> Response:
    """Put a picture on the order; what it is is judged by its bytes."""
    sent, at, user = files["file"], services(), current_user()
    upload = Upload(sent.filename or "", sent.mimetype or "", sent.read())
    if "\0" in upload.name:
        raise Invalid("file", "nul", "the file's name must not hold the character U+0000")

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        order = own_order(session)
        return attachments.body(attachments.attach(session, upload, "work_order", order.id, order.site_id, user, at.clock())), 201

    return once("contract", deed, f"{upload.name}{hashlib.sha256(upload.content).hexdigest()}".encode())


@blueprint.route("/contract/step-photos", methods=["POST"])
@takes_up_to(pictures.MAX_BYTES + 64 * 1024)
@blueprint.arguments(AttachmentFile, location="files")
@blueprint.response(201, Body)
@right("contract.work")
def add_step_photo(files: dict[str, Any]) -> Response:
    """Send the photo of a step before the answer that names it in `media`."""
    content, declared = photo_of(files)

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        order, user = own_order(session), current_user()
        step_photos.need_holder(order, user)
        return step_photos.keep(session, order, content, declared, user, services().clock()), 201

    return once("contract", deed, hashlib.sha256(content).digest())


@blueprint.route("/contract/photos/<id:photo_id>/file")
@blueprint.response(200, content_type="application/octet-stream")
@right("contract.read")
def get_photo(photo_id: int) -> Response:
    """One of them: a picture to be shown, anything else as a download."""
    with services().database.transaction() as session:
        order = own_order(session)
        found = {row.id: row for row in attachments.of(session, "work_order", order.id)}
        if photo_id not in found:
            raise NotFound("photo", photo_id)
        row = found[photo_id]
        name, type_, content, is_picture = row.name, row.type, row.content, row.width is not None
    answer = Response(content, mimetype=type_)
    answer.headers.set("Content-Disposition", "inline" if is_picture else "attachment", filename=name)
    answer.headers["Cache-Control"] = IMMUTABLE
    return answer
