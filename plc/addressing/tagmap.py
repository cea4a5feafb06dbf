"""Reads a tag map (YAML or JSON, PROTOCOLS.md 7) into sources and tags. Pure: the server stores what it returns.

machine: PRESS-01
source: {name: press-s7, driver: s7, host: 10.0.0.5, rack: 0, slot: 1}
groups: {fast: 200ms, normal: 1s}
tags:
 - {name: PT-101, addr: "DB1,REAL8", unit: bar, group: normal, scale: {raw: [0, 27648], eng: [0, 10]}, range: [0, 10]}
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from plc.addressing import mqtt, opcua, s7
from plc.addressing.errors import AddressError
from realtime.errors import SightlineError

MAX_BYTES = 4_000_000
MAX_TAGS = 20_000
MAX_DEPTH = 16
MAX_INDENT = 100
MAX_NAME = 64
ROLES = frozenset({"running", "idle", "fault", "status", "fault_code", "counter", "command"})
DEFAULT_GROUPS = {"fast": 0.2, "normal": 1.0, "slow": 60.0}

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where libyaml is there
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_ENTRY_KEYS = frozenset(
    {
        "name",
        "addr",
        "address",
        "type",
        "unit",
        "label",
        "group",
        "scale",
        "deadband",
        "range",
        "low",
        "high",
        "role",
        "kind",
        "decimals",
        "asset",
    }
)


class TagMapError(SightlineError):
    """A tag map cannot be taken; field says where, such as `tags[3].addr`."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f"{where}: {detail}")
        self.field = where
        self.detail = detail


@dataclass(frozen=True, slots=True)
class MappedTag:
    """One tag as the map says it, its address canonical."""

    name: str
    address: str
    group: str
    unit: str = ""
    label: str = ""
    kind: str = "f64"
    asset: str | None = None
    role: str | None = None
    decimals: int = 2
    deadband: float = 0.0
    scale_raw: tuple[float, float] | None = None
    scale_eng: tuple[float, float] | None = None
    range_low: float | None = None
    range_high: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class TagMap:
    """One source with its tags; config holds what the connector reads (host, rack, slot, ...)."""

    source: str
    kind: str
    config: dict[str, Any]
    groups: dict[str, float]
    asset: str | None
    tags: list[MappedTag]
    warnings: list[str] = field(default_factory=list)


def parse_address(kind: str, text: str, type_hint: str | None = None) -> tuple[str, bool]:
    """Canonical address and whether its value is text; raises AddressError, or TagMapError for an unknown kind."""
    if kind == "s7":
        address = s7.parse(text, type_hint)
        return address.canonical(), address.is_text
    parsers: dict[str, Callable[[str], mqtt.MqttAddress | opcua.OpcuaAddress]] = {"mqtt": mqtt.parse, "opcua": opcua.parse}
    if kind not in parsers:
        raise TagMapError("source.driver", f"{kind!r} is none of s7, mqtt, opcua")
    return parsers[kind](text).canonical(), False


def parse(text: str) -> TagMap:
    """Read a tag map; raises TagMapError naming the field."""
    return read(_document(text))


def read(document: dict[str, Any]) -> TagMap:
    """Read a tag map that is parsed already, as a JSON body is; raises TagMapError naming the field."""
    source = _mapping(document.get("source"), "source")
    kind = str(source.pop("driver", source.pop("kind", "")))
    machine = document.get("machine")
    name = str(source.pop("name", "") or (f"{machine}-{kind}" if machine else ""))
    if not name:
        raise TagMapError("source.name", "name the source, or the machine")
    groups = {str(k): _seconds(v, f"groups.{k}") for k, v in _mapping(document.get("groups") or {}, "groups").items()} or dict(
        DEFAULT_GROUPS
    )
    entries = document.get("tags")
    if not isinstance(entries, list) or len(entries) > MAX_TAGS:
        raise TagMapError("tags", f"a list of at most {MAX_TAGS} tags")
    warnings: list[str] = []
    tags = [_tag(entry, f"tags[{i}]", kind, groups, warnings) for i, entry in enumerate(entries)]
    seen: set[str] = set()
    for i, tag in enumerate(tags):
        if tag.name in seen:
            raise TagMapError(f"tags[{i}].name", f"{tag.name!r} stands twice")
        seen.add(tag.name)
    return TagMap(name, kind, source, groups, str(machine) if machine else None, tags, warnings)


