"""Downtime: the stretches in which a machine stood, what they were for and what caused them. Sums are in server/rules/downtime.py."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, Numeric, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to
from server.models.plant import NO


class DowntimeReason(Base):
    """A reason that people choose from; `category` says what a row becomes by it: planned or unplanned."""

    __tablename__ = "downtime_reasons"
    __table_args__ = (UniqueConstraint("site_id", "code"),)

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    code: Mapped[Code]
    label: Mapped[Words]
    category: Mapped[Code]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]


class Downtime(Base):
    """One stretch of one machine; `ended_at` None = it still stands. With `cause_id` it stands because another does, and is not summed.

    category: planned, unplanned, unclassified. state: what the PLC said when it began (fault, stopped), `parent`, or `manual`.
    """

    __tablename__ = "downtimes"
    __table_args__ = (
        Index("uq_downtimes_open", "asset_id", unique=True, postgresql_where=text("ended_at IS NULL AND deleted_at IS NULL")),
        Index("ix_downtimes_asset_started", "asset_id", "started_at"),
        Index("ix_downtimes_site_started", "site_id", "started_at"),
        CheckConstraint("ended_at >= started_at", name="order"),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    asset_id: Mapped[int] = mapped_column(to("assets.id"))
    cause_id: Mapped[int | None] = mapped_column(to("downtimes.id"), index=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    state: Mapped[Code]
    fault_code: Mapped[Code | None]
    category: Mapped[Code] = mapped_column(server_default="unclassified", default="unclassified")
    reason_id: Mapped[int | None] = mapped_column(to("downtime_reasons.id"), index=True)
    note: Mapped[str] = mapped_column(server_default="", default="")
    work_order_id: Mapped[int | None] = mapped_column(to("work_orders.id"), index=True)
    machine_rate: Mapped[Decimal | None] = mapped_column(Numeric(14, 2))  # money an hour, as it was when the row began
    asked: Mapped[bool] = mapped_column(server_default=NO, default=False)  # people were asked for the reason
    classified_by: Mapped[Words | None]
    classified_at: Mapped[datetime | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
