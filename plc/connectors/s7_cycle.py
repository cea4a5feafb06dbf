"""One poll of an S7 group: sends the jobs, decodes what came, and knows which tags failed. It decides nothing about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from plc.addressing import s7
from plc.addressing.errors import AddressError
from plc.connector import Readings
from plc.connectors.s7_link import S7Link
from plc.connectors.s7_values import Value, decoder
from plc.planner import Item, Job, Span, plan
from realtime.bus import now_ms
from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Tag

BAD_RANGE = quality_byte(Quality.BAD, Reason.RANGE)


@dataclass(slots=True, eq=False)
class Slot:
    """One tag of a group with what is needed to read it."""

    tag: Tag
    span: Span
    decode: Callable[[bytes, int], Value]
    error: str | None = None  # why it cannot be read at present


def slot_of(tag: Tag) -> Slot:
    address = s7.parse(tag.address)
    if address.is_text and tag.kind != "text":
        raise AddressError(0, f"{address.type} is text, the tag is a number")
    return Slot(tag, Span(address.area, address.db, address.byte, address.length), decoder(address))


class Cycle:
    """What one poll of one group brought."""

    def __init__(self, link: S7Link) -> None:
        self.link = link
        self.suspects: list[Slot] = []
        self.failed: list[Slot] = []
        self._ids: list[int] = []
        self._t: list[int] = []
        self._values: list[float] = []
        self._texts: list[tuple[int, int, str, int]] = []
        self._long: dict[int, bytearray] = {}

    def run(self, slots: Sequence[Slot], jobs: Sequence[Job]) -> None:
        """Send every job; tags of failed items become suspects."""
        self._long.clear()
        for job in jobs:
            for item, data, t in self._exchange(job):
                if isinstance(data, int):
                    self.suspects += [slots[i] for i, _ in item.members]
                else:
                    self._take(slots, item, data, t)

    def run_alone(self, slots: Sequence[Slot], pdu: int) -> list[tuple[Slot, int]]:
        """Read each slot as an item of its own; returns those that failed, with the code."""
        failed: dict[int, int] = {}
        self._long.clear()
        for job in plan([replace(slot.span, alone=True) for slot in slots], pdu):
            for item, data, t in self._exchange(job):
                if isinstance(data, int):
                    failed.update((i, data) for i, _ in item.members)
                else:
                    self._take(slots, item, data, t)
        return [(slots[i], code) for i, code in failed.items()]

    def _exchange(self, job: Job) -> list[tuple[Item, bytes | int, int]]:
        before = now_ms()
        answers = self.link.read(job.items)
        middle = (before + now_ms()) // 2
        return [(item, data, middle) for item, data in zip(job.items, answers, strict=True)]

    def _take(self, slots: Sequence[Slot], item: Item, data: bytes, t: int) -> None:
        for index, offset in item.members:
            slot = slots[index]
            if slot.span.length > item.length:  # one part of a value longer than the PDU
                whole = self._long.setdefault(index, bytearray())
                whole += data
                if len(whole) == slot.span.length:
                    self._keep(slot, bytes(whole), 0, t)
            else:
                self._keep(slot, data, offset, t)

    def _keep(self, slot: Slot, data: bytes, offset: int, t: int) -> None:
        quality = 0
        try:
            value = slot.decode(data, offset)
        except ValueError:
            value, quality = float("nan"), BAD_RANGE
        tag = slot.tag
        if tag.kind == "f64" and not isinstance(value, str):
            self._ids.append(tag.id)
            self._t.append(t)
            self._values.append(value)
        else:
            text = value if isinstance(value, str) else ("" if quality else f"{value:g}")
            self._texts.append((tag.id, t, text, quality))

    def readings(self) -> list[Readings]:
        """Columns of what was read."""
        made: list[Readings] = []
        if self._ids:
            n = len(self._ids)
            values = np.array(self._values, "f8")
            made.append(Readings(np.array(self._ids, "u4"), np.array(self._t, "i8"), values, np.zeros(n, "u1"), np.zeros(n, "u4")))
        if self._texts:
            ids, t, words, quality = zip(*self._texts, strict=True)
            seq = np.zeros(len(ids), "u4")
            made.append(Readings(np.array(ids, "u4"), np.array(t, "i8"), list(words), np.array(quality, "u1"), seq, "text"))
        return made
