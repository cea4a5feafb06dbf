"""Reads address lists of nodes7 and node-red-contrib-s7: JSON {"NAME": "DB1,REAL4"}, vartables, flows, or CSV. Pure."""

from __future__ import annotations

import json
from typing import Any

from plc.addressing import cells, kinds
from plc.addressing.drafts import Draft, Given, bare
from plc.addressing.errors import AddressError, TagMapError

MAX_DEPTH = 12
NAMES = ("name", "tag", "key")
ADDRESSES = ("addr", "address")


def read(content: bytes, given: Given) -> list[Draft]:
    """One draft a PLC; raises TagMapError where the file is no such list."""
    text = cells.text_of(content)
    if text.lstrip()[:1] not in "{[":
        return [_of_csv(content, given)]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise TagMapError(f"line {line}" if line else "file", f"no JSON: {getattr(error, 'msg', 'nested too deep')}") from error
    endpoints = [one for one in found if isinstance(one, dict) and one.get("type") == "s7 endpoint"] if isinstance(found, list) else []
    if endpoints:
        return [_of_endpoint(one, given) for one in endpoints]
    draft = bare(given, "s7")
    _of_list(draft, found["vartable"] if isinstance(found, dict) and "vartable" in found else found, given.prefix)
    return [draft]


def _of_endpoint(node: dict[str, Any], given: Given) -> Draft:
    """A configuration node of node-red-contrib-s7."""
    name = given.source or str(node.get("name") or "") or f"s7-{node.get('address', '')}"
    source: dict[str, Any] = {"name": name[:64], "driver": "s7", "host": str(node.get("address", ""))}
    for key, ours in (("port", "port"), ("rack", "rack"), ("slot", "slot")):
        number = str(node.get(key, ""))
        if number.isdecimal() and len(number) < 6:
            source[ours] = int(number)
    cycle = str(node.get("cycletime", ""))
    period = min(max(int(cycle) / 1000, 0.05), 86400.0) if cycle.isdecimal() and len(cycle) < 9 else 1.0
    draft = Draft(source, {"normal": f"{period}s"}, given.machine or None)
    _of_list(draft, node.get("vartable") or [], given.prefix)
    return draft


def _of_list(draft: Draft, found: Any, prefix: str) -> None:
    if isinstance(found, dict):
        found = [{"name": name, "addr": address} for name, address in found.items()]
    if not isinstance(found, list):
        raise TagMapError("file", 'no list of addresses: {"NAME": "DB1,REAL4"} or [{"name", "addr"}]')
    for i, one in enumerate(found):
        where = f"entry {i + 1}"
        if not isinstance(one, dict) or not all(isinstance(value, str | int | float | bool | None) for value in one.values()):
            draft.refuse(where, "an object with name and addr")
            continue
        name = next((str(one[key]) for key in NAMES if one.get(key)), "")
        address = next((str(one[key]) for key in ADDRESSES if one.get(key)), "")
        draft.add(where, {"name": prefix + name, "addr": address})


def _of_csv(content: bytes, given: Given) -> Draft:
    """Two columns in either order, with or without headings: the one that reads as an address is the address."""
    draft = bare(given, "s7")
    rows = cells.of_csv(content)
    if rows and any(cell.lower() in {*NAMES, *ADDRESSES} for cell in rows[0].cells):
        headed = cells.table(rows, {"name": NAMES, "addr": ADDRESSES}, ("name", "addr"))
        pairs = [(row.line, cell.get("name", ""), cell.get("addr", "")) for row, cell in headed]
    else:
        first, second = _columns(rows)
        pairs = [(row.line, _cell(row, first), _cell(row, second)) for row in rows]
    for line, name, address in pairs:
        draft.add(f"line {line}", {"name": given.prefix + name, "addr": address})
    if not draft.entries:
        raise TagMapError("file", "no list of addresses: two columns, name and address")
    return draft


def _cell(row: cells.Row, column: int) -> str:
    return row.cells[column] if column < len(row.cells) else ""


def _columns(rows: list[cells.Row]) -> tuple[int, int]:
    """(column of the name, column of the address)."""
    counts = [sum(len(row.cells) > i and _is_address(row.cells[i]) for row in rows[:200]) for i in (0, 1)]
    return (1, 0) if counts[0] > counts[1] else (0, 1)


def _is_address(text: str) -> bool:
    try:
        kinds.parsed("s7", text)
    except AddressError:
        return False
    return True
