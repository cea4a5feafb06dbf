"""Our own tag map as CSV: what spreadsheets edit. Comment lines at the top hold machine, source and groups as YAML. Pure.

# machine: PRESS-01
# source: {name: press-s7, driver: s7, host: 10.0.0.5}
# groups: {fast: 200ms, normal: 1s}
name,addr,unit,group,raw_low,raw_high,eng_low,eng_high,deadband
"""

from __future__ import annotations

import csv
import io
from typing import Any

from plc.addressing import cells, documents
from plc.addressing.drafts import Draft, Given, bare
from plc.addressing.errors import TagMapError

TEXTS = ("name", "addr", "type", "unit", "label", "group", "period", "role", "kind", "asset")
NUMBERS = ("decimals", "low", "high")
SPANS = ("max_interval", "average")
PAIRS = {"range": ("range_low", "range_high"), "raw": ("raw_low", "raw_high"), "eng": ("eng_low", "eng_high")}
TIERS = {"keep_raw": "raw", "keep_1m": "1m", "keep_1h": "1h"}
COLUMNS = (*TEXTS, *NUMBERS, *(name for pair in PAIRS.values() for name in pair), "deadband", *SPANS, "wire_break", *TIERS, "enabled")
HEADINGS: dict[str, tuple[str, ...]] = {name: (name,) for name in COLUMNS} | {"addr": ("addr", "address")}
_YES, _NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0"})


def read(content: bytes, given: Given) -> list[Draft]:
    """One draft; raises TagMapError where the file is no tag map."""
    rows = cells.of_csv(content)
    head: list[str] = []
    while rows and rows[0].cells[0].startswith("#"):
        head.append(",".join(rows.pop(0).cells).rstrip(", ").lstrip("#").strip())
    draft = _headed(documents.mapping_of("\n".join(head)), given) if any(head) else bare(given, "s7")
    table = cells.table(rows, HEADINGS, ("name", "addr"))
    if rows and not table and len(rows) > 1:
        raise TagMapError(f"line {rows[0].line}", f"headings are expected here: name, addr and any of {', '.join(COLUMNS)}")
    if rows:
        _refuse_unknown(rows[0])
    for row, cell in table:
        try:
            draft.add(f"line {row.line}", _entry(cell, f"line {row.line}", given.prefix))
        except TagMapError as error:
            draft.wrong.append(error)
    return [draft]


def _headed(head: dict[str, Any], given: Given) -> Draft:
    source = documents.mapping(head.get("source"), "source")
    return Draft(source, documents.mapping(head.get("groups") or {}, "groups"), str(head.get("machine") or given.machine) or None)


def _refuse_unknown(row: cells.Row) -> None:
    unknown = [cell for cell in row.cells if cell and cell.lower() not in {*COLUMNS, "address"}]
    if unknown:
        raise TagMapError(f"line {row.line}", f"{unknown[0][:40]!r} is no heading; they are {', '.join(COLUMNS)}")


def _entry(cell: dict[str, str], where: str, prefix: str) -> dict[str, Any]:
    entry: dict[str, Any] = {name: cell[name] for name in (*TEXTS, *SPANS, "wire_break") if cell.get(name)}
    entry["name"] = prefix + str(entry.get("name", ""))
    entry |= {name: _number(cell[name], f"{where}.{name}") for name in NUMBERS if cell.get(name)}
    if cell.get("deadband"):
        entry["deadband"] = cell["deadband"] if cell["deadband"].endswith("%") else _number(cell["deadband"], f"{where}.deadband")
    pairs = {key: [_number(cell[name], f"{where}.{name}") for name in names if cell.get(name)] for key, names in PAIRS.items()}
    if pairs["range"]:
        entry["range"] = pairs["range"]
    if pairs["raw"] or pairs["eng"]:
        entry["scale"] = {"raw": pairs["raw"], "eng": pairs["eng"]}
    kept = {tier: _days(cell[name], f"{where}.{name}") for name, tier in TIERS.items() if cell.get(name)}
    if kept:
        entry["keep"] = kept
    if cell.get("enabled"):
        word = cell["enabled"].lower()
        if word not in _YES | _NO:
            raise TagMapError(f"{where}.enabled", "yes or no")
        entry["enabled"] = word in _YES
    return entry


def _number(text: str, where: str) -> float:
    """A decimal comma counts as a point."""
    try:
        number = float(text.replace("\u00a0", "").replace(" ", "").replace(",", "."))
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e300:
        raise TagMapError(where, f"{text[:40]!r} is no number")
    return number


def _days(text: str, where: str) -> float | str:
    """30 and 30d are the same."""
    return text if text.endswith("d") else _number(text, where)


def write(document: dict[str, Any]) -> str:
    """A tag map's document as CSV; `read` gives the same document again."""
    out = io.StringIO()
    for key in ("machine", "source", "groups"):
        if document.get(key):
            out.write(f"# {key}: {documents.flow(document[key])}\n")
    writer = csv.writer(out, lineterminator="\n")
    rows = [_cells(entry) for entry in document["tags"]]
    used = [name for name in COLUMNS if name in {"name", "addr"} or any(row.get(name, "") != "" for row in rows)]
    writer.writerow(used)
    for row in rows:
        writer.writerow([_shown(row.get(name, "")) for name in used])
    return out.getvalue()


def _cells(entry: dict[str, Any]) -> dict[str, Any]:
    flat = {key: value for key, value in entry.items() if key not in {"range", "scale", "keep"}}
    pairs = {"range": entry.get("range"), **{key: entry.get("scale", {}).get(key) for key in ("raw", "eng")}}
    for key, pair in pairs.items():
        flat |= dict(zip(PAIRS[key], pair, strict=True)) if pair else {}
    return flat | {name: entry["keep"][tier] for name, tier in TIERS.items() if tier in (entry.get("keep") or {})}


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return cells.quoted(value) if isinstance(value, str) else value
