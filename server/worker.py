"""The worker program: folds findings and signals into alerts and orders, relays facts, keeps time. One leads, others stand by.

`python -m server.worker`. It never sees a reading; it decides nothing that server/rules does not say.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

import psycopg2
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from realtime import settings as settings_module
from realtime.bus import FINDINGS, SIGNALS, Bus, Entry, connect, now_ms
from realtime.codec import decode_finding, decode_signal
from realtime.consumer import Consumer
from realtime.errors import BusUnavailable, DecodeError
from realtime.events import Signal, SignalName
from realtime.settings import Settings
from realtime.supervise import Heartbeat, backoff, configure_logging, stop_event
from server import audit_files
from server.beacon import Beacon
from server.database import Database
from server.folding import fold_finding
from server.herald import Herald
from server.leadership import Leadership
from server.mail import Postman
from server.relay import OutboxBell, Relay
from server.schedule import Schedule
from server.services import Services
from server.signals import fold_signal
from server.status import look
from server.timestamps import utc_now

log = logging.getLogger("worker")

GROUP = "worker"
LEADER_NAME = "leader"  # the next leader reads what the last one left pending at once
AWAY = (BusUnavailable, OperationalError, psycopg2.OperationalError, psycopg2.InterfaceError)
SCHEDULE_EVERY_S = 1.0
WEBHOOKS_EVERY_S = 1.0
MAIL_EVERY_S = 2.0


@dataclass(slots=True)
class Counters:
    """What the heartbeat tells."""

    findings: int = 0
    signals: int = 0
    drops: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str) -> None:
        """Count an entry that went to the dead letters."""
        self.drops[reason] = self.drops.get(reason, 0) + 1


class Folder:
    """Reads the streams and folds entry by entry: one transaction each, acknowledged after the commit."""

    def __init__(self, database: Database, bus: Bus, proof_s: float) -> None:
        self._database = database
        self._bus = bus
        self._proof_s = proof_s
        self._consumer = Consumer(bus, (FINDINGS, SIGNALS), GROUP, LEADER_NAME)
        self.counters = Counters()

    def open(self) -> None:
        """Make the group where it is missing; raises BusUnavailable."""
        self._consumer.ensure_groups()
        self._consumer.rewind()

    def run_once(self, block_ms: int = 500) -> int:
        """Fold what is there; the number of entries. Raises what AWAY names and then has acknowledged nothing unfinished."""
        entries = self._consumer.read(count=100, block_ms=block_ms)
        self._tell_lost_groups()
        try:
            for entry in entries:
                self._fold(entry)
                self._consumer.ack([entry])
        except AWAY:
            self._consumer.rewind()
            raise
        return len(entries)

    def _tell_lost_groups(self) -> None:
        while self._consumer.lost_groups:
            data = {"stream": self._consumer.lost_groups[0], "group": GROUP}
            self._bus.add_signals([Signal(SignalName.BUS_GROUP_LOST, now_ms(), data)])
            self._consumer.lost_groups.pop(0)

    def _fold(self, entry: Entry) -> None:
        try:
            self._commit(entry)
        except DecodeError as error:
            self._reject(entry, "unreadable", error.reason)
        except DBAPIError as error:
            if isinstance(error, OperationalError) or error.connection_invalidated:
                raise  # the database is away, or asks to try again: the entry stays pending
            self._reject(entry, "refused by the database", str(error.orig))
        except SQLAlchemyError as error:
            self._reject(entry, "refused by the database", str(error))

    def _reject(self, entry: Entry, reason: str, detail: str) -> None:
        self.counters.drop(reason)
        log.error("entry %s of %s goes to the dead letters: %s", entry.id.decode(), entry.stream, detail)
        self._consumer.reject(entry, detail[:500])

    def _commit(self, entry: Entry) -> None:
        if entry.stream == FINDINGS:
            finding = decode_finding(entry.fields)
            with self._database.transaction() as session:
                fold_finding(session, finding, utc_now(), self._proof_s)
            self.counters.findings += 1
        else:
            signal = decode_signal(entry.fields)
            with self._database.transaction() as session:
                fold_signal(session, signal, utc_now(), self._proof_s)
            self.counters.signals += 1


class Leader:
    """A term of leadership: the folder in this thread, relay and schedule beside it. Ends when any of them loses its footing."""

    def __init__(self, settings: Settings, leadership: Leadership, stop: threading.Event) -> None:
        assert settings.database_url is not None
        assert settings.redis_url is not None
        self._leadership = leadership
        self._stop = stop
        self._over = threading.Event()
        self._url = settings.database_url
        self.database = Database(settings.database_url)
        self._bus = Bus(connect(settings.redis_url), settings.bus_prefix, settings.bus_max_mb)
        self._at = Services(settings, self.database, self._bus)
        self._folder = Folder(self.database, self._bus, settings.proof_window_s)
        self._relay = Relay(self.database, self._bus)
        self._schedule = Schedule(
            self.database, self._bus, settings.proof_window_s, audit_files.audit_key(settings), audit_files.head_path(settings), utc_now
        )
        self._postman = Postman(self.database, settings, utc_now)
        self._heartbeat = Heartbeat(self._bus, "worker")
        self._failure: Exception | None = None

    def serve(self) -> None:
        """Work until stopped or until something is away; raises what AWAY names, so that the caller stands again later."""
        beside = (self._relay_facts, self._keep_time, self._send_mail, self._tell_webhooks)
        threads = [threading.Thread(target=self._guard, args=(work,), daemon=True) for work in beside]
        for thread in threads:
            thread.start()
        try:
            self._folder.open()
            while not self._is_over():
                self._folder.run_once()
                self._beat()
        finally:
            self._over.set()
            for thread in threads:
                thread.join(timeout=4)
            self.database.close()
        if self._failure is not None:
            raise self._failure

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._over.is_set() or not self._leadership.holds()

    def _guard(self, work: object) -> None:
        assert callable(work)
        try:
            work()
        except AWAY as error:
            self._failure = error
        finally:
            self._over.set()

    def _relay_facts(self) -> None:
        bell = OutboxBell(self._url)
        try:
            while not self._over.is_set():
                while self._relay.run_once(utc_now()):
                    if self._relay.plant_changed:
                        self._schedule.publish_snapshot()
                        self._relay.plant_changed = False
                bell.wait(0.5)
        finally:
            bell.close()

    def _keep_time(self) -> None:
        settings = self._at.settings
        beacon = Beacon(settings.mqtt_url, settings.mqtt_prefix, settings.bus_prefix) if settings.mqtt_url else None
        try:
            while not self._over.wait(SCHEDULE_EVERY_S):
                self._schedule.run()
                if beacon:
                    beacon.tell(look(self._at).word, utc_now())
        finally:
            if beacon:
                beacon.close()

    def _send_mail(self) -> None:
        while not self._over.wait(MAIL_EVERY_S):
            self._postman.run()

    def _tell_webhooks(self) -> None:
        herald = Herald(self.database, self._at.settings, utc_now)
        while not self._over.wait(WEBHOOKS_EVERY_S):
            herald.run()

    def _beat(self) -> None:
        counters = self._folder.counters
        with_version = {"config_version": self._bus.config_version(), "leader": True, "relayed": self._relay.relayed}
        counts = {"findings": counters.findings, "signals": counters.signals, "drops": counters.drops}
        self._heartbeat.beat(**with_version, **counts, **self._schedule.counts)


def run(settings: Settings, stop: threading.Event) -> None:
    """Lead or stand by until stopped; whatever is away is waited for."""
    assert settings.database_url is not None
    away = False
    waits = backoff(0.2, 5.0)
    while not stop.is_set():
        leadership: Leadership | None = None
        try:
            leadership = Leadership(settings.database_url)
            if _stands_by(settings, leadership, stop):
                log.info("leading")
                away = False
                Leader(settings, leadership, stop).serve()
        except AWAY as error:
            if not away:
                log.warning("database or bus is away: %s; retrying", str(error).strip().splitlines()[0])
            away = True
            stop.wait(next(waits))
        else:
            waits = backoff(0.2, 5.0)
            stop.wait(0.2)
        finally:
            if leadership is not None:
                leadership.close()


def _stands_by(settings: Settings, leadership: Leadership, stop: threading.Event) -> bool:
    """Wait for the lead; False when stopped first."""
    assert settings.redis_url is not None
    heartbeat = Heartbeat(Bus(connect(settings.redis_url), settings.bus_prefix), "worker")
    told = False
    while not stop.is_set():
        if leadership.stand():
            return True
        if not told:
            log.info("another worker leads; standing by")
            told = True
        heartbeat.beat(leader=False)
        stop.wait(0.5)
    return False


def main() -> None:
    """Until SIGTERM or SIGINT."""
    configure_logging()
    stop = stop_event()
    settings = settings_module.load()
    settings_module.require(settings, "database_url", "redis_url")
    run(settings, stop)
    log.info("stopped")


if __name__ == "__main__":
    main()
