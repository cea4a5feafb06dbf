"""Up to when the hot table is closed. Writers join before they write; closing waits for those that write now, and for nobody else.

A closed hour is compacted by `realtime.compaction`; what still arrives for it is `realtime.late_readings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from realtime.partitions import HOUR_MS

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

GRACE_MS = HOUR_MS  # an hour is closed when it ended this long ago
_WRITERS, _LATE, UPKEEP = 0x5349_4701, 0x5349_4702, 0x5349_4703  # advisory locks


class State(NamedTuple):
    """Times in ms UTC: the hot table takes nothing below `closed` and holds nothing below `chunked`; below `dropped` little raw is kept."""

    closed: int
    chunked: int
    dropped: int


def state(cur: cursor) -> State:
    """How far the history is closed."""
    cur.execute("SELECT closed_until, chunked_until, dropped_until FROM history_state")
    return State(*(cur.fetchone() or (0, 0, 0)))


def join_writers(cur: cursor) -> State:
    """The state, which does not change before the caller's transaction ends. First thing a writer does."""
    cur.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_WRITERS,))
    return state(cur)


def join_late_writers(cur: cursor) -> None:
    """Late readings are not folded before the caller's transaction ends."""
    cur.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_LATE,))


def exclude_late_writers(cur: cursor) -> None:
    """Wait for those that write late readings now, and keep others waiting until the transaction ends."""
    cur.execute("SET LOCAL lock_timeout = '2s'")
    cur.execute("SELECT pg_advisory_xact_lock(%s)", (_LATE,))
    cur.execute("SET LOCAL lock_timeout = 0")


def close(conn: connection, until: int) -> None:
    """Close all hours before `until`; commits. It keeps writers waiting for as long as the longest running one takes."""
    with conn, conn.cursor() as cur:
        cur.execute("SET LOCAL lock_timeout = '2s'")  # others queue behind us meanwhile
        cur.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITERS,))
        cur.execute("UPDATE history_state SET closed_until = %s WHERE closed_until < %s", (until, until))


def closable(now_ms: int) -> int:
    """The end of the newest hour that may be closed now."""
    return (now_ms - GRACE_MS) // HOUR_MS * HOUR_MS
