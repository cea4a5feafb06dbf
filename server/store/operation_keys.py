"""Idempotency keys: the answer an operation got, so that repeating it repeats the answer and nothing else.

Keys are kept 30 days (the leader removes older ones); nothing here commits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.errors import Conflict, Invalid
from server.models.feed import OperationKey


def earlier_answer(session: Session, scope: str, owner: str, key: str, body_hash: str) -> OperationKey | None:
    """The answer stored under this key, None when it is new. The key stays ours until the transaction ends.

    Raises Conflict `still_running` while another transaction works on it, Invalid `key_reused` when it came with another body.
    """
    name = f"{scope}/{owner}/{key}"
    if not session.scalar(select(func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0)))):
        raise Conflict("still_running", "an operation with this key is still running")
    query = select(OperationKey).where(OperationKey.scope == scope, OperationKey.owner == owner, OperationKey.key == key)
    row = session.scalars(query).one_or_none()
    if row is not None and row.body_hash != body_hash:
        raise Invalid("key", "key_reused", "this key was used with another body")
    return row


def remember(session: Session, scope: str, owner: str, key: str, body_hash: str, *, status: int, answer: Any, now: datetime) -> None:
    """Store the answer of a key that `earlier_answer` found new."""
    session.add(OperationKey(scope=scope, owner=owner, key=key, body_hash=body_hash, status=status, answer=answer, created_at=now))
    session.flush()
