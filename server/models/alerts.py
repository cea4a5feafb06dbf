"""Alerts and the findings they are made of; the life cycle is in server/rules/alert.py."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, JsonList, Key, Words, to
from server.models.plant import EMPTY, NO, NONE


class AlertRecord(Base):
    """One condition of an asset: condition x acknowledged, with the overlays shelved and suppressed. Open until resolved.

    `asset_id` is None for a lost source or a fault of the system itself; `tag` is a tag's name.
    """

    __tablename__ = "alert_records"
    __table_args__ = (
        UniqueConstraint("number"),
        # one open alert per (asset, tag, type, code): the index that refuses a second one under any race
        Index(
            "uq_alert_records_open",
            text("coalesce(asset_id, 0)"),
            text("coalesce(tag, '')"),
            "type",
            text("coalesce(code, '')"),
            text("coalesce(site_id, 0)"),
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index("ix_alert_records_site_raised", "site_id", "raised_at"),
        Index("ix_alert_records_raised_at", "raised_at"),
    )

    id: Mapped[Key]
    number: Mapped[Code]
    site_id: Mapped[int | None] = mapped_column(to("sites.id"))
    asset_id: Mapped[int | None] = mapped_column(to("assets.id"), index=True)
    tag_id: Mapped[int | None] = mapped_column(to("tags.id"))
    tag: Mapped[Words | None]
    type: Mapped[Code]
    code: Mapped[Words | None]
    severity: Mapped[Code]
    detector: Mapped[Code]
    origin: Mapped[Code]  # rule, cusum, ml, plc or system: what S2-60 asks to be labelled
    message: Mapped[str]
    condition: Mapped[Code] = mapped_column(server_default="active", default="active")
    watch: Mapped[bool] = mapped_column(server_default=NO, default=False)  # on the watch list: no notification, no order
    provisional: Mapped[bool] = mapped_column(server_default=NO, default=False)
    suppressed: Mapped[Code | None]  # maintenance | flood
    score: Mapped[float | None]
    limit: Mapped[float | None]
    value: Mapped[float | None]
    unit: Mapped[Code] = mapped_column(server_default="", default="")
    because: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    data: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)
    raised_at: Mapped[datetime]
    last_at: Mapped[datetime]
    returned_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[Words | None]
    shelved_until: Mapped[datetime | None]
    shelved_by: Mapped[Words | None]
    shelved_reason: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[Words | None]
    notes: Mapped[str | None]
    occurrences: Mapped[int] = mapped_column(server_default="1", default=1)
    work_order_id: Mapped[int | None] = mapped_column(to("work_orders.id", use_alter=True), index=True)
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AlertFinding(Base):
    """A detector's finding under its stable key: what makes a second delivery change nothing, and lets two kinds agree."""

    __tablename__ = "alert_findings"
    __table_args__ = (UniqueConstraint("key"), Index("ix_alert_findings_asset_last", "asset_id", "last_t"))

    id: Mapped[Key]
    key: Mapped[Words]
    alert_id: Mapped[int] = mapped_column(to("alert_records.id"), index=True)
    asset_id: Mapped[int | None] = mapped_column(to("assets.id"))
    type: Mapped[Code]
    detector: Mapped[Code]
    active: Mapped[bool]
    onset_t: Mapped[int] = mapped_column(BigInteger)  # ms UTC, as on the bus
    found_t: Mapped[int] = mapped_column(BigInteger)  # of the last open or update
    last_t: Mapped[int] = mapped_column(BigInteger)  # of the last edge of any kind
    score: Mapped[float]
    limit: Mapped[float]
    value: Mapped[float | None]
    because: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    provisional: Mapped[bool] = mapped_column(server_default=NO, default=False)
