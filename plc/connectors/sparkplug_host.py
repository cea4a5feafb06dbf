"""The host's side of Sparkplug B: messages of all nodes in, readings and rebirth requests out. Pure: no network, no clock.

A value is good only from a metric that was born and is not null. Death, a hole in the order and a wrong type are told as quality.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np

from plc.addressing import sparkplug as address
from plc.connector import Readings, Report
from plc.connectors.sparkplug_codec import Metric, PayloadError, decode, signed
from plc.connectors.sparkplug_node import UNHEARD_EVERY_S, Known, Message, Node
from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Tag

NAMESPACE = "spBv1.0"
KINDS = frozenset({"NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"})
MAX_NODES = 2000
MAX_TEXT = 1000
SPREAD_S = 5.0
NULL = quality_byte(Quality.BAD, Reason.DEVICE)
COMM = quality_byte(Quality.BAD, Reason.COMM)
CONFIG = quality_byte(Quality.BAD, Reason.CONFIG)
STALE = quality_byte(Quality.UNCERTAIN, Reason.STALE)
DOUBTFUL = quality_byte(Quality.UNCERTAIN, Reason.DEVICE)
NAN = float("nan")

_Row = tuple[Tag, int, float | str, int]  # tag, ms UTC, value, quality byte


class Host:
    """Knows every node that speaks and the tags of this source. Times: received in ms UTC, now monotonic seconds."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.nodes: dict[tuple[str, str], Node] = {}
        self.holes = 0
        self._tags: dict[tuple[str, str], dict[tuple[str, str], Tag]] = {}  # (group, node) -> (device, metric) -> tag
        self._last: dict[int, float | str] = {}
        self._bad_since: dict[int, int] = {}  # tag id -> ms UTC of the sample that called it not good
        self._live: list[_Row] = []
        self._replay: list[_Row] = []

    def configure(self, tags: Sequence[Tag]) -> None:
        """Take these tags; a node with a tag that is new is asked for a rebirth."""
        known = {tag.id for tags in self._tags.values() for tag in tags.values()}
        self._tags = {}
        for tag in tags:
            place = address.parse(tag.address)
            self._tags.setdefault((place.group, place.node), {})[(place.device, place.metric)] = tag
            if tag.id not in known:
                self._node(place.group, place.node).wants_rebirth = True

    def connected(self, now: float, received: int, rng: random.Random) -> None:
        """A new link: nothing is known of any node; those we have tags of are asked for a birth, spread over some seconds."""
        spread = min(SPREAD_S, 0.05 * max(len(self._tags) - 1, 0))
        for key, tags in self._tags.items():
            node = self.nodes[key] = Node(*key, wants_rebirth=True)
            node.asked_at = now - UNHEARD_EVERY_S + rng.uniform(0.0, spread)
            self._bad_since.update({tag.id: received for tag in tags.values()})
        for key in set(self.nodes) - set(self._tags):
            del self.nodes[key]

    def due_rebirths(self, now: float) -> list[tuple[str, str]]:
        """(group, node) of those to be asked for a birth now: each at most every ten seconds."""
        return [key for key, node in self.nodes.items() if node.is_due(now)]

    def handle(self, topic: str, body: bytes, received: int, now: float) -> None:
        """One message of a node; never raises, counts what it cannot take."""
        parts = topic.split("/")
        kind = parts[2] if len(parts) in {4, 5} else ""
        if parts[0] != NAMESPACE or kind not in KINDS or (kind[0] == "D") != (len(parts) == 5):
            if kind not in {"NCMD", "DCMD"}:
                self.report.reject("topic", topic=topic, sample=body)
            return
        try:
            payload = decode(body)
        except PayloadError as error:
            self.report.reject(str(error), topic=topic, sample=body)
            return
        if (parts[1], parts[3]) not in self.nodes and len(self.nodes) >= MAX_NODES:
            self.report.reject("too_many_nodes", topic=topic)
            return
        node = self._node(parts[1], parts[3])
        node.was_heard = True
        self._place(node, Message(kind, parts[4] if len(parts) == 5 else "", payload, received, now), topic)

    def _node(self, group: str, name: str) -> Node:
        return self.nodes.setdefault((group, name), Node(group, name))

    def _place(self, node: Node, message: Message, topic: str) -> None:
        """Put a message into the order of its node, and take all that can be taken."""
        if message.kind == "NBIRTH":
            for earlier in node.release():
                self._take(node, earlier)
            self._born(node, message)
        elif message.kind == "NDEATH":
            self._died(node, message, topic)
        elif message.payload.seq is None or message.payload.seq > 255:
            self.report.reject("seq", topic=topic)
        elif not node.is_born:
            node.wants_rebirth = True
            self.report.reject("no_birth", topic=topic)
        else:
            for ready in node.order(message):
                self._take(node, ready)

    def turn(self, now: float, received: int) -> None:
        """Give up waiting for messages that are missing: until the birth, what that node last said is uncertain."""
        for node in self.nodes.values():
            waited = node.overdue(now)
            if waited is None:
                continue
            self.holes += 1
            self.report.reject("seq_hole", topic=f"{node.group}/{node.name}")
            for tag in self._tags.get((node.group, node.name), {}).values():
                if tag.id in self._last and tag.id not in self._bad_since:
                    self._tell(tag, received, self._last[tag.id], STALE)
            for message in waited:
                self._take(node, message)

    def _born(self, node: Node, message: Message) -> None:
        counted = [metric for metric in message.payload.metrics if metric.name == "bdSeq"]
        bdseq = int(counted[0].value) if counted and isinstance(counted[0].value, float) else None
        self._doubled(node, node.born(message.payload, bdseq))
        self._birth(node, message)

    def _doubled(self, node: Node, names: list[str]) -> None:
        if names:
            self.report.reject("alias", len(names), topic=f"{node.group}/{node.name}:{names[0]}")

    def _died(self, node: Node, message: Message, topic: str) -> None:
        """A death counts only for the birth it belongs to: a broker may send an old will after the new birth."""
        counted = [metric for metric in message.payload.metrics if metric.name == "bdSeq"]
        bdseq = int(counted[0].value) if counted and isinstance(counted[0].value, float) else None
        if node.is_born and bdseq != node.bdseq:
            self.report.reject("bdseq", topic=topic)
            return
        for earlier in node.release():
            self._take(node, earlier)
        node.died()
        self._silence(node, None, message.received)  # a will was written when the node connected: its own time is that

    def _take(self, node: Node, message: Message) -> None:
        if message.kind == "DBIRTH":
            self._doubled(node, node.device_born(message.device, message.payload))
            self._birth(node, message)
        elif message.kind == "DDEATH":
            node.device_died(message.device)
            self._silence(node, message.device, message.payload.t or message.received)
        elif message.device and message.device not in node.devices:
            node.wants_rebirth = True
            self.report.reject("no_birth", topic=_place_of(node, message.device, ""))
        else:
            for metric in message.payload.metrics:
                self._data(node, message, metric)

    def _silence(self, node: Node, device: str | None, t: int) -> None:
        """Everything of a node (device None) or of one device is bad from t on."""
        for (owner, _), tag in self._tags.get((node.group, node.name), {}).items():
            if device is None or owner == device:
                self._tell(tag, t, NAN if tag.kind == "f64" else "", COMM)

    def _birth(self, node: Node, message: Message) -> None:
        tags = self._tags.get((node.group, node.name), {})
        for metric in message.payload.metrics:
            tag = tags.get((message.device, metric.name))
            if tag is not None:
                self._metric(node, message, metric, tag, is_birth=True)
            elif metric.value is not None and not metric.name.startswith(("Node Control/", "Device Control/", "bdSeq")):
                self.report.discovered(_place_of(node, message.device, metric.name), metric.value)
        for (device, name), tag in tags.items():
            if device == message.device and (device, name) not in node.metrics:
                self.report.reject("unknown_metric", topic=tag.address)
                self._tell(tag, message.payload.t or message.received, NAN if tag.kind == "f64" else "", CONFIG)

    def _data(self, node: Node, message: Message, metric: Metric) -> None:
        known = node.known(message.device, metric)
        if known is None:
            node.wants_rebirth = True
            what = metric.name or f"alias {metric.alias}"
            self.report.reject("unknown_metric" if metric.name else "alias", topic=_place_of(node, message.device, what))
            return
        tag = self._tags.get((node.group, node.name), {}).get((known.device, known.name))
        if tag is not None:
            self._metric(node, message, _typed(metric, known), tag, is_birth=False)

    def _metric(self, node: Node, message: Message, metric: Metric, tag: Tag, *, is_birth: bool) -> None:
        t = metric.t or message.payload.t or message.received  # 0 is 1970: an encoder that had no time
        value, quality, refused = _judged(metric, tag)
        if refused:
            self.report.reject(refused, topic=tag.address, sample=str(metric.value).encode()[:200])
            if not is_birth:
                return
        if metric.is_historical:
            self._replay.append((tag, t, value, quality))
            return
        bad_at = self._bad_since.get(tag.id)
        if quality == 0:
            self._last[tag.id] = value
        if bad_at is not None and is_birth and t <= bad_at:
            self._live.append((tag, t, value, quality))  # as sent; and what it is now, because it is no news to what called it bad
            t = next((later for later in (message.payload.t, message.received) if later > bad_at), bad_at + 1)
        self._tell(tag, t, value, quality)

    def _tell(self, tag: Tag, t: int, value: float | str, quality: int) -> None:
        self._live.append((tag, t, value, quality))
        if quality:
            self._bad_since[tag.id] = max(t, self._bad_since.get(tag.id, 0))
        elif t > self._bad_since.get(tag.id, -1):
            self._bad_since.pop(tag.id, None)

    def take(self) -> list[Readings]:
        """Everything told since, as columns."""
        live, replay = self._live, self._replay
        self._live, self._replay = [], []
        return [*_columns(live, replay=False), *_columns(replay, replay=True)]


