"""The version of the plant snapshot: counted in the transaction that changes the plant, told as the fact `config.changed`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from realtime.events import FactName
from server.models.plant import PlantVersion
from server.store.outbox import Draft, emit


def current(session: Session) -> int:
    """The version in force."""
    return session.scalars(select(PlantVersion.version)).one()


def bump(session: Session, now: datetime, by: str = "system") -> int:
    """The next version; the leader publishes the snapshot when it relays the fact."""
    statement = update(PlantVersion).values(version=PlantVersion.version + 1, changed_at=now).returning(PlantVersion.version)
    version = session.execute(statement).scalar_one()
    emit(session, Draft(FactName.CONFIG_CHANGED, 1, version, by, None, {"version": version}), now)
    return version
