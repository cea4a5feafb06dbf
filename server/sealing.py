"""The leader's hand on the audit trail: seals what came, notes the end of the chain and anchors it. Chaining itself is server/audit.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from server import audit, audit_files
from server.database import Database

WHOLE_EVERY = timedelta(minutes=15)  # longer than any transaction: what such a pass leaves behind it, no later row can come before


@dataclass(slots=True)
class Sealer:
    """Seals new rows at each call; looks at the whole trail only every WHOLE_EVERY."""

    database: Database
    key: bytes
    head: Path
    _whole_at: datetime | None = None
    _above: int = 0
    _newest: int = 0

    def run(self, now: datetime) -> int | None:
        """Seal, note and anchor; the newest seal's number when there were rows."""
        whole = self._whole_at is None or now - self._whole_at >= WHOLE_EVERY
        sealed = self._seal(0 if whole else self._above, now)
        if whole:
            self._whole_at, self._above = now, self._newest
            self._newest = self._newest_row()
        audit_files.anchor_if_due(self.head, now)
        return sealed

    def _seal(self, above: int, now: datetime) -> int | None:
        newest: int | None = None
        while True:
            with self.database.transaction() as session:
                head = audit.seal(session, self.key, above)
            if head is None:
                return newest
            newest = head.seq
            audit_files.note_head(self.head, head.seq, head.hash)
            audit_files.anchor_if_due(self.head, now)

    def _newest_row(self) -> int:
        with self.database.transaction() as session:
            return audit.newest_sealed(session)
