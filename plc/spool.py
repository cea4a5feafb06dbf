"""Keeps batches in a SQLite file until they are delivered, and gives them back in order. What it cannot hold in full it thins, and says so.

The one place that uses SQLite (DESIGN.md 4). Any thread may call; each call holds the one lock.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from plc.spool_thinning import thinned
from realtime.bus import now_ms
from realtime.codec import decode_batch, encode_batch
from realtime.errors import DecodeError, SightlineError
from realtime.events import Batch

log = logging.getLogger("plc.spool")

MAX_MB, MAX_DAYS = 2048.0, 7.0
THIN_ROWS, THIN_BYTES = 4096, 8_000_000  # thinned at a time
CHECKED_BYTES = 256_000_000  # a larger file is not read through at the start
SHRINK_BYTES = 8_000_000
DAY_MS = 86_400_000
LEVELS = ((1, 60_000), (2, 600_000), (3, 3_600_000))  # four readings a tag and minute, then ten minutes, then an hour

State = Literal["ok", "thinning", "dropping"]
T = TypeVar("T")


class SpoolUnwritable(SightlineError):
    """The spool's disk takes nothing more; what was to be kept is lost and must be counted."""


class Spool:
    """A queue of batches on disk, WAL with synchronous=FULL: what `put` returned from survives kill -9 and a power cut."""

    def __init__(self, path: Path, max_mb: float = MAX_MB, max_days: float = MAX_DAYS) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.max_bytes = int(max_mb * 1_000_000)
        self.max_age_ms = int(max_days * DAY_MS)
        self.thinned = self.dropped = self.damaged = 0  # readings, readings, files
        self.state: State = "ok"
        self.turns: list[State] = []  # states since the courier last told them
        self.waiting = self.readings = self.bytes = 0
        self._lock = threading.RLock()
        self._db = self._opened()
        self._is_of_before = self.waiting > 0  # whoever filled it may have told an alarm and died

    def turn(self, state: State) -> None:
        """The quota has come to this, or is kept again."""
        if state != self.state:
            self.state = state
            self.turns.append(state)

    def put(self, batches: Sequence[Batch]) -> None:
        """Append batches durably; beyond the quota the oldest are thinned. Raises SpoolUnwritable."""
        rows = [(len(batch), batch.received_ms, msgspec.msgpack.encode(encode_batch(batch))) for batch in batches]
        self._safely(lambda: self._put(rows))

    def oldest(self, count: int = 50) -> tuple[int, list[Batch]]:
        """The oldest batches, and the mark to hand to `remove` once they are delivered."""
        return self._safely(lambda: self._oldest(count))

    def remove(self, mark: int) -> None:
        """Forget everything up to and including mark."""
        self._safely(lambda: self._remove(mark))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def status(self) -> dict[str, Any]:
        """What /health shows: batches and readings that wait, how full it is, and what the quota has cost so far."""
        fill = self.bytes / self.max_bytes
        counts = {"thinned": self.thinned, "dropped": self.dropped, "damaged": self.damaged}
        held = {"batches": self.waiting, "readings": self.readings, "bytes": self.bytes, "quota_bytes": self.max_bytes}
        return {"state": self.state, "fill": round(fill, 4), **held, **counts}

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._connected()
        except sqlite3.OperationalError as error:
            raise SpoolUnwritable(f"{self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("CREATE TABLE IF NOT EXISTS batch (id INTEGER PRIMARY KEY, readings INTEGER NOT NULL, body BLOB NOT NULL)")
            columns = {row[1] for row in db.execute("PRAGMA table_info(batch)")}
            for name in ("received_ms", "is_thin"):
                if name not in columns:
                    db.execute(f"ALTER TABLE batch ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
            if self.path.stat().st_size < CHECKED_BYTES and db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("damaged pages")
            counted = db.execute("SELECT count(*), coalesce(sum(readings), 0), coalesce(sum(length(body)), 0) FROM batch").fetchone()
        except sqlite3.Error:
            db.close()
            raise
        self.waiting, self.readings, self.bytes = counted
        return db

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Keep the damaged file beside, for who wants to look, and start anew."""
        kept = self.path.with_name(f"{self.path.name}.damaged-{now_ms()}")
        for ending in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + ending)
            if part.exists():
                part.rename(kept.with_name(kept.name + ending))
        self.damaged += 1
        self.waiting = self.readings = self.bytes = 0
        log.error("spool %s is damaged (%s); set aside as %s, starting an empty one", self.path, error, kept.name)

    def _safely(self, act: Callable[[], T]) -> T:
        """Run one act on the file; a damaged file is set aside and the act tried again on a new one."""
        with self._lock:
            try:
                return act()
            except sqlite3.OperationalError as error:
                self._roll_back()
                raise SpoolUnwritable(f"{self.path}: {error}") from error
            except sqlite3.DatabaseError as error:
                self._db.close()
                self._set_aside(error)
                self._db = self._connected()
                return act()

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _put(self, rows: Sequence[tuple[int, int, bytes]]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO batch (readings, received_ms, body) VALUES (?, ?, ?)", rows)
        self._db.execute("COMMIT")
        self.waiting += len(rows)
        self.readings += sum(count for count, _, _ in rows)
        self.bytes += sum(len(body) for _, _, body in rows)
        if self.bytes > self.max_bytes or self._is_old():
            self._make_room()

    def _is_old(self) -> bool:
        first = self._db.execute("SELECT received_ms FROM batch WHERE is_thin = 0 ORDER BY id LIMIT 1").fetchone()
        return first is not None and 0 < first[0] < now_ms() - self.max_age_ms

    def _make_room(self) -> None:
        """Thin the oldest full-resolution batches, then the thinned ones again; only where that is not enough, drop the oldest."""
        if self.state == "ok":
            self.turn("thinning")
            log.error("spool %s is full: the oldest readings are thinned to four a minute and tag", self.path)
        for level, span_ms in LEVELS:
            while self.bytes > self.max_bytes or (level == 1 and self._is_old()):
                if not self._thin(level, span_ms):
                    break
        while self.bytes > self.max_bytes and self.waiting > 1:
            if self.state != "dropping":
                self.turn("dropping")
                log.error("spool %s holds nothing more to thin: the oldest readings are dropped", self.path)
            oldest, count, size = self._db.execute("SELECT id, readings, length(body) FROM batch ORDER BY id LIMIT 1").fetchone()
            self._db.execute("DELETE FROM batch WHERE id = ?", (oldest,))
            self._forget(1, count, size)
            self.dropped += count

    def _thin(self, level: int, span_ms: int) -> bool:
        """Thin the oldest rows of the level before; False when there are none. One transaction: a kill leaves them as they were."""
        (full,) = self._db.execute("SELECT count(*) FROM batch WHERE is_thin = ?", (level - 1,)).fetchone()
        found = self._db.execute(
            "SELECT id, readings, length(body), body FROM batch WHERE is_thin = ? ORDER BY id LIMIT ?",
            (
                level - 1,
                min((full + 1) // 2, THIN_ROWS),
            ),  # many at a time, for a minute must be among them; the newest half stays
        ).fetchall()
        if not found:
            return False
        sizes = list(accumulate(row[2] for row in found))
        rows = found[: 1 + sum(size < THIN_BYTES for size in sizes)]
        size = sizes[len(rows) - 1]
        made = [
            (len(batch), batch.received_ms, msgspec.msgpack.encode(encode_batch(batch))) for batch in thinned(self._decoded(rows), span_ms)
        ]
        first, last, before = rows[0][0], rows[-1][0], sum(row[1] for row in rows)
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM batch WHERE id BETWEEN ? AND ? AND is_thin = ?", (first, last, level - 1))
        self._db.executemany(
            "INSERT INTO batch (id, readings, received_ms, body, is_thin) VALUES (?, ?, ?, ?, ?)",
            [(row[0], *batch, level) for row, batch in zip(rows, made, strict=False)],
        )
        self._db.execute("COMMIT")
        after = sum(count for count, _, _ in made)
        self._forget(len(rows) - len(made), before - after, size - sum(len(body) for _, _, body in made))
        self.thinned += before - after
        return True

    def _forget(self, batches: int, readings: int, size: int) -> None:
        self.waiting -= batches
        self.readings -= readings
        self.bytes -= size

    def _oldest(self, count: int) -> tuple[int, list[Batch]]:
        rows = self._db.execute("SELECT id, readings, length(body), body FROM batch ORDER BY id LIMIT ?", (count,)).fetchall()
        return (rows[-1][0] if rows else 0), self._decoded(rows)

    def _decoded(self, rows: Sequence[tuple[int, int, int, bytes]]) -> list[Batch]:
        batches: list[Batch] = []
        for _, readings, _, body in rows:
            try:
                fields = msgspec.msgpack.decode(body, type=dict[str, bytes])
                batches.append(decode_batch({key.encode(): value for key, value in fields.items()}))
            except (DecodeError, msgspec.MsgspecError) as error:
                self.dropped += readings
                self.turn("dropping")
                log.error("spool %s: %d readings cannot be read any more: %s", self.path, readings, error)  # noqa: TRY400 - one line says it
        return batches

    def _remove(self, mark: int) -> None:
        gone = self._db.execute(
            "SELECT count(*), coalesce(sum(readings), 0), coalesce(sum(length(body)), 0) FROM batch WHERE id <= ?", (mark,)
        ).fetchone()
        self._db.execute("DELETE FROM batch WHERE id <= ?", (mark,))
        self._forget(*gone)
        if self.waiting == 0:
            if self._is_of_before and self.state == "ok":
                self.turns.append("ok")
            self._is_of_before = False
            self.turn("ok")
            if self.path.stat().st_size > SHRINK_BYTES:
                self._db.execute("VACUUM")
