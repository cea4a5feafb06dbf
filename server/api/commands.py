"""Guarded writes to PLCs (S0-36): what may be written, asking, confirming, stopping. A person's own browser session only; off by default.

Nothing here writes: a confirmed order goes to plc/commands.py, which checks it again. Every try is audited, refused ones too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import marshmallow as ma
from flask import Response, g, jsonify, request
from sqlalchemy.orm import Session

from realtime import historian
from realtime.errors import BusUnavailable, SightlineError
from realtime.snapshot import Tag
from server import audit, plc_writes
from server.api.blueprint import Number, Page, collection, resource, text
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, every_try, in_browser, right
from server.auth.login import authenticate
from server.errors import Conflict, Invalid, NotFound
from server.models.plc_commands import PlcCommand, PlcStop
from server.plant import plant
from server.problems import Problem, from_error, too_many
from server.rules import plc_commands as rules
from server.rules.plc_commands import CommandState
from server.services import services
from server.store import assets, interlocks, plc_commands
from server.timestamps import from_ms, rfc3339

blueprint = resource("commands", "Guarded writes to PLCs")
STATES = [str(state) for state in CommandState]


class CommandsQuery(Page):
    """Which commands."""

    state = ma.fields.String(validate=ma.validate.OneOf(STATES))


class NewCommand(ma.Schema):
    """What to write, why, and one's own password once more."""

    entry = text(200, required=True, metadata={"description": "name in the allow-list"})
    value = Number(required=True, metadata={"description": "1 and 0 for a bit"})
    reason = text(500, shortest=3, required=True)
    password = text(256, required=True, load_only=True)


class Confirmation(ma.Schema):
    """The nonce of the request; a second person's own password where one confirms a critical write."""

    nonce = text(64, required=True)
    password = text(256, load_default=None, allow_none=True, load_only=True)


class Why(ma.Schema):
    """Why."""

    reason = text(500, shortest=3, required=True)


def _body(row: PlcCommand, *, nonce: bool = False) -> dict[str, Any]:
    at = services().clock()
    state = rules.shown(CommandState(row.state), row.expires_at, at)
    times = ("present_at", "requested_at", "expires_at", "sent_at", "ended_at")
    shown = {
        **{name: getattr(row, name) for name in plc_commands.SHOWN},
        **{name: rfc3339(getattr(row, name)) for name in times},
        "state": str(state),
        "class": "critical" if row.is_critical else "normal",
        "seconds_left": max(0.0, (row.expires_at - at).total_seconds()) if state is CommandState.REQUESTED else 0.0,
    }
    return {**shown, "nonce": row.nonce} if nonce else shown


def _audited(what: dict[str, Any], command_id: int | None, deed: Callable[[], Response]) -> Response:
    """Do it; a refusal is written down in a transaction of its own before it is answered."""
    try:
        return deed()
    except SightlineError as error:
        problem = from_error(error)
        at = services()
        with at.database.transaction() as session:
            told = {**what, "reason": getattr(error, "code", problem.code), "detail": problem.detail}
            plc_commands.refuse(session, command_id, told, current_user(), at.clock())
        g.try_audited = True
        raise


def _check_password(password: str | None) -> None:
    """The caller's own, typed now; raises Problem 403, and 429 after too many tries."""
    who = current_user()
    found = authenticate(who.employee_number, password or "", request.remote_addr or "")
    if found is None or found.id != who.id:
        raise Problem(403, "wrong_password", "this is not your password")


def _own_tag(name: str, machine: str) -> Tag:
    """The tag of an entry, where it is of the caller's site and of the machine that the list names; raises Conflict."""
    known = plant()
    tag = known.tags.get(name)
    if tag is None or not known.is_of_site(tag, current_user().site_id) or known.assets[tag.asset].code != machine:
        raise Conflict("not_listed", "the allow-list names no such write")
    return tag


def _present(tag: Tag) -> tuple[Any, float | None, int] | None:
    with services().database.raw() as connection:
        found = historian.latest(connection, [tag.id]).get(tag.id)
    return None if found is None else (from_ms(found[0]), found[1], found[2])


