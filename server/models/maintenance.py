"""Maintenance mode: when an asset is in work and its alerts are held back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Key, Words, to


class MaintenanceWindow(Base):
    """An asset under work: no new alerts, no baseline use. In force from `starts_at` to `ended_at`, at most until `until`."""

    __tablename__ = "maintenance_windows"

    id: Mapped[Key]
    asset_id: Mapped[int] = mapped_column(to("assets.id"), index=True)
    work_order_id: Mapped[int | None] = mapped_column(to("work_orders.id"), index=True)
    reason: Mapped[str] = mapped_column(server_default="", default="")
    by: Mapped[Words]
    starts_at: Mapped[datetime]
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
