"""Dead letters: entries of the bus that a program could not handle; a person looks, sends again, exports or deletes."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from realtime import refused
from realtime.bus import GROUPS
from realtime.refused import DeadLetter
from server import audit
from server.api.blueprint import Page, collection, resource
from server.api.exports import EXPORT, FILES, download
from server.api.quarantine import sort_by
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.errors import Conflict, NotFound
from server.export.table import Column, Table
from server.services import services
from server.timestamps import from_ms, rfc3339

blueprint = resource("dead_letters", "Entries of the bus that could not be handled")
SORTS = ("t", "stream", "group", "reason")
SHOWN = 2000  # characters of an entry
COLUMNS = (
    Column("t", "Time", "time"),
    Column("stream", "Stream"),
    Column("group", "Program"),
    Column("reason", "Reason"),
    Column("content", "Content"),
)


class DeadQuery(Page):
    """Which entries."""

    stream = ma.fields.String(validate=ma.validate.OneOf(sorted(GROUPS)))
    group = ma.fields.String(validate=ma.validate.Length(max=64))
    export = EXPORT


def _get(name: str) -> DeadLetter:
    milliseconds, _, number = name.partition("-")
    valid = milliseconds.isdecimal() and number.isdecimal() and max(int(milliseconds), int(number)) < 2**63
    found = refused.dead_letter(services().bus, name) if valid else None
    if found is None:
        raise NotFound("dead letter", name)
    return found


def _content(letter: DeadLetter) -> str:
    parts = (
        f"{key.decode('utf-8', 'backslashreplace')}={value[:SHOWN].decode('utf-8', 'backslashreplace')}"
        for key, value in letter.fields.items()
    )
    return " ".join(parts).replace("\0", "\\0")[:SHOWN]


def _body(letter: DeadLetter) -> dict[str, Any]:
    same = {name: getattr(letter, name) for name in ("id", "stream", "group", "reason", "entry")}
    return {**same, "t": rfc3339(from_ms(letter.t)), "content": _content(letter)}


@blueprint.route("/dead-letters")
@blueprint.doc(**FILES)
@blueprint.arguments(DeadQuery, location="query")
@blueprint.response(200, Collection)
@right("system.read")
def list_letters(query: dict[str, Any]) -> Response:
    """What could not be handled, newest first; the last 10,000 of the instance."""
    letters = refused.dead_letters(services().bus)
    found = [one for one in letters if query.get("stream", one.stream) == one.stream and query.get("group", one.group) == one.group]
    found = sort_by(found, query["sort"], SORTS)
    if query["export"]:
        rows = [{**_body(one), "t": from_ms(one.t)} for one in found]
        return download(Table("Dead letters", COLUMNS, rows), query["export"], "dead-letters")
    shown = [_body(one) for one in found[query["offset"] : query["offset"] + query["limit"]]]
    return jsonify(collection(shown, len(found), query))


@blueprint.route("/dead-letters/<string(maxlength=48):letter_id>")
@blueprint.response(200, Body)
@right("system.read")
def get_letter(letter_id: str) -> Response:
    """One entry."""
    return jsonify(_body(_get(letter_id)))


@blueprint.route("/dead-letters/<string(maxlength=48):letter_id>/retry", methods=["POST"])
@blueprint.response(200, Body)
@right("policies.write")
def retry(letter_id: str) -> Response:
    """Send it to its stream again; every program of that stream gets it, identity keeps it from counting twice."""
    letter = _get(letter_id)
    _note("retry", letter)
    if not refused.send_again(services().bus, letter):
        raise Conflict("gone", "it was sent again or taken out meanwhile")
    return jsonify(_body(letter) | {"sent": True})


@blueprint.route("/dead-letters/<string(maxlength=48):letter_id>", methods=["DELETE"])
@blueprint.response(204)
@right("policies.write")
def remove(letter_id: str) -> Response:
    """Take it out; the audit trail keeps what it was."""
    letter = _get(letter_id)
    _note("delete", letter)
    refused.drop_letter(services().bus, letter)
    return Response(status=204)


def _note(action: str, letter: DeadLetter) -> None:
    at, user = services(), current_user()
    with at.database.transaction() as session:
        audit.record(session, audit.Change(action, "dead_letter", None, user.site_id, _body(letter), None), user, at.clock())
