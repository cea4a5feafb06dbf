"""From a cookie or a token to a Principal, always by the user's row of now: a deactivated user is out at the next request."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.auth import activity, device_tokens, jwt_tokens
from server.auth.principal import FIRST_ADMIN, Kind, Login, Principal, narrowed
from server.auth.revocation import revoked
from server.models.feed import DeviceToken
from server.models.people import ContractorLink, User
from server.problems import unauthorized
from server.rules.roles import GRANTED, rights_of

_DEVICE_KINDS: dict[str, Kind] = {"paired": "paired", "ingest": "ingest", "api": "api"}
USED_EVERY = timedelta(minutes=1)  # `last_used_at` is written no more often


def of_user(user: User, kind: Kind = "user", *, login: Login | None = None, token_id: int | None = None) -> Principal:
    """The principal of a person, through a token of the given kind. What an admin gave them holds at their own login only."""
    own = rights_of(user.role_of)
    if kind == "user":
        own |= GRANTED & frozenset(user.granted)
    return Principal(
        id=user.id,
        name=user.name,
        role=user.role,
        rights=narrowed(kind, own),
        site_id=user.site_id,
        kind=kind,
        employee_number=user.employee_number,
        language=user.language,
        token_id=token_id,
        login=login,
        must_change_password=user.must_change_password,
        printed_password=user.employee_number == FIRST_ADMIN and user.session_epoch == 0,  # any later one raised the epoch
    )


def by_login(session: Session, user_id: int, login: Login, now: datetime) -> Principal | None:
    """The person behind a cookie or JWT; None when the login has ended in any way."""
    found = session.execute(select(User, revoked(login.id), activity.last_act(login.id)).where(User.id == user_id)).one_or_none()
    if found is None or found[1]:
        return None
    user: User = found[0]
    if not user.active or user.session_epoch != login.epoch or login.expires_at + jwt_tokens.LEEWAY_S < now.timestamp():
        return None
    return None if activity.is_idle(found[2], user.role, now) else of_user(user, login=login)


def by_bearer(session: Session, token: str, key: bytes, now: datetime) -> Principal:
    """The principal of an Authorization header's token, JWT or opaque; raises Problem 401."""
    if token.startswith(device_tokens.CONTRACT_PREFIX):
        found = by_link(session, token, now)
    elif token.count(".") != 2:  # no JWT
        row = device_tokens.live_token(session, token, now)
        found = None if row is None else _of_device(session, row)
        if row is not None:
            _note_use(row, now)
    else:
        claims = jwt_tokens.decode(token, key, now)
        found = by_login(session, claims.user_id, claims.login, now)
    if found is None:
        raise unauthorized("the token is not valid or has ended")
    return found


def by_link(session: Session, token: str, now: datetime) -> Principal | None:
    """The contractor behind a link's token, seeing one order; None when the link has ended or was revoked."""
    link = device_tokens.live_link(session, token, now)
    if link is None:
        return None
    _note_use(link, now)
    made = of_user(session.get_one(User, link.user_id), "contractor", token_id=link.id)
    rights = made.rights if link.may_work else frozenset({"contract.read"})
    return replace(made, rights=rights, order_id=link.order_id)


def still_valid(session: Session, principal: Principal, now: datetime) -> bool:
    """True while what the principal came in with still counts; asked for open sockets."""
    if principal.token_id is not None:
        row = session.get(DeviceToken, principal.token_id)
        return row is not None and device_tokens.is_live(row, now) and _of_device(session, row) is not None
    return principal.login is not None and by_login(session, principal.id, principal.login, now) is not None


def _note_use(row: DeviceToken | ContractorLink, now: datetime) -> None:
    if row.last_used_at is None or now - row.last_used_at >= USED_EVERY:
        row.last_used_at = now


def _of_device(session: Session, row: DeviceToken) -> Principal | None:
    kind = _DEVICE_KINDS[row.kind]
    if kind == "ingest":
        return Principal(
            id=row.id, name=row.name, role=None, rights=narrowed(kind, frozenset()), site_id=row.site_id, kind=kind, token_id=row.id
        )
    user = session.get(User, row.user_id) if row.user_id is not None else None
    if user is None or not user.active:
        return None
    made = of_user(user, kind, token_id=row.id)
    if kind == "api" and row.scopes:  # keys from before scopes have none: all rights of their user
        scope = frozenset(row.scopes)
        return replace(made, scope=scope, rights=made.rights & scope)
    return made
