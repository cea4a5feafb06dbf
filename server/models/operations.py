"""What the instance does for itself and says outside: backups, webhooks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, JsonList, Key, Words, to


class Backup(Base):
    """One backup, also a failed one; the file's name is relative to BACKUP_DIR."""

    __tablename__ = "backups"
    __table_args__ = (Index("ix_backups_at", "at"),)

    id: Mapped[Key]
    at: Mapped[datetime]
    reason: Mapped[Code]  # manual nightly upgrade
    file: Mapped[Words]
    bytes: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]
    ok: Mapped[bool]
    message: Mapped[str]


class Webhook(Base):
    """A place outside that is told facts (Slack class, S1-24). `delivered_seq` is the last fact it took or let go."""

    __tablename__ = "webhooks"

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"), index=True)
    name: Mapped[Words]
    url: Mapped[str]
    format: Mapped[Code]  # slack = {"text"}, json = the fact, signed
    facts: Mapped[JsonList]  # names of facts; [] = none
    min_severity: Mapped[Code]  # of alerts
    secret: Mapped[str]  # signs the json format
    active: Mapped[bool]
    delivered_seq: Mapped[int] = mapped_column(BigInteger)
    tries: Mapped[int]
    next_try_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    sent: Mapped[int] = mapped_column(BigInteger)
    dropped: Mapped[int] = mapped_column(BigInteger)
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]
