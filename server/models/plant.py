"""The plant: site > area > asset > tag > instrument, sources, limits, fault codes, baselines and maintenance windows.

Workers never read these tables; `server.store.snapshot` publishes them.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import Computed, Index, Numeric, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, JsonList, Key, Words, to

NO = text("false")
YES = text("true")
EMPTY = text("'{}'::jsonb")
NONE = text("'[]'::jsonb")
# a contains-search reads one narrow column once: pg_trgm is not part of the embedded PostgreSQL
SEARCHED_ASSET = "lower(code || ' ' || name || ' ' || location || ' ' || make || ' ' || model || ' ' || serial || ' ' || external_ref)"
SEARCHED_INSTRUMENT = "lower(tag || ' ' || name || ' ' || type || ' ' || variable || ' ' || location || ' ' || external_ref)"
Money = Annotated[Decimal, mapped_column(Numeric(14, 2))]  # in the currency of the site


class Site(Base):
    """A plant with its own people, time zone and shifts; everything below belongs to exactly one."""

    __tablename__ = "sites"
    __table_args__ = (UniqueConstraint("code"),)

    id: Mapped[Key]
    code: Mapped[Code]
    name: Mapped[Words]
    time_zone: Mapped[Code] = mapped_column(server_default="UTC", default="UTC")
    shifts: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)  # [{"name": "A", "start": "06:00", "end": "14:00"}]
    currency: Mapped[Code] = mapped_column(server_default="EUR", default="EUR")  # ISO 4217; every price and cost of the site
    demo: Mapped[bool] = mapped_column(server_default=NO, default=False)
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Area(Base):
    """A process unit of a site (S2-149)."""

    __tablename__ = "process_units"
    __table_args__ = (UniqueConstraint("site_id", "name"),)

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    name: Mapped[Words]
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]


class AssetClass(Base):
    """What all pumps, presses, printers, transmitters have in common, in every site.

    `settings` is a class definition as server/rules/class_definition.py reads it: what is applied to assets in bulk.
    """

    __tablename__ = "asset_classes"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[Key]
    name: Mapped[Code]
    label: Mapped[Words] = mapped_column(server_default="", default="")
    settings: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]


class Asset(Base):
    """A machine or an instrument loop. `operating` comes from the PLC, `maintenance` from work; they are never merged.

    `searched` is what the register's search looks into, lower case, kept by the database.
    """

    __tablename__ = "assets"
    __table_args__ = (
        Index("uq_assets_site_id_code", "site_id", "code", unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("ix_assets_site_area_code", "site_id", "area_id", "code"),
        Index("ix_assets_class_id", "class_id"),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    area_id: Mapped[int] = mapped_column(to("process_units.id"), index=True)
    class_id: Mapped[int | None] = mapped_column(to("asset_classes.id"))
    parent_id: Mapped[int | None] = mapped_column(to("assets.id"), index=True)
    code: Mapped[Code]
    name: Mapped[Words]
    location: Mapped[Words] = mapped_column(server_default="", default="")
    criticality: Mapped[Code] = mapped_column(server_default="medium", default="medium")  # low medium high critical
    main_tag: Mapped[Words | None]  # name of the tag that the overview cell shows
    operating: Mapped[Code] = mapped_column(server_default="unknown", default="unknown")
    operating_since: Mapped[datetime | None]
    fault_code: Mapped[Code | None]
    maintenance: Mapped[Code] = mapped_column(server_default="ok", default="ok")
    health: Mapped[int | None]
    health_reasons: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)  # as in store/health.py
    make: Mapped[Words] = mapped_column(server_default="", default="")
    model: Mapped[Words] = mapped_column(server_default="", default="")
    serial: Mapped[Words] = mapped_column(server_default="", default="")
    external_ref: Mapped[Words] = mapped_column(server_default="", default="")
    notes: Mapped[str] = mapped_column(server_default="", default="")
    purchase_cost: Mapped[Money | None]
    purchased_on: Mapped[date | None]
    installed_on: Mapped[date | None]
    warranty_until: Mapped[date | None]
    machine_rate: Mapped[Money | None]  # what an hour of standstill costs
    expected_life_years: Mapped[float | None]
    expected_life_hours: Mapped[float | None]  # run hours
    hours_at_install: Mapped[float] = mapped_column(server_default="0", default=0.0)
    replacement_cost: Mapped[Money | None]
    replacement_on: Mapped[date | None]
    replacement_reason: Mapped[str] = mapped_column(server_default="", default="")
    life_extensions: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)  # [{"on", "years", "hours", "reason", "by"}]
    class_applied: Mapped[Json] = mapped_column(
        server_default=EMPTY, default=dict
    )  # what its class gave it, to tell that from a person's own
    searched: Mapped[str] = mapped_column(Computed(SEARCHED_ASSET, persisted=True), deferred=True)
    record_rev: Mapped[int] = mapped_column(server_default="1", default=1)  # of what people write; `rev` counts states and health too
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class OperatingPeriod(Base):
    """One stretch of an operating state; downtime is counted from these. `ended_at` None = still so."""

    __tablename__ = "operating_periods"
    __table_args__ = (
        Index("ix_operating_periods_asset_started", "asset_id", "started_at"),
        Index("ix_operating_periods_unfollowed", "started_at", postgresql_where=text("NOT followed")),
    )

    id: Mapped[Key]
    asset_id: Mapped[int] = mapped_column(to("assets.id"))
    operating: Mapped[Code]
    fault_code: Mapped[Code | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    followed: Mapped[bool] = mapped_column(server_default=NO, default=False)  # server/store/standstill.py has seen it


class Source(Base):
    """A device or broker that a collector talks to; `config` is the connector's own, `groups` name -> period in seconds."""

    __tablename__ = "sources"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"), index=True)
    name: Mapped[Code]
    kind: Mapped[Code]
    enabled: Mapped[bool] = mapped_column(server_default=YES, default=True)
    config: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)
    groups: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)
    state: Mapped[Code] = mapped_column(server_default="unknown", default="unknown")  # live lost unknown
    state_since: Mapped[datetime | None]
    detail: Mapped[str] = mapped_column(server_default="", default="")
    rev: Mapped[int] = mapped_column(server_default="1", default=1)  # of what people write; the state moves without it
    deleted_at: Mapped[datetime | None]


