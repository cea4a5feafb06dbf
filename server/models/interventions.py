"""Interventions of technicians (S0-13) and the fault taxonomy they choose from: category > what > why > where."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, JsonList, Key, Words, to
from server.models.plant import EMPTY, NONE


class FaultTerm(Base):
    """One word of a site's taxonomy; below `category`, a term without a parent fits under every term of the level above."""

    __tablename__ = "fault_terms"
    __table_args__ = (
        Index(
            "uq_fault_terms_code",
            "site_id",
            "level",
            text("coalesce(parent_id, 0)"),
            "code",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    level: Mapped[Code]  # category what why where
    parent_id: Mapped[int | None] = mapped_column(to("fault_terms.id"), index=True)
    code: Mapped[Code]
    label: Mapped[Words]
    labels: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)  # language -> words
    position: Mapped[int] = mapped_column(server_default="0", default=0)
    deleted_at: Mapped[datetime | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)


class Intervention(Base):
    """One visit of a technician to a machine for a work order; with an end the order is completed."""

    __tablename__ = "interventions"
    __table_args__ = (Index("ix_interventions_site_received", "site_id", "received_at"),)

    id: Mapped[Key]
    number: Mapped[Code] = mapped_column(unique=True)
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    order_id: Mapped[int] = mapped_column(to("work_orders.id"), index=True)
    asset_id: Mapped[int] = mapped_column(to("assets.id"), index=True)
    technician_id: Mapped[int] = mapped_column(to("users.id"))
    technician: Mapped[Words]
    received_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    category_id: Mapped[int] = mapped_column(to("fault_terms.id"))
    what_id: Mapped[int | None] = mapped_column(to("fault_terms.id"))
    why_id: Mapped[int | None] = mapped_column(to("fault_terms.id"))
    where_id: Mapped[int | None] = mapped_column(to("fault_terms.id"))
    parts: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    comments: Mapped[str] = mapped_column(server_default="", default="")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
