"""Keeps batches in a SQLite file while the bus is away, and gives them back in order. Polled sources only: MQTT's broker keeps its own.

The one place that uses SQLite (DESIGN.md 4). One thread owns a Spool.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from realtime.codec import decode_batch, encode_batch
from realtime.errors import DecodeError
from realtime.events import Batch

MAX_MB = 512


class Spool:
    """A queue of batches on disk, WAL with synchronous=FULL: what `put` returned from survives a power cut."""

    def __init__(self, path: Path, max_mb: float = MAX_MB) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.max_bytes = int(max_mb * 1_000_000)
        self.dropped = 0  # readings lost to the quota, oldest first
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE IF NOT EXISTS batch (id INTEGER PRIMARY KEY, readings INTEGER NOT NULL, body BLOB NOT NULL)")
        self.waiting, self._bytes = self._db.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM batch").fetchone()

    def put(self, batches: Sequence[Batch]) -> None:
        """Append batches durably; over the quota the oldest are dropped and counted."""
        rows = [(len(batch), msgspec.msgpack.encode(encode_batch(batch))) for batch in batches]
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO batch (readings, body) VALUES (?, ?)", rows)
        self.waiting += len(rows)
        self._bytes += sum(len(body) for _, body in rows)
        while self._bytes > self.max_bytes and self.waiting > 1:
            oldest, readings, size = self._db.execute("SELECT id, readings, length(body) FROM batch ORDER BY id LIMIT 1").fetchone()
            self._db.execute("DELETE FROM batch WHERE id = ?", (oldest,))
            self.waiting -= 1
            self._bytes -= size
            self.dropped += readings
        self._db.execute("COMMIT")

    def oldest(self, count: int = 50) -> tuple[int, list[Batch]]:
        """The oldest batches flagged late, and the mark to hand to `remove` once the bus has them."""
        rows = self._db.execute("SELECT id, body FROM batch ORDER BY id LIMIT ?", (count,)).fetchall()
        batches: list[Batch] = []
        for _, body in rows:
            fields = {key.encode(): value for key, value in msgspec.msgpack.decode(body, type=dict[str, bytes]).items()}
            try:
                batch = decode_batch(fields)
            except DecodeError:
                self.dropped += 1
                continue
            batches.append(replace(batch, flags=batch.flags | {"late"}))
        return (rows[-1][0] if rows else 0), batches

    def remove(self, mark: int) -> None:
        """Forget everything up to and including mark."""
        self._db.execute("DELETE FROM batch WHERE id <= ?", (mark,))
        self.waiting, self._bytes = self._db.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM batch").fetchone()

    def close(self) -> None:
        """Close the file."""
        self._db.close()
