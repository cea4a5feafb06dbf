"""One poll of an S7 group: sends the jobs, decodes what came, and knows which tags failed. It decides nothing about them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite

import numpy as np

from plc.addressing import s7
from plc.addressing.errors import AddressError
from plc.addressing.s7_types import S7Address
from plc.connector import LinkError, Readings
from plc.connectors.s7_link import S7Link
from plc.connectors.s7_values import Value, decoder, frame
from plc.planner import Item, Job, Span, plan
from realtime.events import Frame, Quality, Reason, quality_byte
from realtime.snapshot import Tag

BAD_RANGE = quality_byte(Quality.BAD, Reason.RANGE)


@dataclass(slots=True, eq=False)
class Slot:
    """One tag of a group with what is needed to read it. statistics: (name, tag) of the figures a frame also makes."""

    tag: Tag
    address: S7Address
    span: Span
    decode: Callable[[bytes, int], Value] | None  # None for a frame
    statistics: Sequence[tuple[str, Tag]] = ()
    error: LinkError | None = None  # why it cannot be read at present


@dataclass(frozen=True, slots=True)
class Bundle:
    """Slots read as one span that is never torn; members are (slot, offset of its first byte)."""

    span: Span
    members: tuple[tuple[Slot, int], ...]


def slot_of(tag: Tag, statistics: Sequence[tuple[str, Tag]] = ()) -> Slot:
    """A slot for a tag; raises AddressError when the address is wrong or gives another kind of value than the tag is."""
    address = s7.parse(tag.address)
    if address.kind == "text" and tag.kind != "text":
        raise AddressError(0, f"{address.type} is text, the tag is a number")
    if (address.kind == "frame") != (tag.kind == "frame"):
        raise AddressError(0, "an array of numbers is a tag of kind frame, and only an array is")
    span = Span(address.area, address.db, address.byte, address.length, alone=address.area in {"T", "C"})
    return Slot(tag, address, span, None if address.kind == "frame" else decoder(address), statistics)


def single(slots: Sequence[Slot], *, alone: bool = False) -> list[Bundle]:
    """Each slot for itself; alone: sharing no item with another."""
    return [Bundle(replace(slot.span, alone=True) if alone else slot.span, ((slot, 0),)) for slot in slots]


def together(slots: Sequence[Slot], most: int) -> tuple[list[Bundle], int]:
    """Slots of one area or block as one span of at most `most` bytes each; and how many tags would not fit and stay single."""
    places: dict[tuple[str, int], list[Slot]] = {}
    lone = [slot for slot in slots if slot.span.alone]
    for slot in slots:
        if not slot.span.alone:
            places.setdefault((slot.span.area, slot.span.db), []).append(slot)
    bundles = single(lone)
    left_out = 0
    for (area, db), members in places.items():
        start, end = min(slot.span.start for slot in members), max(slot.span.end for slot in members)
        if end - start > most:
            left_out += len(members)
            bundles += single(members)
        else:
            bundles.append(Bundle(Span(area, db, start, end - start), tuple((slot, slot.span.start - start) for slot in members)))
    return bundles, left_out


class Cycle:
    """What one poll of one group brought."""

    def __init__(self, link: S7Link) -> None:
        self.link = link
        self.suspects: list[Slot] = []
        self.failed: list[Slot] = []
        self.refused: list[tuple[str, str]] = []  # (reason, which tag and what) of values nobody can believe
        self._ids: list[int] = []
        self._t: list[int] = []
        self._values: list[float] = []
        self._quality: list[int] = []
        self._texts: list[tuple[int, int, str, int]] = []
        self._frames: list[tuple[int, int, Frame]] = []
        self._long: dict[int, dict[int, bytes]] = {}

    def run(self, bundles: Sequence[Bundle], jobs: Sequence[Job], first: int = 0, until: float = inf) -> int:
        """Send the jobs from `first` on, at least one and none after `until` (monotonic); returns which comes next.

        Tags of failed items become suspects. Raises LinkError.
        """
        after = first
        while after < len(jobs) and (after == first or time.monotonic() < until):
            begin, after = after, len(jobs) if until == inf else self._cut(jobs, after)
            for item, data, t in self._exchange(jobs[begin:after]):
                if isinstance(data, int):
                    self.suspects += [slot for index, _ in item.members for slot, _ in bundles[index].members]
                else:
                    self._take(bundles, item, data, t)
        return after

    def _cut(self, jobs: Sequence[Job], begin: int) -> int:
        """Where to pause after `begin`: as many jobs as are out at once, and never within a value longer than the PDU."""
        after = min(begin + self.link.window, len(jobs))
        while after < len(jobs) and jobs[after].items[0].members[0][1] < 0:
            after += 1
        return after

    def run_alone(self, slots: Sequence[Slot]) -> list[tuple[Slot, int]]:
        """Read each slot as an item of its own; returns those that failed, with the code. Raises LinkError."""
        failed: dict[int, int] = {}
        bundles = single(slots, alone=True)
        for item, data, t in self._exchange(plan([bundle.span for bundle in bundles], self.link.pdu)):
            if isinstance(data, int):
                failed.update((index, data) for index, _ in item.members)
            else:
                self._take(bundles, item, data, t)
        return [(slots[index], code) for index, code in failed.items()]

    def _exchange(self, jobs: Sequence[Job]) -> Iterator[tuple[Item, bytes | int, int]]:
        self._long.clear()
        for answer in self.link.exchange([job.items for job in jobs]):
            for item, data in zip(jobs[answer.job].items, answer.items, strict=True):
                yield item, data, answer.t_ms

    def _take(self, bundles: Sequence[Bundle], item: Item, data: bytes, t: int) -> None:
        for index, offset in item.members:
            bundle = bundles[index]
            if bundle.span.length > item.length:  # one part of a value longer than the PDU; offset is minus its place
                parts = self._long.setdefault(index, {})
                parts[-offset] = data
                if sum(map(len, parts.values())) == bundle.span.length:
                    self._keep(bundle.members[0][0], b"".join(parts[at] for at in sorted(parts)), 0, t)
                continue
            for slot, place in bundle.members:
                self._keep(slot, data, offset + place, t)

    def _keep(self, slot: Slot, data: bytes, offset: int, t: int) -> None:
        decode = slot.decode
        if decode is None:
            self._keep_frame(slot, data[offset : offset + slot.span.length], t)
            return
        quality = 0
        try:
            value = decode(data, offset)
        except (ValueError, OverflowError) as error:
            value, quality = float("nan"), BAD_RANGE
            self.refused.append(("malformed", f"{slot.tag.name} {slot.tag.address}: {error}"))
        tag = slot.tag
        if tag.kind == "f64" and not isinstance(value, str):
            if not quality and not isfinite(value):
                self.refused.append(("not_finite", f"{tag.name} {tag.address}: {value}"))
            self._number(tag.id, t, value, quality)
        else:
            text = value if isinstance(value, str) else ("" if quality else f"{value:g}")
            self._texts.append((tag.id, t, text, quality))

    def _keep_frame(self, slot: Slot, data: bytes, t: int) -> None:
        """An array, and its figures where there are tags for them; an array with NaN in it is no frame, its figures are bad."""
        tag = slot.tag
        try:
            made = frame(slot.address, data, tag.unit, *_line(tag))
        except ValueError as error:
            self.refused.append(("not_finite", f"{tag.name} {tag.address}: {error}"))
            for _, figure in slot.statistics:
                self._number(figure.id, t, float("nan"), BAD_RANGE)
            return
        self._frames.append((tag.id, t, made))
        if slot.statistics:
            cells = made.array()
            for name, figure in slot.statistics:
                self._number(figure.id, t, float(getattr(cells, name)()), 0)

    def _number(self, tag: int, t: int, value: float, quality: int) -> None:
        self._ids.append(tag)
        self._t.append(t)
        self._values.append(value)
        self._quality.append(quality)

    def readings(self) -> list[Readings]:
        """Columns of what was read."""
        made: list[Readings] = []
        if self._ids:
            n = len(self._ids)
            ids, t, quality = np.array(self._ids, "u4"), np.array(self._t, "i8"), np.array(self._quality, "u1")
            made.append(Readings(ids, t, np.array(self._values, "f8"), quality, np.zeros(n, "u4")))
        if self._texts:
            tags, times, words, states = zip(*self._texts, strict=True)
            seq = np.zeros(len(tags), "u4")
            made.append(Readings(np.array(tags, "u4"), np.array(times, "i8"), list(words), np.array(states, "u1"), seq, "text"))
        if self._frames:
            tags, times, frames = zip(*self._frames, strict=True)
            zeros = np.zeros(len(tags), "u4")
            made.append(Readings(np.array(tags, "u4"), np.array(times, "i8"), list(frames), zeros.astype("u1"), zeros, "frame"))
        return made


def _line(tag: Tag) -> tuple[float, float]:
    """Scale and offset of an array's elements."""
    if tag.scale_raw is None or tag.scale_eng is None or tag.scale_raw[0] == tag.scale_raw[1]:
        return 1.0, 0.0
    slope = (tag.scale_eng[1] - tag.scale_eng[0]) / (tag.scale_raw[1] - tag.scale_raw[0])
    return slope, tag.scale_eng[0] - slope * tag.scale_raw[0]
