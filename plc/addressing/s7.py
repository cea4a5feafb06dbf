"""Reads S7 addresses in the dialects people have in their lists; one canonical form is kept. Pure: no I/O.

Dialects: STEP 7 / TIA (`DB10.DBD4:REAL`, `DB10.DBX0.1`, `%MW20`, `M 10.5`, `T5`, `C5`), German (`E A AW PEW Z5`), nodes7 and Kepware
(`DB1,REAL4`, `DB1,X0.1`, `DB1,S20.20`, `DB1,REAL4.10`, `MR30`), Telegraf (`DB1.R4`, `MK.W20`), PLC4X (`DB1:4:REAL[10]`, `%M20:INT`).
It cannot know whether a DB is long enough: the read tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from plc.addressing.errors import AddressError
from plc.addressing.s7_types import ALIASES, ARRAY_TYPES, CHARACTERS, MAX_ELEMENTS, MAX_OFFSET, MAX_TEXT, SIZED, TYPES, Area, S7Address

__all__ = ["S7Address", "parse"]

AREAS: dict[str, Area] = {"M": "M", "MK": "M", "I": "I", "E": "I", "Q": "Q", "A": "Q", "PI": "I", "PE": "I", "PQ": "Q", "PA": "Q"}
NUMBERED: dict[str, tuple[Area, str]] = {"T": ("T", "S5TIME"), "TM": ("T", "S5TIME"), "C": ("C", "COUNTER"), "Z": ("C", "COUNTER")}
WIDTHS = {"X": 1, "B": 1, "W": 2, "D": 4}
DEFAULT_OF_WIDTH = {"X": "BOOL", "B": "BYTE", "W": "WORD", "D": "DWORD"}
MAX_NUMBERED = 2047
MAX_WRITTEN = 100

_PLACE = r"(?P<byte>\d+)(?:\.(?P<sub>\d+))?(?:\.(?P<more>\d+))?"
_DB = re.compile(r"%?DB(?P<db>\d+)(?P<sep>[.,:]?)")
_STEP7 = re.compile(rf"DB(?P<width>[XBWD]){_PLACE}")
_BARE = re.compile(_PLACE)
_NAMED = re.compile(rf"(?P<type>S5TIME|[A-Z][A-Z_]*){_PLACE}")
_FLAG = re.compile(rf"%?(?:(?P<dotted>MK|PE|PA)\.|(?P<area>P[IEQA]|[MIEQA]))(?P<type>S5TIME|[A-Z_]*){_PLACE}")
_NUMBERED = re.compile(r"%?(?:(?P<dotted>TM|C)\.W|(?P<area>[TCZ]))(?P<byte>\d+)")
_SUFFIX = re.compile(r"(?::(?P<type>[A-Z][A-Z_0-9]*))?(?:(?P<open>[\[(])(?P<len>\d+)[\])])?")


@dataclass(frozen=True, slots=True)
class _Place:
    """What stands before the suffix: width and type are "" where not written; `match` has byte, sub and more."""

    area: Area
    db: int
    width: str
    type: str
    match: re.Match[str]

    @property
    def byte_end(self) -> int:
        return self.match.end("byte")


def parse(text: str, type_hint: str | None = None) -> S7Address:
    """Read one address; type_hint is the `type:` of a tag map for short forms. Raises AddressError."""
    squeezed, places = _squeezed(text)
    if not squeezed:
        raise AddressError(0, "an address such as DB10.DBD4:REAL")
    if len(squeezed) > MAX_WRITTEN:
        raise AddressError(MAX_WRITTEN, f"at most {MAX_WRITTEN} characters")
    try:
        return _parsed(squeezed, _squeezed(type_hint)[0] if type_hint else "")
    except AddressError as error:
        raise AddressError(places[min(error.position, len(squeezed))], error.hint) from error


def _squeezed(text: str) -> tuple[str, list[int]]:
    """Upper case without the spaces people write (`DB 1 , REAL 4`), and where each character stood; never joins two words."""
    kept: list[int] = []
    for at, char in enumerate(text):
        if not char.isspace():
            kept.append(at)
            continue
        before = text[:at].rstrip()[-1:]
        after = text[at:].lstrip()[:1]
        joins = (before.isalnum() and after.isalpha()) or (before.isdigit() and after.isdigit())
        if joins and not text[at - 1].isspace():
            kept.append(at)
    places = [*kept, len(text.rstrip())]
    # a letter whose upper case is longer would shift the places; no address has one
    return "".join(c.upper() if c.isascii() else c for c in (text[at] for at in kept)), places


def _parsed(text: str, hint: str) -> S7Address:
    if text.lstrip("%").startswith('"'):
        raise AddressError(0, "symbolic names cannot be read: take the number and the Offset column, such as DB10.DBD4:REAL")
    found = _DB.match(text)
    if found:
        return _resolved(text, _in_db(text, found), hint)
    numbered = _NUMBERED.match(text)
    if numbered:
        return _numbered(text, numbered)
    flag = _FLAG.match(text)
    if not flag:
        at = 1 if text.startswith("%") else 0
        raise AddressError(at, "starts with DB<number>, M, I (E), Q (A), T or C (Z), such as DB10.DBD4:REAL or M20.3")
    name = flag["type"]
    is_width = name in WIDTHS
    area = AREAS[flag["dotted"] or flag["area"]]
    return _resolved(text, _Place(area, 0, name if is_width else "", "" if is_width else name, flag), hint)


def _in_db(text: str, found: re.Match[str]) -> _Place:
    number = int(found["db"])
    if not 1 <= number <= 65535:
        raise AddressError(found.start("db"), "DB number 1 to 65535")
    at = found.end()
    if found["sep"]:
        for pattern in (_STEP7, _NAMED, _BARE):
            rest = pattern.match(text, at)
            if rest:
                written = rest.groupdict()
                return _Place("DB", number, written.get("width") or "", written.get("type") or "", rest)
    raise AddressError(at, f"after DB{number} stands .DBX<byte>.<bit>, .DBB, .DBW or .DBD<byte>, or a type and a byte such as ,REAL4")


def _numbered(text: str, found: re.Match[str]) -> S7Address:
    area, kind = NUMBERED[found["dotted"] or found["area"]]
    suffix = _suffix(text, found.end())
    if suffix["type"] and ALIASES.get(suffix["type"], suffix["type"]) != kind:
        raise AddressError(suffix.start("type"), f"{found.group()} is read as {kind}")
    if suffix["len"]:
        raise AddressError(suffix.start("len"), "timers and counters are read one by one")
    if int(found["byte"]) > MAX_NUMBERED:
        raise AddressError(found.start("byte"), f"0 to {MAX_NUMBERED}")
    return S7Address(area, 0, int(found["byte"]), 0, kind, 2)


def _suffix(text: str, at: int) -> re.Match[str]:
    """The type and the length behind the place; nothing may follow."""
    suffix = _SUFFIX.match(text, at)
    assert suffix is not None  # it matches the empty text
    rest = text[suffix.end() :].strip()
    if rest:
        raise AddressError(text.index(rest, suffix.end()), f"nothing after the address, found {rest[:20]!r}")
    return suffix


def _resolved(text: str, place: _Place, hint: str) -> S7Address:
    where = place.match
    if hint and not place.type and ":" not in text[where.end() :]:
        text = f"{text[: where.end()]}:{hint}{text[where.end() :]}"
    suffix = _suffix(text, where.end())
    if place.type and suffix["type"]:
        raise AddressError(suffix.start("type"), f"the type is {place.type} already")
    kind = _kind(place, suffix)
    if kind == "COUNTER":
        raise AddressError(where.start("byte"), "a counter is C<number>, such as C5")
    element = TYPES[kind]
    if place.width:
        if (place.width == "X") != (kind == "BOOL"):
            raise AddressError(where.end(), f"{kind} does not fit a {'bit' if place.width == 'X' else 'byte'} address")
        if WIDTHS[place.width] != element and place.width != "B" and element <= 4:
            raise AddressError(where.end(), f"{kind} takes {element} bytes, {place.width} addresses {WIDTHS[place.width]}")
    bit = _bit(place) if kind == "BOOL" else 0
    size, count = _size(place, kind, suffix)
    byte = int(where["byte"])
    if byte + size - 1 > MAX_OFFSET:
        raise AddressError(where.start("byte"), f"byte 0 to {MAX_OFFSET - size + 1}")
    return S7Address(place.area, place.db, byte, bit, kind, size, count)


def _kind(place: _Place, suffix: re.Match[str]) -> str:
    """The type by name, from the suffix or the width, in this order; M20.3 is a bit."""
    if place.type:
        return _type(place.type, place.match.start("type"))
    if suffix["type"]:
        return _type(suffix["type"], suffix.start("type"))
    if place.width:
        return DEFAULT_OF_WIDTH[place.width]
    if place.match["sub"] is not None and place.area != "DB":
        return "BOOL"
    written = place.match.group()
    if place.area == "DB":
        raise AddressError(place.match.end(), f"a type behind it, such as :REAL, or `type:` in the tag map; {written} alone is only a byte")
    raise AddressError(place.match.end(), f"a bit: {written}.0 to {written}.7, or a width: {place.area}W{place.match['byte']}")


def _bit(place: _Place) -> int:
    bit, more = place.match["sub"], place.match["more"]
    if bit is None or not 0 <= int(bit) <= 7:
        raise AddressError(place.byte_end, "a bit .0 to .7")
    if more is not None:
        raise AddressError(place.match.start("more"), "bits are read one by one, or together as a BYTE or WORD")
    return int(bit)


def _size(place: _Place, kind: str, suffix: re.Match[str]) -> tuple[int, int]:
    """Bytes in all, and elements of an array (0 for a single value)."""
    length, at = _length(place, kind, suffix)
    if kind in SIZED:
        head, each = SIZED[kind]
        return head + each * _within(length or str(MAX_TEXT), MAX_TEXT, at, f"{kind} length"), 0
    if length is None:
        return TYPES[kind], 0
    if kind in CHARACTERS:
        count = _within(length, MAX_TEXT, at, "characters")
    elif kind in ARRAY_TYPES:
        count = _within(length, MAX_ELEMENTS, at, "elements")
    else:
        raise AddressError(at, f"arrays of {kind} are not read as one tag: one tag an element")
    return TYPES[kind] * count, count if count > 1 else 0


def _length(place: _Place, kind: str, suffix: re.Match[str]) -> tuple[str | None, int]:
    """What is written in brackets or, behind a named type, as `.n` (nodes7: characters of a STRING, elements of others), and where."""
    where = place.match
    length, at = suffix["len"], suffix.start("len")
    if kind == "BOOL" and length:
        raise AddressError(at, "bits are read one by one, or together as a BYTE or WORD")
    if kind == "BOOL" or where["sub"] is None:
        return length, at
    if not place.type or length:
        raise AddressError(place.byte_end, f"{kind} has no bit")
    if where["more"] is not None:
        raise AddressError(where.start("more"), f"one tag for each {kind}")
    return where["sub"], where.start("sub")


def _within(length: str, most: int, at: int, what: str) -> int:
    if not 1 <= int(length) <= most:
        raise AddressError(max(at, 0), f"{what} 1 to {most}")
    return int(length)


def _type(name: str, position: int) -> str:
    kind = ALIASES.get(name, name)
    if kind not in TYPES:
        raise AddressError(position, f"a type: {', '.join(TYPES)}")
    return kind
