"""Where a collector gets its configuration and its sources from, and where it says how it is: the bus, or a server by HTTP."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec
import redis

from plc.follow import Follower
from plc.outlet import Outlet
from plc.sink import HttpSink
from realtime.bus import Bus, connect
from realtime.errors import BusUnavailable, DecodeError
from realtime.lease import Lease
from realtime.settings import Settings
from realtime.snapshot import Snapshot, Source, decode_snapshot, load_copy, save_copy
from realtime.supervise import HEARTBEAT_EVERY_S, Heartbeat

log = logging.getLogger("plc.office")

LEASE_MS = 5_000


class Stood(msgspec.Struct, frozen=True):
    """When a link was last good, ms UTC, and whether its loss has been told."""

    good_ms: int
    is_lost: bool


HELD_FOR_S = 15.0  # how long a server's word on what an edge holds is good
FETCH_EVERY_S = 2.0


class Office(Protocol):
    """What the program of one kind needs beside the outlet of its readings."""

    outlet: Outlet
    is_edge: bool

    @property
    def snapshot(self) -> Snapshot | None:
        """The configuration in force; None before the first."""

    def poll(self) -> None:
        """Look for a new configuration."""

    def hold(self, source: str) -> bool:
        """Take or renew a source; False where another collector has it. Raises BusUnavailable when nobody can be asked."""

    def release(self, source: str) -> None:
        """Give a source up; raises BusUnavailable."""

    def beat(self, **counters: Any) -> None:
        """Say how it goes, now and then; never raises."""

    def remember(self, links: Mapping[str, Stood]) -> None:
        """Keep for a successor elsewhere when links last stood; never raises."""

    def remembered(self, source: str) -> Stood | None:
        """What was kept of a link, whoever had it; None where nothing is known."""


class BusOffice:
    """On the bus: the published snapshot, a lease a source, a heartbeat."""

    is_edge = False

    def __init__(self, bus: Bus, program: str, copy: Path, holder: str) -> None:
        self.outlet: Outlet = bus
        self._bus = bus
        self._holder = holder
        self._follower = Follower(bus, copy)
        self._heartbeat = Heartbeat(bus, program)
        self._leases: dict[str, Lease] = {}

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest that could be read."""
        return self._follower.snapshot

    def poll(self) -> None:
        """Look once."""
        self._follower.poll()

    def hold(self, source: str) -> bool:
        """By a lease on the bus."""
        return self._leases.setdefault(source, Lease(self._bus, f"source.{source}", self._holder, LEASE_MS)).hold()

    def release(self, source: str) -> None:
        """Let another have it at once."""
        lease = self._leases.pop(source, None)
        if lease is not None:
            lease.release()

    def beat(self, **counters: Any) -> None:
        """Into a key that expires."""
        self._heartbeat.beat(config_version=self._follower.version, **counters)

    def remember(self, links: Mapping[str, Stood]) -> None:
        """Into one hash; a bus that is away keeps the last."""
        try:
            if links:
                self._bus.client.hset(self._bus.key("links"), mapping={name: msgspec.json.encode(stood) for name, stood in links.items()})
        except redis.RedisError as error:
            log.debug("links: %s", error)

    def remembered(self, source: str) -> Stood | None:
        """From that hash."""
        try:
            raw = cast("bytes | None", self._bus.client.hget(self._bus.key("links"), source))
            return None if raw is None else msgspec.json.decode(raw, type=Stood)
        except (redis.RedisError, msgspec.MsgspecError) as error:
            log.warning("what is known of %s: %s", source, error)
            return None


