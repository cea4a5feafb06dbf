"""Background jobs with their status (S2-47, S2-96, S2-158)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, Key, Words, to
from server.models.plant import EMPTY


class BackgroundJob(Base):
    """One run of a named job; state: queued, running, done, failed."""

    __tablename__ = "background_jobs"

    id: Mapped[Key]
    name: Mapped[Code]
    queue: Mapped[Code]
    state: Mapped[Code] = mapped_column(server_default="queued", default="queued", index=True)
    site_id: Mapped[int | None] = mapped_column(to("sites.id"))
    args: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)
    done: Mapped[int] = mapped_column(server_default="0", default=0)
    total: Mapped[int] = mapped_column(server_default="0", default=0)
    message: Mapped[str] = mapped_column(server_default="", default="")
    result: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)
    created_by: Mapped[Words]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
