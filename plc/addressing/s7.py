"""Reads S7 addresses in the dialects people have in their lists; one canonical form is kept. Pure: no I/O.

Dialects: STEP 7 / TIA (`DB10.DBD4:REAL`, `DB10.DBX0.1`, `%MW20`, `M10.5`, German `E A AW`), nodes7 (`DB1,REAL4`, `DB1,X0.1`,
`DB1,S20.20`), Telegraf (`DB1.R4`), PLC4X (`DB1:4:REAL`). It cannot know whether a DB is long enough: the read tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from plc.addressing.errors import AddressError

Area = Literal["DB", "M", "I", "Q"]

# bytes of one value; STRING is 2 + its maximum length
TYPES: dict[str, int] = {
    "BOOL": 1,
    "BYTE": 1,
    "SINT": 1,
    "USINT": 1,
    "CHAR": 1,
    "WORD": 2,
    "INT": 2,
    "UINT": 2,
    "S5TIME": 2,
    "DATE": 2,
    "DWORD": 4,
    "DINT": 4,
    "UDINT": 4,
    "REAL": 4,
    "TIME": 4,
    "TOD": 4,
    "LREAL": 8,
    "LINT": 8,
    "ULINT": 8,
    "DT": 8,
    "DTL": 12,
    "STRING": 256,
}
TEXT_TYPES = frozenset({"CHAR", "STRING", "DATE", "DT", "DTL"})
ALIASES = {
    "X": "BOOL",
    "BIT": "BOOL",
    "B": "BYTE",
    "C": "CHAR",
    "I": "INT",
    "W": "WORD",
    "DW": "DWORD",
    "DI": "DINT",
    "R": "REAL",
    "LR": "LREAL",
    "S": "STRING",
    "TIME_OF_DAY": "TOD",
    "DATE_AND_TIME": "DT",
    "FLOAT": "REAL",
    "DOUBLE": "LREAL",
    "LWORD": "ULINT",
}
AREAS: dict[str, Area] = {"M": "M", "I": "I", "E": "I", "Q": "Q", "A": "Q", "PI": "I", "PE": "I", "PQ": "Q", "PA": "Q"}
WIDTHS = {"X": 1, "B": 1, "W": 2, "D": 4}
DEFAULT_OF_WIDTH = {"X": "BOOL", "B": "BYTE", "W": "WORD", "D": "DWORD"}
MAX_OFFSET = 65535

_DB = re.compile(r"%?DB(?P<db>\d+)\s*(?P<sep>[.,:])\s*", re.IGNORECASE)
_STEP7 = re.compile(r"DB(?P<width>[XBWD])(?P<byte>\d+)(?:\.(?P<bit>\d+))?", re.IGNORECASE)
_NAMED = re.compile(r"(?P<type>[A-Z][A-Z_]*)(?P<byte>\d+)(?:\.(?P<sub>\d+))?", re.IGNORECASE)
_PLC4X = re.compile(r"(?P<byte>\d+)(?:\.(?P<bit>\d+))?:(?P<type>[A-Z_0-9]+)(?:\((?P<len>\d+)\))?", re.IGNORECASE)
_FLAG = re.compile(r"%?(?P<area>P[IEQA]|[MIEQA])(?P<width>[XBWD]?)(?P<byte>\d+)(?:\.(?P<bit>\d+))?", re.IGNORECASE)
_SUFFIX = re.compile(r"\s*:\s*(?P<type>[A-Z_0-9]+)(?:\[(?P<len>\d+)\])?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class S7Address:
    """One typed value. byte counts from the start of the area; bit is 0 but for BOOL; length is in bytes."""

    area: Area
    db: int
    byte: int
    bit: int
    type: str
    length: int

    @property
    def is_text(self) -> bool:
        """True where the value is no number."""
        return self.type in TEXT_TYPES

    def canonical(self) -> str:
        """The one spelling that is stored: `DB10.DBD4:REAL`, `M20.3:BOOL`, `DB1.DBB20:STRING[20]`."""
        kind = f"STRING[{self.length - 2}]" if self.type == "STRING" else self.type
        width = {1: "B", 2: "W", 4: "D"}.get(self.length, "B")
        where = f"X{self.byte}.{self.bit}" if self.type == "BOOL" else f"{width}{self.byte}"
        if self.area == "DB":
            return f"DB{self.db}.DB{where}:{kind}"
        return f"{self.area}{where.removeprefix('X')}:{kind}"

    def warnings(self) -> list[str]:
        """What is legal and yet unusual."""
        if self.length > 1 and self.byte % 2 and self.area == "DB" and self.type != "BOOL":
            return [f"byte {self.byte} is odd: non-optimized blocks place {self.type} at even bytes"]
        return []


def parse(text: str, type_hint: str | None = None) -> S7Address:
    """Read one address; type_hint is the `type:` of a tag map for short forms. Raises AddressError."""
    if not text.strip():
        raise AddressError(0, "an address such as DB10.DBD4:REAL")
    start = len(text) - len(text.lstrip())
    found = _DB.match(text, start)
    if found:
        return _in_db(text, found, type_hint)
    flag = _FLAG.match(text, start)
    if not flag:
        raise AddressError(start, "starts with DB<number>, M, I (E) or Q (A)")
    area = AREAS[flag["area"].upper()]
    width = flag["width"].upper() or "X"
    if width == "X" and flag["bit"] is None and not flag["width"]:
        raise AddressError(flag.end(), f"a bit: {flag.group()}.0 to {flag.group()}.7, or a width: {flag['area']}W{flag['byte']}")
    return _typed(text, flag, area, 0, width, type_hint)


def _in_db(text: str, found: re.Match[str], type_hint: str | None) -> S7Address:
    number = int(found["db"])
    if not 1 <= number <= 65535:
        raise AddressError(found.start("db"), "DB number 1 to 65535")
    at = found.end()
    for pattern, build in ((_PLC4X, _plc4x), (_STEP7, _step7), (_NAMED, _named)):
        rest = pattern.match(text, at)
        if rest:
            return build(text, rest, number, type_hint)
    raise AddressError(at, "DBX<byte>.<bit>, DBB<byte>, DBW<byte>, DBD<byte>, or a type and a byte such as REAL4")


def _step7(text: str, rest: re.Match[str], number: int, type_hint: str | None) -> S7Address:
    return _typed(text, rest, "DB", number, rest["width"].upper(), type_hint)


def _plc4x(text: str, rest: re.Match[str], number: int, _hint: str | None) -> S7Address:
    _nothing_after(text, rest.end())
    kind = _type(rest["type"], rest.start("type"))
    return _address("DB", number, rest, kind, rest["bit"], rest["len"])


def _named(text: str, rest: re.Match[str], number: int, _hint: str | None) -> S7Address:
    _nothing_after(text, rest.end())
    kind = _type(rest["type"], rest.start("type"))
    is_string = kind == "STRING"
    if rest["sub"] and not is_string and kind != "BOOL":
        raise AddressError(rest.start("sub"), f"{kind} has no bit")
    return _address("DB", number, rest, kind, None if is_string else rest["sub"], rest["sub"] if is_string else None)


def _typed(text: str, where: re.Match[str], area: Area, number: int, width: str, type_hint: str | None) -> S7Address:
    """An address whose width letter is known; its type stands after a colon, comes as a hint, or is that of the width."""
    suffix = _SUFFIX.match(text, where.end())
    _nothing_after(text, suffix.end() if suffix else where.end())
    length = suffix["len"] if suffix else None
    if suffix:
        kind = _type(suffix["type"], suffix.start("type"))
    else:
        kind = _type(type_hint, where.end()) if type_hint else DEFAULT_OF_WIDTH[width]
    if (width == "X") != (kind == "BOOL"):
        raise AddressError(where.end(), f"{kind} does not fit a {'bit' if width == 'X' else 'byte'} address")
    if kind in TYPES and WIDTHS[width] != TYPES[kind] and not (width == "B" or TYPES[kind] > 4):
        raise AddressError(where.end(), f"{kind} takes {TYPES[kind]} bytes, {width} addresses {WIDTHS[width]}")
    return _address(area, number, where, kind, where["bit"], length)


def _address(area: Area, number: int, where: re.Match[str], kind: str, bit: str | None, length: str | None) -> S7Address:
    byte = int(where["byte"])
    if kind == "BOOL" and (bit is None or not 0 <= int(bit) <= 7):
        raise AddressError(where.end("byte"), "a bit .0 to .7")
    if kind != "BOOL" and bit is not None:
        raise AddressError(where.end("byte"), f"{kind} has no bit")
    if length is not None and kind != "STRING":
        raise AddressError(where.end(), f"arrays of {kind} are not read as one tag: one tag an element")
    size = TYPES[kind]
    if length is not None:
        if not 1 <= int(length) <= 254:
            raise AddressError(where.end(), "STRING length 1 to 254")
        size = int(length) + 2
    if byte + size - 1 > MAX_OFFSET:
        raise AddressError(where.start("byte"), f"byte 0 to {MAX_OFFSET - size + 1}")
    return S7Address(area, number, byte, int(bit or 0), kind, size)


def _type(name: str, position: int) -> str:
    kind = ALIASES.get(name.upper(), name.upper())
    if kind not in TYPES:
        raise AddressError(position, f"a type: {', '.join(TYPES)}")
    return kind


def _nothing_after(text: str, at: int) -> None:
    if text[at:].strip():
        raise AddressError(at, f"nothing after the address, found {text[at:].strip()[:20]!r}")
