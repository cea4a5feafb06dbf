"""What an S7 address is once it is read: area, place, type. Types of S7-300 to 1500 in non-optimized blocks. Pure: no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Area = Literal["DB", "M", "I", "Q", "T", "C"]

# bytes of one value; STRING and WSTRING as declared without a length
TYPES: dict[str, int] = {
    "BOOL": 1,
    "BYTE": 1,
    "SINT": 1,
    "USINT": 1,
    "CHAR": 1,
    "WORD": 2,
    "INT": 2,
    "UINT": 2,
    "WCHAR": 2,
    "S5TIME": 2,
    "DATE": 2,
    "COUNTER": 2,
    "DWORD": 4,
    "DINT": 4,
    "UDINT": 4,
    "REAL": 4,
    "TIME": 4,
    "TOD": 4,
    "LREAL": 8,
    "LINT": 8,
    "ULINT": 8,
    "LTIME": 8,
    "LTOD": 8,
    "LDT": 8,
    "DT": 8,
    "DTL": 12,
    "STRING": 256,
    "WSTRING": 512,
}
TEXT_TYPES = frozenset({"CHAR", "WCHAR", "STRING", "WSTRING", "DATE", "DT", "DTL", "LDT"})
ARRAY_TYPES = frozenset({"BYTE", "SINT", "USINT", "WORD", "INT", "UINT", "DWORD", "DINT", "UDINT", "REAL", "LREAL", "LINT", "ULINT"})
SIZED = {"STRING": (2, 1), "WSTRING": (4, 2)}  # bytes of the header, bytes a character
CHARACTERS = {"CHAR": 1, "WCHAR": 2}  # arrays of these are texts
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
    "WS": "WSTRING",
    "TIME_OF_DAY": "TOD",
    "LTIME_OF_DAY": "LTOD",
    "DATE_AND_TIME": "DT",
    "DATE_AND_LTIME": "LDT",
    "FLOAT": "REAL",
    "DOUBLE": "LREAL",
    "LWORD": "ULINT",
    "INT8": "SINT",
    "UINT8": "USINT",
    "INT16": "INT",
    "UINT16": "UINT",
    "INT32": "DINT",
    "UINT32": "UDINT",
    "INT64": "LINT",
    "UINT64": "ULINT",
    "FLOAT32": "REAL",
    "FLOAT64": "LREAL",
}
MAX_OFFSET = 65535
MAX_TEXT = 254
MAX_ELEMENTS = 10_000


@dataclass(frozen=True, slots=True)
class S7Address:
    """One typed value. byte counts from the start of the area (T and C: the number); bit is 0 but for BOOL.

    length: bytes in all. count: elements of an array, 0 for a single value; an array of characters is one text.
    """

    area: Area
    db: int
    byte: int
    bit: int
    type: str
    length: int
    count: int = 0

    @property
    def is_text(self) -> bool:
        """True where the value is no number."""
        return self.type in TEXT_TYPES

    @property
    def kind(self) -> Literal["f64", "text", "frame"]:
        """What a tag of this address carries: an array of numbers is a frame of one row."""
        if self.is_text:
            return "text"
        return "frame" if self.count else "f64"

    def canonical(self) -> str:
        """The one spelling that is stored: `DB10.DBD4:REAL`, `M20.3:BOOL`, `DB1.DBB20:STRING[20]`, `DB1.DBD4:REAL[10]`, `T5:S5TIME`."""
        if self.area in {"T", "C"}:
            return f"{self.area}{self.byte}:{self.type}"
        kind = self.type
        if kind in SIZED:
            head, each = SIZED[kind]
            kind = f"{kind}[{(self.length - head) // each}]"
        elif self.count:
            kind = f"{kind}[{self.count}]"
        width = {1: "B", 2: "W", 4: "D"}.get(TYPES[self.type], "B")
        where = f"X{self.byte}.{self.bit}" if self.type == "BOOL" else f"{width}{self.byte}"
        if self.area == "DB":
            return f"DB{self.db}.DB{where}:{kind}"
        return f"{self.area}{where.removeprefix('X')}:{kind}"

    def warnings(self) -> list[str]:
        """What is legal and yet unusual."""
        if self.area in {"T", "C"} or not self.byte % 2 or TYPES[self.type] == 1:
            return []
        rule = "non-optimized blocks place" if self.area == "DB" else "programs place"
        return [f"byte {self.byte} is odd: {rule} {self.type} at even bytes"]
