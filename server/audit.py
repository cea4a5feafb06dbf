"""The audit trail: who did what to which thing, when and why, old and new values, in the cause's transaction; chained by the leader.

Rows are written by whoever changes something; the worker seals them in commit order with an HMAC over the previous hash and the row.
A trigger refuses UPDATE, DELETE and TRUNCATE. `python -m server.audit verify` finds what was changed behind the trigger's back.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from realtime import settings as settings_module
from server import audit_check
from server.audit_chain import GENESIS, SELECTED, chained
from server.audit_files import anchors_path, audit_key, head_path, read_anchors, read_head
from server.auth.principal import Principal
from server.database import Database
from server.models.audit import AuditLog, AuditSeal
from server.store.actor import Person

SEALED_AT_ONCE = 2000
_AS_TEXT = ", ".join(f"({column})::text" for column in SELECTED.split(", "))
_UNSEALED = text(f"""SELECT {_AS_TEXT} FROM audit_log l
WHERE l.id > :above AND NOT EXISTS (SELECT FROM audit_seals s WHERE s.audit_id = l.id AND s.audit_id > :above)
ORDER BY l.id LIMIT {SEALED_AT_ONCE}""")  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one thing; old None = made, new None = ended. reason: why, in the words of whoever did it."""

    action: str
    thing: str
    thing_id: int | None
    site_id: int | None = None
    old: Mapping[str, Any] | None = None
    new: Mapping[str, Any] | None = None
    reason: str | None = None


def record(session: Session, change: Change, by: Person, at: datetime) -> None:
    """Append the row in the caller's transaction."""
    session.add(
        AuditLog(
            at=at,
            actor=by.name,
            actor_id=by.id,
            actor_kind=_kind_of(by),
            action=change.action,
            thing=change.thing,
            thing_id=change.thing_id,
            site_id=change.site_id,
            old=None if change.old is None else _plain(change.old),
            new=None if change.new is None else _plain(change.new),
            reason=change.reason,
        )
    )


def _kind_of(by: Person) -> str:
    if isinstance(by, Principal):
        return by.kind
    return "system" if by.id is None else "user"


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON will give it back, so that the hash of today is the hash of next year."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(dict(values), default=str))
    return plain


def seal(session: Session, key: bytes, above: int = 0) -> AuditSeal | None:
    """Chain the rows that have no seal yet; the newest seal, None when nothing was waiting. For the leader alone.

    above: every row up to this id is known to be sealed, so that a long trail is not read again each second.
    """
    rows = session.execute(_UNSEALED, {"above": above}).all()
    if not rows:
        return None
    head = session.scalar(select(AuditSeal).order_by(AuditSeal.seq.desc()).limit(1))
    hash_, seq = (head.hash, head.seq) if head else (GENESIS, 0)
    seals = []
    for number, row in enumerate(rows, seq + 1):
        hash_ = chained(key, hash_, list(row))
        seals.append({"seq": number, "audit_id": int(row[0]), "hash": hash_})
    session.execute(insert(AuditSeal), seals)
    return AuditSeal(**seals[-1])


def newest_sealed(session: Session) -> int:
    """The highest id of a sealed row; 0 without one."""
    return session.scalar(select(func.max(AuditSeal.audit_id))) or 0


def main(arguments: list[str] | None = None) -> int:
    """0 when the chain holds, 1 when it does not."""
    parser = argparse.ArgumentParser(prog="python -m server.audit", description="Check the audit trail.")
    parser.add_argument("command", choices=["verify"])
    parser.parse_args(arguments)
    settings = settings_module.load()
    settings_module.require(settings, "database_url")
    database = Database(str(settings.database_url), pool_size=1)
    head = head_path(settings)
    with database.transaction() as session:
        report = audit_check.verify(session, audit_key(settings), read_head(head), read_anchors(anchors_path(head)))
    database.close()
    for problem in report.problems:
        sys.stdout.write(f"{problem}\n")
    word = "BROKEN" if report.problems else "holds"
    sys.stdout.write(f"audit chain {word}: {report.sealed} rows sealed, {report.unsealed} waiting\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
