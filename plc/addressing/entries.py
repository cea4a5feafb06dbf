"""One tag of a tag map: its keys, their units and what they may hold. Pure: no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from plc.addressing import kinds
from plc.addressing.documents import mapping
from plc.addressing.errors import AddressError, TagMapError

MAX_NAME = 64
MAX_TEXT = {"unit": 32, "label": 200, "asset": 64, "group": 64}
ROLES = frozenset({"running", "idle", "fault", "status", "fault_code", "counter", "command"})
TIERS = {"raw": "raw", "1m": "1m", "1h": "1h"}

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|min|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)\s*%")
_WIRE_BREAK = re.compile(r"[<>]=?-?\d{1,12}(?:\.\d{1,9})?")

# key of the map -> columns of the tag that it sets
KEYS: dict[str, tuple[str, ...]] = {
    "name": (),
    "addr": ("address", "kind"),
    "address": ("address", "kind"),
    "type": (),
    "unit": ("unit",),
    "label": ("label",),
    "group": ("poll_group", "period_s"),
    "period": ("period_s",),
    "scale": ("scale_raw", "scale_eng"),
    "deadband": ("deadband", "deadband_pct"),
    "range": ("range_low", "range_high"),
    "low": ("low",),
    "high": ("high",),
    "role": ("role",),
    "kind": ("kind",),
    "decimals": ("decimals",),
    "asset": (),
    "max_interval": ("max_interval_s",),
    "wire_break": ("wire_break",),
    "average": ("average_s",),
    "keep": ("keep",),
    "enabled": ("enabled",),
    "write": (),
}


@dataclass(frozen=True, slots=True)
class MappedTag:
    """One tag as the map says it, its address canonical. `given`: the columns that the map names; the others hold defaults."""

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
    deadband_pct: float = 0.0
    period_s: float | None = None
    scale_raw: tuple[float, float] | None = None
    scale_eng: tuple[float, float] | None = None
    range_low: float | None = None
    range_high: float | None = None
    low: float | None = None
    high: float | None = None
    max_interval_s: float = 60.0
    wire_break: str | None = None
    average_s: float | None = None
    keep: dict[str, float] | None = None
    enabled: bool = True
    given: frozenset[str] = frozenset()


def read_entry(entry: Any, where: str, kind: str, groups: dict[str, float], warnings: list[str]) -> MappedTag:
    """One entry of `tags`; raises TagMapError naming the field below `where`."""
    row = mapping(entry, where)
    unknown = sorted(set(row) - set(KEYS))
    if unknown:
        raise TagMapError(f"{where}.{unknown[0][:MAX_NAME]}", f"no such key; they are {', '.join(KEYS)}")
    name = str(row.get("name") or "")
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise TagMapError(f"{where}.name", f"1 to {MAX_NAME} printable characters")
    address, possible = _address(row, where, kind, warnings)
    if row.get("write") is not None:
        warnings.append(f"{where}.write: not taken from a tag map; the allow-list file of the writing program decides")
    raw, eng = _scale(row.get("scale"), where)
    low, high = _pair(row["range"], f"{where}.range") if row.get("range") is not None else (None, None)
    deadband, deadband_pct = _deadband(row.get("deadband"), f"{where}.deadband")
    return MappedTag(
        name=name,
        address=address,
        group=_group(row, where, groups),
        unit=_text(row, "unit", where),
        label=_text(row, "label", where),
        kind=_kind(row, where, possible),
        asset=_text(row, "asset", where) or None,
        role=_role(row.get("role"), where),
        decimals=_decimals(row.get("decimals", 2), f"{where}.decimals"),
        deadband=deadband,
        deadband_pct=deadband_pct,
        period_s=None if row.get("period") is None else seconds(row["period"], f"{where}.period"),
        scale_raw=raw,
        scale_eng=eng,
        range_low=low,
        range_high=high,
        low=_optional(row.get("low"), f"{where}.low"),
        high=_optional(row.get("high"), f"{where}.high"),
        max_interval_s=60.0 if row.get("max_interval") is None else seconds(row["max_interval"], f"{where}.max_interval"),
        wire_break=_wire_break(row.get("wire_break"), f"{where}.wire_break"),
        average_s=None if row.get("average") is None else seconds(row["average"], f"{where}.average", least=0.1),
        keep=_keep(row.get("keep"), f"{where}.keep"),
        enabled=_flag(row.get("enabled", True), f"{where}.enabled"),
        given=frozenset(column for key in row for column in KEYS[key]),
    )


def seconds(value: Any, where: str, least: float = 0.05, most: float = 86400.0) -> float:
    """A duration such as 200ms, 1s, 5min; raises TagMapError."""
    found = _DURATION.fullmatch(str(value).strip())
    if not found:
        raise TagMapError(where, f"{str(value)[:40]!r} is no duration such as 200ms, 1s or 5min")
    length = float(found[1]) * _SECONDS[found[2] or "s"]
    if not least <= length <= most:
        raise TagMapError(where, f"{shown_duration(least)} to {shown_duration(most)}")
    return round(length, 6)


def shown_duration(length: float) -> str:
    """A duration as a tag map writes it: 0.2 -> 200ms."""
    for unit in ("d", "h", "min", "s", "ms"):
        count = length / _SECONDS[unit]
        if count >= 1 and abs(count - round(count)) < 1e-9:
            return f"{round(count)}{unit}"
    return f"{length:g}s"


def _address(row: dict[str, Any], where: str, kind: str, warnings: list[str]) -> tuple[str, tuple[str, ...]]:
    written = str(row.get("addr", row.get("address", "")) or "")
    hint = str(row["type"]) if row.get("type") else None
    try:
        address = kinds.parsed(kind, written, hint)
    except KeyError as error:
        raise TagMapError("source.driver", f"{kind!r} is none of {', '.join(kinds.KINDS)}") from error
    except AddressError as error:
        raise TagMapError(f"{where}.addr", f"{written[:200]!r} {error}", written[:500], error.position) from error
    warnings += [f"{where}.addr: {warning}" for warning in kinds.warnings_of(address)]
    return address.canonical(), kinds.kinds_of(address)


def _group(row: dict[str, Any], where: str, groups: dict[str, float]) -> str:
    group = str(row.get("group") or ("normal" if "normal" in groups else next(iter(groups))))
    if group not in groups:
        raise TagMapError(f"{where}.group", f"{group[:64]!r} is none of {', '.join(groups)}")
    return group


def _kind(row: dict[str, Any], where: str, possible: tuple[str, ...]) -> str:
    kind = str(row.get("kind") or possible[0])
    if kind not in possible:
        raise TagMapError(f"{where}.kind", f"{' or '.join(possible)}: that is what the address gives")
    return kind


def _role(value: Any, where: str) -> str | None:
    if value is not None and value not in ROLES:
        raise TagMapError(f"{where}.role", f"{str(value)[:40]!r} is none of {', '.join(sorted(ROLES))}")
    return None if value is None else str(value)


def _text(row: dict[str, Any], key: str, where: str) -> str:
    written = str(row.get(key) or "")
    if len(written) > MAX_TEXT[key] or not written.isprintable():
        raise TagMapError(f"{where}.{key}", f"at most {MAX_TEXT[key]} printable characters")
    return written


def _scale(value: Any, where: str) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    if value is None:
        return None, None
    scale = mapping(value, f"{where}.scale")
    raw, eng = _pair(scale.get("raw"), f"{where}.scale.raw"), _pair(scale.get("eng"), f"{where}.scale.eng")
    if raw[0] == raw[1]:
        raise TagMapError(f"{where}.scale.raw", "two different numbers")
    return raw, eng


def _deadband(value: Any, where: str) -> tuple[float, float]:
    """(absolute in engineering units, per cent of the range)."""
    if value is None:
        return 0.0, 0.0
    if isinstance(value, str):
        percent = _PERCENT.fullmatch(value.strip())
        if not percent or float(percent[1]) > 100:
            raise TagMapError(where, f"{value[:40]!r} is no deadband: a number in the tag's unit, or per cent of its range such as 1%")
        return 0.0, float(percent[1])
    number = _number(value, where)
    if number < 0:
        raise TagMapError(where, "0 or more")
    return number, 0.0


def _wire_break(value: Any, where: str) -> str | None:
    if value is None:
        return None
    written = str(value).replace(" ", "")
    if not _WIRE_BREAK.fullmatch(written):
        raise TagMapError(where, f"{str(value)[:40]!r} is no rule such as >27648")
    return written


def _keep(value: Any, where: str) -> dict[str, float] | None:
    """Days by tier."""
    if value is None:
        return None
    given = mapping(value, where)
    unknown = sorted(set(given) - set(TIERS))
    if unknown:
        raise TagMapError(f"{where}.{unknown[0][:40]}", f"no such tier; they are {', '.join(TIERS)}")
    day = 86400.0
    kept: dict[str, float] = {}
    for tier, span in given.items():
        is_days = isinstance(span, int | float) and not isinstance(span, bool)
        kept[TIERS[tier]] = seconds(f"{span}d" if is_days else span, f"{where}.{tier}", least=day, most=36500 * day) / day
    return kept


def _decimals(value: Any, where: str) -> int:
    number = _number(value, where)
    if not 0 <= number <= 9 or number != int(number):
        raise TagMapError(where, "0 to 9")
    return int(number)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise TagMapError(where, "true or false")
    return value


def _pair(value: Any, where: str) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise TagMapError(where, "two numbers such as [0, 10]")
    return _number(value[0], where), _number(value[1], where)


def _optional(value: Any, where: str) -> float | None:
    return None if value is None else _number(value, where)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise TagMapError(where, f"{str(value)[:40]!r} is no number")
    return float(value)
