"""Pairing of a headset or phone with a person (AR_FEED.md 3, RFC 8628 shape): codes, approval, tokens.

A device asks, a signed-in person approves on a second screen, the device fetches its token once. Nothing here commits.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.auth import device_tokens
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.feed import DeviceToken, Pairing
from server.models.people import User
from server.store.actor import Person, has

CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels: a code never spells a word
CODE_LENGTH = 8
LIVES = timedelta(minutes=10)
INTERVAL_S = 3
SHIFT = timedelta(hours=12)  # how long a paired token lives
WAITING_AT_MOST = 200  # pending pairings of the whole instance: codes stay unguessable and the table small


class PairingRefused(Exception):
    """The token endpoint's answer while there is no token: `code` is RFC 8628's word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Opened:
    """What a device is told when it asks; the device code is shown to it alone and stored hashed."""

    device_code: str
    user_code: str


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, shown once."""

    token: str
    expires_at: datetime
    user: User
    device: DeviceToken


def readable(code: str) -> str:
    """`KWMTPLRD` as people read it: `KWMT-PLRD`."""
    return f"{code[:4]}-{code[4:]}"


def normal(code: str) -> str:
    """A code as typed, without dash, blanks and case; raises Invalid when it cannot be one."""
    letters = re.sub(r"[\s-]", "", code).upper()
    if len(letters) != CODE_LENGTH or any(letter not in CONSONANTS for letter in letters):
        raise Invalid("user_code", "not_a_code", f"a pairing code is {CODE_LENGTH} consonants, like KWMT-PLRD")
    return letters


def ask(session: Session, *, kind: str, name: str, place: str, now: datetime) -> Opened:
    """Open a pairing for a device; raises Conflict `too_many` when too many wait already."""
    waiting = session.scalar(select(func.count()).where(Pairing.state == "pending", Pairing.expires_at > now)) or 0
    if waiting >= WAITING_AT_MOST:
        raise Conflict("too_many", "too many devices wait to be paired; try again in ten minutes")
    code = "".join(secrets.choice(CONSONANTS) for _ in range(CODE_LENGTH))
    device_code = secrets.token_urlsafe(32)
    session.add(
        Pairing(
            device_code_hash=device_tokens.digest(device_code),
            user_code=code,
            kind=kind,
            name=name,
            place=place,
            created_at=now,
            expires_at=now + LIVES,
        )
    )
    session.flush()
    return Opened(device_code, readable(code))


def fetch(session: Session, device_code: str, now: datetime) -> Granted:
    """The token of an approved pairing, once; raises PairingRefused with RFC 8628's word otherwise."""
    row = session.scalars(
        select(Pairing).where(Pairing.device_code_hash == device_tokens.digest(device_code)).with_for_update()
    ).one_or_none()
    if row is None or row.state in {"used", "locked"} or row.expires_at <= now:
        raise PairingRefused("expired_token")
    if row.state == "denied":
        raise PairingRefused("access_denied")
    too_soon = row.polled_at is not None and (now - row.polled_at).total_seconds() < INTERVAL_S * 0.8
    row.polled_at = now
    if row.state == "pending":
        raise PairingRefused("slow_down" if too_soon else "authorization_pending")
    return _grant(session, row, now)


def _grant(session: Session, row: Pairing, now: datetime) -> Granted:
    user = session.get(User, row.user_id)
    if user is None or not user.active:
        raise PairingRefused("access_denied")
    secret = device_tokens.new_secret()
    device = DeviceToken(
        token_hash=device_tokens.digest(secret),
        kind="paired",
        name=row.name,
        user_id=user.id,
        site_id=user.site_id,
        scopes=["ar:read", "ar:write"],
        language=user.language,
        created_at=now,
        expires_at=now + SHIFT,
    )
    row.state = "used"
    session.add(device)
    session.flush()
    return Granted(secret, now + SHIFT, user, device)


def look_up(session: Session, user_code: str, user: Person, now: datetime) -> Pairing:
    """The waiting pairing of a code, for the person to see device and place before approving.

    Raises Invalid or NotFound; who counts the wrong tries is `server.pairing`.
    """
    code = normal(user_code)
    if not has(user, "pair.approve"):
        raise Forbidden("no_right", f"{user.name} may not pair devices")
    rows = session.scalars(
        select(Pairing).where(Pairing.user_code == code, Pairing.state == "pending", Pairing.expires_at > now).with_for_update()
    ).all()
    if len(rows) != 1:
        raise NotFound("pairing", readable(code))
    return rows[0]


def approve(session: Session, user_code: str, user: Person, now: datetime) -> Pairing:
    """Let the device act for this person until the shift ends."""
    row = look_up(session, user_code, user, now)
    row.state, row.user_id = "approved", user.id
    session.flush()
    return row


def deny(session: Session, user_code: str, user: Person, now: datetime) -> Pairing:
    """Refuse the device: it is told so at its next poll."""
    row = look_up(session, user_code, user, now)
    row.state, row.user_id = "denied", user.id
    session.flush()
    return row


def devices_of(session: Session, site_id: int, now: datetime) -> list[DeviceToken]:
    """Live paired devices of a site, newest first."""
    return list(
        session.scalars(
            select(DeviceToken)
            .where(
                DeviceToken.site_id == site_id, DeviceToken.kind == "paired", DeviceToken.revoked_at.is_(None), DeviceToken.expires_at > now
            )
            .order_by(DeviceToken.created_at.desc())
        )
    )


def revoke(session: Session, token_id: int, user: Person, now: datetime) -> DeviceToken:
    """End a paired device's token; raises NotFound for another site's."""
    row = session.get(DeviceToken, token_id)
    if row is None or row.kind != "paired" or row.site_id != user.site_id:
        raise NotFound("device", token_id)
    row.revoked_at = row.revoked_at or now
    session.flush()
    return row
