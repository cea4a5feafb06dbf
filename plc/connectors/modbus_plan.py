"""Packs Modbus tags into as few reads as they fit in: neighbours share a read, small holes are read over. Pure."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

MOST_REGISTERS, MOST_BITS = 125, 2000  # of one read, by the standard
BITS_PER_REGISTER = 16
NO_HOLES, ALONE = 1, 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where one tag stands: count registers, or bits where is_bits.

    strict: what a device has refused: NO_HOLES reads nothing between this and its neighbours, ALONE nothing but this.
    """

    unit: int
    table: str
    start: int
    count: int
    is_bits: bool
    strict: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """One read; members are (index of the place, offset of its first register or bit)."""

    unit: int
    table: str
    start: int
    count: int
    is_bits: bool
    members: tuple[tuple[int, int], ...]


def blocks(places: Sequence[Place], gap: int, most_registers: int = MOST_REGISTERS, shut: Sequence[Place] = ()) -> list[Block]:
    """Reads that cover every place, none torn; holes of at most `gap` registers (16 times as many bits) are read over.

    shut: places that cannot be read; no hole over one of them is read over.
    """
    closed = {(bad.unit, bad.table, n) for bad in shut for n in range(bad.start, bad.start + bad.count)}
    order = sorted(range(len(places)), key=lambda i: (places[i].unit, places[i].table, places[i].start, places[i].count))
    found: list[Block] = []
    run: list[int] = []
    for i in order:
        if run and not _joins([places[j] for j in run], places[i], gap, most_registers, closed):
            found.append(_block(places, run))
            run = []
        run.append(i)
    if run:
        found.append(_block(places, run))
    return found


def _joins(run: Sequence[Place], place: Place, gap: int, most_registers: int, closed: Set[tuple[int, str, int]]) -> bool:
    strict = max(place.strict, *(other.strict for other in run))
    if (run[0].unit, run[0].table) != (place.unit, place.table) or strict >= ALONE:
        return False
    wide, most = (gap * BITS_PER_REGISTER, MOST_BITS) if place.is_bits else (gap, most_registers)
    end = max(other.start + other.count for other in run)
    if place.start - end > (0 if strict else wide) or max(end, place.start + place.count) - run[0].start > most:
        return False
    return not any((place.unit, place.table, n) in closed for n in range(run[0].start, place.start + place.count))


def _block(places: Sequence[Place], run: list[int]) -> Block:
    first = places[run[0]]
    end = max(places[i].start + places[i].count for i in run)
    members = tuple((i, places[i].start - first.start) for i in run)
    return Block(first.unit, first.table, first.start, end - first.start, first.is_bits, members)
