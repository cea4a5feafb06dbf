"""Reports that come by themselves, and the files that report jobs made; what a report says is in server/reports."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, JsonList, Key, Words, to
from server.models.plant import EMPTY, NONE, YES


class ReportSchedule(Base):
    """A report sent by mail whenever `rrule` says so (RFC 5545, in the time zone of the site), over the `span_days` before."""

    __tablename__ = "report_schedules"
    __table_args__ = (
        Index("ix_report_schedules_site", "site_id"),
        Index("ix_report_schedules_next", "next_at", postgresql_where=text("active AND deleted_at IS NULL")),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    name: Mapped[Words]
    report: Mapped[Code]
    format: Mapped[Code]  # csv xlsx pdf
    rrule: Mapped[Words]
    at: Mapped[Code] = mapped_column(server_default="06:00", default="06:00")  # time of day by the site's clock
    span_days: Mapped[int] = mapped_column(server_default="7", default=7)
    filters: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)  # {"area"?, "asset"?, "search"?}
    recipients: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)  # ids of people of the site
    created_by_id: Mapped[int | None] = mapped_column(to("users.id"))
    created_at: Mapped[datetime]
    next_at: Mapped[datetime | None]  # None = the rule has ended
    last_at: Mapped[datetime | None]
    last_job_id: Mapped[int | None] = mapped_column(to("background_jobs.id"))
    active: Mapped[bool] = mapped_column(server_default=YES, default=True)
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]


class JobFile(Base):
    """What a job made, to be fetched; kept for 30 days."""

    __tablename__ = "job_files"

    job_id: Mapped[int] = mapped_column(to("background_jobs.id"), primary_key=True, autoincrement=False)
    name: Mapped[Words]
    type: Mapped[Words]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)
