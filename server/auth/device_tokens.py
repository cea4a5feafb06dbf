"""Opaque tokens of devices, API keys and contractor links: random, hashed at rest, listed and revocable."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.feed import DeviceToken
from server.models.people import ContractorLink

PREFIX = "slt_"
CONTRACT_PREFIX = "slc_"


def digest(secret: str) -> str:
    """What is stored of a token; the token is random, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret(prefix: str = PREFIX) -> str:
    """A fresh token; it is shown once."""
    return prefix + secrets.token_urlsafe(32)


def is_live(row: DeviceToken | ContractorLink, now: datetime) -> bool:
    """True while the token is neither revoked nor expired."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def live_token(session: Session, secret: str, now: datetime) -> DeviceToken | None:
    """The row behind a secret while it is live."""
    row = session.scalars(select(DeviceToken).where(DeviceToken.token_hash == digest(secret))).one_or_none()
    return row if row is not None and is_live(row, now) else None


def live_link(session: Session, secret: str, now: datetime) -> ContractorLink | None:
    """The contractor link behind a secret while it is live."""
    row = session.scalars(select(ContractorLink).where(ContractorLink.token_hash == digest(secret))).one_or_none()
    return row if row is not None and is_live(row, now) else None
