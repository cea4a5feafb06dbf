"""Tags of one PLC that share bytes and read them as different types: legal, and nearly always a slip in the list. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from plc.addressing import s7
from plc.addressing.entries import MappedTag

BIT_STRINGS = frozenset({"BYTE", "WORD", "DWORD", "LWORD"})  # a bit of one is what they are for


def overlaps(kind: str, tags: Sequence[MappedTag]) -> Iterator[tuple[str, str]]:
    """(name, what is odd) of each S7 tag whose bytes another tag before it in memory reads as another type."""
    if kind != "s7":
        return
    parsed = [(s7.parse(tag.address), tag) for tag in tags]
    parsed.sort(key=lambda pair: (pair[0].area, pair[0].db, pair[0].byte, pair[0].bit))
    last: tuple[s7.S7Address, MappedTag] | None = None
    for address, tag in parsed:
        if last is not None and _clash(last[0], address):
            yield tag.name, f"{tag.address} overlaps {last[1].name} ({last[1].address}), which has another type"
        if last is None or _place(last[0]) != _place(address) or address.byte + address.length > last[0].byte + last[0].length:
            last = (address, tag)


def _place(address: s7.S7Address) -> tuple[str, int]:
    return address.area, address.db


def _clash(one: s7.S7Address, other: s7.S7Address) -> bool:
    if _place(one) != _place(other) or one.type == other.type or other.byte >= one.byte + one.length:
        return False
    return not ({one.type, other.type} & BIT_STRINGS and "BOOL" in {one.type, other.type})
