"""`POST /pair` and `POST /pair/token`: how a headset gets its token without anybody typing a password into it."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from flask import Blueprint, Response, jsonify, request

from server.auth.guard import public
from server.errors import Invalid
from server.flood import refuse_flood
from server.problems import Problem, bad_request
from server.services import services
from server.store import pairing as store
from server.store.pairing import PairingRefused

pairing = Blueprint("ar_pairing", __name__, url_prefix="/ar/v1/pair")

KINDS = ("glasses", "phone", "realwear", "vuzix", "see-through", "tablet")
ASKS_PER_MINUTE = 20  # of one address
POLLS_PER_MINUTE = 60
_REFUSALS = {
    "authorization_pending": "the person has not decided yet",
    "slow_down": "ask less often",
    "expired_token": "this pairing has ended; ask for a new code",
    "access_denied": "the person refused",
}


@pairing.post("")
@public
def ask() -> tuple[Response, int]:
    """A device asks to act for a person; it shows the code."""
    request.max_content_length = 4096
    refuse_flood("pair.ask", ASKS_PER_MINUTE)
    body = _object()
    kind, name = _text(body, "kind", 20), _text(body, "name", 60)
    if kind not in KINDS:
        raise Invalid("kind", "unknown", f"kind is one of {', '.join(KINDS)}")
    at = services()
    with at.database.transaction() as session:
        opened = store.ask(session, kind=kind, name=name, place=request.remote_addr or "", now=at.clock())
    answer = {
        "device_code": opened.device_code,
        "user_code": opened.user_code,
        "verify": f"{request.host_url}pair",
        "expires_in": int(store.LIVES.total_seconds()),
        "interval": store.INTERVAL_S,
    }
    return _private(answer), 201


@pairing.post("/token")
@public
def token() -> Response:
    """The token once a person has approved; 400 with RFC 8628's word until then."""
    request.max_content_length = 4096
    refuse_flood("pair.poll", POLLS_PER_MINUTE)
    code = _text(_object(), "device_code", 200)
    at = services()
    refused = ""
    with at.database.transaction() as session:
        try:
            granted = store.fetch(session, code, at.clock())
        except PairingRefused as refusal:  # answered outside: the time of this poll is kept
            refused = refusal.code
    if refused:
        raise Problem(400, refused, _REFUSALS[refused], extra={"error": refused})
    expires = granted.expires_at.astimezone(UTC)
    return _private(
        {
            "token": granted.token,
            "expires_in": int((expires - at.clock()).total_seconds()),
            "user": {"id": granted.user.id, "name": granted.user.name},
            "device": {"id": granted.device.id, "name": granted.device.name},
            "lang": granted.user.language,
        }
    )


def _object() -> dict[str, Any]:
    body = request.get_json()
    if not isinstance(body, dict):
        raise bad_request("not_an_object", "the body is an object")
    return body


def _text(body: dict[str, Any], field: str, longest: int) -> str:
    value = body.get(field)
    if not isinstance(value, str) or not value.strip():
        raise Invalid(field, "missing", "must be text")
    if len(value) > longest:
        raise Invalid(field, "too_long", f"{longest} characters at most")
    return value.strip()


def _private(body: dict[str, Any]) -> Response:
    response = jsonify(body)
    response.headers["Cache-Control"] = "no-store"
    return response
