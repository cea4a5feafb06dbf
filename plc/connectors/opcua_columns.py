"""Gathers OPC UA changes into columns: numbers, texts, frames with their virtual statistics tags. No network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes as Codes

from plc.connector import Readings, Report, bad_samples
from plc.connectors.opcua_groups import GONE
from plc.connectors.opcua_owned import Owned
from plc.connectors.opcua_values import STATISTICS, Picture, ShapeError, number, picture, quality_of, quality_of_code, stamp_ms
from plc.connectors.opcua_wire import Change, Run
from realtime.events import Frame, Quality, Reason, quality_byte
from realtime.snapshot import Tag

STALE_INITIAL_MS = 5_000
BAD_CONFIG = quality_byte(Quality.BAD, Reason.CONFIG)
BAD_RANGE = quality_byte(Quality.BAD, Reason.RANGE)
BAD_DEVICE = quality_byte(Quality.BAD, Reason.DEVICE)
TOO_LARGE = frozenset({Codes.BadResponseTooLarge, Codes.BadTcpMessageTooLarge})
FINAL = np.array(sorted({*GONE, *TOO_LARGE}), "u4")  # after which nothing more comes of a node
TIMES_END = 32_503_680_000_000  # the year 3000 in ms: later is no time, nor is what lies before 1970
OVERFLOW = 0x480  # info bits of a data value: the server's queue of this item overflowed

Ids = npt.NDArray[np.uint32]
Times = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Block = tuple[Ids, Times, Floats, Bytes]


class Columns:
    """Knows which monitored item is which tag, and what each last said of its state."""

    def __init__(self, tags: Sequence[Tag], shapes: Mapping[str, Sequence[int]], report: Report, former: Columns | None = None) -> None:
        self.report = report
        self.bad_nodes: list[Tag] = []  # to be told once as bad (CONFIG)
        self.vanished: list[Tag] = []  # their nodes are gone or too large: to be looked for again
        self.codes: dict[str, str] = {}  # tag name -> last status that was not good, raw and by name
        self.untimed = 0  # values without a source time
        self.opened_ms: int = former.opened_ms if former else 0
        self.is_reopened: bool = former.is_reopened if former else False
        self.skew_ms: int = former.skew_ms if former else 0
        self.newest: dict[str, int] = dict(former.newest) if former else {}  # source time of the newest change, by polling group
        by_name = {tag.name: tag for tag in tags}
        by_id = {tag.id: tag for tag in tags}
        known = former.owners if former else {}
        self.owners: dict[int, Tag] = {number: by_id[tag.id] for number, tag in known.items() if tag.id in by_id}
        self._owned: Owned | None = None  # the owners as columns, made when a run needs it
        self._first: set[int] = set()
        self._shapes = {name: (int(shape[0]), int(shape[1])) for name, shape in shapes.items()}
        self._statistics = {
            tag.id: [(ending, by_name[f"{tag.name}.{ending}"]) for ending in STATISTICS if f"{tag.name}.{ending}" in by_name]
            for tag in tags
            if tag.kind == "frame"
        }

    def opened(self, at_ms: int, skew_ms: int, *, again: bool) -> None:
        """A session stands since at_ms, its server's clock is skew_ms ahead; numbers of before mean nothing any more."""
        self.opened_ms, self.skew_ms, self.is_reopened = at_ms, skew_ms, again
        self.owners.clear()
        self._owned = None
        self._first.clear()

    def owns(self, number: int, tag: Tag) -> None:
        """Changes with this number are this tag's; the first is its value of now, whenever it came to be."""
        self.owners[number] = tag
        self._owned = None
        self._first.add(number)

    def disown(self, number: int) -> Tag:
        """Changes with this number are nobody's any more; returns whose they were."""
        self._owned = None
        return self.owners.pop(number)

    def readings(self, parts: Iterable[Run | Change], received: int) -> list[Readings]:
        """Columns of the changes, in their order."""
        rows = _Rows()
        for part in parts:
            if isinstance(part, Run):
                self._run(part, received, rows)
            else:
                self._change(*part, received, rows)
        told, self.bad_nodes = self.bad_nodes, []
        lost = [tag for owner in told for tag in (owner, *(stat for _, stat in self._statistics.get(owner.id, ())))]
        return rows.readings() + bad_samples(lost, received, Reason.CONFIG)

    def _change(self, item: int, value: ua.DataValue, received: int, rows: _Rows) -> None:
        tag = self.owners.get(item)
        if tag is not None:
            self._take(tag, value, self._time(item, tag, value, received), rows)
            self._note(item, tag, value.StatusCode.value if value.StatusCode is not None else 0)

    def _run(self, run: Run, received: int, rows: _Rows) -> None:
        """A run's numbers at once; one by one what belongs to no number, comes first, or has a time nobody can mean."""
        owned = self._owned = self._owned or Owned(self.owners)
        places, known = owned.places(run.numbers)
        plain = known & owned.are_numbers[places] & (run.t > 0) & (run.t < TIMES_END)
        coded = np.flatnonzero(run.codes)
        if len(coded):
            plain &= ~np.isin(run.codes, FINAL)
        if self._first:
            plain &= ~np.isin(run.numbers, list(self._first))
        if not plain.all():  # all of a tag this way: its changes stay in their order
            plain &= ~np.isin(run.numbers, run.numbers[~plain])
            for place in np.flatnonzero(known & ~plain):
                self._change(*run.change(int(place)), received, rows)
            coded = coded[plain[coded]]
        for group, newest in owned.newest(places[plain], run.t[plain]).items():
            self.newest[group] = max(self.newest.get(group, 0), min(newest, received + self.skew_ms))
        rows.block(owned.ids[places[plain]], run.t[plain], run.values[plain], _qualities(run.codes[plain]))
        for place in coded:
            item = int(run.numbers[place])
            self._note(item, self.owners[item], int(run.codes[place]))

    def history(self, values: Iterable[Change], received: int) -> list[Readings]:
        """Columns of what a server kept: replays, which fill history and move nothing that is live."""
        rows = _Rows()
        for item, value in values:
            tag = self.owners.get(item)
            if tag is not None and value.SourceTimestamp is not None:
                self._take(tag, value, stamp_ms(value, received), rows)
        return [replace(part, replay=True) for part in rows.readings()]

    def _time(self, number: int, tag: Tag, value: ua.DataValue, received: int) -> int:
        """Source time; but the first value of a session that is older than it counts from now on: the server vouches for it."""
        t = stamp_ms(value, received)
        if value.SourceTimestamp is None:
            self.untimed += 1
        if number in self._first:
            self._first.discard(number)
            opened = self.opened_ms + self.skew_ms
            if t < (opened if self.is_reopened else opened - STALE_INITIAL_MS):
                return received + self.skew_ms
        group = tag.group
        self.newest[group] = max(self.newest.get(group, 0), min(t, received + self.skew_ms))
        return t

    def _note(self, number: int, tag: Tag, code: int) -> None:
        """Keep what the wire has no place for; tell of a node that is gone."""
        if not code:
            return
        if code & OVERFLOW == OVERFLOW:
            self.report.reject("queue_overflow", topic=tag.name)
        if code >> 30 == 0:
            return
        self.codes[tag.name] = f"0x{code:08X} {ua.StatusCode(ua.UInt32(code)).name}"
        if code in TOO_LARGE:
            self.report.reject("too_large", topic=tag.name)
        if code in TOO_LARGE or code in GONE:
            self.vanished.append(self.disown(number))

    def _take(self, tag: Tag, value: ua.DataValue, t: int, rows: _Rows) -> None:
        quality = quality_of(value.StatusCode)
        content = value.Value.Value if value.Value is not None else None
        if tag.kind == "frame":
            self._take_frame(tag, value, content, t, quality, rows)
        elif tag.kind == "text":
            rows.texts.append((tag.id, t, "" if content is None else str(content)[:1000], quality))
        else:
            found = number(content)
            if found is None:
                if content is not None:
                    self.report.reject("value_type", topic=tag.name, sample=repr(content)[:200].encode())
                missing = BAD_DEVICE if content is None else BAD_CONFIG
                rows.numbers.append((tag.id, t, math.nan, quality if quality & 3 == Quality.BAD else missing))
            else:
                rows.numbers.append((tag.id, t, found, quality))

    def _take_frame(self, tag: Tag, value: ua.DataValue, content: Any, t: int, quality: int, rows: _Rows) -> None:
        made: Picture | None = None
        if content is not None:
            try:
                made = picture(content, value.Value.Dimensions if value.Value else None, self._shapes.get(tag.name), tag.unit)
            except ShapeError as error:
                self.report.reject("shape", topic=tag.name, sample=str(error).encode())
                quality = BAD_CONFIG
            except (ValueError, TypeError) as error:
                self.report.reject("not_finite", topic=tag.name, sample=str(error).encode())
                quality = BAD_RANGE
        elif quality & 3 != Quality.BAD:
            quality = BAD_DEVICE
        if made is not None:
            self._shapes.setdefault(tag.name, made.frame.shape)
            rows.frames.append((tag.id, t, made.frame, quality))
        for ending, statistic in self._statistics.get(tag.id, ()):
            rows.numbers.append((statistic.id, t, made.statistics[ending] if made else math.nan, quality))