def _place_of(node: Node, device: str, metric: str) -> str:
    return address.SparkplugAddress(node.group, node.name, device, metric).canonical()


def _typed(metric: Metric, known: Known) -> Metric:
    """A data metric often comes without its type: the birth's counts, so that 4294967295 of an Int32 is -1."""
    if metric.datatype or not isinstance(metric.value, float):
        return metric
    value = signed(metric.value, known.datatype)
    return metric if value == metric.value else Metric("", None, metric.t, known.datatype, value, metric.is_historical, metric.quality)


def _judged(metric: Metric, tag: Tag) -> tuple[float | str, int, str]:
    """Value, quality and the reason why it was refused, "" where it was not."""
    nothing: float | str = NAN if tag.kind == "f64" else ""
    if metric.refused:
        return nothing, CONFIG, metric.refused
    if metric.value is None:
        return nothing, NULL, ""
    if tag.kind != ("text" if isinstance(metric.value, str) else "f64"):
        return nothing, CONFIG, "value_type"
    if isinstance(metric.value, str) and (len(metric.value) > MAX_TEXT or "\x00" in metric.value):
        return nothing, CONFIG, "value_type"
    said = metric.quality
    if said is None or 192 <= said < 500:
        return metric.value, 0, ""
    if said == 500:
        return metric.value, STALE, ""
    return (metric.value, DOUBTFUL, "") if 64 <= said < 192 else (nothing, NULL, "")


def _columns(rows: list[_Row], *, replay: bool) -> Iterator[Readings]:
    for kind in ("f64", "text"):
        mine = [row for row in rows if row[0].kind == kind]
        if not mine:
            continue
        tags, t, values, quality = zip(*mine, strict=True)
        ids = np.array([tag.id for tag in tags], "u4")
        made = np.array(values, "f8") if kind == "f64" else list(values)
        yield Readings(ids, np.array(t, "i8"), made, np.array(quality, "u1"), np.zeros(len(mine), "u4"), kind, replay)
