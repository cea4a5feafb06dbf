"""Guarded writes to PLCs as people asked for them, and when writing was stopped; rows are kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to


class PlcCommand(Base):
    """One asked write: requested -> sent -> written | refused | unknown; expired where nobody confirmed it in time.

    present: what the tag showed when it was asked for; old, new: what plc/commands.py read from the PLC around the write.
    `digest`: the edition of the allow-list that people saw. `nonce` is emptied with its one use.
    """

    __tablename__ = "plc_commands"
    __table_args__ = (
        Index("ix_plc_commands_site", "site_id", "id"),
        Index("ix_plc_commands_open", "id", postgresql_where=text("state IN ('requested', 'sent')")),
        Index("ix_plc_commands_sent", "sent_at"),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    asset_id: Mapped[int] = mapped_column(to("assets.id"), index=True)
    entry: Mapped[Words]
    source: Mapped[Words]
    tag: Mapped[Words]
    address: Mapped[Words]
    label: Mapped[str]
    effect: Mapped[str]
    digest: Mapped[Code]
    is_critical: Mapped[bool]
    mode: Mapped[Code]
    pulse_ms: Mapped[int]
    value: Mapped[float]
    reason: Mapped[str]
    state: Mapped[Code]
    detail: Mapped[str] = mapped_column(server_default="", default="")
    refusal: Mapped[Code | None]
    present: Mapped[float | None]
    present_at: Mapped[datetime | None]
    present_quality: Mapped[int | None]
    old: Mapped[float | None]
    new: Mapped[float | None]
    nonce: Mapped[Code | None]
    requested_by_id: Mapped[int] = mapped_column(to("users.id"))
    requested_by: Mapped[Words]
    requested_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_by_id: Mapped[int | None] = mapped_column(to("users.id"))
    confirmed_by: Mapped[Words | None]
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)


class PlcStop(Base):
    """Writing to PLCs was stopped by somebody, for every site, until an admin let it go on."""

    __tablename__ = "plc_stops"
    __table_args__ = (Index("uq_plc_stops_open", text("(released_at IS NULL)"), unique=True, postgresql_where=text("released_at IS NULL")),)

    id: Mapped[Key]
    stopped_by: Mapped[Words]
    reason: Mapped[str]
    stopped_at: Mapped[datetime]
    released_by: Mapped[Words | None]
    released_at: Mapped[datetime | None]
