"""The audit trail: rows written in the cause's transaction, seals chained by the leader in commit order.

A trigger refuses UPDATE and DELETE on both; `python -m server.audit verify` checks the chain.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to


class AuditLog(Base):
    """Who did what to which thing, when and why, with the old and the new values.

    actor_kind says through what: user, api (a key of theirs), paired (a headset), contractor,
    ingest (actor_id is the token's own) or system.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_thing", "thing", "thing_id"),
        Index("ix_audit_log_at", "at"),
        Index("ix_audit_log_actor", "actor_id", "id"),
    )

    id: Mapped[Key]
    at: Mapped[datetime]
    actor: Mapped[Words]
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    action: Mapped[Code]
    thing: Mapped[Code]
    thing_id: Mapped[int | None] = mapped_column(BigInteger)
    site_id: Mapped[int | None] = mapped_column(BigInteger)
    old: Mapped[dict[str, object] | None] = mapped_column(JSONB(none_as_null=True))
    new: Mapped[dict[str, object] | None] = mapped_column(JSONB(none_as_null=True))
    actor_kind: Mapped[Code | None]
    reason: Mapped[str | None] = mapped_column(Text)


class AuditSeal(Base):
    """Place of an audit row in the chain: hash = HMAC(key, previous hash + canonical row)."""

    __tablename__ = "audit_seals"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    audit_id: Mapped[int] = mapped_column(to("audit_log.id"), unique=True)
    hash: Mapped[str]