@blueprint.route("/commands")
@blueprint.arguments(CommandsQuery, location="query")
@blueprint.response(200, Collection)
@right("plc.read")
def list_commands(query: dict[str, Any]) -> Response:
    """Writes that were asked for at the caller's site, newest first."""
    with services().database.transaction() as session:
        page = plc_commands.list_commands(session, current_user(), query)
        return jsonify(collection([_body(row) for row in page.items], page.total, query))


@blueprint.route("/commands/targets")
@blueprint.response(200, Body)
@right("plc.read")
def list_targets() -> Response:
    """What the allow-list lets people of this site write, and whether anything is written at all."""
    at = services()
    desk = plc_writes.read(at)
    items = []
    for entry in desk.listed.entries.values() if desk.listed else ():
        try:
            tag = _own_tag(entry.tag, entry.machine)
        except Conflict:
            continue
        shown = {name: getattr(entry, name) for name in ("name", "machine", "source", "tag", "type", "label", "effect", "mode", "pulse_ms")}
        limits = {"values": list(entry.values)} if entry.values else {"low": entry.low, "high": entry.high}
        source = desk.listed.sources[entry.source] if desk.listed else None
        items.append(
            {
                **shown,
                **limits,
                "class": "critical" if entry.is_critical else "normal",
                "only_if": [str(one) for one in entry.conditions],
                "enabled": bool(source and source.enabled),
                "unit": tag.unit,
                "tag_id": tag.id,
            }
        )
    with at.database.transaction() as session:
        stopped = plc_writes.why_stopped(at, session)
        by_page = plc_writes.open_stop(session) is not None
    state = {"off": desk.why_off, "weakness": desk.weakness, "stopped": stopped, "stopped_by_page": by_page}
    return jsonify(**state, running=plc_writes.is_running(at), may_write=current_user().may("plc.write"), items=items)


@blueprint.route("/commands/<id:command_id>")
@blueprint.response(200, Body)
@right("plc.read")
def get_command(command_id: int) -> Response:
    """One of them; its nonce too for a second person who may confirm it, in their own browser session."""
    with services().database.transaction() as session:
        who = current_user()
        row = plc_commands.get(session, command_id, who)
        second = row.is_critical and row.requested_by_id != who.id and who.may("plc.write") and bool(g.by_cookie)
        return jsonify(_body(row, nonce=second))


@blueprint.route("/commands", methods=["POST"])
@blueprint.arguments(NewCommand)
@blueprint.response(201, Body)
@right("plc.write")
@in_browser
def ask(body: dict[str, Any]) -> Response:
    """Ask for a write: shows label, present value and effect with a nonce that confirms it within 30 s. Nothing is written yet."""
    what = {"try": "request", "entry": body["entry"], "value": body["value"], "why": body["reason"]}
    return _audited(what, None, lambda: _ask(body))


def _ask(body: dict[str, Any]) -> Response:
    at, who = services(), current_user()
    _check_password(body["password"])
    desk = plc_writes.read(at)
    entry, _source = desk.entry(body["entry"])
    tag = _own_tag(entry.tag, entry.machine)
    if not entry.allows(body["value"]):
        raise Invalid("value", "not_allowed", "the allow-list does not allow this value")
    present = _present(tag)
    assert desk.listed is not None
    asked = plc_commands.Asked(entry, body["value"], body["reason"], desk.listed.digest, present)
    with at.database.transaction() as session:
        now = at.clock()
        plc_writes.check_may_write(at, session)
        asset = assets.get_asset(session, tag.asset, who)
        interlocks.check_free(session, asset, now)
        row = plc_commands.request(session, asked, asset, who, now)
        answer = jsonify(_body(row, nonce=not row.is_critical))
    answer.status_code = 201
    answer.headers["Location"] = f"/api/commands/{row.id}"
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.route("/commands/<id:command_id>/confirm", methods=["POST"])
@blueprint.arguments(Confirmation)
@blueprint.response(202, Body)
@right("plc.write")
@in_browser
def confirm(body: dict[str, Any], command_id: int) -> Response:
    """Confirm a request with its nonce: everything is checked again, then it is sent, once. What came of it is in the command's state."""
    return _audited({"try": "confirm", "command": command_id}, command_id, lambda: _confirm(body, command_id))


