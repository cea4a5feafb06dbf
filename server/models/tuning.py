"""Thresholds that the verdicts of closed orders speak for (N-22); none is in force before a person accepts it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, Key, Words, to


class TuningProposal(Base):
    """One proposed change with its evidence; state: open, accepted, dismissed, withdrawn. `change` as in store/changes_asked."""

    __tablename__ = "tuning_proposals"
    __table_args__ = (Index("ix_tuning_proposals_site_state", "site_id", "state"),)

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"))
    asset_id: Mapped[int] = mapped_column(to("assets.id"))
    tag_id: Mapped[int] = mapped_column(to("tags.id"), index=True)
    code: Mapped[Code]  # what the alerts said: high, low, stuck
    change: Mapped[Json]
    evidence: Mapped[Json]
    state: Mapped[Code] = mapped_column(server_default="open", default="open")
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[Words | None]
    reason: Mapped[str | None]
