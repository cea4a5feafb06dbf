"""The outbox relay: numbers facts in commit order and puts each on the bus once; only the leader runs it."""

from __future__ import annotations

import select as sockets
from datetime import datetime
from typing import cast

import psycopg2
import redis
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from realtime.bus import FACTS, Bus
from realtime.codec import decode_fact
from realtime.errors import BusUnavailable
from realtime.events import FactName
from server.database import Database
from server.models.outbox import Outbox
from server.store.facts import fact_of

AT_ONCE = 500


class Relay:
    """Call `run_once` until it returns 0, then `wait`. After any error the last fact on the bus is asked for anew."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._on_bus: int | None = None  # number of the last fact that the bus has; None = ask
        self.relayed = 0
        self.plant_changed = False  # a config.changed was relayed: the caller republishes the snapshot and clears it

    def run_once(self, now: datetime) -> int:
        """Number and publish what waits; how many facts that were. Raises BusUnavailable or a database error."""
        with self._database.transaction() as session:
            number_new(session)
        with self._database.transaction() as session:
            waiting = select(Outbox).where(Outbox.seq.is_not(None), Outbox.published_at.is_(None)).order_by(Outbox.seq)
            rows = session.scalars(waiting.limit(AT_ONCE)).all()
            if not rows:
                return 0
            self._publish([row for row in rows if row.seq is not None and row.seq > self._last_on_bus()])
            session.execute(update(Outbox).where(Outbox.id.in_([row.id for row in rows])).values(published_at=now))
        self.relayed += len(rows)
        self.plant_changed = self.plant_changed or any(row.name == FactName.CONFIG_CHANGED for row in rows)
        return len(rows)

    def _publish(self, rows: list[Outbox]) -> None:
        try:
            self._bus.add_facts([fact_of(row) for row in rows])
        except BusUnavailable:
            self._on_bus = None  # some may have arrived
            raise
        if rows:
            self._on_bus = rows[-1].seq

    def _last_on_bus(self) -> int:
        if self._on_bus is None:
            try:
                newest = self._bus.client.xrevrange(self._bus.key(FACTS), count=1)
            except redis.RedisError as error:
                raise BusUnavailable(f"bus: {error}") from error
            self._on_bus = decode_fact(cast("dict[bytes, bytes]", newest[0][1])).seq if newest else 0
        return self._on_bus


def number_new(session: Session) -> None:
    """Give numbers to facts that were committed without one.

    What one look finds was committed before what only the next look finds, and within a look a thing's facts were written in
    the order of its row lock: so numbers follow commits.
    """
    ids = session.scalars(select(Outbox.id).where(Outbox.seq.is_(None)).order_by(Outbox.id).limit(AT_ONCE)).all()
    if not ids:
        return
    newest = session.scalar(select(func.max(Outbox.seq))) or 0
    session.execute(update(Outbox), [{"id": id_, "seq": newest + place} for place, id_ in enumerate(ids, 1)])


class OutboxBell:
    """Waits for a commit that wrote a fact (NOTIFY outbox)."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg2.connect(database_url)
        self._connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with self._connection.cursor() as cursor:
            cursor.execute("LISTEN outbox")

    def wait(self, timeout_s: float) -> None:
        """Until somebody rings or the time is over; raises psycopg2.Error when the connection is gone."""
        if sockets.select([self._connection], [], [], timeout_s)[0]:
            self._connection.poll()
            self._connection.notifies.clear()

    def close(self) -> None:
        """Stop listening."""
        self._connection.close()
