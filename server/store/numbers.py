"""Readable numbers: WO-1042, ALERT_0042."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server.models.work import Counter


def next_number(session: Session, kind: str) -> int:
    """The next number of a kind, 1 for a new kind; its row stays locked until the caller's commit, so that none is given twice."""
    first = insert(Counter).values(name=kind, value=1)
    statement = first.on_conflict_do_update(index_elements=[Counter.name], set_={"value": Counter.value + 1})
    return session.execute(statement.returning(Counter.value)).scalar_one()


def order_number(session: Session) -> str:
    """WO-1042."""
    return f"WO-{next_number(session, 'work_order')}"


def alert_number(session: Session) -> str:
    """ALERT_0042."""
    return f"ALERT_{next_number(session, 'alert'):04d}"
