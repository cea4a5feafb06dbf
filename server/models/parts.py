"""Spare parts: stores, parts, the movement ledger, reservations and parts lists; stock is the sum of the ledger.

`stock_levels` is that sum, held by a trigger on the ledger and refused to everyone else; a CHECK keeps it from going below zero.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, Index, Numeric, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to
from server.models.plant import NO

Money = Annotated[Decimal, mapped_column(Numeric(14, 2))]
Quantity = Annotated[Decimal, mapped_column(Numeric(14, 3))]  # pieces, metres, litres
ZERO = text("0")


class Store(Base):
    """A store room of a site."""

    __tablename__ = "stores"
    __table_args__ = (
        Index("uq_stores_site_code_live", "site_id", "code", unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("ix_stores_site_name", "site_id", "name"),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    code: Mapped[Code]
    name: Mapped[Words]
    location: Mapped[Words] = mapped_column(server_default="", default="")
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]


class Part(Base):
    """A spare part of a site. `minimum` counts reserved stock as gone, `reorder_quantity` is the lot, `maximum` 0 = none."""

    __tablename__ = "parts"
    __table_args__ = (
        UniqueConstraint("site_id", "number"),
        CheckConstraint("minimum >= 0 AND (maximum = 0 OR maximum >= minimum) AND unit_cost >= 0 AND average_cost >= 0", name="sane"),
        Index("ix_parts_site_name", "site_id", "name"),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    number: Mapped[Code]
    name: Mapped[Words]
    description: Mapped[str] = mapped_column(server_default="", default="")
    unit: Mapped[Code] = mapped_column(server_default="pcs", default="pcs")
    supplier: Mapped[Words] = mapped_column(server_default="", default="")
    supplier_part_no: Mapped[Words] = mapped_column(server_default="", default="")
    unit_cost: Mapped[Money] = mapped_column(server_default=ZERO, default=Decimal(0))  # what the next one is expected to cost
    average_cost: Mapped[Decimal] = mapped_column(Numeric(18, 6), server_default=ZERO, default=Decimal(0))  # of what lies in the stores
    external_ref: Mapped[Words | None]
    minimum: Mapped[Quantity] = mapped_column(server_default=ZERO, default=Decimal(0))
    maximum: Mapped[Quantity] = mapped_column(server_default=ZERO, default=Decimal(0))
    reorder_quantity: Mapped[Quantity] = mapped_column(server_default=ZERO, default=Decimal(0))
    lead_days: Mapped[int] = mapped_column(server_default=ZERO, default=0)
    critical: Mapped[bool] = mapped_column(server_default=NO, default=False)
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class StockMovement(Base):
    """One line of the ledger: append-only, `quantity` signed, `unit_cost` what one of it was worth then."""

    __tablename__ = "stock_movements"
    __table_args__ = (
        CheckConstraint("quantity <> 0 OR reason = 'count'", name="moves"),
        Index("ix_stock_movements_part_at", "part_id", "at"),
        Index("ix_stock_movements_order", "order_id"),
        Index("ix_stock_movements_at", "at"),
        Index("ix_stock_movements_store_at", "store_id", "at"),
    )

    id: Mapped[Key]
    part_id: Mapped[int] = mapped_column(to("parts.id"))
    store_id: Mapped[int] = mapped_column(to("stores.id"))
    reason: Mapped[Code]  # receipt issue return adjustment transfer count
    quantity: Mapped[Quantity]
    unit_cost: Mapped[Decimal] = mapped_column(Numeric(18, 6))
    order_id: Mapped[int | None] = mapped_column(to("work_orders.id"))
    purchase_line_id: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(server_default="", default="")
    by_id: Mapped[int | None] = mapped_column(to("users.id"))
    by: Mapped[Words]
    at: Mapped[datetime]


class StockLevel(Base):
    """Sum of the ledger per part and store; only the ledger's trigger writes it."""

    __tablename__ = "stock_levels"
    __table_args__ = (UniqueConstraint("part_id", "store_id"), CheckConstraint("on_hand >= 0", name="not_negative"))

    id: Mapped[Key]
    part_id: Mapped[int] = mapped_column(to("parts.id"))
    store_id: Mapped[int] = mapped_column(to("stores.id"))
    on_hand: Mapped[Quantity]


class Reservation(Base):
    """Stock kept for an order: `quantity` - `issued` is still reserved while `released_at` is empty."""

    __tablename__ = "reservations"
    __table_args__ = (
        CheckConstraint("quantity > 0 AND issued >= 0 AND issued <= quantity", name="sane"),
        Index("ix_reservations_open", "part_id", "store_id", postgresql_where=text("released_at IS NULL")),
        Index("ix_reservations_order", "order_id"),
    )

    id: Mapped[Key]
    part_id: Mapped[int] = mapped_column(to("parts.id"))
    store_id: Mapped[int] = mapped_column(to("stores.id"))
    order_id: Mapped[int] = mapped_column(to("work_orders.id"))
    quantity: Mapped[Quantity]
    issued: Mapped[Quantity] = mapped_column(server_default=ZERO, default=Decimal(0))
    by: Mapped[Words]
    created_at: Mapped[datetime]
    released_at: Mapped[datetime | None]


class BomLine(Base):
    """A part that an asset, or every asset of a class, is built of."""

    __tablename__ = "bom_lines"
    __table_args__ = (
        CheckConstraint("(asset_id IS NULL) <> (class_id IS NULL) AND quantity > 0", name="one_owner"),
        Index("ix_bom_lines_asset", "asset_id"),
        Index("ix_bom_lines_class", "class_id"),
        Index("ix_bom_lines_part", "part_id"),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    asset_id: Mapped[int | None] = mapped_column(to("assets.id"))
    class_id: Mapped[int | None] = mapped_column(to("asset_classes.id"))
    part_id: Mapped[int] = mapped_column(to("parts.id"))
    quantity: Mapped[Quantity]
    position: Mapped[Words] = mapped_column(server_default="", default="")
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]
