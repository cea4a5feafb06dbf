"""What a person is told, with whether it was read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to


class Notification(Base):
    """One message to one person; a click opens its order or alert."""

    __tablename__ = "notifications"
    __table_args__ = (Index("ix_notifications_user_created", "user_id", "created_at"),)

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(to("users.id"))
    kind: Mapped[Code]  # order_assigned order_taken order_reopened decision_needed alert_critical
    title: Mapped[Words]
    body: Mapped[str] = mapped_column(server_default="", default="")
    work_order_id: Mapped[int | None] = mapped_column(to("work_orders.id"))
    alert_id: Mapped[int | None] = mapped_column(to("alert_records.id"))
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