class _Rows:
    """Rows of each kind."""

    def __init__(self) -> None:
        self.numbers: list[tuple[int, int, float, int]] = []
        self.texts: list[tuple[int, int, str, int]] = []
        self.frames: list[tuple[int, int, Frame, int]] = []
        self._blocks: list[Block] = []

    def block(self, ids: Ids, t: Times, values: Floats, quality: Bytes) -> None:
        """Numbers that are columns already."""
        if len(ids):
            self._flush()
            self._blocks.append((ids, t, values, quality))

    def _flush(self) -> None:
        """The numbers gathered one by one, as the next block."""
        if self.numbers:
            ids, t, values, quality = zip(*self.numbers, strict=True)
            self._blocks.append((np.array(ids, "u4"), np.array(t, "i8"), np.array(values, "f8"), np.array(quality, "u1")))
            self.numbers = []

    def readings(self) -> list[Readings]:
        made: list[Readings] = []
        self._flush()
        if self._blocks:
            made.append(_joined(self._blocks))
        if self.texts:
            ids, t, words, quality = zip(*self.texts, strict=True)
            made.append(_columns(ids, t, list(words), quality, "text"))
        if self.frames:
            ids, t, frames, quality = zip(*self.frames, strict=True)
            made.append(_columns(ids, t, list(frames), quality, "frame"))
        return made


def _columns(ids: Sequence[int], t: Sequence[int], values: Any, quality: Sequence[int], kind: Any) -> Readings:
    return Readings(np.array(ids, "u4"), np.array(t, "i8"), values, np.array(quality, "u1"), np.zeros(len(ids), "u4"), kind)


def _joined(blocks: Sequence[Block]) -> Readings:
    ids, t, values, quality = blocks[0]
    if len(blocks) > 1:
        ids, t, values, quality = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return Readings(ids, t, values, quality, np.zeros(len(ids), "u4"))


def _qualities(codes: npt.NDArray[np.uint32]) -> Bytes:
    if not codes.any():
        return np.zeros(len(codes), "u1")
    found, which = np.unique(codes, return_inverse=True)
    bytes_: Bytes = np.array([quality_of_code(int(code)) for code in found], "u1")[which]
    return bytes_
