"""All sources of one protocol kind in one process: follows the plant snapshot, holds a lease per source, runs what it holds.

It reads no device itself. A second collector stands by: it gets a source when the lease of the first runs out.
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import IO, Any

from plc.connector import KINDS, Kind
from plc.office import BusOffice, Office, Stood
from plc.runner import SourceRunner
from realtime.bus import Bus
from realtime.errors import BusUnavailable
from realtime.settings import Settings
from realtime.snapshot import Snapshot, Source, Tag

log = logging.getLogger("plc.collector")

TURN_S = 0.5
NOT_GOOD_SHOWN = 500  # tags told one by one in a heartbeat, all sources of the process together


class Seat:
    """A name for this process that its successor after a kill -9 gets too, so that it need not wait for its own lease.

    The first free numbered lock file in the run folder; the lock goes with the process, however it ends.
    """

    def __init__(self, run_dir: Path, kind: str) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        self._lock: IO[str] | None = None
        number = 0
        while self._lock is None:
            handle = (run_dir / f"collector-{kind}.{number}.lock").open("w")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._lock = handle
            except BlockingIOError:
                handle.close()
                number += 1
        self.name = f"{socket.gethostname()}:{run_dir}:{kind}.{number}"

    def leave(self) -> None:
        """Let a successor have it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class Collector:
    """Runs the sources of one kind until told to stop. office: a bus stands for the office on it."""

    def __init__(self, kind: Kind, settings: Settings, office: Office | Bus, seat: Seat | None = None) -> None:
        self.kind = kind
        self.settings = settings
        self._seat = seat or Seat(settings.run_dir, kind.name)
        if isinstance(office, Bus):
            copy = settings.data_dir / "plc" / f"config-{kind.name}.json"
            office = BusOffice(office, f"plc.{kind.name}", copy, self._seat.name)
        self.office = office
        self.runners: dict[str, SourceRunner] = {}
        self._standby: set[str] = set()
        self._share = 1.0

    def run(self, stop: threading.Event) -> None:
        """Until stop: follow the configuration, hold leases, keep runners alive, tell health."""
        try:
            while not stop.is_set():
                self.office.poll()
                if self.office.snapshot is not None:
                    self._turn(self.office.snapshot)
                self.office.beat(**self.counters())
                stop.wait(TURN_S)
        finally:
            self.close()

    def close(self) -> None:
        """Stop every source and give its lease back."""
        self._remember()
        for name in list(self.runners):
            self._release(name)
        self._seat.leave()

    def _turn(self, snapshot: Snapshot) -> None:
        ours = [source for source in snapshot.sources if source.enabled and is_ours(source, is_edge=self.office.is_edge)]
        wanted = {source.name: source for source in ours if source.kind == self.kind.name}
        self._share = 1 / max(sum(KINDS[source.kind].is_spooled for source in ours if source.kind in KINDS), 1)
        for name in [name for name in self.runners if name not in wanted]:
            log.info("%s: no longer configured", name)
            self._release(name)
        tags: dict[str, list[Tag]] = {name: [] for name in wanted}
        for tag in snapshot.tags:
            if tag.source in tags and tag.enabled:
                tags[tag.source].append(tag)
        for name, source in wanted.items():
            self._keep(source, tags[name])
        self._remember()

    def _remember(self) -> None:
        """For whoever has these sources after us."""
        running = {name: runner.link for name, runner in self.runners.items()}
        self.office.remember({name: Stood(link.good_ms, link.record.is_lost) for name, link in running.items() if link.good_ms is not None})

    def _keep(self, source: Source, tags: list[Tag]) -> None:
        """Run the source while its lease is ours. With the bus away nobody can be asked: what runs goes on, and what can

        spool begins from the copy on disk, but never where another collector is known to have it.
        """
        runner = self.runners.get(source.name)
        try:
            is_held = self.office.hold(source.name)
        except BusUnavailable:
            if runner is None and (source.name in self._standby or not self.kind.is_spooled):
                return
            is_held = True
        if not is_held:
            self._stand_by(source.name)
        elif runner is None:
            self._standby.discard(source.name)
            self._start(source, tags)
        elif not runner.is_alive:
            log.error("%s: collector thread ended; starting it again", source.name)
            runner.stop()
            self._start(source, tags)
        else:
            runner.update(source, tags, self._share)

    def _start(self, source: Source, tags: list[Tag]) -> None:
        log.info("%s: collecting %d tags", source.name, len(tags))
        office, known = self.office, self.office.remembered(source.name)
        stood = (known.good_ms, known.is_lost) if known else None
        runner = SourceRunner(self.kind, source, tags, self.settings, office.outlet, share=self._share, is_edge=office.is_edge, stood=stood)
        self.runners[source.name] = runner
        runner.start()

    def _stand_by(self, name: str) -> None:
        runner = self.runners.pop(name, None)
        if runner is not None:
            runner.stop()
        if name not in self._standby:
            self._standby.add(name)
            log.info("%s: another collector has it; standing by", name)

    def _release(self, name: str) -> None:
        self.runners.pop(name).stop()
        try:
            self.office.release(name)
        except BusUnavailable as error:
            log.debug("%s: lease runs out by itself: %s", name, error)

    def counters(self) -> dict[str, Any]:
        """What /health shows: readings, drops by reason, each source's state."""
        drops: Counter[str] = Counter()
        for runner in self.runners.values():
            drops.update(runner.ledger.drops)
        shown = max(NOT_GOOD_SHOWN // max(len(self.runners), 1), 5)
        sources = {name: runner.status(shown) for name, runner in self.runners.items()}
        return {
            "kind": self.kind.name,
            "readings": sum(int(status["readings"]) for status in sources.values()),
            "drops": dict(drops),
            "sources": sources,
            "standby": sorted(self._standby),
            "cpu_s": round(sum(os.times()[:2]), 2),
        }


def is_ours(source: Source, *, is_edge: bool) -> bool:
    """A source that names an edge is that edge's alone; the server lists it to no other one."""
    return is_edge or not source.config.get("edge")


def kinds_of(snapshot: Snapshot, *, is_edge: bool = False) -> set[str]:
    """Kinds with at least one enabled source of ours that a connector exists for."""
    return {source.kind for source in snapshot.sources if source.enabled and is_ours(source, is_edge=is_edge)} & set(KINDS)
