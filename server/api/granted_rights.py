"""Rights that no role has, given by an admin to one named person: writing to PLCs. Audited; never to oneself, never by a token."""

from __future__ import annotations

import marshmallow as ma
from flask import Response

from server.api import etags
from server.api.blueprint import resource, text
from server.api.schemas import Body
from server.api.users import user_bodies
from server.auth.guard import current_user, in_browser, right
from server.auth.session import cut_sockets
from server.rules.roles import GRANTED
from server.services import services
from server.store import people

blueprint = resource("granted-rights", "Rights of one person")
RIGHT = ma.validate.OneOf(sorted(GRANTED))


class Grant(ma.Schema):
    """Which right, and why."""

    right = ma.fields.String(required=True, validate=RIGHT)
    reason = text(500, shortest=3, required=True)


class TakenAway(ma.Schema):
    """Which right."""

    right = ma.fields.String(required=True, validate=RIGHT)


@blueprint.route("/users/<id:user_id>/rights", methods=["POST"])
@blueprint.arguments(Grant)
@blueprint.response(200, Body)
@right("users.write")
@in_browser
def grant(body: dict[str, str], user_id: int) -> Response:
    """Give a person a right that no role has, such as plc.write; it holds at their own login only, never through a token."""
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        row = people.get_user(session, user_id, caller, lock=True)
        people.grant(session, row, body["right"], body["reason"], caller, at.clock())
        answer = etags.tagged(user_bodies(session, [row])[0])
    cut_sockets(at.bus, user_id)
    return answer


@blueprint.route("/users/<id:user_id>/rights", methods=["DELETE"])
@blueprint.arguments(TakenAway, location="query")
@blueprint.response(200, Body)
@right("users.write")
def take_away(query: dict[str, str], user_id: int) -> Response:
    """Take it back; it is gone with the person's next request."""
    at, caller = services(), current_user()
    with at.database.transaction() as session:
        row = people.get_user(session, user_id, caller, lock=True)
        people.take_away(session, row, query["right"], caller, at.clock())
        answer = etags.tagged(user_bodies(session, [row])[0])
    cut_sockets(at.bus, user_id)
    return answer
