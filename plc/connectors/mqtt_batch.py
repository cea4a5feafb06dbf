"""Turns many MQTT messages into columns at once. Well-formed readings take a straight road (1 us each); the rest is explained.

No network here: messages come in as they were appended by the network callback.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec

from plc.addressing import mqtt
from plc.addressing.mqtt_mapping import Mapping
from plc.connector import Readings, Report, numbers, texts
from plc.connectors.mqtt_json import (
    MAX_MESSAGE,
    MAX_SEQ,
    Refused,
    Row,
    Unknown,
    check_unit,
    epoch_ms,
    machine_rows,
    mapped_row,
    reading_rows,
)
from plc.connectors.mqtt_mapping import mapped_rows
from realtime.snapshot import Tag

TOPICS_KEPT = 50_000


class Message(NamedTuple):
    """One PUBLISH as it arrived; mid counts at QoS 1."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    retain: bool


class _Reading(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A reading of a number exactly as DESIGN.md 4 has it; anything else goes the long way."""

    tag: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | float
    value: float
    unit: str | msgspec.UnsetType = msgspec.UNSET
    seq: int | msgspec.UnsetType = msgspec.UNSET


_ERRORS = (msgspec.MsgspecError, ValueError, OverflowError, KeyError, RecursionError, Refused)


class _Columns:
    """Rows gathered as lists, handed out as Readings."""

    def __init__(self, *, replay: bool) -> None:
        self.replay = replay
        self.ids: list[int] = []
        self.t: list[int] = []
        self.values: list[float] = []
        self.seq: list[int] = []
        self.words: list[tuple[int, int, str, int]] = []

    def add(self, row: Row) -> None:
        if isinstance(row.value, str):
            self.words.append((row.tag.id, row.t, row.value, row.seq))
            return
        self.ids.append(row.tag.id)
        self.t.append(row.t)
        self.values.append(row.value)
        self.seq.append(row.seq)

    def readings(self) -> list[Readings]:
        made = [numbers(self.ids, self.t, self.values, self.seq, replay=self.replay)] if self.ids else []
        if self.words:
            ids, t, values, seq = zip(*self.words, strict=True)
            made.append(texts(ids, t, list(values), seq, replay=self.replay))
        return made


class Parser:
    """Knows which topic means which tag; compiled anew when the tags change."""

    def __init__(
        self, tags: Sequence[Tag], prefix: str, report: Report, *, no_time: bool = False, mappings: Sequence[Mapping] = ()
    ) -> None:
        self.mappings = mappings
        self._ruled: dict[str, tuple[Mapping, dict[str, str]] | None] = {}  # by topic
        self.prefix = prefix
        self.report = report
        self.no_time = no_time
        self._decode = msgspec.json.Decoder(_Reading).decode
        self._decode_array = msgspec.json.Decoder(list[_Reading]).decode
        self._by_name: dict[str, Tag] = {}
        self._readings = f"{prefix}readings/"
        self._straight: dict[str, Tag] = {}  # by topic
        self._figures: dict[str, Tag] = {}  # by name
        self._mapped: dict[str, list[tuple[str | None, Tag]]] = {}
        for tag in tags:
            address = mqtt.parse(tag.address)
            if address.topic is not None:
                self._mapped.setdefault(prefix + address.topic, []).append((address.field, tag))
                continue
            self._by_name[tag.name] = tag
            if tag.kind == "f64":
                self._figures[tag.name] = tag
                if self._rule(self._readings + tag.name) is None:
                    self._straight[self._readings + tag.name] = tag

    def parse(self, messages: Sequence[Message], received: int) -> list[Readings]:
        """Columns of everything good; the bad is reported by reason and stops nothing beside it."""
        live, replay = _Columns(replay=False), _Columns(replay=True)
        slow = self._straight_road(messages, live)
        for message in slow:
            self._long_road(message, replay if message.retain else live, received)
        return live.readings() + replay.readings()

    def _straight_road(self, messages: Sequence[Message], columns: _Columns) -> Sequence[Message]:
        """Take the plain readings; returns the messages that need a closer look."""
        slow: list[Message] = []
        taken: list[bytes] = []
        readings: list[_Reading] = []
        tags: list[Tag] = []
        for message in messages:
            try:
                found, owners = self._plain(message)
                columns.t += [_time(reading) for reading in found]
            except _ERRORS:
                slow.append(message)
                continue
            readings += found
            tags += owners
            taken.append(message.payload)
        if _hides_duplicates(taken, readings):
            columns.t.clear()
            return messages
        columns.ids += [tag.id for tag in tags]
        columns.values += [reading.value for reading in readings]
        columns.seq += [0 if reading.seq is msgspec.UNSET else reading.seq for reading in readings]
        return slow

    def _plain(self, message: Message) -> tuple[list[_Reading], list[Tag]]:
        """The readings of a message of the plain shape and their tags; raises one of _ERRORS for any other."""
        payload = message.payload
        if message.retain or len(payload) > MAX_MESSAGE:
            raise Refused("not_plain")
        tag = self._straight.get(message.topic)
        if tag is not None and payload[:1] == b"{":
            reading = self._decode(payload)
            _check(reading, tag)
            return [reading], [tag]
        if payload[:1] != b"[" or tag is not None or not message.topic.startswith(self._readings) or self._rule(message.topic):
            raise Refused("not_plain")
        found = self._decode_array(payload)
        owners = [self._figures[reading.tag] for reading in found]
        for reading, owner in zip(found, owners, strict=True):
            _check(reading, owner)
        return found, owners

    def _long_road(self, message: Message, columns: _Columns, received: int) -> None:
        for outcome in self._outcomes(message, received):
            if isinstance(outcome, Row):
                columns.add(outcome)
            elif isinstance(outcome, Unknown):
                self.report.discovered(outcome.tag, outcome.value)
            else:
                self.report.reject(outcome.reason, topic=message.topic, sample=message.payload)

    def _outcomes(self, message: Message, received: int) -> Iterable[Row | Refused]:
        mapped = self._mapped.get(message.topic)
        if mapped is not None:
            return [_mapped(message.payload, field, tag, received) for field, tag in mapped]
        rule = self._rule(message.topic)
        if rule is not None:
            return mapped_rows(rule[0], rule[1], message.payload, self._by_name, received, no_time=self.no_time)
        topic = message.topic.removeprefix(self.prefix)
        root, _, rest = topic.partition("/")
        if root == "readings" and rest:
            return reading_rows(message.payload, rest.rpartition("/")[2], self._by_name, received, no_time=self.no_time)
        if root == "machines" and rest:
            return machine_rows(message.payload, rest.rpartition("/")[2], self._by_name, received, no_time=self.no_time)
        return [Refused("topic")]

    def _rule(self, topic: str) -> tuple[Mapping, dict[str, str]] | None:
        """The first mapping that the topic fits, with its captures."""
        if not self.mappings:
            return None
        if topic not in self._ruled:
            if len(self._ruled) >= TOPICS_KEPT:
                self._ruled.clear()
            below = topic.removeprefix(self.prefix)
            found = ((mapping, mapping.pattern.match(below)) for mapping in self.mappings)
            self._ruled[topic] = next(((mapping, captures) for mapping, captures in found if captures is not None), None)
        return self._ruled[topic]


def _mapped(payload: bytes, field: str | None, tag: Tag, received: int) -> Row | Refused:
    try:
        return mapped_row(payload, field, tag, received)
    except Refused as refused:
        return refused


def _check(reading: _Reading, tag: Tag) -> None:
    if reading.tag != tag.name or not (reading.seq is msgspec.UNSET or 0 <= reading.seq <= MAX_SEQ):
        raise Refused("not_plain")
    if reading.unit is not msgspec.UNSET and reading.unit != tag.unit:
        check_unit(reading.unit, tag)


def _time(reading: _Reading) -> int:
    stamp = reading.timestamp
    return epoch_ms(stamp) if isinstance(stamp, float) else round(stamp.timestamp() * 1000)


def _hides_duplicates(payloads: Sequence[bytes], readings: Sequence[_Reading]) -> bool:
    """True where a key stands twice in a reading, or hides behind an escape: the decoder keeps the last in silence.

    One scan over the whole batch instead of one a message: a key may be there exactly as often as a reading has it.
    """
    blob = b"".join(payloads)
    n = len(readings)
    if b"\\" in blob or any(blob.count(key) != n for key in (b'"tag"', b'"timestamp"', b'"value"')):
        return True
    units = sum(reading.unit is not msgspec.UNSET for reading in readings)
    seqs = sum(reading.seq is not msgspec.UNSET for reading in readings)
    return blob.count(b'"unit"') != units or blob.count(b'"seq"') != seqs