class Tag(Base):
    """A live value of an asset; the columns are those of `realtime.snapshot.Tag`. Names are unique in the whole instance."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[Key]
    asset_id: Mapped[int] = mapped_column(to("assets.id"), index=True)
    source_id: Mapped[int | None] = mapped_column(to("sources.id"), index=True)
    name: Mapped[Words]
    label: Mapped[Words] = mapped_column(server_default="", default="")
    unit: Mapped[Code] = mapped_column(server_default="", default="")
    kind: Mapped[Code] = mapped_column(server_default="f64", default="f64")
    decimals: Mapped[int] = mapped_column(server_default="2", default=2)
    address: Mapped[str] = mapped_column(server_default="", default="")
    poll_group: Mapped[Code] = mapped_column(server_default="normal", default="normal")
    period_s: Mapped[float] = mapped_column(server_default="1", default=1.0)
    role: Mapped[Code | None]
    scale_raw: Mapped[list[float] | None] = mapped_column(JSONB(none_as_null=True))
    scale_eng: Mapped[list[float] | None] = mapped_column(JSONB(none_as_null=True))
    deadband: Mapped[float] = mapped_column(server_default="0", default=0.0)
    low: Mapped[float | None]
    high: Mapped[float | None]
    range_low: Mapped[float | None]
    range_high: Mapped[float | None]
    stuck_s: Mapped[float | None]
    stuck_deadband: Mapped[float] = mapped_column(server_default="0", default=0.0)
    drift: Mapped[bool] = mapped_column(server_default=YES, default=True)
    cusum_k: Mapped[float | None]  # None = CUSUM_K, CUSUM_H
    cusum_h: Mapped[float | None]
    joint: Mapped[bool] = mapped_column(server_default=YES, default=True)
    virtual: Mapped[bool] = mapped_column(server_default=NO, default=False)
    deadband_pct: Mapped[float] = mapped_column(server_default="0", default=0.0)
    max_interval_s: Mapped[float] = mapped_column(server_default="60", default=60.0)
    wire_break: Mapped[str | None]
    average_s: Mapped[float | None]
    keep: Mapped[dict[str, float] | None] = mapped_column(JSONB(none_as_null=True))
    enabled: Mapped[bool] = mapped_column(server_default=YES, default=True)  # not enabled: kept, but nobody reads or judges it
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class TagLimit(Base):
    """One limit of a tag; only a confirmed one may open an order by itself."""

    __tablename__ = "tag_limits"

    id: Mapped[Key]
    tag_id: Mapped[int] = mapped_column(to("tags.id"), index=True)
    side: Mapped[Code]  # high low
    value: Mapped[float]
    severity: Mapped[Code]
    deadband: Mapped[float] = mapped_column(server_default="0", default=0.0)
    on_delay_s: Mapped[float] = mapped_column(server_default="0", default=0.0)
    off_delay_s: Mapped[float] = mapped_column(server_default="0", default=0.0)
    holds: Mapped[Code] = mapped_column(server_default="running", default="running")
    confirmed: Mapped[bool] = mapped_column(server_default=YES, default=True)


class Instrument(Base):
    """The device behind a tag, which is calibrated (S2-1..7); `tag` is its unique tag number."""

    __tablename__ = "instruments"
    __table_args__ = (Index("uq_instruments_tag", "tag", unique=True, postgresql_where=text("deleted_at IS NULL")),)

    id: Mapped[Key]
    asset_id: Mapped[int] = mapped_column(to("assets.id"), index=True)
    tag_id: Mapped[int | None] = mapped_column(to("tags.id"), index=True)
    area_id: Mapped[int | None] = mapped_column(to("process_units.id"), index=True)  # where it differs from its asset's
    tag: Mapped[Words]
    name: Mapped[Words]
    type: Mapped[Code]  # pressure temperature flow level ...
    variable: Mapped[Words] = mapped_column(server_default="", default="")
    unit: Mapped[Code] = mapped_column(server_default="", default="")
    range_low: Mapped[float | None]
    range_high: Mapped[float | None]
    nominal: Mapped[float | None]
    location: Mapped[Words] = mapped_column(server_default="", default="")
    accuracy_class: Mapped[Code] = mapped_column(server_default="", default="")
    criticality: Mapped[Code] = mapped_column(server_default="medium", default="medium")
    calibration_interval_days: Mapped[int | None]
    calibrated_at: Mapped[datetime | None]
    calibration_due: Mapped[datetime | None]
    external_ref: Mapped[Words] = mapped_column(server_default="", default="")
    searched: Mapped[str] = mapped_column(Computed(SEARCHED_INSTRUMENT, persisted=True), deferred=True)
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]


class DiscoveredTag(Base):
    """A tag that a source sent and nobody configured: listed with its last value, never stored or created silently."""

    __tablename__ = "discovered_tags"
    __table_args__ = (UniqueConstraint("source", "tag"),)

    id: Mapped[Key]
    source: Mapped[Words]
    tag: Mapped[Words]
    value: Mapped[Any] = mapped_column(JSONB)
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    seen: Mapped[int] = mapped_column(server_default="1", default=1)
    state: Mapped[Code] = mapped_column(server_default="new", default="new")  # new accepted ignored
    decided_by: Mapped[Words | None]
    decided_at: Mapped[datetime | None]


class PlantVersion(Base):
    """The one row that counts changes of the plant; its number is the version of the snapshot."""

    __tablename__ = "plant_version"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    changed_at: Mapped[datetime]
