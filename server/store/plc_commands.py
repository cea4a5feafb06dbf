"""Rows of guarded writes: asked for, confirmed, ended. Each step leaves its audit row in the same transaction; nothing here commits."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plc.addressing.write_list import WriteEntry
from realtime.plc_writes import WriteResult
from server import audit
from server.errors import Conflict, NotFound
from server.models.plant import Asset
from server.models.plc_commands import PlcCommand
from server.rules import plc_commands as rules
from server.rules.plc_commands import CommandState
from server.store.actor import SYSTEM, Actor, Person, sees_site
from server.store.page import Page, ordering, page_of

ONE_AT_A_TIME = 0x504C43  # advisory lock: requests and confirmations follow one another
NOBODY = Actor(None, "nobody", None, None)
SHOWN = (
    "id", "entry", "source", "tag", "label", "effect", "mode", "pulse_ms", "value", "reason", "detail", "refusal", "present",
    "present_quality", "old", "new", "requested_by", "confirmed_by", "rev",
)  # fmt: skip

SORTS = {"id": PlcCommand.id, "requested_at": PlcCommand.requested_at, "state": PlcCommand.state, "tag": PlcCommand.tag}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for; present: (t, value, quality) of the tag as the history last had it."""

    entry: WriteEntry
    value: float
    reason: str
    digest: str
    present: tuple[datetime, float | None, int] | None


def lock(session: Session) -> None:
    """Wait for whoever asks or confirms right now."""
    session.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))


def get(session: Session, command_id: int, user: Person, *, for_change: bool = False) -> PlcCommand:
    """A visible command; raises NotFound."""
    query = select(PlcCommand).where(PlcCommand.id == command_id)
    row = session.scalars(query.with_for_update() if for_change else query).one_or_none()
    if row is None or not sees_site(user, row.site_id):
        raise NotFound("command", command_id)
    return row


def list_commands(session: Session, user: Person, which: Mapping[str, Any]) -> Page[Any]:
    """Commands of the caller's site, newest first unless `sort` says otherwise; raises Invalid."""
    query = select(PlcCommand)
    if user.site_id is not None:
        query = query.where(PlcCommand.site_id == user.site_id)
    if which.get("state"):
        query = query.where(PlcCommand.state == which["state"])
    return page_of(session, query, ordering(which["sort"], SORTS, "-id"), which["limit"], which["offset"])


def request(session: Session, asked: Asked, asset: Asset, by: Person, now: datetime) -> PlcCommand:
    """A new request with its one nonce; raises Conflict while another write to the same PLC is under way."""
    lock(session)
    for other in session.scalars(_under_way(asked.entry.source, now).with_for_update()):
        if other.state != CommandState.REQUESTED or other.requested_by_id != by.id:
            raise Conflict("busy", f"{other.requested_by} writes to {other.source} right now; try again in half a minute")
        _end(session, other, CommandState.EXPIRED, "asked anew", by, now)
    present = asked.present or (None, None, None)
    entry = asked.entry
    row = PlcCommand(
        site_id=asset.site_id,
        asset_id=asset.id,
        entry=entry.name,
        digest=asked.digest,
        value=asked.value,
        reason=asked.reason,
        state=str(CommandState.REQUESTED),
        present_at=present[0],
        present=present[1],
        present_quality=present[2],
        nonce=secrets.token_urlsafe(16),
        requested_by_id=by.id,
        requested_by=by.name,
        requested_at=now,
        expires_at=now + rules.CONFIRM_WITHIN,
        **{name: getattr(entry, name) for name in ("source", "tag", "address", "label", "effect", "is_critical", "mode", "pulse_ms")},
    )
    session.add(row)
    session.flush()
    new = {"entry": row.entry, "tag": row.tag, "address": row.address, "value": row.value, "present": row.present}
    audit.record(session, audit.Change("request", "plc_command", row.id, row.site_id, None, new, row.reason), by, now)
    return row


def _under_way(source: str, now: datetime) -> Any:
    waiting = (PlcCommand.state == str(CommandState.REQUESTED)) & (PlcCommand.expires_at >= now)
    return select(PlcCommand).where(PlcCommand.source == source, waiting | (PlcCommand.state == str(CommandState.SENT)))


def check_confirm(row: PlcCommand, nonce: str, by: Person, now: datetime) -> None:
    """State, person and nonce of a confirmation; raises Conflict, Forbidden."""
    rules.check_confirmer(row.requested_by_id, by.id or 0, is_critical=row.is_critical)
    rules.check_confirmable(rules.shown(CommandState(row.state), row.expires_at, now))
    if row.nonce is None or not hmac.compare_digest(row.nonce.encode(), nonce.encode()):
        raise Conflict("nonce", "this is not what was shown when the write was asked for; ask again")


