"""Signing in and out, changing and recovering the password: forms that post and redirect, without JavaScript; the contractor's page."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from server.auth import login, reset, session
from server.auth.guard import current_user, public, signed_in
from server.errors import Invalid
from server.problems import Problem

Answer = str | Response | tuple[str, int]


def safe_target(target: str) -> str | None:
    """A path of this server to go on to; None for anything that leaves it."""
    parts = urlsplit(target)
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return target if plain and "\\" not in target else None


@public
def log_in() -> Answer:
    """The one way in; wrong credentials show the form again with what to do."""
    if request.method == "GET":
        return render_template("login.html", error=None, employee_number="")
    number = request.form.get("employee_number", "").strip()
    try:
        user = login.authenticate(number, request.form.get("password", ""), request.remote_addr or "")
    except Problem as problem:
        return render_template("login.html", error=problem.detail, employee_number=number), problem.status
    if user is None:
        return render_template("login.html", error=_("Wrong employee number or password. Try again."), employee_number=number), 401
    session.log_in(user.id)
    return redirect(safe_target(request.args.get("next", "")) or url_for("web.overview"))


@signed_in
def log_out() -> Response:
    """End this session; a form with its token, so that no foreign page can do it."""
    session.log_out()
    return redirect(url_for("web.login"))


@signed_in
def change_password() -> Answer:
    """Own password; the first sign-in with a printed one ends here until it is changed."""
    if request.method == "GET":
        return render_template("password.html", error=None, done=False, active="account")
    new = request.form.get("new", "")
    if new != request.form.get("again", ""):
        return _password_refused(_("The two new passwords differ. Type them again."), 422)
    who = current_user().id
    try:
        login.change_password(who, request.form.get("old", ""), new, request.remote_addr or "")
    except Invalid as error:
        return _password_refused(_("The old password is not right.") if error.field == "old_password" else error.detail, 422)
    except Problem as problem:
        return _password_refused(problem.detail, problem.status)
    session.log_in(who)  # the change ended every login, this one too
    return render_template("password.html", error=None, done=True, active="account")


@public
def reset_password() -> Answer:
    """A forgotten password: ask for the mail; with its token, set a new one."""
    if request.method == "GET":
        token = request.args.get("token", "" if "code" in request.args else None)
        return render_template("reset.html", token=token, error=None, done=None)
    address = request.remote_addr or ""
    try:
        if "token" in request.form:
            return _finish_reset(address)
        reset.ask(request.form.get("who", "")[:200], address)
    except Problem as problem:
        return render_template("reset.html", token=request.form.get("token"), error=problem.detail, done=None), problem.status
    return render_template("reset.html", token=None, error=None, done="asked")


def _finish_reset(address: str) -> Answer:
    token, new = request.form["token"].strip(), request.form.get("new", "")
    error = _("The two new passwords differ. Type them again.") if new != request.form.get("again", "") else None
    if error is None:
        try:
            reset.finish(token, new, address)
        except Invalid as invalid:
            error = _("This link is not valid any more. Ask for a new mail.") if invalid.field == "token" else invalid.detail
    if error is not None:
        return render_template("reset.html", token=token, error=error, done=None), 422
    return render_template("reset.html", token=None, error=None, done="set")


@public
def contract(token: str) -> Answer:
    """One order for someone from outside; the page asks the API with the link's token, which alone decides."""
    del token
    return render_template("contract.html")


def _password_refused(error: str, status: int) -> tuple[str, int]:
    return render_template("password.html", error=error, done=False, active="account"), status


def register(pages: Blueprint) -> None:
    """Add the routes to the blueprint of web/pages.py."""
    pages.add_url_rule("/login", "login", log_in, methods=["GET", "POST"])
    pages.add_url_rule("/logout", "logout", log_out, methods=["POST"])
    pages.add_url_rule("/account/reset", "reset", reset_password, methods=["GET", "POST"])
    pages.add_url_rule("/contract/<string(maxlength=64):token>", "contract", contract)
    pages.add_url_rule("/account/password", "password", change_password, methods=["GET", "POST"])
