"""What the instance does for itself and says outside: backups, webhooks."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import Severity
from server import outbound
from server.api.blueprint import Page, collection, resource, text
from server.api.etags import check_match, tagged
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.backup import runs
from server.errors import Conflict
from server.idempotency import once
from server.models.operations import Backup, Webhook
from server.outbound import NotAllowed, NotTaken
from server.services import services
from server.store import background, webhooks
from server.store.page import ordering, page_of
from server.timestamps import rfc3339

blueprint = resource("operations", "Backups of the instance, and webhooks that tell others")


class NewWebhook(ma.Schema):
    """Where to, what, and how."""

    name = text(200, required=True)
    url = text(2000, required=True)
    format = ma.fields.String(load_default="slack", validate=ma.validate.OneOf(webhooks.FORMATS))
    facts = ma.fields.List(text(64), load_default=lambda: ["alert.raised", "work_order.opened"], validate=ma.validate.Length(1, 40))
    min_severity = ma.fields.String(load_default="warning", validate=ma.validate.OneOf([str(one) for one in Severity]))
    active = ma.fields.Boolean(load_default=True, truthy={True}, falsy={False})


class WebhookPatch(ma.Schema):
    """What is to change."""

    name = text(200)
    url = text(2000)
    format = ma.fields.String(validate=ma.validate.OneOf(webhooks.FORMATS))
    facts = ma.fields.List(text(64), validate=ma.validate.Length(1, 40))
    min_severity = ma.fields.String(validate=ma.validate.OneOf([str(one) for one in Severity]))
    active = ma.fields.Boolean(truthy={True}, falsy={False})


@blueprint.route("/webhooks")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("policies.write")
def list_webhooks(query: dict[str, Any]) -> Response:
    """Webhooks of the caller's site."""
    order = ordering(query["sort"], {"name": Webhook.name, "id": Webhook.id}, "id")
    with services().database.transaction() as session:
        page = webhooks.list_webhooks(session, current_user(), order, query["limit"], query["offset"])
        return jsonify(collection([webhooks.body(row) for row in page.items], page.total, query))


@blueprint.route("/webhooks", methods=["POST"])
@blueprint.arguments(NewWebhook)
@blueprint.response(201, Body)
@right("policies.write")
def create_webhook(body: dict[str, Any]) -> Response:
    """Tell somebody from now on; the answer alone shows the secret that signs the json format."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = webhooks.create_webhook(session, body, at.settings.webhook_hosts, current_user(), at.clock())
        return {**webhooks.body(row), "secret": row.secret}, 201

    answer = once("webhooks", deed)
    answer.headers["Location"] = f"/api/webhooks/{answer.get_json()['id']}"
    return answer


@blueprint.route("/webhooks/<id:webhook_id>")
@blueprint.response(200, Body)
@right("policies.write")
def get_webhook(webhook_id: int) -> Response:
    """One webhook, with what it took and why it last did not."""
    with services().database.transaction() as session:
        return tagged(webhooks.body(webhooks.get_webhook(session, webhook_id, current_user())))


@blueprint.route("/webhooks/<id:webhook_id>", methods=["PATCH"])
@blueprint.arguments(WebhookPatch)
@blueprint.response(200, Body)
@right("policies.write")
def change_webhook(body: dict[str, Any], webhook_id: int) -> Response:
    """Change it; If-Match guards against another's change."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        row = webhooks.get_webhook(session, webhook_id, user)
        check_match(row.rev)
        webhooks.change_webhook(session, row, body, at.settings.webhook_hosts, user, at.clock())
        return tagged(webhooks.body(row))


@blueprint.route("/webhooks/<id:webhook_id>", methods=["DELETE"])
@blueprint.response(204)
@right("policies.write")
def delete_webhook(webhook_id: int) -> Response:
    """Tell it nothing more."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        webhooks.delete_webhook(session, webhooks.get_webhook(session, webhook_id, user), user, at.clock())
    return Response(status=204)


@blueprint.route("/webhooks/<id:webhook_id>/test", methods=["POST"])
@blueprint.response(200, Body)
@right("policies.write")
def test_webhook(webhook_id: int) -> Response:
    """Send one word now; 409 with the reason when it was not taken."""
    at = services()
    with at.database.transaction() as session:
        row = webhooks.get_webhook(session, webhook_id, current_user())
        url = row.url
    try:
        status = outbound.post(
            outbound.checked(url, at.settings.webhook_hosts),
            b'{"text":"Sightline: this webhook works"}',
            {"Content-Type": "application/json"},
        )
    except (NotAllowed, NotTaken) as error:
        raise Conflict("not_taken", str(error)) from error
    return jsonify(status=status)


@blueprint.route("/backups")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("system.read")
def list_backups(query: dict[str, Any]) -> Response:
    """Backups that were made or failed, newest first."""
    columns = {"at": Backup.at, "bytes": Backup.bytes, "id": Backup.id}
    with services().database.transaction() as session:
        page = page_of(session, select(Backup), ordering(query["sort"], columns, "-id"), query["limit"], query["offset"])
        return jsonify(collection([_backup(row) for row in page.items], page.total, query))


def _backup(row: Backup) -> dict[str, Any]:
    names = ("id", "reason", "file", "bytes", "seconds", "ok", "message")
    return {**{name: getattr(row, name) for name in names}, "at": rfc3339(row.at)}


@blueprint.route("/backups", methods=["POST"])
@blueprint.response(202, Body)
@right("policies.write")
def ask_backup() -> Response:
    """Ask for a backup now; the jobs program makes it."""
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return background.body(background.ask(session, runs.JOB, {}, current_user(), at.clock())), 202

    return once("backups", deed)
