"""Subscriptions: one a polling group, publishing at the group's period; never one a tag.

A group that does not fit one subscription of the server (monitored items are limited) gets a further one. Every change
is handed on with the number its tag has; a notification that was lost or could not be read is made up for by a read.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import BadTooManySubscriptions

from plc.connector import Report
from plc.connectors.opcua_errors import FAILED, TOO_LARGE
from plc.connectors.opcua_session import Session
from plc.connectors.opcua_wire import Change, Published, Run

log = logging.getLogger("plc.opcua")

KEEP_ALIVE_MS = 5_000.0
LIFETIME_MS = 30_000.0
SILENT_LEAST_S = 15.0
NOTIFICATIONS_MOST = 10_000
QUEUE_SIZE = 10
# Repeated values: a server that cannot filter so reports changes as it always does.
NO_FILTER = frozenset(
    {
        StatusCodes.BadMonitoredItemFilterInvalid,
        StatusCodes.BadMonitoredItemFilterUnsupported,
        StatusCodes.BadFilterNotAllowed,
    }
)
GONE = frozenset({StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid})
NO_ROOM = "the server has no monitored item left; take fewer tags or raise its limit"

OnChange = Callable[[Run | Change], None]


@dataclass(frozen=True, slots=True)
class Item:
    """One tag's node; number is the client handle, unique in the session."""

    number: int
    node: ua.NodeId


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is asked of the server for each item. repeats: a value that stays is told too where its source time moves."""

    queue: int = QUEUE_SIZE
    every_ms: float = 0.0
    repeats: bool = False

    def filter(self) -> ua.DataChangeFilter | None:
        """None: status and value, as the standard has it without a filter."""
        return ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp) if self.repeats else None


@dataclass(slots=True)
class Subscription:
    """One subscription on the server. interval_ms, sampling_ms, queue: as the server revised them."""

    group: str
    id: int
    asked_ms: float
    interval_ms: float
    silent_s: float  # without even a keep-alive for so long, it is dead
    sampling_ms: float = 0.0
    queue: int = 0
    heard: float = field(default_factory=time.monotonic)
    items: dict[int, Item] = field(default_factory=dict)  # by the server's number of the monitored item
    sequence: int = 0  # of the last notification, 0 before the first

    def said(self) -> str:
        """Group, intervals and queue as granted."""
        asked = "" if self.interval_ms == self.asked_ms else f" (asked {self.asked_ms:g})"
        return f"{self.group} {self.interval_ms:g} ms{asked} sampling {self.sampling_ms:g} ms queue {self.queue} x {len(self.items)}"


class Groups:
    """The subscriptions of a session."""

    def __init__(self, session: Session, report: Report, on_change: OnChange, sampling: Sampling) -> None:
        self.session = session
        self.report = report
        self.on_change = on_change
        self.sampling = sampling
        self.open: list[Subscription] = []
        self.missed = 0
        self._by_id: dict[int, Subscription] = {}
        self._refreshing: set[asyncio.Task[None]] = set()

    async def add(self, group: str, period_ms: float, items: Sequence[Item]) -> dict[int, str]:
        """Subscribe; returns why for each number that could not be."""
        refused: dict[int, str] = {}
        waiting = list(items)
        while waiting:
            subscription = await self._subscription(group, period_ms)
            no_room, wrong = await self._monitor(subscription, waiting, self.sampling.filter())
            refused |= wrong
            if len(no_room) == len(waiting):
                return refused | dict.fromkeys([item.number for item in no_room], NO_ROOM)
            waiting = no_room
        return refused

    async def _subscription(self, group: str, period_ms: float) -> Subscription:
        """A further one for the group; where the server grants no more, the last one takes these too."""
        parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=period_ms,
            RequestedLifetimeCount=max(round(LIFETIME_MS / period_ms), 30),
            RequestedMaxKeepAliveCount=max(round(KEEP_ALIVE_MS / period_ms), 1),
            MaxNotificationsPerPublish=NOTIFICATIONS_MOST,
            PublishingEnabled=True,
        )
        try:
            granted = await self.session.client.uaclient.session.create_subscription(parameters, self._published)
        except BadTooManySubscriptions:
            if not self.open:
                raise
            log.warning("%s: the server grants no subscription more: group %s shares one", self.session.name, group)
            return self.open[-1]
        interval_ms = float(granted.RevisedPublishingInterval)
        silent_s = max(3 * interval_ms * int(granted.RevisedMaxKeepAliveCount) / 1000, SILENT_LEAST_S)
        made = Subscription(group, int(granted.SubscriptionId), period_ms, interval_ms, silent_s)
        self._by_id[made.id] = made
        self.open.append(made)
        return made

    async def _monitor(
        self, subscription: Subscription, items: Sequence[Item], filter_: ua.DataChangeFilter | None
    ) -> tuple[list[Item], dict[int, str]]:
        """Those there was no room for, and why for each other that was refused; a filter that is refused is left out."""

        async def ask(piece: Sequence[Item]) -> Sequence[ua.MonitoredItemCreateResult]:
            wanted = [self._request(item, filter_) for item in piece]
            parameters = ua.CreateMonitoredItemsParameters(subscription.id, ua.TimestampsToReturn.Both, wanted)
            return await self.session.client.uaclient.session.create_monitored_items(parameters)

        answers = await self.session.limits.call("monitor", items, ask)
        no_room: list[Item] = []
        plain: list[Item] = []
        refused: dict[int, str] = {}
        for item, answer in zip(items, answers, strict=True):
            if answer.StatusCode.is_good():
                subscription.items[int(answer.MonitoredItemId)] = item
                subscription.sampling_ms = max(subscription.sampling_ms, float(answer.RevisedSamplingInterval))
                subscription.queue = int(answer.RevisedQueueSize)
            elif answer.StatusCode.value == StatusCodes.BadTooManyMonitoredItems:
                no_room.append(item)
            elif filter_ is not None and answer.StatusCode.value in NO_FILTER:
                plain.append(item)
            else:
                refused[item.number] = answer.StatusCode.name
        if plain:
            log.warning("%s: the server does not repeat unchanged values: %d items tell changes only", self.session.name, len(plain))
            full, wrong = await self._monitor(subscription, plain, None)
            return no_room + full, refused | wrong
        return no_room, refused

    def _request(self, item: Item, filter_: ua.DataChangeFilter | None) -> ua.MonitoredItemCreateRequest:
        parameters = ua.MonitoringParameters(
            ClientHandle=item.number,
            SamplingInterval=self.sampling.every_ms,
            Filter=filter_,
            QueueSize=self.sampling.queue,
            DiscardOldest=True,
        )
        node = ua.ReadValueId(NodeId=item.node, AttributeId=AttributeIds.Value)
        return ua.MonitoredItemCreateRequest(node, ua.MonitoringMode.Reporting, parameters)

    def take(self) -> list[Subscription]:
        """The subscriptions of now, to be removed when others stand."""
        former, self.open = self.open, []
        return former

    async def remove(self, former: Sequence[Subscription]) -> None:
        """End these; what of them is still under way is taken."""
        if former:
            await self.session.client.uaclient.session.delete_subscriptions([each.id for each in former])
        for each in former:
            self._by_id.pop(each.id, None)

    def _published(self, result: Published) -> None:
        """On the loop, for each answer to a publish request."""
        subscription = self._by_id.get(result.subscription)
        for part in result.parts:
            self.on_change(part)
        if result.ended:
            self.session.end(f"subscription ended ({result.ended})")
        if subscription is not None:
            subscription.heard = time.monotonic()
            self._check_sequence(subscription, result.sequence, is_keep_alive=result.is_keep_alive)

    def _check_sequence(self, subscription: Subscription, number: int, *, is_keep_alive: bool) -> None:
        """A keep-alive names the next number, a notification its own; a hole is a message that we could not take."""
        lost = number - subscription.sequence - 1
        if lost > 0:
            self.missed += lost
            self.report.reject("notification_lost", lost)
            task = asyncio.create_task(self._refresh(subscription))
            self._refreshing.add(task)
            task.add_done_callback(self._refreshing.discard)
        subscription.sequence = max(subscription.sequence, number - 1) if is_keep_alive else number

    async def audit(self, every_s: float) -> None:
        """For ever: which nodes are gone, because not every server tells, and whether the namespaces have moved."""
        while True:
            await asyncio.sleep(every_s)
            known = dict(self.session.namespaces)
            try:
                await self.session.read_namespaces()
                for subscription in list(self.open):
                    await self._audit(subscription)
                    if time.monotonic() - subscription.heard > subscription.silent_s:
                        self.session.end(f"subscription of group {subscription.group} is dead, not even a keep-alive comes")
            except FAILED as error:
                log.debug("%s: audit: %s", self.session.name, error)
                continue
            if self.session.namespaces != known:
                self.session.end("the server's namespaces have moved")

    async def _audit(self, subscription: Subscription) -> None:
        items = list(subscription.items.items())
        classes = await self.session.read([item.node for _, item in items], AttributeIds.NodeClass)
        for (number, item), answer in zip(items, classes, strict=True):
            if answer.StatusCode is not None and answer.StatusCode.value in GONE:
                subscription.items.pop(number, None)
                self.on_change((item.number, answer))

    async def _refresh(self, subscription: Subscription) -> None:
        """Read every node of the subscription: what the lost message said; a node whose value is too large is let go."""
        items = list(subscription.items.items())
        try:
            values = await self.session.read([item.node for _, item in items], AttributeIds.Value)
            large = [number for (number, _), value in zip(items, values, strict=True) if _is_too_large(value)]
            if large:
                for number in large:
                    subscription.items.pop(number, None)
                await self.session.client.uaclient.session.delete_monitored_items(ua.DeleteMonitoredItemsParameters(subscription.id, large))
        except FAILED as error:
            self.session.end(f"a notification was lost and reading anew failed ({type(error).__name__})")
            return
        for (_, item), value in zip(items, values, strict=True):
            self.on_change((item.number, value))


def _is_too_large(value: ua.DataValue) -> bool:
    return value.StatusCode is not None and value.StatusCode.value in {error.code for error in TOO_LARGE}
