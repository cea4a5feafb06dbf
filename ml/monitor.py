"""The monitor: streams in, findings out; owns whole shards by lease and saves detector state with the last id.

Judging is `ml.engine`; here is only what reads, writes, waits and comes back.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from ml.engine import Engine
from ml.keeper import Keeper, RulesOnly
from ml.records import Desk, Records
from ml.shards import Shards
from ml.troubles import Troubles
from realtime.bus import READINGS, Bus, Entry, consumer_name, id_pair, now_ms
from realtime.codec import decode_batch
from realtime.consumer import Consumer
from realtime.errors import BusUnavailable, DecodeError
from realtime.events import Batch, Finding, Signal, SignalName
from realtime.settings import Settings
from realtime.snapshot import Snapshot, load_copy, save_copy
from realtime.supervise import Heartbeat, backoff

log = logging.getLogger("ml")

GROUP = "monitor"
READ_COUNT = 200
BLOCK_MS = 200
SAVE_EVERY_S = 3.0
TIMER_S = 0.5
NEVER_CLAIM_MS = 10**9  # a shard's pending entries go with its lease, never by their age


class Monitor:
    """`run` until stopped. One thread, and the keeper's beside it."""

    def __init__(self, settings: Settings, bus: Bus, stop: threading.Event) -> None:
        self.settings = settings
        self.bus = bus
        self.stop = stop
        self.troubles = Troubles()
        self.records = Records(settings, self.troubles)
        self.shards = Shards(bus, consumer_name())
        self.keeper = Keeper(settings, stop)
        self.heart = Heartbeat(bus, "monitor")
        self.snapshot: Snapshot | None = None
        self.desks: dict[int, Desk] = {}
        self.fresh: set[int] = set()  # taken over, and the keeper does not know yet
        self.consumer: Consumer | None = None
        self.unsent: list[Finding] = []
        self.untold: list[Signal] = []
        self.copy = settings.data_dir / "run" / "config.ml.json"
        self.counts = {"readings": 0, "findings": 0, "undecodable": 0, "saves": 0}
        self._saved = self._timed = self._looked = float("-inf")
        self._asked = 0  # ms UTC: what came later the bus was not asked for yet

    def run(self) -> None:
        """Judge until stopped; Redis and PostgreSQL may come and go."""
        self.keeper.start()
        waits = backoff()
        while not self.stop.is_set():
            try:
                self._round()
                self.troubles.over("bus")
                waits = backoff()
            except BusUnavailable as error:
                self.troubles.now("bus", str(error))
                self.consumer = None
                self.stop.wait(next(waits))
        self._leave()

    def _round(self) -> None:
        self._follow_snapshot()
        if self.snapshot is None:
            self.stop.wait(0.5)
            return
        if self.shards.due():
            self._share()
        self._put_models_in_force()
        self._read()
        if not self.shards.valid():
            return  # this process slept: what it would tell or save may be another's by now
        self._time()
        if time.monotonic() - self._saved >= SAVE_EVERY_S:
            self._save()
        self._beat()

    def _follow_snapshot(self) -> None:
        """Once a second; a change is in force without a restart, and unchanged tags keep their state."""
        if time.monotonic() - self._looked < 1.0:
            return
        self._looked = time.monotonic()
        if self.snapshot is None:
            self.snapshot = self._kept_copy()
        version = self.bus.config_version()
        if version is None or (self.snapshot is not None and version == self.snapshot.version):
            return
        try:
            snapshot = self.bus.config()
        except DecodeError as error:
            self.troubles.now("plant snapshot", str(error))
            return
        if snapshot is not None:
            self.troubles.over("plant snapshot")
            self._reconfigure(snapshot)

    def _kept_copy(self) -> Snapshot | None:
        try:
            return load_copy(self.copy)
        except DecodeError as error:
            log.warning("%s: %s; waiting for the published one", self.copy, error)
            return None

    def _reconfigure(self, snapshot: Snapshot) -> None:
        log.info("plant snapshot %d: %d tags, %d assets", snapshot.version, len(snapshot.tags), len(snapshot.assets))
        self.snapshot = snapshot
        save_copy(snapshot, self.copy)
        closed: list[Finding] = []
        for desk in self.desks.values():
            desk.engine, gone = desk.engine.reconfigured(snapshot, now_ms())
            closed += gone
        self.keeper.want(snapshot, frozenset(self.desks), frozenset())  # before the bus, which may be away
        self._emit(closed)

    def _share(self) -> None:
        assert self.snapshot is not None
        slept = not self.shards.valid()
        free, surplus = self.shards.tick()
        lost = set(self.desks) - self.shards.held
        if slept:
            # another may have held them meanwhile, and be gone again
            again = {shard for shard, desk in self.desks.items() if shard not in lost and self.records.has_later(desk)}
            lost, free = lost | again, free | again - surplus
            self._listen_anew()
        for shard in sorted(lost):
            log.warning("shard %d went to another monitor", shard)
            del self.desks[shard]
        if surplus:
            self._save()
        for shard in sorted(surplus):
            self.desks.pop(shard, None)
            self.shards.give_back(shard)
        for shard in sorted(free):
            self._take_over(shard)
        if lost or surplus or self.fresh:
            self.consumer = None
            log.info("shards %s", " ".join(map(str, sorted(self.desks))) or "none")
            self.keeper.want(self.snapshot, frozenset(self.desks), frozenset(self.fresh))
            self.fresh.clear()
        self._emit([])

    def _listen_anew(self) -> None:
        """Nobody read for a while: what was silent is no gap yet, and what another had read and not acknowledged is read again."""
        self.consumer = None
        for desk in self.desks.values():
            desk.drained = False
            desk.engine.start_listening(now_ms())

    def _take_over(self, shard: int) -> None:
        """Continue where the shard's former monitor saved; the lease is given back while the database is away."""
        assert self.snapshot is not None
        desk = Desk(shard, Engine(self.snapshot, shard, self.settings))
        closed = self.records.load(desk, now_ms())
        if closed is None:
            self.shards.give_back(shard)
            return
        desk.engine.start_listening(now_ms())
        self.desks[shard] = desk
        self.fresh.add(shard)
        self.shards.keep(shard)
        self.unsent += closed

    def _put_models_in_force(self) -> None:
        closed: list[Finding] = []
        for model in self.keeper.take():
            for desk in self.desks.values():
                if not any(asset.id == model.asset for asset in desk.engine.channels.assets):
                    continue
                if isinstance(model, RulesOnly):
                    desk.engine, gone = desk.engine.unloaded(model.asset, now_ms())
                else:
                    desk.engine, gone = desk.engine.with_model(model, now_ms())
                closed += gone
        self._emit(closed)
        self.untold += self.keeper.words()
        if self.untold:
            self.bus.add_signals(self.untold)
            self.untold = []

    def _read(self) -> None:
        if not self.desks:
            self.stop.wait(BLOCK_MS / 1000)
            return
        if self.consumer is None:
            streams = [READINGS[shard] for shard in sorted(self.desks)]
            # one name for all monitors: who holds a shard's lease is the only reader of its stream, and its pending goes along
            self.consumer = Consumer(self.bus, streams, GROUP, GROUP, claim_idle_ms=NEVER_CLAIM_MS)
            # a group that is missing where something was read before was taken away, by FLUSHALL or eviction
            made = self.consumer.ensure_groups()
            self.consumer.lost_groups += [stream for stream in made if self.desks[READINGS.index(stream)].last_id > (0, 0)]
        self._asked = now_ms()
        entries = self.consumer.read(READ_COUNT, BLOCK_MS)
        self._report_lost_groups(self.consumer)
        if not self.shards.valid():
            self.consumer = None  # this process slept: what is in hand may be another's by now
            return
        by_shard: dict[int, list[Entry]] = {shard: [] for shard in self.desks}
        for entry in entries:
            by_shard[READINGS.index(entry.stream)].append(entry)
        for shard, mine in by_shard.items():
            self._judge(self.desks[shard], mine)

    def _judge(self, desk: Desk, entries: list[Entry]) -> None:
        desk.drained = len(entries) < READ_COUNT
        batches: list[Batch] = []
        for entry in entries:
            if id_pair(entry.id) > desk.last_id:
                batches += self._decoded(entry)
                desk.last_id = id_pair(entry.id)
            desk.unsaved.append(replace(entry, fields={}))  # only to be acknowledged: the database may be away for long
        if batches:
            self.counts["readings"] += sum(map(len, batches))
            self._emit(desk.engine.process(batches))

    def _decoded(self, entry: Entry) -> list[Batch]:
        try:
            return [decode_batch(entry.fields)]
        except DecodeError as error:
            self.counts["undecodable"] += 1
            assert self.consumer is not None
            self.consumer.reject(entry, error.reason)
            return []

    def _emit(self, found: list[Finding]) -> None:
        """Findings are on the bus before the state that has seen them is saved: at least once, with stable keys."""
        for finding in found:
            if finding.edge != "update":
                log.info("%s %s %s %s", finding.edge, finding.tag or f"asset {finding.asset}", finding.type, finding.code)
        self.unsent += found
        if self.unsent:
            self.bus.add_findings(self.unsent)
            self.counts["findings"] += len(self.unsent)
            self.unsent = []

    def _time(self) -> None:
        if time.monotonic() - self._timed < TIMER_S:
            return
        self._timed = time.monotonic()
        for desk in self.desks.values():
            if desk.drained:
                self._emit(desk.engine.tick(self._asked))

    def _save(self) -> None:
        """State and last id together; only then are the entries acknowledged."""
        self._saved = time.monotonic()
        self._emit([])
        for desk in self.desks.values():
            if desk.is_dirty() and self.records.save(desk):
                self.counts["saves"] += 1
                self._acknowledge(desk)

    def _acknowledge(self, desk: Desk) -> None:
        if self.consumer is not None:
            self.consumer.ack(desk.unsaved)
            desk.unsaved.clear()

    def _report_lost_groups(self, consumer: Consumer) -> None:
        if consumer.lost_groups:
            lost, consumer.lost_groups = consumer.lost_groups, []
            log.error("the bus lost groups of %s: entries may be gone; see the alarm", ", ".join(lost))
            self.bus.add_signals([Signal(SignalName.BUS_GROUP_LOST, now_ms(), {"stream": s, "group": GROUP}) for s in lost])

    def _beat(self) -> None:
        assert self.snapshot is not None
        drops: dict[str, int] = {}
        for desk in self.desks.values():
            drops = {reason: drops.get(reason, 0) + number for reason, number in desk.engine.gate.drops.items()}
        self.heart.beat(
            config_version=self.snapshot.version,
            shards=sorted(self.desks),
            models=sum(len(desk.engine.models) for desk in self.desks.values()),
            provisional=sum(m.provisional for desk in self.desks.values() for m in desk.engine.models.values()),
            learning=self.keeper.learning,
            open=sum(len(desk.engine.book.open) for desk in self.desks.values()),
            unsaved=sum(len(desk.unsaved) for desk in self.desks.values()),
            drops={**drops, "undecodable": self.counts["undecodable"]},
            **{name: self.counts[name] for name in ("readings", "findings", "saves")},
        )

    def _leave(self) -> None:
        try:
            if self.shards.valid():
                self._save()
            self.shards.leave()
        except BusUnavailable as error:
            log.warning("stopping without the bus: %s", error)
        self.records.close()
