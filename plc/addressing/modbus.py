"""Reads Modbus addresses: `holding:100:float32:CDAB`, with `u5/` before it for another unit than the source's. Pure: no I/O.

Tables coil, discrete, input, holding; numbers count from 0, as on the wire (`base: 1` in the source for manuals that count from 1).
The numbers of Modicon's manuals are read too: 40001 or 400001 is holding:0, 30001 input:0, 10001 discrete:0, 00001 coil:0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from plc.addressing.errors import AddressError

# 16-bit registers of one value
TYPES = {"bool": 1, "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2, "int64": 4, "uint64": 4, "float64": 4, "string": 0}
ALIASES = {
    "bit": "bool",
    "int": "int16",
    "short": "int16",
    "word": "uint16",
    "uint": "uint16",
    "dint": "int32",
    "long": "int32",
    "dword": "uint32",
    "float": "float32",
    "real": "float32",
    "double": "float64",
    "lreal": "float64",
}
TABLES = {
    "coil": ("coil", "co", "c"),
    "discrete": ("discrete", "di"),
    "input": ("input", "ir"),
    "holding": ("holding", "hr"),
}
TABLE_OF = {alias: table for table, aliases in TABLES.items() for alias in aliases}
MODICON = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
BITS = frozenset({"coil", "discrete"})
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
MOST = 65_535
MOST_STRING = 250  # bytes: what one read of 125 registers carries

_UNIT = re.compile(r"u(?P<unit>\d{1,3})/", re.IGNORECASE)
_MODICON = re.compile(r"(?P<table>[0134])(?P<number>\d{4,5})(?=$|[.:\s])")
_NAMED = re.compile(r"(?P<table>[A-Za-z]+)\s*[:\s]?\s*(?P<number>\d+)")
_BIT = re.compile(r"\.(?P<bit>\d+)")
_PART = re.compile(r"\s*:\s*(?P<word>[A-Za-z0-9]+)(?:\[(?P<length>\d+)\])?")


@dataclass(frozen=True, slots=True)
class ModbusAddress:
    """One value. number: register or bit on the wire, from 0; unit None and order "" = the source's; length: bytes of a string."""

    table: str
    number: int
    type: str
    bit: int | None = None
    order: str = ""
    unit: int | None = None
    length: int = 0

    @property
    def kind(self) -> str:
        """What a tag of it is."""
        return "text" if self.type == "string" else "f64"

    @property
    def count(self) -> int:
        """Registers, or bits of a table of bits, that hold it."""
        return (self.length + 1) // 2 if self.type == "string" else TYPES[self.type]

    def canonical(self) -> str:
        """The one spelling that is stored."""
        unit = "" if self.unit is None else f"u{self.unit}/"
        bit = "" if self.bit is None else f".{self.bit}"
        length = f"[{self.length}]" if self.type == "string" else ""
        order = f":{self.order}" if self.order else ""
        return f"{unit}{self.table}:{self.number}{bit}:{self.type}{length}{order}"

    def words(self, most: int) -> list[str]:
        """Addresses of the registers that begin where this one does; none in a table of bits."""
        unit = "" if self.unit is None else f"u{self.unit}/"
        last = min(self.number + most, MOST + 1)
        return [] if self.table in BITS else [f"{unit}{self.table}:{n}:uint16" for n in range(self.number, last)]


def parse(text: str, type_hint: str | None = None) -> ModbusAddress:
    """Read one address; type_hint is the `type:` of a tag map for addresses without one. Raises AddressError."""
    at = len(text) - len(text.lstrip())
    unit = _UNIT.match(text, at)
    if unit:
        if int(unit["unit"]) > 255:
            raise AddressError(unit.start("unit"), "unit 0 to 255")
        at = unit.end()
    table, number, at = _place(text, at)
    bit = _BIT.match(text, at)
    if bit:
        if table in BITS or int(bit["bit"]) > 15:
            raise AddressError(bit.start("bit"), "a bit .0 to .15 of a register")
        at = bit.end()
    kind, length, at = _type(text, at, type_hint, "bool" if table in BITS or bit else "uint16")
    order, at = _order(text, at)
    if text[at:].strip():
        raise AddressError(at, f"nothing after the address, found {text[at:].strip()[:20]!r}")
    if (kind == "bool") != (table in BITS or bit is not None):
        hint = "a type of registers, or a bit such as holding:10.3" if kind == "bool" else f"{table} holds bits: bool"
        raise AddressError(at, hint)
    found = ModbusAddress(table, number, kind, int(bit["bit"]) if bit else None, order, int(unit["unit"]) if unit else None, length)
    if number + found.count - 1 > MOST:
        raise AddressError(at, f"{kind} ends behind {MOST}")
    return found


def _place(text: str, at: int) -> tuple[str, int, int]:
    modicon = _MODICON.match(text, at)
    if modicon:
        number = int(modicon["number"])
        if number == 0 or number - 1 > MOST:
            raise AddressError(modicon.start("number"), "Modicon numbers count from 1 to 65536")
        return MODICON[modicon["table"]], number - 1, modicon.end()
    named = _NAMED.match(text, at)
    table = TABLE_OF.get(named["table"].lower()) if named else None
    if named is None or table is None:
        raise AddressError(at, "holding:100:float32, input:, coil: or discrete: with a number, or a Modicon number such as 40001")
    if int(named["number"]) > MOST:
        raise AddressError(named.start("number"), f"0 to {MOST}")
    return table, int(named["number"]), named.end()


def _type(text: str, at: int, hint: str | None, usual: str) -> tuple[str, int, int]:
    part = _PART.match(text, at)
    if part is None or part["word"].upper() in ORDERS:
        written, length, position, end = hint or usual, "0", at, at
    else:
        written, length, position, end = part["word"], part["length"] or "0", part.start("word"), part.end()
    kind = ALIASES.get(written.lower(), written.lower())
    if kind not in TYPES:
        raise AddressError(position, f"a type: {', '.join(TYPES)}")
    if kind == "string" and not 1 <= int(length) <= MOST_STRING:
        raise AddressError(position, f"string[n] with n from 1 to {MOST_STRING} bytes")
    if kind != "string" and length != "0":
        raise AddressError(position, f"arrays of {kind} are not read as one tag: one tag an element")
    return kind, int(length), end


def _order(text: str, at: int) -> tuple[str, int]:
    part = _PART.match(text, at)
    if part is None:
        return "", at
    order = part["word"].upper()
    if order not in ORDERS:
        raise AddressError(part.start("word"), f"a byte order: {', '.join(ORDERS)}")
    return order, part.end()
