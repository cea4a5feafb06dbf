"""The page behind the QR label of a machine (N-1): report a fault without a login, without a cookie and without JavaScript.

The form carries a signed token of its own instead of a cookie's: nothing it can do needs a login, so there is none to steal.
"""

from __future__ import annotations

import secrets

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_babel import gettext as _
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from server.auth.guard import own_csrf, public
from server.errors import Invalid
from server.flood import refuse_flood
from server.http_input import takes_up_to
from server.models.plant import Asset
from server.models.requests import ReportLink
from server.problems import Problem
from server.rules.request_states import Feel
from server.services import services
from server.store import report_links, requests
from server.store.attachments import MAX_BYTES, Upload
from server.store.requests import Report

Answer = str | Response | tuple[str, int]

FORM_BYTES = MAX_BYTES + 64 * 1024
SENDS_PER_MINUTE = 6  # of one address
LOOKS_PER_MINUTE = 60
OPEN_FOR_S = 12 * 3600  # a form left open over a shift still goes through
LIMITS = {"words": 4000, "name": 200, "contact": 200}


@takes_up_to(FORM_BYTES)
@own_csrf
@public
def report(token: str) -> Answer:
    """The form of one machine, and its sending."""
    refuse_flood("report.page", LOOKS_PER_MINUTE)
    with services().database.transaction() as session:
        link, asset = report_links.resolve(session, token)
    if request.method == "GET":
        return _form(link, asset, {}, None, 200)
    refuse_flood("report", SENDS_PER_MINUTE)
    try:
        status_token = _send(token, _read(link))
    except (Invalid, Problem) as error:
        if isinstance(error, Problem) and error.status not in {413, 415, 422}:
            raise
        return _form(link, asset, request.form, error.detail, 422)
    return redirect(url_for("web.report_status", status_token=status_token), 303)


def _form(link: ReportLink, asset: Asset, values: object, error: str | None, status: int) -> Answer:
    page = render_template(
        "report.html", asset=asset, values=values, error=error, form_token=_signer().dumps([link.id, secrets.token_urlsafe(16)])
    )
    return page, status


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="fault report")


def _read(link: ReportLink) -> Report:
    """What the form says; raises Invalid with words for the person."""
    if request.form.get("website"):
        raise Invalid("website", "filled", _("Leave the last field empty and send again."))
    key = _key(link, request.form.get("form_token", ""))
    texts = {name: request.form.get(name, "").strip() for name in LIMITS}
    if not texts["words"]:
        raise Invalid("words", "required", _("Say what is wrong."))
    for name, longest in LIMITS.items():
        if len(texts[name]) > longest or "\0" in texts[name]:
            raise Invalid(name, "length", _("One of the texts is too long."))
    severity = request.form.get("severity", "")
    if severity not in set(Feel):
        raise Invalid("severity", "unknown", _("Say how bad it is."))
    return Report(texts["words"], Feel(severity), texts["name"], texts["contact"], key)


def _key(link: ReportLink, form_token: str) -> str:
    try:
        link_id, key = _signer().loads(form_token, max_age=OPEN_FOR_S)
    except (BadSignature, ValueError) as error:
        raise Invalid("form_token", "old", _("This page was open for too long. Send again.")) from error
    if link_id != link.id:
        raise Invalid("form_token", "foreign", _("This page was open for too long. Send again."))
    return str(key)


def _send(token: str, told: Report) -> str:
    """Store report and picture together, or neither; the secret address of the report. The same form twice is one report."""
    at = services()
    photo = request.files.get("photo")
    with at.database.transaction() as session:
        link, asset = report_links.resolve(session, token)
        known = requests.by_key(session, link, told.key)
        if known is not None:
            return known.status_token
        row = requests.file_report(session, link, asset, told, at.clock())
        if photo is not None and photo.filename:
            requests.add_photo(session, row, Upload(photo.filename, photo.mimetype, photo.stream.read(MAX_BYTES + 1)), at.clock())
        return row.status_token


@own_csrf
@public
def status(status_token: str) -> Answer:
    """Thank-you and state of a report, for whoever has its address."""
    refuse_flood("report.page", LOOKS_PER_MINUTE)
    with services().database.transaction() as session:
        return render_template("report_status.html", told=requests.status_of(session, status_token))


def register(pages: Blueprint) -> None:
    """Add the routes to the blueprint of web/pages.py."""
    pages.add_url_rule("/report/<string(maxlength=64):token>", "report", report, methods=["GET", "POST"])
    pages.add_url_rule("/report/status/<string(maxlength=64):status_token>", "report_status", status)