def _confirm(body: dict[str, Any], command_id: int) -> Response:
    at, who = services(), current_user()
    with at.database.transaction() as session:
        is_second = plc_commands.get(session, command_id, who).requested_by_id != who.id
    if is_second:
        _check_password(body["password"])
    desk = plc_writes.read(at)
    with at.database.transaction() as session:
        plc_commands.lock(session)
        now = at.clock()
        row = plc_commands.get(session, command_id, who, for_change=True)
        plc_commands.check_confirm(row, body["nonce"], who, now)
        _check_again(session, row, desk)
        plc_commands.mark_sent(session, row, who, now)
    try:
        plc_writes.send(at, row)
    except BusUnavailable as error:
        with at.database.transaction() as session:
            plc_commands.never_sent(session, command_id, str(error), at.clock())
        raise
    answer = jsonify(_body(row))
    answer.status_code = 202
    return answer


def _check_again(session: Session, row: PlcCommand, desk: plc_writes.Desk) -> None:
    """All that was checked when it was asked for, as it is now; raises Conflict, and Problem 429 for the rate."""
    at = services()
    entry, _source = desk.entry(row.entry)
    if desk.listed is None or desk.listed.digest != row.digest or not entry.allows(row.value):
        raise Conflict("list_changed", "the allow-list has changed since this was asked for; ask again")
    asset = assets.lock_asset(session, row.asset_id)  # who starts work on it waits for us, or we for them
    if asset is None:
        raise NotFound("asset", row.asset_id)
    plc_writes.check_may_write(at, session)
    interlocks.check_free(session, asset, at.clock())
    wait_s = plc_commands.wait_s(session, row.source, at.clock())
    if wait_s:
        raise too_many("rate", f"one write a second to a PLC, {rules.MOST_A_MINUTE} a minute in all", wait_s)


@blueprint.route("/commands/stop", methods=["POST"])
@blueprint.arguments(Why)
@blueprint.response(200, Body)
@right("plc.stop")
@every_try
def stop(body: dict[str, Any]) -> Response:
    """Stop every write to every PLC, at once, until an admin lets it go on. Whoever works here may."""
    at, who = services(), current_user()
    with at.database.transaction() as session:
        plc_commands.lock(session)
        row = plc_writes.open_stop(session)
        if row is None:
            row = PlcStop(stopped_by=who.name, reason=body["reason"], stopped_at=at.clock())
            session.add(row)
            session.flush()
            audit.record(session, audit.Change("stop", "plc_stop", row.id, None, None, {}, body["reason"]), who, at.clock())
        answer = {"stopped": True, "by": row.stopped_by, "reason": row.reason, "at": rfc3339(row.stopped_at)}
    plc_writes.tell_stop(at, stopped=True)
    return jsonify(answer)


@blueprint.route("/commands/release", methods=["POST"])
@blueprint.arguments(Why)
@blueprint.response(200, Body)
@right("plc.release")
@in_browser
def release(body: dict[str, Any]) -> Response:
    """Let writing go on after a stop by page; a stop by file is lifted on the server itself."""
    at, who = services(), current_user()
    plc_writes.tell_stop(at, stopped=False)
    with at.database.transaction() as session:
        plc_commands.lock(session)
        row = plc_writes.open_stop(session)
        if row is not None:
            row.released_by, row.released_at = who.name, at.clock()
            old = {"stopped_by": row.stopped_by, "reason": row.reason}
            audit.record(session, audit.Change("release", "plc_stop", row.id, None, old, {}, body["reason"]), who, at.clock())
            session.flush()
        left = plc_writes.why_stopped(at, session)
    return jsonify(stopped=bool(left), reason=left)
