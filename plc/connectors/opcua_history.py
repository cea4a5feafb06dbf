"""What a historizing server kept while the session was down: HistoryRead of the span, for the nodes that offer it.

Where a node does not, nothing is claimed: the gap stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from plc.connectors.opcua_errors import FAILED
from plc.connectors.opcua_groups import Item
from plc.connectors.opcua_session import Session
from plc.connectors.opcua_wire import Change

log = logging.getLogger("plc.opcua")

HISTORY_READ = 0x04  # AccessLevel, OPC 10000-3 8.57
PAGE = 1000
PAGES_MOST = 1000  # a million values a node: an outage of a week at one a second
WAIT_S = 0.1
MARGIN_MS = 2_000  # what comes twice is stored once


@dataclass(frozen=True, slots=True)
class Backfill:
    """Reads a span of history; on_value takes each value, has_room says whether it can take more now."""

    session: Session
    on_value: Callable[[Change], None]
    has_room: Callable[[], bool]

    async def run(self, items: Sequence[Item], start_ms: int, end_ms: int) -> None:
        """Read [start_ms, end_ms] (our clock) in the background: a server that fails at it costs nothing but the history."""
        try:
            nodes = await self.read(items, start_ms, end_ms)
        except FAILED as error:
            log.warning("%s: reading the history of the gap failed: %s; the gap stays", self.session.name, type(error).__name__)
            return
        log.info("%s: history of the gap read for %d of %d nodes", self.session.name, nodes, len(items))

    async def read(self, items: Sequence[Item], start_ms: int, end_ms: int) -> int:
        """Hand on every raw value of the nodes that offer history; returns how many nodes do."""
        levels = await self.session.read([item.node for item in items], AttributeIds.AccessLevel)
        offering = [item for item, level in zip(items, levels, strict=True) if _offers(level)]
        details = ua.ReadRawModifiedDetails(
            IsReadModified=False,
            StartTime=_moment(start_ms + self.session.skew_ms - MARGIN_MS),
            EndTime=_moment(end_ms + self.session.skew_ms + MARGIN_MS),
            NumValuesPerNode=PAGE,
            ReturnBounds=False,
        )
        most = self.session.limits.most["history"]
        for first in range(0, len(offering), most):
            wanted = [(item, b"") for item in offering[first : first + most]]
            for _ in range(PAGES_MOST):
                if not wanted:
                    break
                wanted = await self._page(details, wanted)
        return len(offering)

    async def _page(self, details: ua.ReadRawModifiedDetails, wanted: list[tuple[Item, bytes]]) -> list[tuple[Item, bytes]]:
        """One page of each node; returns those that have more, with where to go on."""

        async def ask(piece: Sequence[tuple[Item, bytes]]) -> Sequence[ua.HistoryReadResult]:
            nodes = [ua.HistoryReadValueId(NodeId=item.node, ContinuationPoint=at or None) for item, at in piece]
            parameters = ua.HistoryReadParameters(details, ua.TimestampsToReturn.Both, False, nodes)
            return await self.session.client.uaclient.session.history_read(parameters)

        while not self.has_room():
            await asyncio.sleep(WAIT_S)
        more: list[tuple[Item, bytes]] = []
        for (item, _), answer in zip(wanted, await self.session.limits.call("history", wanted, ask), strict=True):
            if not answer.StatusCode.is_good():
                log.info("%s: %s: no history: %s", self.session.name, item.node.to_string(), answer.StatusCode.name)
                continue
            for value in getattr(answer.HistoryData, "DataValues", None) or ():
                self.on_value((item.number, value))
            if answer.ContinuationPoint:
                more.append((item, answer.ContinuationPoint))
        return more


def _offers(level: ua.DataValue) -> bool:
    value = level.Value.Value if level.Value is not None else 0
    return bool(int(value or 0) & HISTORY_READ)


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
