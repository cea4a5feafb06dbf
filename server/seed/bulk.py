"""Many rows at once: ids and readable numbers taken in blocks, rows by COPY. Only for the seeded plant; the stores write one by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from server.models.audit import AuditLog
from server.models.base import Base
from server.models.work import Counter
from server.store.numbers import next_number

Row = dict[str, Any]
ACTOR = "seed"
_NULL = "\\N"


class Bulk:
    """Writes within the session's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))

    def ids(self, model: type[Base], count: int) -> list[int]:
        """Ids of a table that nobody else gets."""
        statement = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
        return list(self.session.scalars(statement, {"table": model.__tablename__, "count": count}))

    def numbers(self, kind: str, count: int) -> range:
        """A block of readable numbers of a kind."""
        first = next_number(self.session, kind)
        self.session.execute(update(Counter).where(Counter.name == kind).values(value=Counter.value + count - 1))
        return range(first, first + count)

    def copy(self, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
        """COPY rows that all have the same keys."""
        if not rows:
            return
        columns = list(rows[0])
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerows([_cell(row[column]) for column in columns] for row in rows)
        buffer.seek(0)
        named = ", ".join(f'"{column}"' for column in columns)
        cursor = self.session.connection().connection.cursor()
        cursor.copy_expert(f"COPY {model.__tablename__} ({named}) FROM STDIN WITH (FORMAT csv, NULL '{_NULL}')", buffer)

    def audit(self, thing: str, site_id: int, rows: Sequence[tuple[int, datetime, Mapping[str, Any]]]) -> None:
        """One audit row a thing, by `seed`: id, time and what it is."""
        base = {"actor": ACTOR, "actor_id": None, "actor_kind": "system", "action": "seed", "thing": thing, "site_id": site_id, "old": None}
        self.copy(AuditLog, [{**base, "thing_id": id_, "at": at, "new": dict(new)} for id_, at, new in rows])


def _cell(value: Any) -> str:
    if value is None:
        return _NULL
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
