"""Reads a stretch of any S7 memory area as bytes, and shows it as a hex dump: for engineers who look before they write addresses."""

from __future__ import annotations

from collections.abc import Iterator

from plc.addressing.s7 import AREAS as AREA_NAMES
from plc.addressing.s7 import NUMBERED
from plc.addressing.s7_types import MAX_OFFSET, Area, S7Address
from plc.connectors.s7_diagnosis import Diagnosis
from plc.connectors.s7_link import S7Link
from plc.planner import Span, plan

MOST_BYTES = 65536
LINE = 16
AREA_HINT = "areas are DB<number>, I (E), Q (A), M, T and C (Z)"


def area_named(text: str) -> tuple[Area, int]:
    """`DB10` -> ("DB", 10), `M` -> ("M", 0), German E, A and Z too; raises ValueError."""
    name = text.strip().upper().lstrip("%")
    if name.startswith("DB"):
        number = int(name[2:]) if name[2:].isdecimal() and len(name) < 8 else 0
        if not 1 <= number <= 65535:
            raise ValueError(f"{text!r}: DB number 1 to 65535")
        return "DB", number
    if name in NUMBERED:
        return NUMBERED[name][0], 0
    if name in AREA_NAMES:
        return AREA_NAMES[name], 0
    raise ValueError(f"{text!r}: {AREA_HINT}")


def read_area(link: S7Link, area: Area, db: int, start: int, length: int) -> bytes:
    """Bytes start..start+length of an area; T and C count timers or counters, two bytes each.

    Read in as many jobs as the PDU asks for: what changes meanwhile may be torn. Raises LinkError with the diagnosis,
    ValueError for a stretch that cannot be.
    """
    size = 2 * length if area in {"T", "C"} else length
    if not (0 <= start <= MAX_OFFSET and 1 <= size <= MOST_BYTES and start + length <= MAX_OFFSET + 1):
        raise ValueError(f"from 0 to {MAX_OFFSET}, length 1 to {MOST_BYTES}")
    if area in {"T", "C"}:
        spans = [Span(area, 0, number, 2, alone=True) for number in range(start, start + length)]
    else:
        spans = [Span(area, db, start, length)]
    jobs = plan(spans, link.pdu)
    found: dict[int, bytes] = {}
    failed: dict[int, int] = {}
    for answer in link.exchange([job.items for job in jobs]):
        for item, data in zip(jobs[answer.job].items, answer.items, strict=True):
            if isinstance(data, int):
                failed[item.start] = data
            else:
                found[item.start] = data
    if failed:
        at = min(failed)
        kind = {"T": "S5TIME", "C": "COUNTER"}.get(area, "BYTE")
        raise Diagnosis(link).of(S7Address(area, db, at, 0, kind, start + length - at), failed[at])
    return b"".join(found[at] for at in sorted(found))


def hex_dump(data: bytes, start: int, *, step: int = 1) -> Iterator[str]:
    """Lines of 16 bytes: offset, hex, printable characters. step: bytes of one address (2 for timers and counters)."""
    for at in range(0, len(data), LINE):
        line = data[at : at + LINE]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
        yield f"{start + at // step:6d}  {line.hex(' '):<{LINE * 3}} {shown}"
