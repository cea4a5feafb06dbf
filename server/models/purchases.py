"""Purchase requests and their lines; the states are in server/rules/purchase_states.py."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to
from server.models.parts import ZERO, Money, Quantity


class Purchase(Base):
    """What is to be bought of one supplier (PR-12)."""

    __tablename__ = "purchases"
    __table_args__ = (UniqueConstraint("number"), Index("ix_purchases_site_state", "site_id", "state"))

    id: Mapped[Key]
    number: Mapped[Code]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    state: Mapped[Code]
    supplier: Mapped[Words] = mapped_column(server_default="", default="")
    note: Mapped[str] = mapped_column(server_default="", default="")
    reference: Mapped[Words] = mapped_column(server_default="", default="")  # the supplier's order number
    reason: Mapped[str | None]  # of a rejection, a cancellation or an early close
    expected_on: Mapped[date | None]
    requested_by_id: Mapped[int | None] = mapped_column(to("users.id"))
    requested_by: Mapped[Words | None]
    approved_by_id: Mapped[int | None] = mapped_column(to("users.id"))
    approved_by: Mapped[Words | None]
    created_by: Mapped[Words]
    created_at: Mapped[datetime]
    ordered_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)


class PurchaseLine(Base):
    """One part of a purchase; `why` is the calculation where the reorder rule proposed it."""

    __tablename__ = "purchase_lines"
    __table_args__ = (
        UniqueConstraint("purchase_id", "part_id"),
        CheckConstraint("quantity > 0 AND received >= 0 AND unit_cost >= 0", name="sane"),
        Index("ix_purchase_lines_part", "part_id"),
    )

    id: Mapped[Key]
    purchase_id: Mapped[int] = mapped_column(to("purchases.id"))
    part_id: Mapped[int] = mapped_column(to("parts.id"))
    quantity: Mapped[Quantity]
    received: Mapped[Quantity] = mapped_column(server_default=ZERO, default=Decimal(0))
    unit_cost: Mapped[Money]
    why: Mapped[str] = mapped_column(server_default="", default="")
