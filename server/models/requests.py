"""Fault reports from people without an account: the link on a machine's label and what came in through it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to


class ReportLink(Base):
    """The address on the label of an asset; printed in public, so it is kept readable. One live link an asset."""

    __tablename__ = "report_links"
    __table_args__ = (
        UniqueConstraint("token"),
        Index("uq_report_links_asset_live", "asset_id", unique=True, postgresql_where=text("revoked_at IS NULL")),
    )

    id: Mapped[Key]
    asset_id: Mapped[int] = mapped_column(to("assets.id"))
    token: Mapped[Code]
    created_by: Mapped[Words]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class FaultRequest(Base):
    """A fault report (RQ-12); the states are in server/rules/request_states.py. `status_token` lets its reporter see what came of it."""

    __tablename__ = "fault_requests"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("status_token"),
        UniqueConstraint("link_id", "key"),
        Index("ix_fault_requests_site_state", "site_id", "state"),
        Index("ix_fault_requests_link_created", "link_id", "created_at"),
        Index("ix_fault_requests_asset", "asset_id"),
        Index("ix_fault_requests_order", "order_id"),
    )

    id: Mapped[Key]
    number: Mapped[Code]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    asset_id: Mapped[int] = mapped_column(to("assets.id"))
    link_id: Mapped[int] = mapped_column(to("report_links.id"))
    key: Mapped[Code]  # of the form or the caller: the same one twice is one report
    status_token: Mapped[Code]
    state: Mapped[Code]
    words: Mapped[str]
    severity: Mapped[Code]  # as it feels: stopped, bad, small
    reporter: Mapped[Words] = mapped_column(server_default="", default="")
    contact: Mapped[Words] = mapped_column(server_default="", default="")
    reason: Mapped[str | None]  # of a rejection
    duplicate_of_id: Mapped[int | None] = mapped_column(to("fault_requests.id"))
    order_id: Mapped[int | None] = mapped_column(to("work_orders.id"))
    triaged_by: Mapped[Words | None]
    triaged_by_id: Mapped[int | None] = mapped_column(to("users.id"))
    triaged_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
