"""Devices: pairing, tokens, idempotency keys, pictures and markers. Secrets are stored hashed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, JsonList, Key, Words, to
from server.models.plant import NONE


class Pairing(Base):
    """A device asking to act for a person (AR_FEED.md 3); state: pending, approved, denied, used, locked."""

    __tablename__ = "pairings"
    __table_args__ = (UniqueConstraint("device_code_hash"), Index("ix_pairings_user_code", "user_code"))

    id: Mapped[Key]
    device_code_hash: Mapped[Words]
    user_code: Mapped[Code]
    kind: Mapped[Code]
    name: Mapped[Words]
    place: Mapped[Words] = mapped_column(server_default="", default="")
    state: Mapped[Code] = mapped_column(server_default="pending", default="pending")
    tries: Mapped[int] = mapped_column(server_default="0", default=0)
    user_id: Mapped[int | None] = mapped_column(to("users.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    polled_at: Mapped[datetime | None]


class DeviceToken(Base):
    """An opaque token, hashed; kind: paired (acts as user_id), ingest (a device of a site), api (a user's own)."""

    __tablename__ = "device_tokens"
    __table_args__ = (UniqueConstraint("token_hash"),)

    id: Mapped[Key]
    token_hash: Mapped[Words]
    kind: Mapped[Code]
    name: Mapped[Words]
    user_id: Mapped[int | None] = mapped_column(to("users.id"), index=True)
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    scopes: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    language: Mapped[Code] = mapped_column(server_default="en", default="en")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class OperationKey(Base):
    """An idempotency key with the answer it got; `status` None = still running. Kept 30 days."""

    __tablename__ = "operation_keys"
    __table_args__ = (UniqueConstraint("scope", "owner", "key"), Index("ix_operation_keys_created", "created_at"))

    id: Mapped[Key]
    scope: Mapped[Code] = mapped_column(server_default="", default="")  # ops, media, readings
    owner: Mapped[Code]  # "user:3" or "token:7"
    key: Mapped[Words]
    body_hash: Mapped[Words]
    status: Mapped[int | None]
    answer: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime]


class Media(Base):
    """A picture, whole, as the device sent it; narrower widths are made when asked for."""

    __tablename__ = "media"

    id: Mapped[Key]
    order_id: Mapped[int | None] = mapped_column(to("work_orders.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(to("users.id"))
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    type: Mapped[Code]
    width: Mapped[int]
    height: Mapped[int]
    sha256: Mapped[Words]
    alt: Mapped[Words] = mapped_column(server_default="", default="")
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime]


class Marker(Base):
    """A printed code on an asset (AR_FEED.md 3)."""

    __tablename__ = "markers"
    __table_args__ = (UniqueConstraint("code"),)

    id: Mapped[Key]
    code: Mapped[Code]
    asset_id: Mapped[int] = mapped_column(to("assets.id"), index=True)
    size_m: Mapped[float] = mapped_column(server_default="0.1", default=0.1)
    retired_at: Mapped[datetime | None]
