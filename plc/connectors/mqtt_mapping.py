"""Applies the mappings of a source to a payload: JSON of any shape, arrays of rows, columns, one line of text. Pure.

The rules for bad input are those of `mqtt_json`: every refusal is a `Refused` with its reason, and stops nothing beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from plc.addressing.mqtt_mapping import Mapping as Rule
from plc.addressing.mqtt_mapping import Path
from plc.connectors.mqtt_json import (
    MAX_MESSAGE,
    Refused,
    Row,
    Unknown,
    any_value,
    check_name,
    check_unit,
    document,
    sequence,
    text_time_ms,
    time_ms,
    typed_value,
)
from realtime.snapshot import Tag

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_PER_MS = {"s": 0.001, "ms": 1, "us": 1000, "ns": 1_000_000}
_MISSING = object()


def mapped_rows(
    rule: Rule, captures: Mapping[str, str], payload: bytes, tags: Mapping[str, Tag], received: int, *, no_time: bool
) -> Iterator[Row | Refused]:
    """What a message says by a mapping; never raises. received ms UTC; no_time: a row without a time counts as of now."""
    try:
        root = _document(rule, payload)
        rows = _rows(rule, root)
    except Refused as refused:
        yield refused
        return
    teller = _Teller(rule, captures, tags, received, no_time=no_time)
    for row in rows:
        yield from teller.columns(row, root) if rule.columns else teller.row(row, root)


def _document(rule: Rule, payload: bytes) -> Any:
    if rule.payload == "json":
        return document(payload)
    if len(payload) > MAX_MESSAGE:
        raise Refused("too_large")
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise Refused("not_utf8") from error
    if not text:
        raise Refused("empty")
    if rule.payload == "text":
        return text
    lines = [[cell.strip() for cell in line.split(rule.separator)] for line in text.splitlines() if line.strip()]
    return lines if rule.each is not None else lines[0]


def _rows(rule: Rule, root: Any) -> list[Any]:
    if rule.each is None:
        return [root]
    rows = _find(rule.each, root, root)
    if not isinstance(rows, list):
        raise Refused("shape")
    return rows


class _Teller:
    """Reads rows of one message."""

    def __init__(self, rule: Rule, captures: Mapping[str, str], tags: Mapping[str, Tag], received: int, *, no_time: bool) -> None:
        self.rule = rule
        self.captures = captures
        self.tags = tags
        self.received = received
        self.no_time = no_time or rule.time is None
        self.beside = {path.parts[0] for path in (rule.time, rule.unit, rule.seq) if path and len(path.parts) == 1 and not path.from_root}

    def row(self, row: Any, root: Any) -> Iterator[Row | Refused]:
        """Each value of a row at the row's time."""
        try:
            found = self._values(row, root)
            t, seq = self._time(_at(self.rule.time, row, root)), sequence(_or(_at(self.rule.seq, row, root), 0))
        except Refused as refused:
            yield refused
            return
        unit = _or(_at(self.rule.unit, row, root), None)
        for name, value in found:
            yield self._told(name, value, row, root, (t, seq, unit))

    def columns(self, row: Any, root: Any) -> Iterator[Row | Refused]:
        """Arrays side by side: value i of each at time i."""
        try:
            found = self._values(row, root)
            size = max((len(values) for _, values in found if isinstance(values, list)), default=-1)
            times = self._many(_at(self.rule.time, row, root), size) if self.rule.time else [_MISSING] * size
            seqs = self._many(_or(_at(self.rule.seq, row, root), [0] * max(size, 0)), size)
            for _, values in found:
                _check_size(values, size)
        except Refused as refused:
            yield refused
            return
        unit = _or(_at(self.rule.unit, row, root), None)
        for place in range(size):
            try:
                t, seq = self._time(times[place]), sequence(seqs[place])
            except Refused as refused:
                yield refused
                continue
            for name, values in found:
                yield self._told(name, values[place], row, root, (t, seq, unit))

    def _many(self, value: Any, size: int) -> list[Any]:
        if value is _MISSING and self.no_time:
            return [_MISSING] * size
        _check_size(value, size)
        return list(value)

    def _values(self, row: Any, root: Any) -> list[tuple[str, Any]]:
        """Names and values that stand in the row: a device may leave some out, but not all."""
        found: list[tuple[str, Any]] = []
        for name, path in self.rule.values.items():
            value = _find(path, row, root)
            if path.every:
                if not isinstance(value, dict):
                    raise Refused("not_an_object")
                plain = {key: each for key, each in value.items() if self.rule.columns or not isinstance(each, dict | list)}
                found += [(key, each) for key, each in plain.items() if path.parts or key not in self.beside]
            elif value is not _MISSING:
                found.append((name, value))
        if not found:
            raise Refused("no_value" if isinstance(row, dict) or self.rule.payload == "csv" else "not_an_object")
        return found

    def _told(self, name: str, value: Any, row: Any, root: Any, beside: tuple[int, int, Any]) -> Row | Refused:
        t, seq, unit = beside
        try:
            full = self._name(name, row, root)
            check_name(full)
            tag = self.tags.get(full)
            if tag is None:
                raise Unknown(full, any_value(value))
            check_unit(unit, tag)
            return Row(tag, t, self._typed(value, tag), seq)
        except Refused as refused:
            return refused

    def _name(self, name: str, row: Any, root: Any) -> str:
        made = []
        for place, part in enumerate(self.rule.tag.parts):
            if isinstance(part, Path):
                found = _find(part, row, root)
                if isinstance(found, bool) or not isinstance(found, str | int):
                    raise Refused("tag_name")
                made.append(str(found))
            elif place % 2:
                made.append(name if part == "name" else self.captures[part])
            else:
                made.append(part)
        return "".join(made)

    def _typed(self, value: Any, tag: Tag) -> float | str:
        if self.rule.payload == "json" or tag.kind != "f64" or not isinstance(value, str):
            return typed_value(value, tag)
        number = value.replace(self.rule.decimal, ".") if self.rule.decimal != "." else value
        if (self.rule.decimal != "." and "." in value) or not _NUMBER.fullmatch(number):
            raise Refused("value_type")
        found = float(number)
        if found in {float("inf"), float("-inf")}:
            raise Refused("not_finite")
        return found

    def _time(self, stamp: Any) -> int:
        stamp = _or(stamp, None)
        if self.rule.payload != "json" and isinstance(stamp, str) and _NUMBER.fullmatch(stamp):
            stamp = float(stamp) if set(stamp) & set(".eE") else int(stamp)
        rule = self.rule.time_format
        if stamp is None or rule == "auto":
            return time_ms(stamp, self.received, no_time=self.no_time)
        if rule == "iso":
            if not isinstance(stamp, str):
                raise Refused("time")
            return text_time_ms(stamp)
        if isinstance(stamp, bool) or not isinstance(stamp, int | float):
            raise Refused("time")
        in_ms = stamp / _PER_MS[rule]
        if not 0 <= in_ms < 1e14:
            raise Refused("time")
        return round(in_ms)


def _check_size(values: Any, size: int) -> None:
    if not isinstance(values, list) or len(values) != size:
        raise Refused("shape")


def _at(path: Path | None, row: Any, root: Any) -> Any:
    return _MISSING if path is None else _find(path, row, root)


def _or(value: Any, instead: Any) -> Any:
    return instead if value is _MISSING else value


def _find(path: Path, row: Any, root: Any) -> Any:
    """What stands at a path, _MISSING where nothing does."""
    found = root if path.from_root else row
    for part in path.parts:
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isascii() and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return _MISSING
    return found
