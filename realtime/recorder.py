"""The recorder: takes batches off the streams and stores them, a transaction every quarter of a second or when there is enough.

Entries are acknowledged after the commit, so whatever dies, they come again and are stored once. While PostgreSQL is away it reads
nothing more and keeps what it has in hand; while Redis is away it waits. `realtime.janitor` keeps the bus small.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

import psycopg2
from psycopg2.extensions import connection

from realtime.bus import READINGS, Bus, Entry, now_ms
from realtime.codec import decode_batch
from realtime.consumer import Consumer
from realtime.errors import BusUnavailable, DecodeError
from realtime.events import Batch, Signal, SignalName
from realtime.history_rows import Written
from realtime.history_writer import check, write_batches
from realtime.supervise import retry_until

GROUP = "history"
EVERY_S = 0.25
ENOUGH = 20_000  # readings; a transaction of that many takes about 0.1 s
ENTRIES_A_READ = 100  # of each stream
WAIT_MS = 1000
log = logging.getLogger("recorder")

# Another recorder may store the same entries: that writes nothing twice, so a dead one's are taken over soon.
CLAIM_IDLE_MS = 5_000

# The rows are the trouble, not the server. A missing table is not among them: migrations may still be running.
_POISON = (psycopg2.DataError, psycopg2.IntegrityError)


@dataclass(slots=True)
class Counters:
    """What this recorder has done since it started."""

    written: Written = field(default_factory=Written)
    rejected: int = 0
    commits: int = 0
    lag_ms: int = 0  # from reception to commit, oldest reading of the last commit


@dataclass(slots=True)
class Gathered:
    """Entries in hand that are not committed yet."""

    entries: list[Entry] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)

    def readings(self) -> int:
        """How many readings are in hand."""
        return sum(map(len, self.batches))


class Recorder:
    """One member of the group `history`; any number may run."""

    def __init__(self, bus: Bus, database_url: str, stop: threading.Event, name: str | None = None) -> None:
        self.bus = bus
        self.stop = stop
        self.counters = Counters()
        self._database_url = database_url
        self._conn: connection | None = None
        self._consumer = Consumer(bus, READINGS, GROUP, name, CLAIM_IDLE_MS)
        self._written_at = time.monotonic()

    def start(self) -> None:
        """Wait for PostgreSQL, then for Redis, and make the groups; returns early when stopped."""
        retry_until(self.stop, "history", self._connected, (psycopg2.Error,))
        retry_until(self.stop, "bus", self._consumer.ensure_groups, (BusUnavailable,))

    def close(self) -> None:
        """Close the database connection."""
        if self._conn is not None:
            self._conn.close()

    def run(self) -> None:
        """Record until stopped."""
        self.start()
        while not self.stop.is_set():
            self.step()

    def step(self) -> None:
        """Gather, store, acknowledge: once. Retries each for as long as its service is away; returns when stopped."""
        gathered = retry_until(self.stop, "bus", self._gather, (BusUnavailable,))
        if not gathered or not gathered.entries:
            return
        kept = retry_until(self.stop, "history", lambda: self._store(gathered), (psycopg2.Error,))
        if kept is not None:
            retry_until(self.stop, "bus", lambda: self._consumer.ack(kept), (BusUnavailable,))

    def _gather(self) -> Gathered:
        gathered = Gathered()
        try:
            self._take(gathered, WAIT_MS)
            if gathered.entries and gathered.readings() < ENOUGH:
                self.stop.wait(max(0.0, self._written_at + EVERY_S - time.monotonic()))
                while gathered.readings() < ENOUGH and self._take(gathered, 1):
                    pass
        except BusUnavailable:
            self._consumer.rewind()  # what is in hand comes again, and what was under way with it
            raise
        return gathered

    def _take(self, gathered: Gathered, wait_ms: int) -> bool:
        """Read once more; False when there was nothing."""
        entries = self._consumer.read(ENTRIES_A_READ, wait_ms)
        self._tell_lost_groups()
        for entry in entries:
            try:
                batch = decode_batch(entry.fields).for_history()
                check(batch)
            except DecodeError as error:
                self._reject(entry, error.reason)
            else:
                gathered.entries.append(entry)
                gathered.batches.append(batch)
        return bool(entries)

    def _tell_lost_groups(self) -> None:
        """Unread entries are gone with a group (FLUSHALL, eviction): that is an alarm, and the stream is read from its start."""
        lost = self._consumer.lost_groups
        if lost:
            log.error("group %s was gone from %s: unread readings are lost", GROUP, ", ".join(lost))
            self.bus.add_signals(Signal(SignalName.BUS_GROUP_LOST, now_ms(), {"stream": stream, "group": GROUP}) for stream in lost)
            lost.clear()

    def _reject(self, entry: Entry, reason: str) -> None:
        log.warning("entry %s of %s to the dead letters: %s", entry.id.decode(), entry.stream, reason)
        self._consumer.reject(entry, reason)
        self.counters.rejected += 1

    def _connected(self) -> connection:
        if self._conn is None or self._conn.closed:
            self._conn = psycopg2.connect(self._database_url, application_name="sightline recorder", connect_timeout=5)
        return self._conn

    def _store(self, gathered: Gathered) -> list[Entry]:
        """Commit what is in hand; returns the entries to acknowledge. On a lost connection the next try makes a new one."""
        try:
            written = self._commit(gathered.batches)
        except _POISON as error:
            log.warning("database refuses a transaction, trying its batches one by one: %s", error)
            return self._store_one_by_one(gathered)
        self._count(written, gathered.batches)
        return gathered.entries

    def _store_one_by_one(self, gathered: Gathered) -> list[Entry]:
        kept: list[Entry] = []
        for entry, batch in zip(gathered.entries, gathered.batches, strict=True):
            try:
                self._count(self._commit([batch]), [batch])
            except _POISON as error:
                self._reject(entry, f"database: {str(error).splitlines()[0]}")
            else:
                kept.append(entry)
        return kept

    def _commit(self, batches: list[Batch]) -> Written:
        conn = self._connected()
        try:
            with conn:
                return write_batches(conn, batches)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            conn.close()  # deadlock or dead server: start over on a clean connection
            raise

    def _count(self, written: Written, batches: list[Batch]) -> None:
        self._written_at = time.monotonic()
        self.counters.written += written
        self.counters.commits += 1
        self.counters.lag_ms = now_ms() - min(batch.received_ms for batch in batches)
