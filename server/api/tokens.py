"""Tokens of devices that post readings, and API keys of people: made once, shown once, listed and revoked."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right, signed_in
from server.auth.session import cut_sockets
from server.models.feed import DeviceToken
from server.models.people import User
from server.rules.roles import GRANTED
from server.services import services
from server.store import tokens
from server.store.related import by_id
from server.timestamps import rfc3339

blueprint = resource("tokens", "Tokens of devices, and API keys of people")

KINDS = ("ingest", "api", "paired")


class TokensQuery(Page):
    """Which tokens."""

    kind = ma.fields.String(load_default=None, validate=ma.validate.OneOf(KINDS))


class NewToken(ma.Schema):
    """What kind of token, for what."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["ingest", "api"]))
    name = text(100, required=True)
    days = Whole(low=1, high=3650, load_default=None, allow_none=True, metadata={"description": "null: until revoked"})


class NewKey(ma.Schema):
    """An API key: its name, and which of the caller's rights it has."""

    name = text(100, required=True)
    scopes = ma.fields.List(
        text(64), required=True, validate=ma.validate.Length(1, 100), metadata={"description": "rights of GET /api/auth/me"}
    )
    days = Whole(low=1, high=3650, load_default=365, allow_none=True, metadata={"description": "null: until revoked"})


def _body(row: DeviceToken, person: str | None = None) -> dict[str, Any]:
    times = {name: rfc3339(getattr(row, name)) for name in ("created_at", "expires_at", "last_used_at", "revoked_at")}
    return {"id": row.id, "kind": row.kind, "name": row.name, "user": row.user_id, "person": person, "scopes": row.scopes, **times}


def _shown_once(wanted: tokens.Wanted) -> Response:
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        row, secret = tokens.make(session, wanted, caller, at.clock())
        answer = jsonify({**_body(row), "token": secret})
    answer.status_code = 201
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.route("/tokens")
@blueprint.arguments(TokensQuery, location="query")
@blueprint.response(200, Collection)
@right("sources.write")
def list_tokens(query: dict[str, Any]) -> Response:
    """Tokens of the site that are not revoked, paired devices and people's keys included."""
    with services().database.transaction() as session:
        page = tokens.of_site(session, current_user().site_id, query["kind"], query)
        people = by_id(session, User, (row.user_id for row in page.items))
        items = [_body(row, people[row.user_id].name if row.user_id else None) for row in page.items]
        return jsonify(collection(items, page.total, query))


@blueprint.route("/tokens", methods=["POST"])
@blueprint.arguments(NewToken)
@blueprint.response(201, Body)
@right("sources.write")
def make_token(body: dict[str, Any]) -> Response:
    """Make a token; `token` is shown this once. An `api` token acts as the caller with all the caller's rights."""
    scopes = tuple(current_user().rights - GRANTED) if body["kind"] == "api" else ()
    return _shown_once(tokens.Wanted(body["kind"], body["name"], body["days"], scopes))


@blueprint.route("/tokens/<id:token_id>")
@blueprint.response(200, Body)
@right("sources.write")
def get_token(token_id: int) -> Response:
    """One token, without its secret."""
    with services().database.transaction() as session:
        return jsonify(_body(tokens.get_token(session, token_id, current_user())))


@blueprint.route("/tokens/<id:token_id>", methods=["DELETE"])
@blueprint.response(204)
@right("sources.write")
def revoke_token(token_id: int) -> Response:
    """Revoke a token; its sockets close."""
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        row = tokens.get_token(session, token_id, caller)
        tokens.revoke(session, row, caller, at.clock())
    if row.user_id is not None:
        cut_sockets(at.bus, row.user_id)
    return Response(status=204)


@blueprint.route("/api-keys")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@signed_in
def list_keys(query: dict[str, Any]) -> Response:
    """The caller's own keys that are alive."""
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        page = tokens.page_of_keys(session, caller.id, at.clock(), query)
        return jsonify(collection([_body(row, caller.name) for row in page.items], page.total, query))


@blueprint.route("/api-keys", methods=["POST"])
@blueprint.arguments(NewKey)
@blueprint.response(201, Body)
@signed_in
def make_key(body: dict[str, Any]) -> Response:
    """Make a key that acts as the caller within its scopes; `token` is shown this once."""
    return _shown_once(tokens.Wanted("api", body["name"], body["days"], tuple(set(body["scopes"]))))


@blueprint.route("/api-keys/<id:token_id>")
@blueprint.response(200, Body)
@signed_in
def get_key(token_id: int) -> Response:
    """One of the caller's own keys, without its secret."""
    with services().database.transaction() as session:
        return jsonify(_body(tokens.own_key(session, token_id, current_user()), current_user().name))


@blueprint.route("/api-keys/<id:token_id>", methods=["DELETE"])
@blueprint.response(204)
@signed_in
def revoke_key(token_id: int) -> Response:
    """Revoke an own key; its sockets close."""
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        tokens.revoke(session, tokens.own_key(session, token_id, caller), caller, at.clock())
    cut_sockets(at.bus, caller.id)
    return Response(status=204)
