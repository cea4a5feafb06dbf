"""A shard in hand, and how its state gets into the database and back. The bus is the monitor's."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field

import psycopg2

from ml.artefacts import Damaged, seal_state, signing_key, unseal_state
from ml.engine import Engine
from ml.store import load_state, save_state
from ml.troubles import Troubles
from realtime.bus import Entry
from realtime.events import Finding
from realtime.settings import Settings

log = logging.getLogger("ml")

Id = tuple[int, int]


@dataclass(slots=True)
class Desk:
    """One shard in hand: its engine, the last entry judged, the entries judged but not yet acknowledged."""

    shard: int
    engine: Engine
    last_id: Id = (0, 0)
    saved_id: Id = (0, 0)
    unsaved: deque[Entry] = field(default_factory=deque)
    drained: bool = False

    def is_dirty(self) -> bool:
        """Something was judged, or waits to be acknowledged, since the last save."""
        return bool(self.unsaved) or self.saved_id != self.last_id


class Records:
    """Detector state in PostgreSQL; a database that is away is logged once and answered with False."""

    def __init__(self, settings: Settings, troubles: Troubles) -> None:
        self.settings = settings
        self.key = signing_key(settings)
        self.troubles = troubles
        self._conn: psycopg2.extensions.connection | None = None

    def load(self, desk: Desk, now: int) -> list[Finding] | None:
        """Bring a new desk to where the shard's former monitor saved; closes of what is gone. None: the database is away."""
        try:
            saved = load_state(self._connection(), desk.shard)
            self._connection().commit()
        except psycopg2.Error as error:
            self._lost(error)
            return None
        self.troubles.over("database")
        if saved is None:
            return []
        desk.last_id = desk.saved_id = saved.last_id
        try:
            return desk.engine.adopt(unseal_state(saved.body, self.key), now)
        except Damaged as error:
            log.error("detector state of shard %d is damaged (%s): starting it anew", desk.shard, error)  # noqa: TRY400 - no trace helps
            return []

    def save(self, desk: Desk) -> bool:
        """State and last id in one statement; True when it is durable and still ours."""
        body = seal_state(desk.engine.export(), self.key)
        try:
            ours = save_state(self._connection(), desk.shard, desk.last_id, desk.engine.channels.version, body)
            self._connection().commit()
        except psycopg2.Error as error:
            self._lost(error)
            return False
        self.troubles.over("database")
        if ours:
            desk.saved_id = desk.last_id
        else:
            log.warning("shard %d: another monitor has saved a later state", desk.shard)
        return ours

    def has_later(self, desk: Desk) -> bool:
        """Another monitor has saved a state of this shard since; False, too, while the database is away: then nobody took it over."""
        try:
            saved = load_state(self._connection(), desk.shard)
            self._connection().commit()
        except psycopg2.Error as error:
            self._lost(error)
            return False
        return saved is not None and saved.last_id > desk.saved_id

    def close(self) -> None:
        """Give the connection back."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _connection(self) -> psycopg2.extensions.connection:
        if self._conn is None or self._conn.closed:
            self._conn = psycopg2.connect(str(self.settings.database_url), connect_timeout=3)
        return self._conn

    def _lost(self, error: psycopg2.Error) -> None:
        self.troubles.now("database", str(error).strip())
        self.close()
