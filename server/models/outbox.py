"""Facts on their way to the bus: written in the cause's transaction, numbered in commit order by the leader's relay."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, Key, Words


class Outbox(Base):
    """One fact; `seq` None = not numbered yet, `published_at` None = not on the bus yet. Kept as the facts' history."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("uq_outbox_seq", "seq", unique=True),
        Index("ix_outbox_waiting", "id", postgresql_where=text("published_at IS NULL")),
    )

    id: Mapped[Key]
    name: Mapped[Code]
    thing_id: Mapped[int] = mapped_column(BigInteger)
    rev: Mapped[int]
    by: Mapped[Words]
    site_id: Mapped[int | None] = mapped_column(BigInteger)
    data: Mapped[Json]
    at: Mapped[datetime]
    seq: Mapped[int | None] = mapped_column(BigInteger)
    published_at: Mapped[datetime | None]
