"""The bell: what the caller was told (S2-71, S2-135, S2-136)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify

from server import bodies
from server.api.blueprint import Page, collection, resource
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.services import services
from server.store import notifications

blueprint = resource("notifications", "What the caller was told")


class NotificationsQuery(Page):
    """Which messages."""

    unread = ma.fields.Boolean(load_default=False)


@blueprint.route("/notifications")
@blueprint.arguments(NotificationsQuery, location="query")
@blueprint.response(200, Collection)
@right("notifications.read")
def list_notifications(query: dict[str, Any]) -> Response:
    """The caller's own, newest first, with the number unread."""
    user = current_user()
    with services().database.transaction() as session:
        wanted = {name: query[name] for name in ("unread", "sort", "limit", "offset")}
        page = notifications.list_notifications(session, user, **wanted)
        items = [bodies.notification_body(row) for row in page.items]
        return jsonify({**collection(items, page.total, query), "unread": notifications.unread_count(session, user)})


@blueprint.route("/notifications/count")
@blueprint.response(200, Body)
@right("notifications.read")
def count() -> Response:
    """How many the caller has not read."""
    with services().database.transaction() as session:
        return jsonify(unread=notifications.unread_count(session, current_user()))


@blueprint.route("/notifications/<id:notification_id>/read", methods=["POST"])
@blueprint.response(200, Body)
@right("notifications.read")
def mark_read(notification_id: int) -> Response:
    """Mark an own one as read."""
    at = services()
    with at.database.transaction() as session:
        return jsonify(bodies.notification_body(notifications.mark_read(session, notification_id, current_user(), at.clock())))