def wait_s(session: Session, source: str, now: datetime) -> float:
    """Seconds until the rate lets the next write leave; call it with the lock held."""
    last = session.scalar(select(func.max(PlcCommand.sent_at)).where(PlcCommand.source == source))
    recent = session.scalar(select(func.count()).select_from(PlcCommand).where(PlcCommand.sent_at > now - timedelta(seconds=60))) or 0
    return rules.wait_s(last, recent, now)


def mark_sent(session: Session, row: PlcCommand, by: Person, now: datetime) -> None:
    """It is about to be sent: this row of the trail is committed before anything leaves."""
    row.state, row.nonce = str(CommandState.SENT), None
    row.confirmed_by_id, row.confirmed_by, row.sent_at = by.id, by.name, now
    row.rev += 1
    new = {"entry": row.entry, "tag": row.tag, "address": row.address, "value": row.value, "requested_by": row.requested_by}
    audit.record(session, audit.Change("send", "plc_command", row.id, row.site_id, {"value": row.present}, new, row.reason), by, now)


def refuse(session: Session, command_id: int | None, what: Mapping[str, Any], by: Person, now: datetime) -> None:
    """A refused try: audited, and a request that its own person failed to confirm is over. what: reason and detail among others."""
    row = session.get(PlcCommand, command_id, with_for_update=True) if command_id else None
    seen = row is not None and sees_site(by, row.site_id)
    audit.record(session, audit.Change("refuse", "plc_command", command_id if seen else None, by.site_id, None, what), by, now)
    if row is None or not seen or row.state != CommandState.REQUESTED or what["reason"] in {"not_yours", "second_person", "wrong_password"}:
        return
    row.refusal = str(what["reason"])[:64]
    state = CommandState.EXPIRED if row.refusal == "expired" else CommandState.REFUSED
    row.state, row.detail, row.nonce, row.ended_at = str(state), str(what["detail"]), None, now
    row.rev += 1


def _end(session: Session, row: PlcCommand, state: CommandState, detail: str, by: Person, now: datetime) -> None:
    old = {"state": row.state, "value": row.old}
    row.state, row.detail, row.nonce, row.ended_at = str(state), detail[:2000], None, now
    row.rev += 1
    new = {"state": row.state, "value": row.new, "tag": row.tag, "wanted": row.value, "refusal": row.refusal, "detail": row.detail}
    audit.record(session, audit.Change(str(state), "plc_command", row.id, row.site_id, old, new, row.reason), by, now)


def never_sent(session: Session, command_id: int, detail: str, now: datetime) -> None:
    """The bus was away: nothing has left."""
    row = session.get_one(PlcCommand, command_id, with_for_update=True)
    row.refusal = "bus_away"
    _end(session, row, CommandState.REFUSED, detail, SYSTEM, now)


def fold_result(session: Session, result: WriteResult, now: datetime) -> PlcCommand | None:
    """What plc/commands.py says came of an order; told twice it changes nothing twice. None where it concerns no row."""
    row = session.get(PlcCommand, result.id, with_for_update=True)
    final = {"written": CommandState.WRITTEN, "refused": CommandState.REFUSED, "unknown": CommandState.UNKNOWN}.get(result.outcome)
    if row is None or final is None:
        action = "reset" if result.outcome == "reset" else "refuse"
        new = {"entry": result.entry, "outcome": result.outcome, "reason": result.reason, "detail": result.detail}
        change = audit.Change(action, "plc_command", row.id if row else None, row.site_id if row else None, None, new)
        audit.record(session, change, NOBODY if result.outcome == "forged" else SYSTEM, now)
        return row
    if row.state not in {CommandState.SENT, CommandState.UNKNOWN} or (row.ended_at is not None and row.state == final):
        return None
    row.old, row.new, row.refusal = result.old, result.new, result.reason or None
    _end(session, row, final, result.detail, SYSTEM, now)  # the trail's old value is the one read from the PLC
    return row


def run_out(session: Session, now: datetime) -> list[PlcCommand]:
    """Close what nobody confirmed, and what nobody answered: those are returned, nobody knows what the PLC holds."""
    waiting = select(PlcCommand).where(PlcCommand.state == str(CommandState.REQUESTED), PlcCommand.expires_at < now)
    for row in session.scalars(waiting.with_for_update(skip_locked=True)):
        _end(session, row, CommandState.EXPIRED, "nobody confirmed it in time", SYSTEM, now)
    silent = select(PlcCommand).where(PlcCommand.state == str(CommandState.SENT), PlcCommand.sent_at < now - rules.ANSWER_WITHIN)
    rows = list(session.scalars(silent.with_for_update(skip_locked=True)))
    for row in rows:
        row.refusal = "no_word"
        _end(session, row, CommandState.UNKNOWN, "the program that writes has not said what came of it", SYSTEM, now)
    return rows
