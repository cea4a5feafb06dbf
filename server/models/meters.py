"""Meters of assets: run hours from the state, cycles from a counter tag or from starts, or read by hand. Counting is in server/rules."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to


class Meter(Base):
    """What an asset has done so far. `total` only grows and is what plans count by; people read `total - shown_from`.

    source: state (run hours of the operating state), starts (times the machine began to run), counter (a tag), manual.
    counted_to: how far `total` goes; counted_mark: of a counter the last reading's t in ms, of starts the last period's id.
    """

    __tablename__ = "meters"
    __table_args__ = (
        Index("uq_meters_asset_kind_name", "asset_id", "kind", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"), index=True)
    asset_id: Mapped[int] = mapped_column(to("assets.id"))
    kind: Mapped[Code]  # run_hours cycles
    name: Mapped[Words]
    unit: Mapped[Code]
    source: Mapped[Code]
    tag_id: Mapped[int | None] = mapped_column(to("tags.id"), index=True)
    rollover: Mapped[float | None]  # the counter starts again from 0 here, e.g. 65536
    total: Mapped[float] = mapped_column(server_default="0", default=0.0)
    shown_from: Mapped[float] = mapped_column(server_default="0", default=0.0)
    counted_to: Mapped[datetime]
    counted_mark: Mapped[int | None] = mapped_column(BigInteger)
    last_raw: Mapped[float | None]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class MeterReading(Base):
    """A total that was known at a time: kept by the system (counted) every few hours, or read by a person (manual, replaced)."""

    __tablename__ = "meter_readings"
    __table_args__ = (Index("ix_meter_readings_meter_at", "meter_id", "at"),)

    id: Mapped[Key]
    meter_id: Mapped[int] = mapped_column(to("meters.id"))
    at: Mapped[datetime]
    value: Mapped[float]  # as people read it
    total: Mapped[float]
    kind: Mapped[Code]
    by: Mapped[Words]
    note: Mapped[str] = mapped_column(server_default="", default="")
