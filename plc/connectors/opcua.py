"""OPC UA connector: one subscription, security policy None or user and password; pushed.

Source time is the server's SourceTimestamp. It cannot see what changed while the session was down: a new session has no
memory of the old one's queue (PROTOCOLS.md 2), so a loss is a gap and is written as such.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.ua.uaerrors import UaError

from plc.addressing import opcua as address
from plc.addressing.errors import AddressError
from plc.connector import LinkError, Readings, Report
from plc.connectors.opcua_columns import Change, Columns
from realtime.bus import now_ms
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.opcua")
for _chatty in ("asyncua.client.ua_client.UASocketProtocol", "asyncua.client.client", "asyncua.common.subscription", "asyncua"):
    logging.getLogger(_chatty).setLevel(logging.CRITICAL)  # it reports each lost server with a traceback; we say it in one line

TIMEOUT_S = 4.0
NODES_A_CALL = 100
QUEUE_SIZE = 10
WAITING_MOST = 100_000
RETRY_BAD_MS = 60_000

T = TypeVar("T")


class Loop:
    """One asyncio loop in a thread of its own, shared by the sources of the process."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="asyncio", daemon=True).start()

    def run(self, what: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Run to the end; raises TimeoutError, after which the coroutine is cancelled."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(what, timeout_s), self.loop).result()


_loops: list[Loop] = []
_loops_lock = threading.Lock()


def shared_loop() -> Loop:
    """The process's loop, started when first needed."""
    with _loops_lock:
        if not _loops:
            _loops.append(Loop())
        return _loops[0]


class OpcuaConnector:
    """One server. config: url, publishing_ms 200, shapes {tag: [rows, columns]}; user and password stand in the url."""

    def __init__(self, source: Source, _settings: Settings, report: Report) -> None:
        self.name = source.name
        self.url = str(source.config.get("url") or "")
        self.publishing_ms = float(source.config.get("publishing_ms", 200))
        self.report = report
        self._loop = shared_loop()
        self._client: Client | None = None
        self._subscription: Any = None
        self._tags: list[Tag] = []
        self._bad: list[Tag] = []
        self._retry_at = 0
        self._columns = Columns([], source.config.get("shapes") or {}, report)
        self._shapes = source.config.get("shapes") or {}
        self._changes: deque[Change] = deque(maxlen=WAITING_MOST)
        self._arrived = threading.Event()
        self._lost: str | None = None

    def connect(self) -> None:
        """Open a fresh session and subscribe; raises LinkError."""
        if not self.url:
            raise LinkError("config", f"{self.name}: no url", "set url in the source, such as opc.tcp://10.0.0.8:4840/")
        self._lost = None
        self._changes.clear()
        try:
            self._loop.run(self._open(), 3 * TIMEOUT_S)
        except (OSError, TimeoutError, UaError, asyncio.CancelledError) as error:
            raise self._why(error) from error
        log.info("%s: session at %s, %d nodes", self.name, self._shown(), len(self._tags) - len(self._bad))

    def _why(self, error: BaseException) -> LinkError:
        where = self._shown()
        if isinstance(error, ConnectionRefusedError):
            return LinkError("refused", f"{where}: connection refused", "check that the OPC UA server runs on this port")
        if isinstance(error, UaError):
            return LinkError(
                "login", f"{where}: {type(error).__name__}: {error}", "check security policy, user and the server's trust list"
            )
        if isinstance(error, TimeoutError):
            return LinkError("timeout", f"{where}: no answer within {TIMEOUT_S:g} s")
        return LinkError("no_route", f"{where}: {error or type(error).__name__}", "check the address and the network")

    def _shown(self) -> str:
        return self.url.rpartition("@")[2]  # never the password

    async def _open(self) -> None:
        client = Client(self.url, timeout=TIMEOUT_S)
        client.connection_lost_callback = self._on_lost
        await client.connect()
        self._client = client
        await self._subscribe_all()

    async def _on_lost(self, error: Exception) -> None:
        self._lost = f"{self._shown()}: session lost ({type(error).__name__})"
        self._arrived.set()

    async def _subscribe_all(self) -> None:
        """A new subscription for the present tags; the former one goes only after it stands."""
        if self._client is None:
            return
        former = self._subscription
        self._subscription = await self._client.create_subscription(self.publishing_ms, self)
        self._bad = []
        await self._subscribe([tag for tag in self._tags if not tag.virtual])
        if former is not None:
            await former.delete()

    async def _subscribe(self, tags: Sequence[Tag]) -> None:
        assert self._client is not None
        namespaces = {uri: index for index, uri in enumerate(await self._client.get_namespace_array())}
        self._columns.opened_ms = now_ms()
        found: list[tuple[Tag, Node]] = []
        for tag in tags:
            node = self._node(tag, namespaces)
            if node is None:
                self._refuse(tag, "its namespace is not on the server")
            else:
                self._columns.owns(node.nodeid, tag)
                found.append((tag, node))
        for start in range(0, len(found), NODES_A_CALL):
            chunk = found[start : start + NODES_A_CALL]
            answers = await self._subscription.subscribe_data_change([node for _, node in chunk], queuesize=QUEUE_SIZE)
            for (tag, _), answer in zip(chunk, answers, strict=True):
                if isinstance(answer, ua.StatusCode) and not answer.is_good():
                    self._refuse(tag, answer.name)
        self._retry_at = now_ms() + RETRY_BAD_MS

    def _node(self, tag: Tag, namespaces: dict[str, int]) -> Node | None:
        parsed = address.parse(tag.address)
        if parsed.uri is not None and parsed.uri not in namespaces:
            return None
        assert self._client is not None
        return self._client.get_node(parsed.canonical() if parsed.uri is None else parsed.at_index(namespaces[parsed.uri]))

    def _refuse(self, tag: Tag, why: str) -> None:
        log.error("%s: %s at %s cannot be read: %s; check the node id", self.name, tag.name, tag.address, why)
        self.report.reject("bad_address", sample=f"{tag.name} {tag.address}: {why}".encode())
        self._bad.append(tag)
        self._columns.bad_nodes.append(tag)

    def datachange_notification(self, node: Node, _value: Any, data: Any) -> None:
        """Called on the loop for each change: append and nothing else."""
        if len(self._changes) == WAITING_MOST:
            self.report.reject("overflow")
        self._changes.append((node.nodeid, data.monitored_item.Value))
        self._arrived.set()

    def status_change_notification(self, status: ua.StatusChangeNotification) -> None:
        """The server ended the subscription."""
        self._lost = f"{self._shown()}: subscription ended ({status.Status})"
        self._arrived.set()

    def plan(self, tags: Sequence[Tag]) -> list[tuple[Tag, str]]:
        """Take tags; a standing session gets a new subscription for them."""
        unusable: list[tuple[Tag, str]] = []
        usable: list[Tag] = []
        for tag in tags:
            try:
                if not tag.virtual:
                    address.parse(tag.address)
                usable.append(tag)
            except AddressError as error:
                unusable.append((tag, f"address {tag.address!r}: {error}"))
        self._tags = usable
        self._columns = Columns(usable, self._shapes, self.report)
        if self._client is not None:
            try:
                self._loop.run(self._subscribe_all(), 3 * TIMEOUT_S)
            except (OSError, TimeoutError, UaError) as error:
                self._lost = f"{self._shown()}: {type(error).__name__} while subscribing"
        return unusable

    def read(self, group: str, timeout_s: float) -> list[Readings]:
        """What changed since; waits up to timeout_s."""
        if not self._changes and not self._columns.bad_nodes:
            self._arrived.wait(timeout_s)
        self._arrived.clear()
        changes = [self._changes.popleft() for _ in range(len(self._changes))]
        if self._lost is not None and not changes:
            raise LinkError("protocol", self._lost)
        if self._bad and now_ms() >= self._retry_at:
            self._retry_bad()
        return self._columns.readings(changes, now_ms())

    def _retry_bad(self) -> None:
        again, self._bad = self._bad, []
        try:
            self._loop.run(self._subscribe(again), TIMEOUT_S)
        except (OSError, TimeoutError, UaError) as error:
            self._lost = f"{self._shown()}: {type(error).__name__} while subscribing"

    def confirm(self) -> None:
        """The server was answered already; what is lost from here is in the spool."""

    def idle(self, timeout_s: float) -> None:
        """Never asked: what was read is spooled."""

    def close(self) -> None:
        """End the session: a dead one blocks a small PLC for minutes."""
        client, self._client, self._subscription = self._client, None, None
        if client is None:
            return
        try:
            self._loop.run(client.disconnect(), TIMEOUT_S)
        except (OSError, TimeoutError, UaError, asyncio.CancelledError) as error:
            log.debug("%s: while closing: %s", self.name, error)

    def quiet_s(self) -> float | None:
        """Values that do not change are not sent; asyncua watches the session."""
        return None

    def describe(self) -> dict[str, str | int | float]:
        """The publishing interval the server granted, nodes, nodes that cannot be read."""
        revised = getattr(getattr(self._subscription, "parameters", None), "RequestedPublishingInterval", self.publishing_ms)
        return {"publishing_ms": float(revised), "nodes": len(self._tags), "bad_tags": len(self._bad), "waiting": len(self._changes)}
