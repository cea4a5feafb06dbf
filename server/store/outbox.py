"""Facts into the outbox, in the cause's transaction; the leader's relay numbers and publishes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from realtime.events import FactName
from server.models.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact without its number."""

    name: FactName
    thing_id: int
    rev: int
    by: str
    site_id: int | None
    data: dict[str, Any]


def emit(session: Session, draft: Draft, at: datetime) -> None:
    """Write the fact; it becomes true for others when the caller commits."""
    session.add(Outbox(name=draft.name, thing_id=draft.thing_id, rev=draft.rev, by=draft.by, site_id=draft.site_id, data=draft.data, at=at))
    session.flush()
