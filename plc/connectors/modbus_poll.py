"""One poll of a group of Modbus tags: reads its blocks, finds the wrong tags of a refused one, leaves silent units to the slow lane."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from plc.addressing import modbus
from plc.addressing.errors import AddressError
from plc.addressing.modbus import BITS, ModbusAddress
from plc.connector import Readings, Report, bad_samples, numbers, texts
from plc.connectors.modbus_link import EXCEPTIONS, ModbusLink, Silent
from plc.connectors.modbus_plan import ALONE, Block, Place
from plc.connectors.modbus_values import value_of
from realtime.bus import now_ms
from realtime.events import Reason
from realtime.snapshot import Tag

log = logging.getLogger("plc.modbus")

SLOW_S = 30.0  # a unit that does not answer is asked again this much later
REFUSED = frozenset({1, 2, 3})  # the request is wrong, not the device
NO_UNIT = frozenset({10, 11})
NOT_NOW = frozenset({5, 6})


@dataclass(slots=True, eq=False)
class Slot:
    """One tag with what is needed to read it."""

    tag: Tag
    address: ModbusAddress
    place: Place
    error: str = ""


def slot_of(tag: Tag, base: int) -> Slot:
    """A slot for a tag of a source that counts from `base`; raises AddressError when the address is wrong for it."""
    address = modbus.parse(tag.address)
    if address.kind == "text" and tag.kind != "text":
        raise AddressError(0, "a string is text, the tag is a number")
    if address.number < base:
        raise AddressError(0, "base is 1: numbers count from 1")
    return Slot(tag, address, Place(address.unit or 0, address.table, address.number, address.count, address.table in BITS))


class SlowLane:
    """Units that were silent, and when each is asked again; without it one dead unit behind a gateway slows all others down."""

    def __init__(self, name: str, report: Report) -> None:
        self.name = name
        self.report = report
        self._until: dict[int, float] = {}

    def is_asleep(self, unit: int) -> bool:
        """The unit was silent and its time has not come."""
        return time.monotonic() < self._until.get(unit, 0.0)

    def units(self) -> list[int]:
        """Those that are left alone now."""
        return [unit for unit in self._until if self.is_asleep(unit)]

    def put(self, unit: int, why: str) -> None:
        """Leave a unit alone for a while; told once."""
        if unit not in self._until:
            log.error("%s: unit %d: %s; asked again each %g s", self.name, unit, why, SLOW_S)
        self.report.reject("silent_unit", sample=f"unit {unit}: {why}".encode())
        self._until[unit] = time.monotonic() + SLOW_S

    def take(self, unit: int) -> None:
        """The unit answered."""
        if self._until.pop(unit, None) is not None:
            log.info("%s: unit %d answers again", self.name, unit)

    def clear(self) -> None:
        """Ask every unit again."""
        self._until.clear()


class Poll:
    """What one poll brought. alone(slot): the read of this tag and nothing else."""

    def __init__(self, link: ModbusLink, slots: Sequence[Slot], lane: SlowLane, order: str, alone: Callable[[Slot], Block]) -> None:
        self.link, self.slots, self.lane, self.order, self.alone = link, slots, lane, order, alone
        self.report = lane.report
        self.silent: list[int] = []
        self.is_changed = False  # tags turned wrong, or must be read alone: compile anew
        self._good: list[tuple[int, int, float]] = []
        self._words: list[tuple[int, int, str]] = []
        self._bad: dict[Reason, list[Tag]] = {}

    def take(self, block: Block) -> None:
        """Read one block and keep what it brings. Raises LinkError."""
        if self.lane.is_asleep(block.unit):
            return
        slots = [(self.slots[index], offset) for index, offset in block.members]
        found = self._read(block)
        if isinstance(found, tuple):
            for slot, offset in slots:
                self._keep(slot, found[0][offset : offset + slot.place.count], found[1])
        elif found in REFUSED:
            self._one_by_one([slot for slot, _ in slots], found)
        else:
            self._spoil([slot.tag for slot, _ in slots], found)

    def _read(self, block: Block) -> tuple[list[int], int] | int | None:
        """Values and their time, the exception, or None for a unit that says nothing."""
        before = now_ms()
        try:
            found = self.link.read(block)
        except Silent:
            self._silence(block.unit, f"no answer within {self.link.timeout_s:g} s")
            return None
        if not isinstance(found, int):
            self.lane.take(block.unit)
            return found, (before + now_ms()) // 2
        why = EXCEPTIONS.get(found, "unknown exception")
        if found in NO_UNIT:
            self._silence(block.unit, why)
        elif found not in REFUSED:
            self.report.reject(f"exception_{found}", sample=f"u{block.unit}/{block.table}:{block.start} {why}".encode())
        return found

    def _silence(self, unit: int, why: str) -> None:
        self.silent.append(unit)
        self.lane.put(unit, why)

    def _spoil(self, tags: Sequence[Tag], found: int | None) -> None:
        is_comm = found is None or found in NO_UNIT or found in NOT_NOW
        self._bad.setdefault(Reason.COMM if is_comm else Reason.DEVICE, []).extend(tags)

    def _one_by_one(self, slots: Sequence[Slot], code: int) -> None:
        """A refused read: tags that fail alone are wrong until the next retry; where none does, the device refuses what lies between."""
        self.is_changed = True
        whole = True
        for slot in slots:
            found: tuple[list[int], int] | int | None = code if len(slots) == 1 else self._read(self.alone(slot))
            if isinstance(found, tuple):
                self._keep(slot, *found)
                continue
            whole = False
            if found is not None and found in REFUSED:
                self._wrong(slot, f"exception {found}: {EXCEPTIONS[found]}")
            else:
                self._spoil([slot.tag], found)
        for slot in slots if whole else ():
            slot.place = replace(slot.place, strict=min(slot.place.strict + 1, ALONE))

    def retry(self, slots: Sequence[Slot]) -> None:
        """Tags that were wrong, one by one: those that answer are taken again."""
        for slot in slots:
            block = self.alone(slot)
            found = None if self.lane.is_asleep(block.unit) else self._read(block)
            if isinstance(found, tuple):
                slot.error, self.is_changed = "", True
                self._keep(slot, *found)
                log.info("%s: tag %s can be read again", self.lane.name, slot.tag.name)

    def _wrong(self, slot: Slot, error: str) -> None:
        slot.error = error
        self._bad.setdefault(Reason.CONFIG, []).append(slot.tag)
        log.error("%s: tag %s at %s cannot be read: %s", self.lane.name, slot.tag.name, slot.tag.address, error)
        self.report.reject("bad_address", sample=f"{slot.tag.name} {slot.tag.address}: {error}".encode())

    def _keep(self, slot: Slot, registers: Sequence[int], t: int) -> None:
        try:
            value = value_of(slot.address, registers, slot.address.order or self.order)
        except ValueError as error:
            self.report.reject("malformed", sample=f"{slot.tag.name} {slot.tag.address}: {error}".encode())
            self._bad.setdefault(Reason.RANGE, []).append(slot.tag)
            return
        if isinstance(value, str) or slot.tag.kind == "text":
            self._words.append((slot.tag.id, t, value if isinstance(value, str) else f"{value:g}"))
        else:
            if not isfinite(value):
                self.report.reject("not_finite", sample=f"{slot.tag.name} {slot.tag.address}: {value}".encode())
            self._good.append((slot.tag.id, t, value))

    def readings(self) -> list[Readings]:
        """Columns of what was read, and bad samples of what was not."""
        made = [sample for reason, tags in self._bad.items() for sample in bad_samples(tags, now_ms(), reason)]
        if self._good:
            ids, t, values = zip(*self._good, strict=True)
            made.append(numbers(ids, t, values))
        if self._words:
            ids, t, words = zip(*self._words, strict=True)
            made.append(texts(ids, t, list(words)))
        return made


def listed(units: Iterable[int]) -> str:
    """Unit numbers for a person."""
    return ", ".join(str(unit) for unit in sorted(set(units)))
