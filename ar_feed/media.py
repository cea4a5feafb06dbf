"""`POST /media` and `GET /media/{id}`: photos of steps, sent before the operation that names them."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Response, jsonify, request

from server import pictures
from server.auth.guard import current_user, right
from server.errors import Invalid, NotFound
from server.models.feed import Media
from server.pictures import Picture
from server.problems import Problem, bad_request
from server.services import services
from server.store import operation_keys

media = Blueprint("ar_media", __name__, url_prefix="/ar/v1/media")

IMMUTABLE = "private, max-age=31536000, immutable"


@media.post("")
@right("ar.write")
def upload() -> tuple[Response, int]:
    """Store a picture; the same key and bytes answer the same."""
    request.max_content_length = pictures.MAX_BYTES
    key = request.headers.get("Idempotency-Key", "")
    if not 8 <= len(key) <= 128:
        raise bad_request("idempotency_key_missing", "send an Idempotency-Key of 8 to 128 characters")
    declared = request.mimetype
    if declared not in pictures.FORMATS:
        raise Problem(415, "unsupported_media_type", "send image/jpeg, image/png or image/webp")
    content = request.get_data(cache=False)
    return jsonify(_stored_once(key, hashlib.sha256(content).hexdigest(), pictures.read(content, declared))), 201


def _stored_once(key: str, fingerprint: str, picture: Picture) -> dict[str, Any]:
    at, person = services(), current_user()
    now = at.clock()
    with at.database.transaction() as session:
        earlier = operation_keys.earlier_answer(session, "media", person.owner, key, fingerprint)
        if earlier is not None:
            return dict(earlier.answer or {})
        row = Media(
            user_id=person.id,
            site_id=person.site_id,
            type=picture.type,
            width=picture.width,
            height=picture.height,
            sha256=fingerprint,
            content=picture.content,
            created_at=now,
        )
        session.add(row)
        session.flush()
        answer = {"id": row.id, "bytes": len(picture.content), "w": picture.width, "h": picture.height}
        operation_keys.remember(session, "media", person.owner, key, fingerprint, status=201, answer=answer, now=now)
        return answer


@media.get("/<id:media_id>")
@right("ar.read")
def show(media_id: int) -> Response:
    """A picture of the own site, whole or at one of the widths."""
    width = request.args.get("w")
    if width is not None and width not in {str(allowed) for allowed in pictures.WIDTHS}:
        raise Invalid("w", "unknown_width", f"w is one of {', '.join(str(allowed) for allowed in pictures.WIDTHS)}")
    with services().database.transaction() as session:
        row = session.get(Media, media_id)
        if row is None or row.site_id != current_user().site_id:
            raise NotFound("media", media_id)
        content, stored_type = row.content, row.type
    if width is not None:
        content = pictures.narrowed(content, stored_type, int(width)).content
    return Response(content, mimetype=stored_type, headers={"Cache-Control": IMMUTABLE, "Content-Disposition": "inline"})
