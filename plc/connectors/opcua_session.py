"""One session with one OPC UA server: open with security, read the server's limits, ask for signs of life, close cleanly.

It runs on the asyncio loop of the process. Nothing resumes: a lost session is a gap, and the next one is new.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError

from plc.connector import LinkError
from plc.connectors.opcua_errors import FAILED, TOO_LARGE, TOO_MANY
from plc.connectors.opcua_security import OwnCertificate, Security, check_server, first_of_chain
from plc.connectors.opcua_transport import BoundedClient
from realtime.bus import now_ms

log = logging.getLogger("plc.opcua")

TIMEOUT_S = 4.0
PROBE_EVERY_S = 1.0
SILENT_S = 3.0  # a server that said nothing at all for so long is gone
CLOSE_WITHIN_S = 2.0
SKEW_LEAST_MS = 2_000  # servers tell their clock in steps of up to a second
SESSION_MS = 30_000  # a session of ours that died frees its place after this
AT_ONCE = 1000  # items in one call where the server names no limit

A = TypeVar("A")
B = TypeVar("B")

_LIMITS = {
    "read": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    "monitor": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    "history": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
    "browse": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
}


@dataclass(slots=True)
class Limits:
    """How many items one call may have: what the server says, less where it refused so many (`halved`)."""

    most: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_LIMITS, AT_ONCE))
    halved: int = 0

    async def call(self, what: str, items: Sequence[A], ask: Callable[[Sequence[A]], Awaitable[Sequence[B]]]) -> list[B]:
        """The answers to all items, asked in pieces; a piece that is too many is halved, down to one."""
        answers: list[B] = []
        while len(answers) < len(items):
            piece = items[len(answers) : len(answers) + self.most[what]]
            try:
                answers += await ask(piece)
            except TOO_MANY:
                if len(piece) == 1:
                    raise
                self.most[what] = len(piece) // 2
                self.halved += 1
        return answers


class Session:
    """An open session; `lost` says why it is none any more."""

    def __init__(self, name: str, config: Mapping[str, Any], security: Security, own: OwnCertificate, pins: Path) -> None:
        self.name = name
        self.security = security
        self.own = own
        self.pins = pins
        self.limits = Limits()
        self.skew_ms = 0
        self.is_open = False
        self.heard_ms = now_ms()
        self.lost: str | None = None
        self.on_lost: Callable[[], None] = lambda: None
        self.namespaces: dict[str, int] = {}
        self.client = BoundedClient(str(config["url"]), TIMEOUT_S)
        self.client.name = self.client.description = f"Sightline {name}"
        self.client.application_uri = own.uri
        self.client.session_timeout = SESSION_MS
        self.client.connection_lost_callback = self._gone
        if config.get("user"):
            self.client.set_user(str(config["user"]))
            self.client.set_password(str(config.get("password") or ""))
        self.beside: list[asyncio.Task[None]] = []  # what runs beside it and ends with it

    async def open(self) -> None:
        """Connect, check the server's certificate before anything secret is sent, log in, read limits and namespaces."""
        if self.security.is_secure:
            await self._secure()
        await self.client.connect()
        await self._ask_limits()
        await self.read_namespaces()
        await self._read_clock()
        self.is_open = True
        self.beside.append(asyncio.create_task(self._watch()))

    async def read_namespaces(self) -> None:
        """Which index each namespace has now: a server may give another after it was changed."""
        uris = await self.client.get_namespace_array()
        self.namespaces = {uri: index for index, uri in enumerate(uris)}

    async def _secure(self) -> None:
        offered = await self.client.connect_and_get_server_endpoints()
        security = self.security
        try:
            endpoint = Client.find_endpoint(offered, security.mode, security.policy.URI)
        except UaError as error:
            kinds = sorted({f"{e.SecurityPolicyUri.rpartition('#')[2]} {e.SecurityMode.name}" for e in offered})
            detail = f"{self.name}: the server does not offer {security.policy.URI.rpartition('#')[2]} {security.mode.name}"
            raise LinkError("security", detail, f"it offers {', '.join(kinds)}: set security and mode in the source") from error
        shown = first_of_chain(endpoint.ServerCertificate or b"")
        if not shown:
            raise LinkError("certificate", f"{self.name}: the server shows no certificate", "give the server one")
        check_server(self.name, shown, security, self.pins, datetime.now(UTC))
        await self.client.set_security(
            security.policy,
            CertProperties(self.own.der, "der"),
            CertProperties(self.own.key_pem, "pem"),
            server_certificate=CertProperties(shown, "der"),
            mode=security.mode,
        )

    async def _ask_limits(self) -> None:
        answers = await self.read([ua.NodeId(ua.Int32(number)) for number in _LIMITS.values()], AttributeIds.Value)
        for what, answer in zip(_LIMITS, answers, strict=True):
            most = answer.Value.Value if answer.Value is not None else None
            if isinstance(most, int) and most > 0:
                self.limits.most[what] = min(most, AT_ONCE)

    async def read(self, nodes: Sequence[ua.NodeId], attribute: AttributeIds) -> list[ua.DataValue]:
        """One attribute of many nodes, in pieces as the limits allow; a node whose answer is too large gets that status."""

        async def ask(piece: Sequence[ua.NodeId]) -> list[ua.DataValue]:
            wanted = [ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in piece]
            parameters = ua.ReadParameters(MaxAge=0.0, TimestampsToReturn=ua.TimestampsToReturn.Both, NodesToRead=wanted)
            try:
                return list(await self.client.uaclient.session.read(parameters))
            except TOO_LARGE as error:
                if len(piece) == 1:
                    return [ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(error.code)))]
            half = len(piece) // 2
            return await ask(piece[:half]) + await ask(piece[half:])

        return await self.limits.call("read", nodes, ask)

    async def _read_clock(self) -> None:
        (answer,) = await self.read([ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_CurrentTime))], AttributeIds.Value)
        moment = answer.Value.Value if answer.Value is not None else None
        if isinstance(moment, datetime):
            skew = round(moment.replace(tzinfo=UTC).timestamp() * 1000) - now_ms()
            self.skew_ms = skew if abs(skew) > SKEW_LEAST_MS else 0

    async def _watch(self) -> None:
        """Ask for the server's clock each second; silence is a loss."""
        while self.lost is None:
            await asyncio.sleep(PROBE_EVERY_S)
            try:
                await asyncio.wait_for(self._read_clock(), SILENT_S)
            except TimeoutError:
                if self.client.quiet_s() < SILENT_S:
                    continue  # busy with other answers
                self.end(f"session lost (silent for {self.client.quiet_s():.0f} s)")
            except FAILED as error:
                self.end(f"session lost ({type(error).__name__})")

    async def _gone(self, error: Exception) -> None:
        self.end(f"session lost ({type(error).__name__})")

    def end(self, why: str) -> None:
        """The session is of no use any more; heard_ms says since when."""
        if self.lost is None:
            self.lost = why
            self.heard_ms = now_ms() - round(self.client.quiet_s() * 1000)
        self.on_lost()

    async def close(self) -> None:
        """Close session, channel and socket, whatever state they are in: a dead session blocks a small PLC for minutes."""
        for task in self.beside:
            task.cancel()
        try:
            await asyncio.wait_for(self.client.disconnect(), CLOSE_WITHIN_S)
        except TimeoutError:
            protocol = self.client.uaclient.protocol
            if protocol is not None and protocol.transport is not None:
                protocol.transport.abort()  # nobody answers: what is unsent will not be
