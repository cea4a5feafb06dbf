"""What was done to instruments: calibrations (as found, as left) and corrective records."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, JsonList, Key, Words, to
from server.models.plant import NONE


class CalibrationRecord(Base):
    """One calibration; as_found and as_left are points `[{"applied", "reading", "error_pct"}]` (S2-8..12)."""

    __tablename__ = "calibration_records"
    __table_args__ = (Index("ix_calibration_records_instrument_at", "instrument_id", "performed_at"),)

    id: Mapped[Key]
    instrument_id: Mapped[int] = mapped_column(to("instruments.id"))
    work_order_id: Mapped[int | None] = mapped_column(to("work_orders.id"))
    performed_at: Mapped[datetime]
    performed_by: Mapped[Words]
    standard: Mapped[Words]
    as_found: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    as_left: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    error_pct: Mapped[float]
    tolerance_pct: Mapped[float]
    passed: Mapped[bool]
    next_due: Mapped[datetime | None]
    notes: Mapped[str] = mapped_column(server_default="", default="")


class MaintenanceRecord(Base):
    """One corrective or preventive act on an asset or instrument (S2-19)."""

    __tablename__ = "maintenance_records"
    __table_args__ = (Index("ix_maintenance_records_asset_at", "asset_id", "performed_at"),)

    id: Mapped[Key]
    asset_id: Mapped[int] = mapped_column(to("assets.id"))
    instrument_id: Mapped[int | None] = mapped_column(to("instruments.id"))
    work_order_id: Mapped[int | None] = mapped_column(to("work_orders.id"))
    action: Mapped[Code]  # repair replace clean adjust inspect other
    description: Mapped[str]
    parts: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    duration_min: Mapped[int | None]
    performed_at: Mapped[datetime]
    performed_by: Mapped[Words]
