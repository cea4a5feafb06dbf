"""The audit trail: who did what to which thing, old and new values, in the cause's transaction; chained by the leader.

Rows are written by whoever changes something; the worker seals them in commit order with an HMAC over the previous hash and the row.
A trigger refuses UPDATE, DELETE and TRUNCATE. `python -m server.audit verify` finds what was changed behind the trigger's back.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime import settings as settings_module
from realtime.settings import Settings
from server.auth.secret import derived_key, server_secret
from server.database import Database
from server.models.audit import AuditLog, AuditSeal
from server.store.actor import Person

GENESIS = "0" * 64
SEALED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one thing; old None = made, new None = ended."""

    action: str
    thing: str
    thing_id: int | None
    site_id: int | None = None
    old: Mapping[str, Any] | None = None
    new: Mapping[str, Any] | None = None


def record(session: Session, change: Change, by: Person, at: datetime) -> None:
    """Append the row in the caller's transaction."""
    session.add(
        AuditLog(
            at=at,
            actor=by.name,
            actor_id=by.id,
            action=change.action,
            thing=change.thing,
            thing_id=change.thing_id,
            site_id=change.site_id,
            old=None if change.old is None else _plain(change.old),
            new=None if change.new is None else _plain(change.new),
        )
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON will give it back, so that the hash of today is the hash of next year."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(dict(values), default=str))
    return plain


def canonical(row: AuditLog) -> bytes:
    """The bytes of a row that its hash covers: every column, in one order, times in UTC."""
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    columns = [row.id, at, row.actor, row.actor_id, row.action, row.thing, row.thing_id, row.site_id, row.old, row.new]
    return orjson.dumps(columns, option=orjson.OPT_SORT_KEYS)


def chained(key: bytes, previous: str, row: AuditLog) -> str:
    """Hash of a row behind its forerunner's."""
    return hmac.new(key, previous.encode() + canonical(row), hashlib.sha256).hexdigest()


def seal(session: Session, key: bytes) -> AuditSeal | None:
    """Chain the rows that have no seal yet; the newest seal, None when nothing was waiting. For the leader alone."""
    unsealed = select(AuditLog).outerjoin(AuditSeal, AuditSeal.audit_id == AuditLog.id).where(AuditSeal.seq.is_(None))
    rows = session.scalars(unsealed.order_by(AuditLog.id).limit(SEALED_AT_ONCE)).all()
    if not rows:
        return None
    head = session.scalar(select(AuditSeal).order_by(AuditSeal.seq.desc()).limit(1))
    for row in rows:
        previous, seq = (head.hash, head.seq) if head else (GENESIS, 0)
        head = AuditSeal(seq=seq + 1, audit_id=row.id, hash=chained(key, previous, row))
        session.add(head)
    session.flush()
    return head


@dataclass(frozen=True, slots=True)
class Report:
    """What verification found; `problems` empty = the chain holds."""

    sealed: int
    unsealed: int
    problems: tuple[str, ...]


def verify(session: Session, key: bytes, head: tuple[int, str] | None = None) -> Report:
    """Walk the chain from its start; `head` (seq, hash) is what the worker last noted outside the database."""
    problems: list[str] = []
    previous, expected = GENESIS, 1
    hashes_at_head: str | None = None
    joined = select(AuditSeal, AuditLog).outerjoin(AuditLog, AuditLog.id == AuditSeal.audit_id).order_by(AuditSeal.seq)
    for seal_row, row in session.execute(joined).yield_per(1000):
        if seal_row.seq != expected:
            problems.append(f"seal {expected} is missing; {seal_row.seq} follows")
        if row is None:
            problems.append(f"seal {seal_row.seq}: audit row {seal_row.audit_id} is gone")
        elif chained(key, previous, row) != seal_row.hash:
            problems.append(f"seal {seal_row.seq}: audit row {row.id} ({row.action} {row.thing} {row.thing_id} by {row.actor}) was changed")
        if head and seal_row.seq == head[0]:
            hashes_at_head = seal_row.hash
        previous, expected = seal_row.hash, seal_row.seq + 1
    if head and hashes_at_head != head[1]:
        problems.append(f"the chain does not reach seal {head[0]} that the worker noted: its end was cut off or written anew")
    total = session.query(AuditLog).count()
    return Report(expected - 1, max(0, total - (expected - 1)), tuple(problems))


def audit_key(settings: Settings) -> bytes:
    """The key of the chain: made once from the server's secret, then kept in a 0600 file so that the secret may change."""
    path = settings.data_dir / "audit.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(derived_key(server_secret(settings), "audit").hex().encode())
        draft.replace(path)
    return bytes.fromhex(path.read_text("ascii").strip())


def head_path(settings: Settings) -> Path:
    """Where the worker notes the end of the chain."""
    return settings.data_dir / "audit.head"


def note_head(path: Path, head: AuditSeal) -> None:
    """Keep the end of the chain outside the database, atomically."""
    draft = path.with_suffix(".new")
    draft.write_text(f"{head.seq} {head.hash}\n", "ascii")
    draft.replace(path)


def read_head(path: Path) -> tuple[int, str] | None:
    """The noted end of the chain; None where nothing was sealed from here."""
    if not path.exists():
        return None
    seq, hash_ = path.read_text("ascii").split()
    return int(seq), hash_


def main(arguments: list[str] | None = None) -> int:
    """0 when the chain holds, 1 when it does not."""
    parser = argparse.ArgumentParser(prog="python -m server.audit", description="Check the audit trail.")
    parser.add_argument("command", choices=["verify"])
    parser.parse_args(arguments)
    settings = settings_module.load()
    settings_module.require(settings, "database_url")
    database = Database(str(settings.database_url), pool_size=1)
    with database.transaction() as session:
        report = verify(session, audit_key(settings), read_head(head_path(settings)))
    database.close()
    for problem in report.problems:
        sys.stdout.write(f"{problem}\n")
    word = "BROKEN" if report.problems else "holds"
    sys.stdout.write(f"audit chain {word}: {report.sealed} rows sealed, {report.unsealed} waiting\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
