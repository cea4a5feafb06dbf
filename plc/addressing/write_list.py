"""The allow-list of guarded writes: what may be written to which PLC, by exact address, value and condition. Pure; opens no file.

The list is the operator's own file. It names the PLC's address on the network too, so that nobody who may edit sources can turn a write
to another machine. Only data blocks and memory bits are taken: outputs and inputs are the PLC program's, not ours.
"""

from __future__ import annotations

import hashlib
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from plc.addressing import s7
from plc.addressing.errors import AddressError
from plc.addressing.s7 import S7Address
from realtime.errors import SightlineError

MAX_BYTES = 256_000
PULSE_MS = (50, 3000)  # shorter is no scan of a slow CPU, longer outlives the lease
RANGES: dict[str, tuple[float, float]] = {
    "BOOL": (0, 1),
    "BYTE": (0, 0xFF),
    "USINT": (0, 0xFF),
    "SINT": (-0x80, 0x7F),
    "WORD": (0, 0xFFFF),
    "UINT": (0, 0xFFFF),
    "INT": (-0x8000, 0x7FFF),
    "DWORD": (0, 0xFFFFFFFF),
    "UDINT": (0, 0xFFFFFFFF),
    "DINT": (-0x80000000, 0x7FFFFFFF),
    "REAL": (-3.4e38, 3.4e38),
}
PARSERS: dict[str, Callable[[str], S7Address]] = {"s7": s7.parse}
_COMPARED = {"==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
_CONDITION = re.compile(r"\s*(?P<tag>\S+)\s*(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>true|false|[-+]?\d+(?:\.\d+)?)\s*", re.IGNORECASE)
_TRUTH = {"true": 1.0, "false": 0.0}
_KEYS = {
    "document": {"sources", "writes"},
    "source": {"kind", "enabled", "host", "port", "rack", "slot", "timeout_s", "require_run", "reads"},
    "write": {
        "name", "machine", "source", "tag", "address", "label", "effect", "values", "range", "mode", "ms", "class", "only_if",
        "cleared_by_plc",
    },
}  # fmt: skip


class WriteListError(SightlineError):
    """The list cannot be used: `where` names the line's key, the rest what is wrong with it. Then nothing at all may be written."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f"{where}: {detail}")
        self.where = where


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition: a tag of the same PLC against a number; true and false are 1 and 0."""

    tag: str
    sign: str
    value: float

    def holds(self, found: float) -> bool:
        """Whether the value that was read meets it; what is no number meets nothing."""
        return math.isfinite(found) and bool(_COMPARED[self.sign](found, self.value))

    def __str__(self) -> str:
        return f"{self.tag} {self.sign} {self.value:g}"


@dataclass(frozen=True, slots=True)
class WriteSource:
    """A PLC that may be written to. `reads`: address of each tag that conditions speak of. require_run: refuse unless it says RUN."""

    name: str
    kind: str
    enabled: bool
    connection: Mapping[str, Any]
    require_run: bool
    reads: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WriteEntry:
    """One thing that may be written. `values`: the only ones, () = any within low..high, both in the type's own units."""

    name: str
    machine: str
    source: str
    tag: str
    address: str
    type: str
    label: str
    effect: str
    values: tuple[float, ...]
    low: float
    high: float
    mode: Literal["set", "pulse"]
    pulse_ms: int
    is_critical: bool
    conditions: tuple[Comparison, ...]
    cleared_by_plc: bool

    def allows(self, value: float) -> bool:
        """Whether this very value may be written."""
        if self.values:
            return value in self.values
        return self.low <= value <= self.high and (self.type == "REAL" or value == int(value))


@dataclass(frozen=True, slots=True)
class WriteList:
    """The whole list; `digest` tells one edition of the file from another."""

    sources: Mapping[str, WriteSource]
    entries: Mapping[str, WriteEntry]
    digest: str


def parse(text: str) -> WriteList:
    """Read a list; raises WriteListError on anything that is not exactly as it must be, unknown keys too."""
    if len(text) > MAX_BYTES:
        raise WriteListError("document", f"larger than {MAX_BYTES} bytes")
    try:
        raw = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise WriteListError("document", "cannot be read as YAML") from error
    document = _mapping(raw, "document", _KEYS["document"])
    named = _mapping(document.get("sources"), "sources", None)
    sources = {name: _source(name, body) for name, body in named.items()}
    rows = document.get("writes")
    if not isinstance(rows, list):
        raise WriteListError("writes", "a list is expected")
    entries: dict[str, WriteEntry] = {}
    for number, row in enumerate(rows):
        entry = _entry(_mapping(row, f"writes[{number}]", _KEYS["write"]), f"writes[{number}]", sources)
        if entry.name in entries:
            raise WriteListError(f"writes[{number}].name", f"{entry.name!r} stands twice")
        entries[entry.name] = entry
    return WriteList(sources, entries, hashlib.sha256(text.encode()).hexdigest())


def _mapping(value: Any, where: str, known: set[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise WriteListError(where, "keys and values are expected")
    unknown = set(value) - known if known is not None else set()
    if unknown:
        raise WriteListError(f"{where}.{sorted(unknown)[0]}", "is no key of this list; docs/plc-writes.md names them")
    return value


def _source(name: str, raw: Any) -> WriteSource:
    where = f"sources.{name}"
    body = _mapping(raw, where, _KEYS["source"])
    kind = _word(body, "kind", where)
    if kind not in PARSERS:
        raise WriteListError(f"{where}.kind", f"{kind!r} cannot be written to; one of {', '.join(PARSERS)}")
    reads = _mapping(body.get("reads") or {}, f"{where}.reads", None)
    for tag, address in reads.items():
        _address(kind, address, f"{where}.reads.{tag}")
    link: dict[str, Any] = {key: body[key] for key in ("host", "port", "rack", "slot", "timeout_s") if key in body}
    if not isinstance(link.get("host"), str):
        raise WriteListError(f"{where}.host", "the PLC's address on the network is expected")
    wrong = [key for key, value in link.items() if key != "host" and (isinstance(value, bool) or not isinstance(value, int | float))]
    if wrong:
        raise WriteListError(f"{where}.{wrong[0]}", "a number is expected")
    enabled = _flag(body, "enabled", where, default=False)
    return WriteSource(name, kind, enabled, link, _flag(body, "require_run", where, default=True), reads)


def _entry(body: dict[str, Any], where: str, sources: Mapping[str, WriteSource]) -> WriteEntry:
    source = sources.get(_word(body, "source", where))
    if source is None:
        raise WriteListError(f"{where}.source", "is not among the sources of this list")
    address = _address(source.kind, body.get("address"), f"{where}.address")
    if address.area not in {"DB", "M"}:
        raise WriteListError(f"{where}.address", "outputs and inputs are not written: use a request bit that the PLC program judges")
    if address.type not in RANGES or address.count:
        raise WriteListError(f"{where}.address", f"{address.canonical()} cannot be written; one value of {', '.join(RANGES)}")
    mode = body.get("mode", "set")
    if mode not in {"set", "pulse"}:
        raise WriteListError(f"{where}.mode", "set or pulse")
    rank = body.get("class", "normal")
    if rank not in {"normal", "critical"}:
        raise WriteListError(f"{where}.class", "normal or critical")
    values, low, high = _values(body, address.type, where)
    if mode == "pulse" and (address.type != "BOOL" or values != (1.0,)):
        raise WriteListError(f"{where}.mode", "a pulse is for a BOOL with values: [true]; it goes back to false by itself")
    return WriteEntry(
        name=_word(body, "name", where),
        machine=_word(body, "machine", where),
        source=source.name,
        tag=_word(body, "tag", where),
        address=address.canonical(),
        type=address.type,
        label=_word(body, "label", where),
        effect=_word(body, "effect", where),
        values=values,
        low=low,
        high=high,
        mode=mode,
        pulse_ms=_pulse(body, where) if mode == "pulse" else 0,
        is_critical=rank == "critical",
        conditions=_conditions(body.get("only_if", ""), source, f"{where}.only_if"),
        cleared_by_plc=_flag(body, "cleared_by_plc", where, default=False),
    )


def _address(kind: str, text: Any, where: str) -> S7Address:
    try:
        return PARSERS[kind](str(text or ""))
    except AddressError as error:
        raise WriteListError(where, f"{text!r}: {error}") from error


def _word(body: Mapping[str, Any], key: str, where: str) -> str:
    found = body.get(key)
    if not isinstance(found, str) or not found.strip() or len(found) > 500:
        raise WriteListError(f"{where}.{key}", "a text is expected")
    return found.strip()


def _flag(body: Mapping[str, Any], key: str, where: str, *, default: bool) -> bool:
    found = body.get(key, default)
    if not isinstance(found, bool):
        raise WriteListError(f"{where}.{key}", "true or false")
    return found


def _values(body: Mapping[str, Any], kind: str, where: str) -> tuple[tuple[float, ...], float, float]:
    """The allowed values, or () with the ends of the allowed range."""
    key = "values" if "values" in body else "range"
    listed = body.get(key)
    if ("values" in body) == ("range" in body) or not isinstance(listed, list) or not listed:
        raise WriteListError(f"{where}.{key}", "either values: [..] or range: [low, high]")
    if not all(isinstance(value, int | float) for value in listed) or (key == "range" and len(listed) != 2):
        raise WriteListError(f"{where}.{key}", "numbers, true or false")
    low, high = RANGES[kind]
    found = tuple(float(value) for value in listed)
    if not all(low <= value <= high and (kind == "REAL" or value == int(value)) for value in found):
        raise WriteListError(f"{where}.{key}", f"{kind} holds {low:g} to {high:g}")
    return (found, low, high) if key == "values" else ((), found[0], found[1])


def _pulse(body: Mapping[str, Any], where: str) -> int:
    found = body.get("ms")
    if isinstance(found, bool) or not isinstance(found, int) or not PULSE_MS[0] <= found <= PULSE_MS[1]:
        raise WriteListError(f"{where}.ms", f"{PULSE_MS[0]} to {PULSE_MS[1]} milliseconds")
    return found


def _conditions(text: Any, source: WriteSource, where: str) -> tuple[Comparison, ...]:
    if not isinstance(text, str):
        raise WriteListError(where, "a text such as PL-1.running == 0 and PL-1.fault_code == 0")
    found = []
    for part in re.split(r"\s+and\s+", text.strip()) if text.strip() else []:
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise WriteListError(where, f"{part!r} is no comparison such as PL-1.running == 0")
        if match["tag"] not in source.reads:
            raise WriteListError(where, f"{match['tag']} has no address under sources.{source.name}.reads")
        word = match["value"].lower()
        found.append(Comparison(match["tag"], match["op"], _TRUTH[word] if word in _TRUTH else float(word)))
    return tuple(found)
