"""What the caller wants to be told of, how and when (N-7)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response

from realtime.events import Severity
from server.api import etags
from server.api.blueprint import Whole, resource
from server.api.schemas import Body
from server.auth.guard import current_user, right
from server.rules.notices import Topic
from server.services import services
from server.store import preferences

blueprint = resource("preferences", "What the caller wants to be told of")

CLOCK = ma.validate.Regexp(r"\A([01][0-9]|2[0-3]):[0-5][0-9]\Z", error="a time of day as HH:MM")


class ChoiceBody(ma.Schema):
    """One line: messages of a topic, of one area and severity or of any, ring, are mailed, both or neither."""

    topic = ma.fields.String(required=True, validate=ma.validate.OneOf([str(topic) for topic in Topic]))
    area = Whole(low=1, high=2**31 - 1, load_default=None, allow_none=True)
    severity = ma.fields.String(load_default=None, allow_none=True, validate=ma.validate.OneOf([str(one) for one in Severity]))
    in_app = ma.fields.Boolean(required=True, truthy={True}, falsy={False})
    mail = ma.fields.Boolean(required=True, truthy={True}, falsy={False})


class PreferenceBody(ma.Schema):
    """The whole preference; what is left out is as with nobody's choice."""

    choices = ma.fields.List(ma.fields.Nested(ChoiceBody), required=True, validate=ma.validate.Length(max=200))
    quiet_from = ma.fields.String(load_default=None, allow_none=True, validate=CLOCK)
    quiet_to = ma.fields.String(load_default=None, allow_none=True, validate=CLOCK)
    critical_passes = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})


@blueprint.route("/me/preferences")
@blueprint.response(200, Body)
@right("notifications.read")
def get_preferences() -> Response:
    """The caller's preference; `chosen` false = the defaults of the role."""
    with services().database.transaction() as session:
        return etags.tagged(preferences.body_of(session, current_user()))


@blueprint.route("/me/preferences", methods=["PUT"])
@blueprint.arguments(PreferenceBody)
@blueprint.response(200, Body)
@right("notifications.read")
def put_preferences(body: dict[str, Any]) -> Response:
    """Put another in its place."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        etags.check_match(preferences.body_of(session, user)["rev"])
        return etags.tagged(preferences.choose(session, body, user, at.clock()))
