"""What the instance did for itself: its backups."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words


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
