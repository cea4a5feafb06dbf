"""The bytes of S7 read jobs: builds requests, reads answers. Pure: no I/O. Lengths in an answer are claims and are checked."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from snap7.datatypes import S7Area, S7WordLen

from plc.connector import LinkError
from plc.planner import Item

AREAS = {
    "DB": int(S7Area.DB),
    "M": int(S7Area.MK),
    "I": int(S7Area.PE),
    "Q": int(S7Area.PA),
    "T": int(S7Area.TM),
    "C": int(S7Area.CT),
}
NUMBERED = {"T": int(S7WordLen.TIMER), "C": int(S7WordLen.COUNTER)}  # addressed by number, two bytes each
OK = 0xFF
NO_ACCESS, OUT_OF_RANGE, MISSING = 0x03, 0x05, 0x0A
ITEM_ERRORS = {
    0x01: "hardware fault",
    NO_ACCESS: "access to it is not allowed",
    OUT_OF_RANGE: "address out of range",
    0x06: "data type not supported",
    0x07: "data type inconsistent",
    MISSING: "object does not exist",
}
FUNCTION_REFUSED = {0x8104, 0x8304, 0x8402, 0xD241}  # what CPUs answer while PUT/GET is off or the access level is too low
PUT_GET_REMEDY = (
    "in TIA Portal open the CPU's properties > Protection & Security > Connection mechanisms, "
    'tick "Permit access with PUT/GET communication from remote partner", compile and download'
)
_HEADER = struct.Struct(">BBHHHHBB")
_ITEM = struct.Struct(">BBBBHHBBH")


def item_error(code: int) -> str:
    """What an item's return code means."""
    return f"{ITEM_ERRORS.get(code, 'unknown error')} (0x{code:02x})"


def read_request(sequence: int, items: Sequence[Item]) -> bytes:
    """A read job of these items."""
    parts = [_HEADER.pack(0x32, 1, 0, sequence, 2 + 12 * len(items), 0, 0x04, len(items))]
    for item in items:
        unit = NUMBERED.get(item.area)
        if unit is None:
            size, count, address = 0x02, item.length, item.start * 8
        else:
            size, count, address = unit, item.length // 2, item.start
        parts.append(_ITEM.pack(0x12, 0x0A, 0x10, size, count, item.db, AREAS[item.area], address >> 16, address & 0xFFFF))
    return b"".join(parts)


def sequence_of(pdu: bytes) -> int:
    """Which request an answer belongs to; raises LinkError where it is none or the CPU refuses the job."""
    if len(pdu) < 12 or pdu[0] != 0x32 or pdu[1] not in (2, 3):
        raise LinkError("protocol", "answer is no S7 response")
    sequence, _parameters, _data, error = struct.unpack_from(">HHHH", pdu, 4)
    if error:
        raise refused(error)
    return int(sequence)


def parse_read_reply(pdu: bytes, items: Sequence[Item]) -> list[bytes | int]:
    """The data of each item, or its return code where it failed. pdu has passed `sequence_of`. Raises LinkError."""
    parameters, data = struct.unpack_from(">HH", pdu, 6)
    if 12 + parameters + data > len(pdu) or parameters < 2:
        raise LinkError("protocol", "answer is cut short")
    if pdu[12] != 4 or pdu[13] != len(items):
        raise LinkError("protocol", f"{pdu[13]} items answered of {len(items)} asked")
    found = _items(pdu[12 + parameters : 12 + parameters + data], len(items))
    for item, content in zip(items, found, strict=True):
        if isinstance(content, bytes) and len(content) != item.length:
            raise LinkError("protocol", f"{len(content)} bytes answered of {item.length} asked")
    return found


def refused(error: int) -> LinkError:
    """The LinkError for an error word in the header of an answer."""
    if error in FUNCTION_REFUSED:
        return LinkError("put_get", f"the CPU refuses reads (0x{error:04x}): PUT/GET access is off", PUT_GET_REMEDY)
    return LinkError("protocol", f"the CPU answers error 0x{error:04x}")


def _items(data: bytes, count: int) -> list[bytes | int]:
    found: list[bytes | int] = []
    at = 0
    for number in range(count):
        if at + 4 > len(data):
            raise LinkError("protocol", f"item {number + 1} of {count} is missing")
        code, size_code, length = struct.unpack_from(">BBH", data, at)
        at += 4
        if code != OK:
            found.append(code)
            continue
        size = (length + 7) // 8 if size_code in (3, 4, 5) else length
        if at + size > len(data):
            raise LinkError("protocol", f"item {number + 1} of {count} is cut short")
        found.append(data[at : at + size])
        at += size + size % 2
    return found
