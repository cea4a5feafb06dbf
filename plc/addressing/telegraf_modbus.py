"""The registers of Telegraf's inputs.modbus, in its `register` and its `request` style. Pure.

Addresses there count from 0. `scale` becomes two points of a line, because a tag is scaled from raw to engineering units.
"""

from __future__ import annotations

from typing import Any

from plc.addressing.drafts import Draft

TABLES = {"coils": "coil", "discrete_inputs": "discrete", "holding_registers": "holding", "input_registers": "input"}
REQUESTS = {"coil": "coil", "discrete": "discrete", "holding": "holding", "input": "input"}
TYPES = {
    "INT16": "int16",
    "UINT16": "uint16",
    "INT32": "int32",
    "UINT32": "uint32",
    "INT64": "int64",
    "UINT64": "uint64",
    "FLOAT32": "float32",
    "FLOAT32-IEEE": "float32",
    "FLOAT64": "float64",
    "FLOAT64-IEEE": "float64",
    "FIXED": "int16",
    "UFIXED": "uint16",
    "BIT": "bool",
}
WIDE = {2: {"INT16": "INT32", "FIXED": "INT32", "UINT16": "UINT32", "UFIXED": "UINT32"}}  # FIXED over two registers


def registers(draft: Draft, settings: dict[str, Any], where: str, prefix: str) -> None:
    """Add every register that is named; what has no type we read is refused by its place."""
    unit = settings.get("slave_id")
    if isinstance(unit, int):
        draft.source["unit"] = unit
    for key, table in TABLES.items():
        for i, one in enumerate(_tables(settings.get(key))):
            addresses = one.get("address")
            places = addresses if isinstance(addresses, list) else [addresses]
            kind = str(one.get("data_type", "UINT16")).upper()
            kind = WIDE.get(len(places), {}).get(kind, kind)
            _add(draft, f"{where}.{key}[{i}]", prefix, table, places[0] if places else None, kind, one)
    for r, request in enumerate(_tables(settings.get("request"))):
        table = REQUESTS.get(str(request.get("register", "holding")), "holding")
        common = {"byte_order": request.get("byte_order")}
        for i, one in enumerate(_tables(request.get("fields"))):
            kind = str(one.get("type", "UINT16")).upper()
            _add(draft, f"{where}.request[{r}].fields[{i}]", prefix, table, one.get("address"), kind, common | one)


def _tables(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _add(draft: Draft, where: str, prefix: str, table: str, address: Any, kind: str, one: dict[str, Any]) -> None:
    is_bit = table in {"coil", "discrete"}
    if not isinstance(address, int) or (not is_bit and kind not in TYPES):
        draft.refuse(where, f"{one.get('name')!r}: a register number and one of {', '.join(TYPES)}"[:300], str(address))
        return
    order = str(one.get("byte_order") or "").upper()
    type_ = "bool" if is_bit else TYPES[kind]
    order = "BADC" if order == "BA" else order
    suffix = f":{order}" if len(order) == 4 and not is_bit else ""
    entry: dict[str, Any] = {"name": f"{prefix}{one.get('name', '')}", "addr": f"{table}:{address}:{type_}{suffix}"}
    scale = one.get("scale")
    if isinstance(scale, int | float) and not isinstance(scale, bool) and scale not in (0, 1):
        entry["scale"] = {"raw": [0.0, 1.0], "eng": [0.0, float(scale)]}
    draft.add(where, entry)
