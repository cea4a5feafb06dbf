"""What a person is told, with whether it was read; what each wants to be told; who is told next when nobody answers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, JsonList, Key, Words, to
from server.models.plant import NO, NONE, YES

ONE = text("1")
ABOUT_DOWNTIME = "downtime:"  # group_key of a question about a downtime, followed by its id


class Notification(Base):
    """One message to one person; a click opens its order or alert. `count` > 1: that many of a flood in one."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_user_created", "user_id", "created_at"),
        Index("ix_notifications_group", "user_id", "group_key", "created_at", postgresql_where=text("group_key IS NOT NULL")),
    )

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(to("users.id"))
    kind: Mapped[Code]  # order_assigned order_taken order_reopened decision_needed alert alert_critical alert_escalated report ...
    title: Mapped[Words]
    body: Mapped[str] = mapped_column(server_default="", default="")
    work_order_id: Mapped[int | None] = mapped_column(to("work_orders.id"))
    alert_id: Mapped[int | None] = mapped_column(to("alert_records.id"))
    group_key: Mapped[Code | None]  # alerts of one area and severity: those of a flood are folded; `downtime:12`: what it asks about
    count: Mapped[int] = mapped_column(server_default=ONE, default=1)
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]

    @property
    def downtime_id(self) -> int | None:
        """The downtime that it asks about."""
        about = self.group_key or ""
        return int(about.removeprefix(ABOUT_DOWNTIME)) if about.startswith(ABOUT_DOWNTIME) else None


class NotificationPreference(Base):
    """What one person wants to be told of and how; without a row the defaults of the role hold (server/rules/notices.py).

    choices: [{"topic", "area": id|null, "severity": word|null, "in_app": bool, "mail": bool}], the most specific fitting one counts.
    """

    __tablename__ = "notification_preferences"

    user_id: Mapped[int] = mapped_column(to("users.id"), primary_key=True, autoincrement=False)
    choices: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)
    quiet_from: Mapped[Code | None]  # "22:00", in the time zone of the site
    quiet_to: Mapped[Code | None]
    critical_passes: Mapped[bool] = mapped_column(server_default=YES, default=True)
    rev: Mapped[int] = mapped_column(server_default=ONE, default=1)
    changed_at: Mapped[datetime]


class EscalationPolicy(Base):
    """Who is told of an alert that nobody has acknowledged `after_min` minutes after it was raised, and how often again."""

    __tablename__ = "escalation_policies"
    __table_args__ = (Index("ix_escalation_policies_site", "site_id"),)

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    name: Mapped[Words]
    severity: Mapped[Code]  # advisory warning critical
    shift: Mapped[Code | None]  # only while this shift of the site works; None = at any hour
    after_min: Mapped[int]
    to_role: Mapped[Code | None]  # of these people: one role, or one team; both empty = everybody who may acknowledge
    to_team_id: Mapped[int | None] = mapped_column(to("teams.id"))
    on_duty: Mapped[bool] = mapped_column(server_default=NO, default=False)  # only those on duty now
    repeat_min: Mapped[int | None]  # None = once
    rounds: Mapped[int] = mapped_column(server_default=ONE, default=1)  # at most so often
    active: Mapped[bool] = mapped_column(server_default=YES, default=True)
    rev: Mapped[int] = mapped_column(server_default=ONE, default=1)
    deleted_at: Mapped[datetime | None]


class Escalation(Base):
    """One round of one policy for one alert: what makes a second run of the task say nothing again."""

    __tablename__ = "escalations"
    __table_args__ = (UniqueConstraint("alert_id", "policy_id", "round"),)

    id: Mapped[Key]
    alert_id: Mapped[int] = mapped_column(to("alert_records.id"))
    policy_id: Mapped[int] = mapped_column(to("escalation_policies.id"))
    round: Mapped[int]
    told: Mapped[JsonList] = mapped_column(server_default=NONE, default=list)  # ids of people
    at: Mapped[datetime]