def _document(text: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise TagMapError("document", f"larger than {MAX_BYTES} bytes")
    if re.search(r"(^|[\s\[,{:])[&*][A-Za-z0-9]", text):
        raise TagMapError("document", "anchors and aliases are not taken")  # a few lines of them unfold to gigabytes
    if _too_deep(text):
        raise TagMapError("document", f"nested deeper than {MAX_DEPTH} levels")
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "document"
        raise TagMapError(where, getattr(error, "problem", None) or "cannot be read as YAML or JSON") from error
    return _mapping(document, "document")


def _too_deep(text: str) -> bool:
    """True where brackets, indentation or indicators nest beyond any tag map: libyaml recurses in C and would take the process down."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return re.search(rf"^[ \t]{{{MAX_INDENT},}}|(?:[-?:][ \t\n]+){{{MAX_DEPTH},}}", text, re.MULTILINE) is not None


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TagMapError(where, "keys and values are expected here")
    return {str(k): v for k, v in value.items()}


def _seconds(value: Any, where: str) -> float:
    found = _DURATION.fullmatch(str(value).strip())
    if not found:
        raise TagMapError(where, f"{value!r} is no duration such as 200ms, 1s or 5min")
    seconds = float(found[1]) * _SECONDS[found[2] or "s"]
    if not 0.05 <= seconds <= 86400:
        raise TagMapError(where, "50 ms to one day")
    return round(seconds, 6)


def _tag(entry: Any, where: str, kind: str, groups: dict[str, float], warnings: list[str]) -> MappedTag:
    row = _mapping(entry, where)
    unknown = sorted(set(row) - _ENTRY_KEYS)
    if unknown:
        raise TagMapError(f"{where}.{unknown[0]}", "no such key")
    name = str(row.get("name") or "")
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise TagMapError(f"{where}.name", f"1 to {MAX_NAME} printable characters")
    address, is_text = _address(row, where, kind, warnings)
    group = str(row.get("group") or ("normal" if "normal" in groups else next(iter(groups))))
    if group not in groups:
        raise TagMapError(f"{where}.group", f"{group!r} is none of {', '.join(groups)}")
    role = row.get("role")
    if role is not None and role not in ROLES:
        raise TagMapError(f"{where}.role", f"{role!r} is none of {', '.join(sorted(ROLES))}")
    value_kind = str(row.get("kind") or ("text" if is_text else "f64"))
    if value_kind not in {"f64", "text", "frame"} or (is_text and value_kind != "text"):
        raise TagMapError(f"{where}.kind", "f64, text or frame, as the address gives")
    raw, eng = _scale(row.get("scale"), where)
    low, high = _pair(row["range"], f"{where}.range") if row.get("range") is not None else (None, None)
    return MappedTag(
        name=name,
        address=address,
        group=group,
        unit=str(row.get("unit") or ""),
        label=str(row.get("label") or ""),
        kind=value_kind,
        asset=str(row["asset"]) if row.get("asset") else None,
        role=role,
        decimals=int(_number(row.get("decimals", 2), f"{where}.decimals")),
        deadband=_number(row.get("deadband", 0.0), f"{where}.deadband"),
        scale_raw=raw,
        scale_eng=eng,
        range_low=low,
        range_high=high,
        low=_optional(row.get("low"), f"{where}.low"),
        high=_optional(row.get("high"), f"{where}.high"),
    )


def _address(row: dict[str, Any], where: str, kind: str, warnings: list[str]) -> tuple[str, bool]:
    written = str(row.get("addr", row.get("address", "")) or "")
    hint = str(row["type"]) if row.get("type") else None
    try:
        address, is_text = parse_address(kind, written, hint)
    except AddressError as error:
        raise TagMapError(f"{where}.addr", f"{written!r} {error}") from error
    if kind == "s7":
        warnings += [f"{where}.addr: {warning}" for warning in s7.parse(address).warnings()]
    return address, is_text


def _scale(value: Any, where: str) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    if value is None:
        return None, None
    scale = _mapping(value, f"{where}.scale")
    raw, eng = _pair(scale.get("raw"), f"{where}.scale.raw"), _pair(scale.get("eng"), f"{where}.scale.eng")
    if raw[0] == raw[1]:
        raise TagMapError(f"{where}.scale.raw", "two different numbers")
    return raw, eng


def _pair(value: Any, where: str) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise TagMapError(where, "two numbers such as [0, 10]")
    return _number(value[0], where), _number(value[1], where)


def _optional(value: Any, where: str) -> float | None:
    return None if value is None else _number(value, where)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise TagMapError(where, f"{value!r} is no number")
    return float(value)
