"""Metadata of trained models (S2-44); the artefacts are ml's, activation reaches ml by the plant snapshot."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, Key, Words, to
from server.models.plant import EMPTY, NO


class MLModelVersion(Base):
    """One version of an asset's model; at most one is active, old ones are kept."""

    __tablename__ = "ml_model_versions"
    __table_args__ = (UniqueConstraint("asset_id", "version"),)

    id: Mapped[Key]
    asset_id: Mapped[int] = mapped_column(to("assets.id"))
    version: Mapped[int]
    detector: Mapped[Code]
    trained_by: Mapped[Words]
    trained_at: Mapped[datetime]
    windows: Mapped[int]
    contamination: Mapped[float | None]
    feature_set: Mapped[Code]
    metrics: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)
    active: Mapped[bool] = mapped_column(server_default=NO, default=False)


class Baseline(Base):
    """An interval of healthy operation that models learn from; provisional until a person confirms it.

    state: "" where `confirmed` says all; checking (its halves are being compared), refused (`verdict` says why) or withdrawn.
    """

    __tablename__ = "baselines"

    id: Mapped[Key]
    asset_id: Mapped[int] = mapped_column(to("assets.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    confirmed: Mapped[bool] = mapped_column(server_default=NO, default=False)
    confirmed_by: Mapped[Words | None]
    confirmed_at: Mapped[datetime | None]
    state: Mapped[Code] = mapped_column(server_default="", default="")
    note: Mapped[str] = mapped_column(server_default="", default="")
    marked_by: Mapped[Words] = mapped_column(server_default="", default="")
    marked_at: Mapped[datetime | None]
    job_id: Mapped[int | None] = mapped_column(to("background_jobs.id"))
    verdict: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)  # {"reasons": [...], "left_out_s", "readings", "tags"}
