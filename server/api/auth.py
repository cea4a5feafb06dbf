"""Login, the caller's own account, and tokens of devices (S2-117, S2-118)."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, current_app, jsonify, request

from server.api.blueprint import resource, text
from server.api.schemas import Body
from server.auth import login, reset
from server.auth.guard import current_user, public, signed_in
from server.auth.principal import Principal
from server.auth.session import end_login
from server.models.people import User
from server.problems import Problem
from server.rules.roles import rights_of

blueprint = resource("auth", "Login and the caller's own account")


class Credentials(ma.Schema):
    """What a person knows."""

    employee_number = text(64, required=True)
    password = text(1024, required=True, load_only=True)


class PasswordChange(ma.Schema):
    """The old and the new password."""

    old_password = text(1024, required=True, load_only=True)
    password = text(1024, required=True, load_only=True)


class ResetRequest(ma.Schema):
    """Whose password was forgotten: an employee number or an e-mail address."""

    who = text(200, required=True)


class NewPassword(ma.Schema):
    """The token of the mail and the new password."""

    token = text(200, required=True, load_only=True)
    password = text(1024, required=True, load_only=True)


class Access(ma.Schema):
    """An access token for one shift."""

    access_token = ma.fields.String()
    token_type = ma.fields.String()
    expires_in = ma.fields.Integer()
    user = ma.fields.Nested(Body)


def user_body(user: User) -> dict[str, Any]:
    """A person as their own account shows them."""
    return {
        "id": user.id,
        "employee_number": user.employee_number,
        "name": user.name,
        "role": user.role,
        "rights": sorted(rights_of(user.role_of)),
        "site": user.site_id,
        "language": user.language,
        "must_change_password": user.must_change_password,
    }


def _principal_body(principal: Principal) -> dict[str, Any]:
    return {
        "id": principal.id,
        "employee_number": principal.employee_number,
        "name": principal.name,
        "role": principal.role,
        "rights": sorted(principal.rights),
        "site": principal.site_id,
        "language": principal.language,
        "must_change_password": principal.must_change_password,
    }


def client_address() -> str:
    """Where the caller connects from; a proxy is believed only where PROXY_HOPS says that one stands in front."""
    return request.remote_addr or "unknown"


@blueprint.route("/auth/login", methods=["POST"])
@blueprint.arguments(Credentials)
@blueprint.response(200, Access)
@public
def log_in(body: dict[str, str]) -> Response:
    """Employee number and password for a bearer token of one shift."""
    user = login.authenticate(body["employee_number"], body["password"], client_address())
    if user is None:
        raise Problem(401, "wrong_credentials", "employee number or password is wrong", headers={"WWW-Authenticate": "Bearer"})
    token, seconds = login.access_token(user, current_app.extensions["sightline.jwt_key"])
    answer = jsonify(access_token=token, token_type="Bearer", expires_in=seconds, user=user_body(user))  # noqa: S106 - the scheme
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.route("/auth/me")
@blueprint.response(200, Body)
@signed_in
def me() -> Response:
    """Who the caller is and what they may do."""
    return jsonify(_principal_body(current_user()))


@blueprint.route("/auth/logout", methods=["POST"])
@blueprint.response(204)
@signed_in
def log_out() -> Response:
    """End this login for good; its token or cookie is refused from now on."""
    end_login(current_user())
    return Response(status=204)


@blueprint.route("/auth/password", methods=["POST"])
@blueprint.arguments(PasswordChange)
@blueprint.response(204)
@signed_in
def change_password(body: dict[str, str]) -> Response:
    """Change the caller's password; every login of theirs ends."""
    login.change_password(current_user().id, body["old_password"], body["password"], client_address())
    return Response(status=204)


@blueprint.route("/auth/password-reset", methods=["POST"])
@blueprint.arguments(ResetRequest)
@blueprint.response(202)
@public
def ask_reset(body: dict[str, str]) -> Response:
    """Mail a link to a new password, for 30 minutes and one use; the answer is the same whether the person exists."""
    reset.ask(body["who"], client_address())
    return Response(status=202)


@blueprint.route("/auth/password-reset/confirm", methods=["POST"])
@blueprint.arguments(NewPassword)
@blueprint.response(204)
@public
def finish_reset(body: dict[str, str]) -> Response:
    """Set the new password with the mail's token; every login of the person ends."""
    reset.finish(body["token"], body["password"], client_address())
    return Response(status=204)
