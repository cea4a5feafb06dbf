"""Tokens of devices and API keys of people: made once, listed, revoked. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from server import audit
from server.auth import device_tokens
from server.auth.principal import Principal
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.feed import DeviceToken
from server.rules.roles import GRANTED
from server.store.page import Page, ordering, page_of

KEYS_AT_MOST = 50  # live API keys of one person
SORTS = {name: getattr(DeviceToken, name) for name in ("id", "kind", "name", "created_at", "expires_at", "last_used_at")}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token is for; days None = until revoked, scopes of an API key: rights of its user."""

    kind: str
    name: str
    days: int | None
    scopes: tuple[str, ...] = ()


def make(session: Session, wanted: Wanted, by: Principal, now: datetime) -> tuple[DeviceToken, str]:
    """A token and its secret, which nobody can read again. Raises Forbidden, Invalid, Conflict."""
    if by.kind != "user":
        raise Forbidden("sign_in", "a token cannot make tokens; sign in")
    if wanted.kind == "api":
        _check_key(session, wanted, by, now)
    secret = device_tokens.new_secret()
    row = DeviceToken(
        token_hash=device_tokens.digest(secret),
        kind=wanted.kind,
        name=wanted.name,
        user_id=by.id if wanted.kind == "api" else None,
        site_id=by.site_id,
        scopes=sorted(wanted.scopes),
        created_at=now,
        expires_at=now + timedelta(days=wanted.days) if wanted.days else None,
    )
    session.add(row)
    session.flush()
    new = {"kind": row.kind, "name": row.name, "scopes": row.scopes, "expires_at": row.expires_at}
    audit.record(session, audit.Change("create", "device_token", row.id, row.site_id, None, new), by, now)
    return row, secret


def _check_key(session: Session, wanted: Wanted, by: Principal, now: datetime) -> None:
    if not wanted.scopes:
        raise Invalid("scopes", "required", "name the rights that the key shall have")
    lacking = set(wanted.scopes) - (by.rights - GRANTED)  # what was given to a person is not passed on
    if lacking:
        raise Invalid("scopes", "not_yours", f"you do not have {', '.join(sorted(lacking))}")
    if (session.scalar(select(func.count()).select_from(_keys(by.id, now).subquery())) or 0) >= KEYS_AT_MOST:
        raise Conflict("too_many", f"{KEYS_AT_MOST} keys at most; revoke one first")


def _keys(user_id: int, now: datetime) -> Select[DeviceToken]:
    query = select(DeviceToken).where(DeviceToken.user_id == user_id, DeviceToken.kind == "api", DeviceToken.revoked_at.is_(None))
    return query.where(DeviceToken.expires_at.is_(None) | (DeviceToken.expires_at > now))


def page_of_keys(session: Session, user_id: int, now: datetime, page: Mapping[str, Any]) -> Page[DeviceToken]:
    """Live API keys of a person, newest first unless told otherwise."""
    return page_of(session, _keys(user_id, now), ordering(page["sort"], SORTS, "-id"), page["limit"], page["offset"])


def of_site(session: Session, site_id: int | None, kind: str | None, page: Mapping[str, Any]) -> Page[DeviceToken]:
    """Tokens of a site that are not revoked, paired devices and people's keys included, newest first unless told otherwise."""
    query = select(DeviceToken).where(DeviceToken.site_id == site_id, DeviceToken.revoked_at.is_(None))
    if kind is not None:
        query = query.where(DeviceToken.kind == kind)
    return page_of(session, query, ordering(page["sort"], SORTS, "-id"), page["limit"], page["offset"])


def get_token(session: Session, token_id: int, by: Principal) -> DeviceToken:
    """A token of the caller's site, locked; raises NotFound."""
    row = session.get(DeviceToken, token_id, with_for_update=True)
    if row is None or row.site_id != by.site_id:
        raise NotFound("token", token_id)
    return row


def own_key(session: Session, token_id: int, by: Principal) -> DeviceToken:
    """An API key of the caller's own, locked; raises NotFound."""
    row = session.get(DeviceToken, token_id, with_for_update=True)
    if row is None or row.kind != "api" or row.user_id != by.id:
        raise NotFound("API key", token_id)
    return row


def revoke(session: Session, row: DeviceToken, by: Principal, now: datetime) -> None:
    """End a token; a second time changes nothing."""
    if row.revoked_at is not None:
        return
    row.revoked_at = now
    old: dict[str, Any] = {"revoked_at": None}
    audit.record(session, audit.Change("revoke", "device_token", row.id, row.site_id, old, {"revoked_at": now}), by, now)
