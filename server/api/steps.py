"""Steps of an order in work, for pages; the feed has its own door (AR_FEED.md 2)."""

from __future__ import annotations

import hashlib
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server import pictures
from server.api.attachments import AttachmentFile
from server.api.blueprint import Whole, resource, text
from server.api.schemas import Body
from server.api.work_orders import find
from server.auth.guard import current_user, right
from server.http_input import takes_up_to
from server.idempotency import once
from server.rules.steps import StepAnswer
from server.services import services
from server.store import step_photos, steps

blueprint = resource("steps", "Steps of an order in work")
LONGEST_TEXT = 2000


def _is_scalar(value: Any) -> None:
    if isinstance(value, dict | list) or (isinstance(value, str) and len(value) > LONGEST_TEXT):
        raise ma.ValidationError(f"A number, true, false or a text of at most {LONGEST_TEXT} characters.")


class Answer(ma.Schema):
    """What was found or done; which key counts hangs on the step's kind."""

    value = ma.fields.Raw(load_default=None, allow_none=True, validate=_is_scalar)
    unit = text(32, load_default=None, allow_none=True)
    option = text(64, load_default=None, allow_none=True)
    code = text(200, load_default=None, allow_none=True)
    media = ma.fields.List(Whole(low=1), load_default=list, validate=ma.validate.Length(max=20))
    note = text(500, shortest=0, load_default=None, allow_none=True)
    by = ma.fields.String(load_default="page", validate=ma.validate.OneOf(["voice", "touch", "gaze", "keys", "auto", "page"]))
    undo = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False}, metadata={"description": "take the answer back"})


def _all(session: Session, key: str) -> dict[str, Any]:
    order = find(session, key)
    return {"order": order.number, "rev": order.rev, "steps": steps.step_bodies(session, steps.current(session, order))}


@blueprint.route("/work-orders/<string(maxlength=64):key>/steps")
@blueprint.response(200, Body)
@right("orders.read")
def list_steps(key: str) -> Response:
    """Every step with the answer that counts."""
    with services().database.transaction() as session:
        return jsonify(_all(session, key))


@blueprint.route("/work-orders/<string(maxlength=64):key>/steps/<string(maxlength=64):step_id>", methods=["POST"])
@blueprint.arguments(Answer)
@blueprint.response(200, Body)
@right("orders.work")
def answer_step(body: dict[str, Any], key: str, step_id: str) -> Response:
    """Answer a step, or take its answer back; a measure outside its limits is an answer too (`ok` false)."""
    at, user = services(), current_user()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        order, now = find(session, key), at.clock()
        if body["undo"]:
            outcome = steps.undo(session, order.id, step_id, user, body["by"], now, now)
        else:
            given = {name: body[name] for name in ("value", "unit", "option", "code", "note")}
            answer = StepAnswer(**given, media=tuple(body["media"]))
            outcome = steps.record(session, order.id, step_id, answer, user, body["by"], now, now)
        return {"next": outcome.next, "ok": outcome.ok, "rev": outcome.rev}, 200

    return once("steps", deed)


def photo_of(files: dict[str, Any]) -> tuple[bytes, str]:
    """The bytes of an uploaded picture and what it claims to be."""
    sent = files["file"]
    return sent.read(), sent.mimetype or ""


@blueprint.route("/work-orders/<string(maxlength=64):key>/step-photos", methods=["POST"])
@takes_up_to(pictures.MAX_BYTES + 64 * 1024)
@blueprint.arguments(AttachmentFile, location="files")
@blueprint.response(201, Body)
@right("orders.work")
def add_step_photo(files: dict[str, Any], key: str) -> Response:
    """Send the photo of a step before the answer that names it in `media`; who works on the order does."""
    content, declared = photo_of(files)

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        order, user = find(session, key), current_user()
        step_photos.need_holder(order, user)
        return step_photos.keep(session, order, content, declared, user, services().clock()), 201

    return once("step-photo", deed, hashlib.sha256(content).digest())