class EdgeOffice:
    """On a machine of its own. The supervising program fetches the configuration into a file, its children read that file.

    A source that names this edge (`edge: <name of the token>`) is its own; of the others it has those that the server lends it.
    """

    is_edge = True

    def __init__(self, sink: HttpSink, program: str, copy: Path, holder: str, *, fetches: bool = False) -> None:
        self.sink = sink
        self.outlet: Outlet = sink
        self.snapshot: Snapshot | None = None
        self._program = program
        self._copy = copy
        self._holder = holder
        self._fetches = fetches
        self._etag: str | None = None
        self._fetched = self._beaten = self._answered = float("-inf")
        self._seen = 0
        self._asked: set[str] = set()
        self._held: set[str] = set()
        self._answered_for: set[str] = set()
        self._is_away = False  # the last question was not answered
        self._read_copy()

    def poll(self) -> None:
        """Fetch, or look at the file; a server that is away changes nothing."""
        if not self._fetches:
            self._read_copy()
        elif time.monotonic() - self._fetched >= FETCH_EVERY_S:
            self._fetched = time.monotonic()
            try:
                found = self.sink.config(self._etag)
            except BusUnavailable as error:
                log.debug("configuration: %s", error)
                return
            if found is not None:
                self._take(*found)

    def _take(self, body: bytes, etag: str) -> None:
        try:
            fresh = decode_snapshot(body)
        except DecodeError as error:
            log.error("configuration: %s; going on with the one in force", error)  # noqa: TRY400 - one line says it
            return
        self._etag = etag
        save_copy(fresh, self._copy)
        self._use(fresh)

    def _read_copy(self) -> None:
        try:
            stamp = self._copy.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            found = load_copy(self._copy)
        except DecodeError as error:
            log.error("%s: %s; waiting for the server", self._copy, error)  # noqa: TRY400 - one line says it
            return
        if found is not None:
            self._use(found)

    def _use(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.sink.configure(snapshot)

    def _is_own(self, source: str) -> bool:
        return any(one.name == source and one.config.get("edge") for one in (self.snapshot.sources if self.snapshot else ()))

    def hold(self, source: str) -> bool:
        """Its own always; another one by the server's last word."""
        if self._is_own(source):
            return True
        self._asked.add(source)
        if source not in self._answered_for and not self._is_away:
            self._asked |= {one.name for one in self._of_my_kind() if not one.config.get("edge")}
            self._ask({})  # before anything is read: another collector may have it
        if time.monotonic() - self._answered > HELD_FOR_S:
            raise BusUnavailable("the server has not said who has this source")
        return source in self._held

    def release(self, source: str) -> None:
        """No longer asked for: the server's lease runs out by itself."""
        self._asked.discard(source)
        self._answered_for.discard(source)

    def remember(self, links: Mapping[str, Stood]) -> None:
        """Only the record on this machine's disk knows: edges do not tell each other."""

    def remembered(self, source: str) -> Stood | None:
        """Nothing."""
        return None

    def beat(self, **counters: Any) -> None:
        """Tell the server, at most every HEARTBEAT_EVERY_S; its answer lends sources."""
        if time.monotonic() - self._beaten < HEARTBEAT_EVERY_S:
            return
        self._beaten = time.monotonic()
        drops = {**counters.get("drops", {}), **self.sink.drops}
        version = self.snapshot.version if self.snapshot else None
        self._ask({**counters, "drops": drops, "config_version": version, "pid": os.getpid()})

    def _ask(self, said: dict[str, Any]) -> None:
        """Which of the sources that are asked for are lent to us; the last answer stands while the server is away."""
        wants = sorted(self._asked)
        try:
            answer = self.sink.status({"program": self._program, "holder": self._holder, "wants": wants, "counters": said})
        except BusUnavailable:
            self._is_away = True
            return
        self._is_away = False
        self._held, self._answered, self._answered_for = set(answer.get("holds", ())), time.monotonic(), set(wants)

    def _of_my_kind(self) -> list[Source]:
        kind = self._program.partition(".")[2]
        return [one for one in (self.snapshot.sources if self.snapshot else ()) if one.enabled and one.kind == kind]


def office_for(settings: Settings, program: str, holder: str, *, copy: str, fetches: bool = False) -> Office:
    """The office of a program: with SINK an edge's, else that of the bus. Raises SettingsError."""
    if settings.sink:
        return EdgeOffice(HttpSink(settings), program, settings.data_dir / "plc" / "config.json", holder, fetches=fetches)
    bus = Bus(connect(settings.redis_url or ""), settings.bus_prefix, settings.bus_max_mb)
    return BusOffice(bus, program, settings.data_dir / "plc" / copy, holder)
