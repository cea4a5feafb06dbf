"""Values out of Modbus registers: types and the four byte orders. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from plc.addressing.modbus import ModbusAddress

CODES = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "float32": "f", "int64": "q", "uint64": "Q", "float64": "d"}
SWAPPED_BYTES = frozenset({"BADC", "DCBA"})
SWAPPED_WORDS = frozenset({"CDAB", "DCBA"})


def value_of(address: ModbusAddress, registers: Sequence[int], order: str) -> float | str:
    """The value of `address.count` registers (uint16, as sent). order: ABCD, CDAB, BADC or DCBA. Raises ValueError.

    A string keeps its words in order and ends at the first NUL; BADC and DCBA swap the two characters of each word.
    """
    if address.type == "bool":
        return float(registers[0] >> (address.bit or 0) & 1)
    is_text = address.type == "string"
    words = list(registers)[::-1] if order in SWAPPED_WORDS and not is_text else list(registers)
    form = "<H" if order in SWAPPED_BYTES else ">H"
    raw = b"".join(struct.pack(form, word) for word in words)
    if not is_text:
        return float(struct.unpack(f">{CODES[address.type]}", raw)[0])
    text = raw[: address.length].split(b"\0", 1)[0].decode("latin-1").rstrip()
    if not text.isprintable():
        raise ValueError(f"{text!r} is no text")
    return text
