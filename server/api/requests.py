"""Fault reports by QR (N-1): the public door without a login, the planner's triage, and the link on each asset's label."""

from __future__ import annotations

import io
import secrets
from typing import Any

import marshmallow as ma
import segno
from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from server import request_bodies
from server.api import etags
from server.api.blueprint import Whole, collection, resource, text
from server.api.schemas import Body, Collection
from server.api.stores import SearchedPage, wanted
from server.auth.guard import current_user, own_csrf, public, right
from server.errors import Invalid, NotFound
from server.flood import refuse_flood
from server.http_input import takes_up_to
from server.models.requests import FaultRequest
from server.rules.priorities import Priority
from server.rules.request_states import Feel, RequestState
from server.services import services
from server.store import assets, report_links, requests
from server.store.attachments import MAX_BYTES, Upload

blueprint = resource("requests", "Fault reports of people without an account, and their triage")

FORM_BYTES = MAX_BYTES + 64 * 1024  # one picture and the texts
REPORTS_PER_MINUTE = 6  # of one address
LOOKS_PER_MINUTE = 60


class Report(ma.Schema):
    """What is wrong with the machine of the link."""

    description = text(4000, required=True)
    severity = ma.fields.String(load_default="bad", validate=ma.validate.OneOf([str(feel) for feel in Feel]))
    name = text(200, shortest=0, load_default="")
    contact = text(200, shortest=0, load_default="")


class RequestsQuery(SearchedPage):
    """Which reports, newest first."""

    status = ma.fields.String(load_default=None, validate=ma.validate.OneOf([str(state) for state in RequestState]))
    asset = text(64, load_default=None)


class Acceptance(ma.Schema):
    """How the order should start; left out, the report decides."""

    title = text(200)
    priority = ma.fields.String(validate=ma.validate.OneOf([str(priority) for priority in Priority]))


class Rejection(ma.Schema):
    """Why nothing is done; the reporter reads it."""

    reason = text(2000, required=True)


class Duplicate(ma.Schema):
    """The report that told it first."""

    duplicate_of = Whole(low=1, required=True)


@blueprint.route("/public/requests/<string(maxlength=64):token>", methods=["POST"])
@blueprint.arguments(Report)
@blueprint.response(201, Body)
@public
def report(body: dict[str, Any], token: str) -> Response:
    """Report a fault of the machine behind the token of its label; an Idempotency-Key makes a repetition the same report."""
    refuse_flood("report", REPORTS_PER_MINUTE)
    key = request.headers.get("Idempotency-Key") or secrets.token_urlsafe(16)
    if not (len(key) <= 64 and key.isprintable()):
        raise Invalid("Idempotency-Key", "length", "1 to 64 printable characters")
    told = requests.Report(_words(body["description"]), Feel(body["severity"]), body["name"], body["contact"], key)
    at = services()
    with at.database.transaction() as session:
        link, asset = report_links.resolve(session, token)
        row = requests.file_report(session, link, asset, told, at.clock())
        answer = jsonify(request_bodies.public_body(requests.status_of(session, row.status_token)))
    answer.status_code = 201
    answer.headers["Location"] = f"/api/public/reports/{row.status_token}"
    return answer


def _words(description: str) -> str:
    if not description.strip():
        raise Invalid("description", "required", "say what is wrong")
    return description


@blueprint.route("/public/reports/<string(maxlength=64):status_token>")
@blueprint.response(200, Body)
@public
def get_status(status_token: str) -> Response:
    """What came of a report, by the secret address that its reporter got."""
    refuse_flood("report.look", LOOKS_PER_MINUTE)
    with services().database.transaction() as session:
        return jsonify(request_bodies.public_body(requests.status_of(session, status_token)))


@blueprint.route("/public/reports/<string(maxlength=64):status_token>/photos", methods=["POST"])
@takes_up_to(FORM_BYTES)
@blueprint.response(201, Body)
@own_csrf
@public
def add_photo(status_token: str) -> Response:
    """A picture (multipart, `photo`) with a report that nobody has looked at yet: JPEG, PNG or WebP, 10 MB at most."""
    refuse_flood("report.photo", REPORTS_PER_MINUTE)
    at = services()
    sent = request.files.get("photo")
    if sent is None:
        raise Invalid("photo", "required", "send a picture as multipart/form-data")
    upload = Upload(sent.filename or "", sent.mimetype, sent.stream.read(MAX_BYTES + 1))
    with at.database.transaction() as session:
        row = requests.status_of(session, status_token).row
        requests.add_photo(session, requests.lock_for_reporter(session, row), upload, at.clock())
        answer = jsonify(request_bodies.public_body(requests.status_of(session, status_token)))
    answer.status_code = 201
    return answer


