"""Readable numbers: WO-1042, ALERT_0042."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from server.models.work import Counter


def next_number(session: Session, kind: str) -> int:
    """The next number of a kind; its row stays locked until the caller's commit, so that none is given twice."""
    statement = update(Counter).where(Counter.name == kind).values(value=Counter.value + 1).returning(Counter.value)
    return session.execute(statement).scalar_one()


def order_number(session: Session) -> str:
    """WO-1042."""
    return f"WO-{next_number(session, 'work_order')}"


def alert_number(session: Session) -> str:
    """ALERT_0042."""
    return f"ALERT_{next_number(session, 'alert'):04d}"
