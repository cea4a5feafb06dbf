"""Reads CSV as Kepware and its kin export a device's tags. Pure.

Taken: name, address, data type, scan rate (as the group), linear scaling, unit, description.
"""

from __future__ import annotations

from plc.addressing import cells
from plc.addressing.drafts import Draft, Given, bare
from plc.addressing.entries import shown_duration
from plc.addressing.errors import TagMapError

HEADINGS = {
    "name": ("tag name", "name"),
    "address": ("address",),
    "type": ("data type",),
    "rate": ("scan rate", "scan rate (ms)"),
    "scaling": ("scaling",),
    "raw_low": ("raw low",),
    "raw_high": ("raw high",),
    "eng_low": ("scaled low",),
    "eng_high": ("scaled high",),
    "unit": ("eng units", "engineering units", "units"),
    "label": ("description",),
}
S7_TYPES = {
    "boolean": "BOOL",
    "bool": "BOOL",
    "char": "SINT",
    "byte": "BYTE",
    "short": "INT",
    "word": "WORD",
    "long": "DINT",
    "dword": "DWORD",
    "float": "REAL",
    "double": "LREAL",
    "llong": "LINT",
    "qword": "ULINT",
}
MODBUS_TYPES = {
    "boolean": "bool",
    "short": "int16",
    "word": "uint16",
    "long": "int32",
    "dword": "uint32",
    "float": "float32",
    "double": "float64",
    "llong": "int64",
    "qword": "uint64",
}


def read(content: bytes, given: Given) -> list[Draft]:
    """The tags of a device; raises TagMapError where the file is no such list."""
    draft = bare(given, "s7")
    kind = str(draft.source["driver"])
    for row, cell in cells.table(cells.of_csv(content), HEADINGS, ("name", "address")):
        where = f"line {row.line}"
        try:
            draft.add(where, _entry(draft, where, cell, kind, given.prefix))
        except TagMapError as error:
            draft.wrong.append(error)
    if not draft.entries and not draft.wrong:
        raise TagMapError("file", "no tag list: it needs the columns Tag Name and Address")
    return [draft]


def _entry(draft: Draft, where: str, cell: dict[str, str], kind: str, prefix: str) -> dict[str, object]:
    written = cell.get("type", "").strip().lower()
    types = S7_TYPES if kind == "s7" else MODBUS_TYPES if kind == "modbus" else {}
    entry: dict[str, object] = {
        "name": prefix + cell["name"].rpartition(".")[2] if prefix else cell["name"],
        "addr": cell["address"],
        "type": _type(cell["address"], types.get(written.removesuffix(" array"), ""), kind),
        "unit": cell.get("unit", ""),
        "label": " ".join(cell.get("label", "").split())[:200],
    }
    rate = cell.get("rate", "")
    if rate:
        entry["group"] = _group(draft, where, rate)
    if cell.get("scaling", "").strip().lower() in {"linear", "lin"}:
        names = (("raw_low", "raw_high"), ("eng_low", "eng_high"))
        raw, eng = ([_number(cell.get(name, ""), f"{where}.{name}") for name in pair] for pair in names)
        entry["scale"] = {"raw": raw, "eng": eng}
    elif cell.get("scaling", "").strip().lower() not in {"", "none", "0"}:
        draft.notes.append(f"{where}.scaling: only linear scaling is taken, the raw value is read")
    return entry


def _type(address: str, kind: str, protocol: str) -> str:
    """The data type as a hint, only where the address does not say it itself: DB1.DBW0 with Short is an INT."""
    if protocol != "s7" or kind == "BOOL":
        return kind if protocol != "s7" else ""
    return "" if ":" in address or "," in address else kind


def _group(draft: Draft, where: str, rate: str) -> str:
    milliseconds = _number(rate, f"{where}.scan rate")
    if not 50 <= milliseconds <= 86_400_000:
        raise TagMapError(f"{where}.scan rate", "50 ms to one day")
    same = next((name for name, period in draft.groups.items() if abs(float(period) * 1000 - milliseconds) < 0.5), None)
    if same is not None:
        return same
    name = shown_duration(milliseconds / 1000)
    draft.groups[name] = milliseconds / 1000
    return name


def _number(text: str, where: str) -> float:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e300:
        raise TagMapError(where, f"{text[:40]!r} is no number")
    return number
