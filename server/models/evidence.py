"""Fault stories: what an asset's signals and states looked like when an alert was raised, frozen. Chains of evidence are made anew."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, Key, Words, to


class FaultStory(Base):
    """One frozen part of an alert's story; a trigger refuses UPDATE.

    part `before`: the time up to the raise with states, last works and parts; `after`: what followed it. An alert that comes back
    gets a new story: `raised_at` tells them apart. `digest` is the SHA-256 of the content.
    """

    __tablename__ = "fault_stories"
    __table_args__ = (
        UniqueConstraint("alert_id", "raised_at", "part"),
        Index("ix_fault_stories_frozen_at", "frozen_at"),
    )

    id: Mapped[Key]
    alert_id: Mapped[int] = mapped_column(to("alert_records.id"))
    raised_at: Mapped[datetime]
    part: Mapped[Code]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    content: Mapped[Json]
    digest: Mapped[Words]
    frozen_at: Mapped[datetime]
