"""OPC UA connector (1.04, binary): one subscription a polling group, with security, browsing and the history of a gap; pushed.

Source time is the server's SourceTimestamp. It cannot see what changed while the session was down, unless the node keeps
a history: that span is told as a gap, and filled by HistoryRead where that is offered.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

from plc.addressing import opcua as address
from plc.addressing.errors import AddressError
from plc.connector import Branch, LinkError, Readings, Report, bad_samples
from plc.connectors import opcua_browse
from plc.connectors.opcua_columns import Columns
from plc.connectors.opcua_errors import FAILED, link_error
from plc.connectors.opcua_groups import QUEUE_SIZE, Groups, Item, Sampling
from plc.connectors.opcua_history import Backfill
from plc.connectors.opcua_security import check_url, own_certificate, security_of
from plc.connectors.opcua_session import TIMEOUT_S, Session
from plc.connectors.opcua_transport import shared_loop
from plc.connectors.opcua_waiting import Waiting
from plc.connectors.opcua_wire import Change, Run
from plc.grid import periods_of
from realtime.bus import now_ms
from realtime.events import Reason
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.opcua")

OPEN_WITHIN_S = 5 * TIMEOUT_S
CLOSE_WITHIN_S = 2.5
WAITING_MOST = 100_000
HISTORY_AT_ONCE = 10_000
RETRY_BAD_S = 60.0
AUDIT_S = 30.0
SHOWN_CODES = 20
RAISED = (*FAILED, asyncio.CancelledError)


class OpcuaConnector:
    """One server. config: url, user, password, security, mode, server_cert, publishing_ms, queue 10, repeats, shapes; docs/opcua.md."""

    def __init__(self, source: Source, settings: Settings, report: Report) -> None:
        self.source = source
        self.name = source.name
        self.config = source.config
        self.report = report
        self.folder = settings.data_dir / "opcua"
        self.instance = settings.bus_prefix
        self._loop = shared_loop()
        self._session: Session | None = None
        self._groups: Groups | None = None
        self._tags: list[Tag] = []
        self._bad: list[Tag] = []
        self._why: dict[str, str] = {}  # why a tag could not be subscribed last
        self._retry_at = 0
        self._numbers = 0
        self._heard_ms: int | None = None  # when the session of before was last heard
        self._gap: list[Readings] = []
        self._intervals: dict[str, float] = {}  # as the session of before granted them, by group
        self._columns = Columns([], source.config.get("shapes") or {}, report)
        self._changes = Waiting(WAITING_MOST, report)
        self._past: deque[Change] = deque()
        self._arrived = threading.Event()
        self._expiry = ""

    def connect(self) -> None:
        """Open a fresh session and subscribe; raises LinkError."""
        check_url(self.name, str(self.config.get("url") or ""))
        own = own_certificate(self.folder / "own", self.instance)
        self._warn(own.warning(datetime.now(UTC)))
        session = Session(self.name, self.config, security_of(self.name, self.config), own, self.folder / "servers")
        session.on_lost = self._arrived.set
        self._session = session
        self._changes.clear()
        self._past.clear()
        try:
            self._loop.run(self._open(session), OPEN_WITHIN_S)
        except RAISED as error:
            raise link_error(self._shown(), error, TIMEOUT_S, own) from error
        log.info("%s: session at %s, %d nodes", self.name, self._shown(), len(self._columns.owners))

    def _warn(self, said: str) -> None:
        if said and said != self._expiry:
            log.warning("%s: %s", self.name, said)
        self._expiry = said

    def _shown(self) -> str:
        return str(self.config.get("url")).rpartition("@")[2]  # never the password

    async def _open(self, session: Session) -> None:
        await session.open()
        opened, lost = now_ms(), self._heard_ms
        self._columns.opened(opened, session.skew_ms, again=lost is not None)
        sampling = Sampling(
            int(self.config.get("queue", QUEUE_SIZE)), float(self.config.get("sampling_ms", 0)), bool(self.config.get("repeats", False))
        )
        self._groups = Groups(session, self.report, self._changed, sampling)
        items = await self._subscribe([tag for tag in self._tags if not tag.virtual])
        if lost is not None:
            self._gap = self._gap_since(lost + session.skew_ms)
            filling = Backfill(session, self._kept, self._has_room).run(items, lost, opened)
            session.beside.append(asyncio.create_task(filling))
        self._intervals = {each.group: each.interval_ms for each in self._groups.open}
        session.beside.append(asyncio.create_task(self._groups.audit(float(self.config.get("audit_s", AUDIT_S)))))

    def _gap_since(self, heard_ms: int) -> list[Readings]:
        """Bad (COMM) for every tag: from the newest change of its group, or one publishing interval before the last word."""
        made: list[Readings] = []
        for group in {tag.group for tag in self._tags}:
            since = max(heard_ms - round(self._intervals.get(group, 0.0)), self._columns.newest.get(group, 0)) + 1
            made += bad_samples([tag for tag in self._tags if tag.group == group], since, Reason.COMM)
        return [_replayed(part) for part in made]

    def _changed(self, part: Run | Change) -> None:
        """On the loop for each part of a notification: append and nothing else."""
        self._changes.put(part)
        self._arrived.set()

    def _kept(self, change: Change) -> None:
        self._past.append(change)
        self._arrived.set()

    def _has_room(self) -> bool:
        return len(self._past) < WAITING_MOST

    async def _subscribe(self, tags: Sequence[Tag]) -> list[Item]:
        """Add these to their groups; those that cannot be are bad (CONFIG) and tried again. Returns what is subscribed."""
        session, groups = self._session, self._groups
        assert session is not None
        assert groups is not None
        by_group: dict[str, list[Item]] = {}
        for tag in tags:
            try:
                node = opcua_browse.node_of(session, tag.address)
            except AddressError:
                self._refuse(tag, "its namespace is not on the server")
                continue
            self._numbers += 1
            self._columns.owns(self._numbers, tag)
            by_group.setdefault(tag.group, []).append(Item(self._numbers, node))
        fixed_ms = self.config.get("publishing_ms")
        for group, period_s in periods_of(self.source, tags).items():
            refused = await groups.add(group, float(fixed_ms or period_s * 1000), by_group.get(group, []))
            for number, why in refused.items():
                self._refuse(self._columns.disown(number), why)
        self._retry_at = now_ms() + round(float(self.config.get("retry_s", RETRY_BAD_S)) * 1000)
        return [item for items in by_group.values() for item in items if item.number in self._columns.owners]

    def _refuse(self, tag: Tag, why: str) -> None:
        log.error("%s: %s at %s cannot be read: %s; check the node id", self.name, tag.name, tag.address, why)
        self.report.reject("bad_address", topic=tag.name, sample=f"{tag.name} {tag.address}: {why}".encode())
        self._bad.append(tag)
        self._why[tag.name] = f"bad_address: {why}; check the node id"
        self._columns.bad_nodes.append(tag)

    def plan(self, tags: Sequence[Tag]) -> list[tuple[Tag, str]]:
        """Take tags; a standing session gets new subscriptions for them, and the former go only after these stand."""
        unusable: list[tuple[Tag, str]] = []
        usable: list[Tag] = []
        for tag in tags:
            try:
                if not tag.virtual:
                    address.parse(tag.address)
                usable.append(tag)
            except AddressError as error:
                unusable.append((tag, f"address {tag.address!r}: {error}"))
        self._tags, self._bad = usable, []
        self._columns = Columns(usable, self.config.get("shapes") or {}, self.report, self._columns)
        if self._groups is not None:
            self._again(self._replanned(), "subscribing anew")
        return unusable

    async def _replanned(self) -> None:
        assert self._groups is not None
        former = self._groups.take()
        await self._subscribe([tag for tag in self._tags if not tag.virtual])
        await self._groups.remove(former)

    def read(self, group: str, timeout_s: float) -> list[Readings]:
        """What changed since; waits up to timeout_s. The gap before this session comes first, then what was kept of it."""
        if not (self._changes or self._gap or self._past or self._columns.bad_nodes):
            self._arrived.wait(timeout_s)
        self._arrived.clear()
        made, self._gap = self._gap, []
        made += self._columns.history([self._past.popleft() for _ in range(min(len(self._past), HISTORY_AT_ONCE))], now_ms())
        changes = self._changes.take()
        session = self._session
        if session is not None and session.lost is not None and not (changes or made):
            raise LinkError("protocol", f"{self._shown()}: {session.lost}", "", quiet_s=(now_ms() - session.heard_ms) / 1000)
        made += self._columns.readings(changes, now_ms())
        self._bad += self._columns.vanished
        self._columns.vanished = []
        if self._bad and now_ms() >= self._retry_at:
            again, self._bad = self._bad, []
            self._again(self._retried(again), "subscribing again what could not be read")
        return made

    async def _retried(self, tags: Sequence[Tag]) -> None:
        assert self._session is not None
        await self._session.read_namespaces()
        await self._subscribe(tags)

    def _again(self, what: Coroutine[Any, Any, None], doing: str) -> None:
        try:
            self._loop.run(what, OPEN_WITHIN_S)
        except RAISED as error:
            if self._session is not None:
                self._session.end(f"{doing} failed ({type(error).__name__})")

    def browse(self, path: str) -> list[Branch]:
        """What lies below path ("" is the Objects folder) on a session that stands; raises LinkError."""
        session = self._session
        if session is None or session.lost is not None:
            raise LinkError("protocol", f"{self._shown()}: not connected", "connect first")
        try:
            return self._loop.run(opcua_browse.branches(session, path), OPEN_WITHIN_S)
        except AddressError as error:
            raise LinkError("config", f"{self.name}: path {path!r}: {error}", "browse from the top") from error
        except RAISED as error:
            raise link_error(self._shown(), error, TIMEOUT_S, session.own) from error

    def troubles(self) -> dict[str, str]:
        """Tags that cannot be read with what the server said, and the last raw StatusCode that was not good of the others."""
        found = {name: f"StatusCode {code}" for name, code in list(self._columns.codes.items())}
        return found | {tag.name: self._why[tag.name] for tag in list(self._bad) if tag.name in self._why}

    def confirm(self) -> None:
        """The server was answered already; what is lost from here is in the spool."""

    def idle(self, timeout_s: float) -> None:
        """Never asked: what was read is spooled."""

    def close(self) -> None:
        """End the session: a dead one blocks a small PLC for minutes."""
        session, self._session, self._groups = self._session, None, None
        if session is None:
            return
        if session.is_open:
            self._heard_ms = session.heard_ms if session.lost is not None else now_ms()
        try:
            self._loop.run(session.close(), CLOSE_WITHIN_S + 1)
        except RAISED as error:
            log.debug("%s: while closing: %s", self.name, error)

    def quiet_s(self) -> float | None:
        """Values that do not change are not sent; the session itself is asked for signs of life each second."""
        return None

    def describe(self) -> dict[str, str | int | float]:
        """Intervals as the server revised them, its limits, nodes, the last states that were not good, our certificate's end."""
        session, groups, columns = self._session, self._groups, self._columns
        shown: dict[str, str | int | float] = {
            "nodes": len(columns.owners),
            "bad_tags": len(self._bad),
            "waiting": len(self._changes),
            "untimed": columns.untimed,
            "status_codes": ", ".join(f"{name} {code}" for name, code in list(columns.codes.items())[-SHOWN_CODES:]),
        }
        if session is not None:
            shown |= {f"limit_{what}": most for what, most in session.limits.most.items()}
            shown |= {"halved": session.limits.halved, "clock_ahead_ms": session.skew_ms, "thumbprint": session.own.thumbprint}
        if groups is not None and groups.open:
            shown["publishing_ms"] = min(each.interval_ms for each in groups.open)
            shown["subscriptions"] = ", ".join(each.said() for each in groups.open)
            shown["missed"] = groups.missed
        return shown | ({"certificate": self._expiry} if self._expiry else {})


def _replayed(part: Readings) -> Readings:
    return Readings(part.ids, part.t, part.values, part.quality, part.seq, part.kind, replay=True)
