"""The fault taxonomy: category > what > why > where, edited by an admin."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from server.api.blueprint import Page, Whole, collection, resource, text
from server.api.etags import check_match, tagged
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.idempotency import once
from server.rules.taxonomy import LEVELS
from server.services import services
from server.store import taxonomy

blueprint = resource("fault-terms", "The words that faults are told in")


class TermsQuery(Page):
    """Which terms."""

    level = ma.fields.String(load_default=None, validate=ma.validate.OneOf(LEVELS))
    under = ma.fields.Integer(
        load_default=None, validate=ma.validate.Range(1, 2**53), metadata={"description": "those that fit below this term"}
    )
    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))


def _labels() -> ma.fields.Dict:
    languages = ma.fields.String(validate=ma.validate.Regexp(r"^[a-z]{2,3}\Z"))
    return ma.fields.Dict(keys=languages, values=text(200), validate=ma.validate.Length(max=20))


class NewTerm(ma.Schema):
    """A term; without a parent it fits under every term of the level above."""

    level = ma.fields.String(required=True, validate=ma.validate.OneOf(LEVELS))
    parent = Whole(low=1, load_default=None, allow_none=True)
    code = text(64, required=True)
    label = text(200, required=True)
    labels = _labels()
    position = Whole(low=0, high=1_000_000, load_default=0)


class TermPatch(ma.Schema):
    """Its words and its place in lists."""

    code = text(64)
    label = text(200)
    labels = _labels()
    position = Whole(low=0, high=1_000_000)


def language() -> str:
    """The caller's language for words of the taxonomy: the first of Accept-Language."""
    best = request.accept_languages.best
    return str(best).partition("-")[0].lower() if best else "en"


@blueprint.route("/fault-terms")
@blueprint.arguments(TermsQuery, location="query")
@blueprint.response(200, Collection)
@right("orders.read")
def list_terms(query: dict[str, Any]) -> Response:
    """Terms of the caller's site, category first; `name` is in the caller's language."""
    page_query = {name: query.pop(name) for name in ("limit", "offset", "sort")}
    with services().database.transaction() as session:
        page = taxonomy.list_terms(session, current_user().site_id, query, **page_query)
        return jsonify(collection([taxonomy.body(row, language()) for row in page.items], page.total, page_query))


@blueprint.route("/fault-terms", methods=["POST"])
@blueprint.arguments(NewTerm)
@blueprint.response(201, Body)
@right("taxonomy.write")
def create_term(body: dict[str, Any]) -> Response:
    """Add a term."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return taxonomy.body(taxonomy.create(session, body, current_user(), services().clock()), language()), 201

    answer = once("fault-terms", deed)
    answer.headers["Location"] = f"/api/fault-terms/{answer.get_json()['id']}"
    return answer


@blueprint.route("/fault-terms/<id:term_id>")
@blueprint.response(200, Body)
@right("orders.read")
def get_term(term_id: int) -> Response:
    """One term."""
    with services().database.transaction() as session:
        return tagged(taxonomy.body(taxonomy.get(session, term_id, current_user()), language()))


@blueprint.route("/fault-terms/<id:term_id>", methods=["PATCH"])
@blueprint.arguments(TermPatch)
@blueprint.response(200, Body)
@right("taxonomy.write")
def change_term(body: dict[str, Any], term_id: int) -> Response:
    """Change a term; interventions that chose it say the new words."""
    at = services()
    with at.database.transaction() as session:
        row = taxonomy.get(session, term_id, current_user())
        check_match(row.rev)
        return tagged(taxonomy.body(taxonomy.change(session, row, body, current_user(), at.clock()), language()))


@blueprint.route("/fault-terms/<id:term_id>", methods=["DELETE"])
@blueprint.response(204)
@right("taxonomy.write")
def delete_term(term_id: int) -> Response:
    """Nobody chooses it any more."""
    at = services()
    with at.database.transaction() as session:
        taxonomy.delete(session, taxonomy.get(session, term_id, current_user()), current_user(), at.clock())
    return Response(status=204)