@blueprint.route("/requests")
@blueprint.arguments(RequestsQuery, location="query")
@blueprint.response(200, Collection)
@right("requests.read")
def list_requests(query: dict[str, Any]) -> Response:
    """The triage queue of the caller's site."""
    with services().database.transaction() as session:
        page = requests.list_requests(session, current_user(), wanted(query), state=query["status"], asset=query["asset"])
        return jsonify(collection(request_bodies.request_bodies(session, page.items), page.total, query))


@blueprint.route("/requests/<id:request_id>")
@blueprint.response(200, Body)
@right("requests.read")
def get_request(request_id: int) -> Response:
    """One report."""
    with services().database.transaction() as session:
        return _answer(session, requests.get_request(session, request_id, current_user()))


def _answer(session: Session, row: FaultRequest) -> Response:
    return etags.tagged(request_bodies.request_bodies(session, [row])[0])


@blueprint.route("/requests/<id:request_id>/accept", methods=["POST"])
@blueprint.arguments(Acceptance)
@blueprint.response(200, Body)
@right("requests.triage")
def accept(body: dict[str, Any], request_id: int) -> Response:
    """Make it a work order that keeps everything; 409 when somebody was faster."""
    at = services()
    with at.database.transaction() as session:
        row = requests.lock(session, request_id, current_user())
        wish = requests.Wish(body.get("title"), body.get("priority"), at.settings.proof_window_s)
        requests.accept(session, row, wish, current_user(), at.clock())
        return _answer(session, row)


@blueprint.route("/requests/<id:request_id>/reject", methods=["POST"])
@blueprint.arguments(Rejection)
@blueprint.response(200, Body)
@right("requests.triage")
def reject(body: dict[str, Any], request_id: int) -> Response:
    """Nothing is done; the reporter reads the reason."""
    at = services()
    with at.database.transaction() as session:
        row = requests.lock(session, request_id, current_user())
        requests.reject(session, row, body["reason"], current_user(), at.clock())
        return _answer(session, row)


@blueprint.route("/requests/<id:request_id>/duplicate", methods=["POST"])
@blueprint.arguments(Duplicate)
@blueprint.response(200, Body)
@right("requests.triage")
def mark_duplicate(body: dict[str, Any], request_id: int) -> Response:
    """Somebody reported it before; this reporter follows that report."""
    at = services()
    with at.database.transaction() as session:
        row = requests.lock(session, request_id, current_user())
        requests.mark_duplicate(session, row, body["duplicate_of"], current_user(), at.clock())
        return _answer(session, row)


@blueprint.route("/assets/<string(maxlength=64):code>/report-link")
@blueprint.response(200, Body)
@right("assets.read")
def get_link(code: str) -> Response:
    """The address for the asset's label, null where it has none yet; its QR code beside it."""
    with services().database.transaction() as session:
        asset = assets.get_asset(session, code, current_user())
        link = report_links.live_link(session, asset)
        return jsonify(_link_body(asset.code, link.token if link else None))


def _address(token: str) -> str:
    base = services().settings.public_url or request.url_root
    return f"{base.rstrip('/')}/report/{token}"


def _link_body(code: str, token: str | None) -> dict[str, Any]:
    qr = f"/api/assets/{code}/report-link/qr.svg" if token else None
    return {"asset": code, "url": _address(token) if token else None, "qr": qr}


@blueprint.route("/assets/<string(maxlength=64):code>/report-link/qr.svg")
@blueprint.response(200, content_type="image/svg+xml")
@right("assets.read")
def get_qr(code: str) -> Response:
    """The QR code of that address, black on white; 404 without a link."""
    with services().database.transaction() as session:
        link = report_links.live_link(session, assets.get_asset(session, code, current_user()))
        if link is None:
            raise NotFound("report link of", code)
        address = _address(link.token)
    drawn = io.BytesIO()
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", border=3, scale=8, light="#fff")
    return Response(drawn.getvalue(), mimetype="image/svg+xml")


@blueprint.route("/assets/<string(maxlength=64):code>/report-link/rotate", methods=["POST"])
@blueprint.response(200, Body)
@right("assets.write")
def rotate_link(code: str) -> Response:
    """A new address, the first one too; what was printed before leads nowhere from now on."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        asset = assets.get_asset(session, code, user)
        return jsonify(_link_body(asset.code, report_links.rotate(session, asset, user, at.clock()).token))


@blueprint.route("/assets/<string(maxlength=64):code>/report-link", methods=["DELETE"])
@blueprint.response(204)
@right("assets.write")
def revoke_link(code: str) -> Response:
    """Take the address away: nobody reports this asset without a login any more."""
    at, user = services(), current_user()
    with at.database.transaction() as session:
        report_links.revoke(session, assets.get_asset(session, code, user), user, at.clock())
    return Response(status=204)
