"""The edge's own OPC UA server, which devices write to: a node for each tag, a write is a reading; pushed.

Source time is the SourceTimestamp a device sends, else our clock. It cannot see what a device did not write, and it gives
nothing on: what stands in a node is what was written last. Unknown nodes are refused, and so is anonymous off loopback.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.common.callback import CallbackType, ServerItemCallback
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError

from plc.addressing import opcua_server as address
from plc.addressing.errors import AddressError
from plc.connector import LinkError, Readings, Report
from plc.connectors.opcua_columns import Columns
from plc.connectors.opcua_security import OwnCertificate, check_url, own_certificate
from plc.connectors.opcua_transport import MESSAGE_MOST, shared_loop
from plc.connectors.opcua_wire import Change
from plc.edge_devices import Devices, is_local
from realtime.bus import now_ms
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.opcua_server")

NAMESPACE = "urn:sightline:edge"
OPEN_WITHIN_S = 60.0  # asyncua builds the standard's 2,000 nodes first
CLOSE_WITHIN_S = 5.0
WAITING_MOST = 100_000
CONNECTIONS_MOST = 200
SIGNED = (
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Basic256Sha256_Sign,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_Sign,
)


class EdgeServer:
    """Config: url opc.tcp://0.0.0.0:4841/, namespace, users {name: {password}}, certificates [paths], security, shapes."""

    def __init__(self, source: Source, settings: Settings, report: Report) -> None:
        self.name = source.name
        self.config = source.config
        self.report = report
        self.folder = settings.data_dir / "opcua" / "own"
        self.instance = settings.bus_prefix
        self._loop = shared_loop()
        self._server: Server | None = None
        self._index = 0
        self._nodes: dict[str, list[Tag]] = {}  # by node name: the tags that a write to it is for
        self._standing: set[str] = set()
        self._numbers: dict[str, list[int]] = {}
        self._values: dict[str, ua.DataValue] = {}
        self._columns = Columns([], self.config.get("shapes") or {}, report)
        self._changes: deque[Change] = deque(maxlen=WAITING_MOST)
        self._arrived = threading.Event()
        self._written: float | None = None

    def connect(self) -> None:
        """Listen; raises LinkError."""
        url = str(self.config.get("url") or "")
        check_url(self.name, url)
        parts = urlsplit(url)
        try:
            devices = Devices(self.config, self.report, is_local=is_local(parts.hostname or ""))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            detail = f"{self.name}: users or certificates cannot be read: {type(error).__name__}: {error}"
            remedy = 'users are {"name": {"password": "..."}}, certificates paths of PEM or DER files'
            raise LinkError("config", detail, remedy) from error
        if not devices.tokens:
            raise LinkError("config", f"{self.name}: anyone could write", "set users or certificates, or listen on 127.0.0.1")
        own = own_certificate(self.folder, self.instance)
        try:
            _probe(parts.hostname or "", parts.port or 0)  # to know at once, before 2,000 nodes are built
            self._loop.run(self._open(url, devices, own), OPEN_WITHIN_S)
        except (OSError, TimeoutError, UaError, asyncio.CancelledError) as error:
            detail = f"{self.name}: cannot listen on {parts.hostname}:{parts.port}: {error or type(error).__name__}"
            raise LinkError("refused", detail, "check that the address is one of this machine and the port is free") from error
        log.info("%s: devices may write to %s, %d nodes", self.name, url, len(self._nodes))

    async def _open(self, url: str, devices: Devices, own: OwnCertificate) -> None:
        server = Server(user_manager=devices)  # type: ignore[arg-type] # asks for no more than get_user
        await server.init()
        server.set_endpoint(url)
        server.set_server_name(f"Sightline {self.name}")
        await server.set_application_uri(own.uri)
        await server.load_certificate(own.der, "der")
        await server.load_private_key(own.key_pem, format="pem")
        is_plain = devices.is_open or str(self.config.get("security") or "").lower() == "none"
        server.set_security_policy([*SIGNED, ua.SecurityPolicyType.NoSecurity] if is_plain else list(SIGNED))
        server.set_identity_tokens(devices.tokens)
        server.limits.max_message_size = MESSAGE_MOST
        server.iserver.max_connections = CONNECTIONS_MOST
        server.iserver.allow_remote_admin = False
        server.subscribe_server_callback(CallbackType.PostWrite, self._after_write)
        self._index = await server.register_namespace(str(self.config.get("namespace") or NAMESPACE))
        self._server = server
        self._standing.clear()
        await self._stand()
        await server.start()

    def plan(self, tags: Sequence[Tag]) -> list[tuple[Tag, str]]:
        """Take tags; nodes come and go while devices stay connected."""
        unusable: list[tuple[Tag, str]] = []
        nodes: dict[str, list[Tag]] = {}
        for tag in tags:
            try:
                if not tag.virtual:
                    nodes.setdefault(address.parse(tag.address).name or tag.name, []).append(tag)
            except AddressError as error:
                unusable.append((tag, f"address {tag.address!r}: {error}"))
        wrong = {tag.id for tag, _ in unusable}
        columns = Columns([tag for tag in tags if tag.id not in wrong], self.config.get("shapes") or {}, self.report)
        numbers: dict[str, list[int]] = {}
        for name, owners in nodes.items():
            for tag in owners:
                columns.owners[tag.id] = tag  # a tag's own number: it is written by one node only
                numbers.setdefault(name, []).append(tag.id)
        self._nodes, self._columns, self._numbers = nodes, columns, numbers
        if self._server is not None:
            try:
                self._loop.run(self._stand(), OPEN_WITHIN_S)
            except (TimeoutError, UaError) as error:
                log.error("%s: nodes could not be changed: %s", self.name, error)  # noqa: TRY400 - one line says it
        return unusable

    async def _stand(self) -> None:
        """Make the server's nodes those of the plan."""
        server = self._server
        assert server is not None
        for name in self._standing - self._nodes.keys():
            await server.delete_nodes([server.get_node(self._node_id(name))])
            self._standing.discard(name)
            self._values.pop(name, None)
        for name in self._nodes.keys() - self._standing:
            await self._add(server, name)
            self._standing.add(name)

    def _node_id(self, name: str) -> ua.NodeId:
        return ua.NodeId(ua.String(name), ua.Int16(self._index), ua.NodeIdType.String)

    async def _add(self, server: Server, name: str) -> None:
        """A variable that takes any type: a wrong one is refused by the tag, with its reason, not by the server without one."""
        node = await server.nodes.objects.add_variable(
            self._node_id(name),
            ua.QualifiedName(name, ua.UInt16(self._index)),
            None,
            varianttype=ua.VariantType.Null,
            datatype=ua.NodeId(ua.Int32(ObjectIds.BaseDataType)),
        )
        await node.write_value_rank(ua.ValueRank.Any)
        await node.set_writable()
        self._values[name] = ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(StatusCodes.BadWaitingForInitialData)))

        def last(_node: ua.NodeId, _attribute: AttributeIds) -> ua.DataValue:
            return self._values[name]

        def take(_node: object, _attribute: AttributeIds, value: ua.DataValue) -> None:
            self._take(name, value)

        space = server.iserver.aspace
        space.set_attribute_value_callback(node.nodeid, AttributeIds.Value, last)
        space.set_attribute_value_setter(node.nodeid, AttributeIds.Value, take)  # type: ignore[arg-type] # called with the value too

    def _take(self, name: str, value: ua.DataValue) -> None:
        """On the loop, for each write: append and nothing else."""
        self._values[name] = value
        self._written = time.monotonic()
        for number in self._numbers.get(name, ()):
            if len(self._changes) == WAITING_MOST:
                self.report.reject("overflow")
            self._changes.append((number, value))
        self._arrived.set()

    async def _after_write(self, event: ServerItemCallback, _service: object = None) -> None:
        """Count what devices tried to write and may not."""
        if not event.is_external:
            return
        for wanted, status in zip(event.request_params.NodesToWrite, event.response_params, strict=True):
            if not status.is_good():
                is_known = str(wanted.NodeId.Identifier) in self._nodes and wanted.NodeId.NamespaceIndex == self._index
                self.report.reject(
                    "write_refused" if is_known else "unknown_tag", topic=wanted.NodeId.to_string(), sample=status.name.encode()
                )

    def read(self, group: str, timeout_s: float) -> list[Readings]:
        """What was written since; waits up to timeout_s."""
        if not self._changes:
            self._arrived.wait(timeout_s)
        self._arrived.clear()
        if self._server is None:
            raise LinkError("protocol", f"{self.name}: not listening")
        changes = [self._changes.popleft() for _ in range(len(self._changes))]
        made = self._columns.readings(changes, now_ms())
        self._columns.owners |= {tag.id: tag for tag in self._columns.vanished}  # a device may say of a value what it likes
        self._columns.vanished.clear()
        return made

    def confirm(self) -> None:
        """The device was answered already; what is lost from here is in the spool."""

    def idle(self, timeout_s: float) -> None:
        """Never asked."""

    def close(self) -> None:
        """Close the port and every session."""
        server, self._server = self._server, None
        if server is None:
            return
        try:
            self._loop.run(_ended(server), CLOSE_WITHIN_S)
        except (OSError, TimeoutError, UaError, asyncio.CancelledError) as error:
            log.debug("%s: while closing: %s", self.name, error)

    def quiet_s(self) -> float | None:
        """Seconds since any device wrote anything; None before the first write."""
        return None if self._written is None else time.monotonic() - self._written

    def describe(self) -> dict[str, str | int | float]:
        """Nodes, devices that are connected, the last states that were not good."""
        server = self._server
        devices = len(server.bserver.clients) if server is not None and server.bserver is not None else 0
        codes = ", ".join(f"{name} {code}" for name, code in list(self._columns.codes.items())[-20:])
        return {"nodes": len(self._nodes), "devices": devices, "waiting": len(self._changes), "status_codes": codes}


async def _ended(server: Server) -> None:
    """Stop a server and its sessions: asyncua forgets the loops of those that were still open."""
    if server.bserver is not None:
        for client in list(server.bserver.clients):
            session = client.processor.session if client.processor is not None else None
            if session is not None:
                await session.close_session()
    await server.stop()


def _probe(host: str, port: int) -> None:
    """Raises OSError where nobody can listen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()
