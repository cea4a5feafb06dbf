"""What was done to instruments: standards, calibrations (as found, as left), reviews, accepted intervals, maintenance records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, JsonList, Key, Words, to
from server.models.plant import NONE


class ReferenceStandard(Base):
    """A device that others are calibrated against; it has a due date and a certificate of its own (S2-9)."""

    __tablename__ = "reference_standards"
    __table_args__ = (
        Index("uq_reference_standards_serial", "site_id", "serial", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    serial: Mapped[Code]
    name: Mapped[Words]
    type: Mapped[Code] = mapped_column(server_default="", default="")  # pressure temperature ...
    unit: Mapped[Code] = mapped_column(server_default="", default="")
    range_low: Mapped[float | None]
    range_high: Mapped[float | None]
    uncertainty: Mapped[float | None]  # expanded, in `unit`
    certificate: Mapped[Words]
    calibrated_at: Mapped[datetime | None]
    due: Mapped[datetime]
    notes: Mapped[str] = mapped_column(server_default="", default="")
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class CalibrationRecord(Base):
    """One calibration; as_found and as_left are points `[{"applied", "reading", "error_pct"}]` (S2-8..12).

    A trigger refuses UPDATE: a correction is a new record that supersedes this one. `standard_facts` is what stood in the
    register of standards that day. `passed` is the verdict on what was left, `found_passed` on what was found.
    """

    __tablename__ = "calibration_records"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("supersedes_id"),
        Index("ix_calibration_records_instrument_at", "instrument_id", "performed_at"),
    )

    id: Mapped[Key]
    number: Mapped[Code]
    instrument_id: Mapped[int] = mapped_column(to("instruments.id"))
    work_order_id: Mapped[int | None] = mapped_column(to("work_orders.id"), index=True)
    follow_up_id: Mapped[int | None] = mapped_column(to("work_orders.id"))  # the order that a failed one opened
    performed_at: Mapped[datetime]
    performed_by: Mapped[Words]
    performed_by_id: Mapped[int | None] = mapped_column(to("users.id"))
    signature: Mapped[Words] = mapped_column(server_default="", default="")
    standard: Mapped[Words]
    standard_id: Mapped[int | None] = mapped_column(to("reference_standards.id"), index=True)
    standard_facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    standard_reason: Mapped[str | None]  # why a standard was used that was itself overdue
    as_found: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    as_left: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    error_pct: Mapped[float]  # the worst found, with its sign
    left_error_pct: Mapped[float]  # the worst left
    tolerance_pct: Mapped[float]
    found_passed: Mapped[bool]
    passed: Mapped[bool]
    interval_days: Mapped[int | None]
    next_due: Mapped[datetime | None]
    drift_pct_per_year: Mapped[float | None]
    ambient: Mapped[Words] = mapped_column(server_default="", default="")
    notes: Mapped[str] = mapped_column(server_default="", default="")
    supersedes_id: Mapped[int | None] = mapped_column(to("calibration_records.id"))
    supersede_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ImpactReview(Base):
    """After a bad as-found: everything decided on the instrument since it was last known good, frozen, until a person signs."""

    __tablename__ = "impact_reviews"
    __table_args__ = (UniqueConstraint("calibration_id"),)

    id: Mapped[Key]
    calibration_id: Mapped[int] = mapped_column(to("calibration_records.id"))
    instrument_id: Mapped[int] = mapped_column(to("instruments.id"), index=True)
    since: Mapped[datetime | None]  # None = never known good
    until: Mapped[datetime]
    items: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    state: Mapped[Code] = mapped_column(server_default="open", default="open")  # open signed
    opened_at: Mapped[datetime]
    conclusion: Mapped[str | None]
    reviewed_by: Mapped[Words | None]
    reviewed_by_id: Mapped[int | None] = mapped_column(to("users.id"))
    reviewed_at: Mapped[datetime | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)


class IntervalDecision(Base):
    """A proposed interval that a person accepted, with the calculation as it was shown."""

    __tablename__ = "interval_decisions"

    id: Mapped[Key]
    instrument_id: Mapped[int] = mapped_column(to("instruments.id"), index=True)
    old_days: Mapped[int | None]
    new_days: Mapped[int]
    calculation: Mapped[Json]
    reason: Mapped[str] = mapped_column(server_default="", default="")
    decided_by: Mapped[Words]
    decided_at: Mapped[datetime]


class MaintenanceRecord(Base):
    """One corrective or preventive act on an asset or instrument (S2-19)."""

    __tablename__ = "maintenance_records"
    __table_args__ = (UniqueConstraint("number"), Index("ix_maintenance_records_asset_at", "asset_id", "performed_at"))

    id: Mapped[Key]
    number: Mapped[Code]
    asset_id: Mapped[int] = mapped_column(to("assets.id"))
    instrument_id: Mapped[int | None] = mapped_column(to("instruments.id"), index=True)
    work_order_id: Mapped[int | None] = mapped_column(to("work_orders.id"), index=True)
    action: Mapped[Code]  # repair replace clean adjust lubricate inspect other
    description: Mapped[str]
    parts: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    duration_min: Mapped[int | None]
    performed_at: Mapped[datetime]
    performed_by: Mapped[Words]
