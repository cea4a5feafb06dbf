"""When a site means to produce: a weekly pattern with exceptions, for the site or one area. Its arithmetic: server/rules/calendar.py."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, JsonList, Key, Words, to
from server.models.plant import NONE


class WorkCalendar(Base):
    """A planned-production calendar in the site's own time; without an area it is the site's.

    weekly: [{"days": [0..6], "start": "06:00", "end": "22:00"} or {"days": [0..6], "shift": "A"}]; Monday is 0; an end at or
    before the start is on the next day.
    """

    __tablename__ = "work_calendars"
    __table_args__ = (
        Index("uq_work_calendars_site", "site_id", unique=True, postgresql_where=text("area_id IS NULL AND deleted_at IS NULL")),
        Index("uq_work_calendars_area", "area_id", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"), index=True)
    area_id: Mapped[int | None] = mapped_column(to("process_units.id"))
    name: Mapped[Words]
    weekly: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class CalendarDay(Base):
    """A day that is not as its weekday: closed without windows, else open in these. windows: [{"start": "08:00", "end": "12:00"}]."""

    __tablename__ = "calendar_days"
    __table_args__ = (UniqueConstraint("calendar_id", "day"),)

    id: Mapped[Key]
    calendar_id: Mapped[int] = mapped_column(to("work_calendars.id"))
    day: Mapped[date]
    name: Mapped[Words] = mapped_column(server_default="", default="")
    windows: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
