"""What hangs on a work order: comments, labour, links to other orders; and the templates that new orders start from."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to
from server.models.plant import Money


class OrderComment(Base):
    """A remark under an order; append-only."""

    __tablename__ = "order_comments"

    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(to("work_orders.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(to("users.id"))
    author: Mapped[Words]
    body: Mapped[str]
    at: Mapped[datetime]


class OrderLabour(Base):
    """Time a person worked on an order; `minutes` is empty while the timer runs, one running timer a person."""

    __tablename__ = "order_labour"
    __table_args__ = (
        Index(
            "uq_order_labour_running",
            "user_id",
            unique=True,
            postgresql_where=text("minutes IS NULL AND deleted_at IS NULL"),
        ),
        Index("ix_order_labour_started", "started_at"),
    )

    id: Mapped[Key]
    order_id: Mapped[int] = mapped_column(to("work_orders.id"), index=True)
    user_id: Mapped[int] = mapped_column(to("users.id"))
    minutes: Mapped[int | None]
    rate: Mapped[Money]  # an hour
    cost: Mapped[Money]
    note: Mapped[str] = mapped_column(server_default="", default="")
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    entered_by: Mapped[Words]
    deleted_at: Mapped[datetime | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)


class OrderLink(Base):
    """What an order has to do with another: from `relates`, `duplicates`, `blocks`, is a `follow_up` or `repeat` of it.

    `step_id`: the failed step that a follow-up comes from; a step of an order has at most one.
    """

    __tablename__ = "order_links"
    __table_args__ = (
        Index("uq_order_links_pair", "from_id", "to_id", "kind", unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("uq_order_links_step", "to_id", "step_id", unique=True, postgresql_where=text("step_id IS NOT NULL")),
    )

    id: Mapped[Key]
    from_id: Mapped[int] = mapped_column(to("work_orders.id"))
    to_id: Mapped[int] = mapped_column(to("work_orders.id"), index=True)
    kind: Mapped[Code]
    step_id: Mapped[Code | None]
    by: Mapped[Words]
    at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class OrderTemplate(Base):
    """What a new order of a kind starts as; orders made from it keep no tie to it."""

    __tablename__ = "order_templates"
    __table_args__ = (Index("uq_order_templates_name", "site_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),)

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    name: Mapped[Words]
    title: Mapped[Words]
    description: Mapped[str] = mapped_column(server_default="", default="")
    type: Mapped[Code] = mapped_column(server_default="corrective", default="corrective")
    priority: Mapped[Code | None]
    procedure_id: Mapped[int | None] = mapped_column(to("procedures.id"))
    team_id: Mapped[int | None] = mapped_column(to("teams.id"))
    estimated_min: Mapped[int | None]
    due_hours: Mapped[float | None]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
