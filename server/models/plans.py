"""Preventive maintenance: plans, what triggers them, the assets they hold for, and every occurrence with what became of it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, JsonList, Key, Words, to
from server.models.plant import EMPTY, NONE, YES


class PmPlan(Base):
    """What is to be done again and again. Several triggers: whichever comes first, and all start anew when it is done.

    schedule: fixed (by the calendar or the grid of the meter) or floating (from the last time it was done). months: when it is
    in season, empty = always. shift: where a day without production moves a due date (before, after, none). A plan of the same
    `series` and a higher `level` swallows this one when both are due within this one's tolerance.
    """

    __tablename__ = "pm_plans"
    __table_args__ = (UniqueConstraint("number"),)

    id: Mapped[Key]
    number: Mapped[Code]
    site_id: Mapped[int] = mapped_column(to("sites.id"), index=True)
    title: Mapped[Words]
    description: Mapped[str] = mapped_column(server_default="", default="")
    type: Mapped[Code] = mapped_column(server_default="preventive", default="preventive")
    priority: Mapped[Code] = mapped_column(server_default="normal", default="normal")
    procedure_id: Mapped[int | None] = mapped_column(to("procedures.id"))
    team_id: Mapped[int | None] = mapped_column(to("teams.id"))
    assignee_id: Mapped[int | None] = mapped_column(to("users.id"))
    estimated_min: Mapped[int | None]
    parts: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)  # planned: [{"part": "P-0042", "quantity": 2}]
    schedule: Mapped[Code] = mapped_column(server_default="floating", default="floating")
    starts_on: Mapped[date]
    at: Mapped[Code] = mapped_column(server_default="08:00", default="08:00")  # local time of day of due dates
    lead_days: Mapped[int] = mapped_column(server_default="7", default=7)
    early_days: Mapped[int] = mapped_column(server_default="2", default=2)
    late_days: Mapped[int] = mapped_column(server_default="2", default=2)
    months: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    shift: Mapped[Code] = mapped_column(server_default="none", default="none")
    series: Mapped[Code] = mapped_column(server_default="", default="")
    level: Mapped[int] = mapped_column(server_default="1", default=1)
    active: Mapped[bool] = mapped_column(server_default=YES, default=True)
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class PmTrigger(Base):
    """One way in which a plan falls due: calendar (rrule), run_hours or cycles (every so many), condition (an alert)."""

    __tablename__ = "pm_triggers"

    id: Mapped[Key]
    plan_id: Mapped[int] = mapped_column(to("pm_plans.id"), index=True)
    kind: Mapped[Code]
    rrule: Mapped[str | None]
    every: Mapped[float | None]
    alert_type: Mapped[Code | None]
    tag: Mapped[Words | None]  # end of the tag's name, as `vibration`; None = any


class PmPlanAsset(Base):
    """Where a plan stands on one asset: when it was last due and done, what its meters said then, and what comes next."""

    __tablename__ = "pm_plan_assets"
    __table_args__ = (UniqueConstraint("plan_id", "asset_id"), Index("ix_pm_plan_assets_next_due", "next_due"))

    id: Mapped[Key]
    plan_id: Mapped[int] = mapped_column(to("pm_plans.id"))
    asset_id: Mapped[int] = mapped_column(to("assets.id"), index=True)
    occurrences: Mapped[int] = mapped_column(server_default="0", default=0)
    last_due: Mapped[datetime | None]
    last_done: Mapped[datetime | None]
    bases: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)  # trigger id -> total of its meter to count from
    next_due: Mapped[datetime | None]
    next_cause: Mapped[Code | None]
    ended_at: Mapped[datetime | None]  # the asset was taken out of the plan


class PmOccurrence(Base):
    """One time that a plan fell due on an asset, exactly once.

    state: open (an order), held (an order of the plan is still open), swallowed (a bigger plan does it), done, skipped, missed.
    """

    __tablename__ = "pm_occurrences"
    __table_args__ = (
        UniqueConstraint("plan_id", "asset_id", "occurrence"),
        Index("uq_pm_occurrences_open", "plan_id", "asset_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_pm_occurrences_asset_due", "asset_id", "due"),
    )

    id: Mapped[Key]
    plan_id: Mapped[int] = mapped_column(to("pm_plans.id"))
    asset_id: Mapped[int] = mapped_column(to("assets.id"))
    occurrence: Mapped[int]
    due: Mapped[datetime]
    earliest: Mapped[datetime]  # of the tolerance
    latest: Mapped[datetime]
    cause: Mapped[Code]
    state: Mapped[Code]
    order_id: Mapped[int | None] = mapped_column(to("work_orders.id"), index=True)
    swallowed_by_id: Mapped[int | None] = mapped_column(to("pm_plans.id"))
    done_at: Mapped[datetime | None]
    reason: Mapped[str | None]  # of a skip
    by: Mapped[Words | None]
    created_at: Mapped[datetime]
