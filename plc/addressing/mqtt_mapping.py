"""Reads the `mappings` of an MQTT source: which topics, where in the payload value, time, unit and number stand, what tag it is.

Pure: no I/O, no payloads (plc.connectors.mqtt_mapping applies them). A mapping as it stands in the source's config:

{topic: "line/{machine}/data", each: "/rows", values: {temperature: "/t", pressure: "p.bar"}, tag: "{machine}.{name}",
 time: {path: "/ts", format: ms}, unit: "/unit", seq: "/n", payload: json, columns: false}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from plc.addressing.errors import AddressError

MAX_MAPPINGS, MAX_VALUES, MAX_TEXT = 200, 500, 512
Payload = Literal["json", "text", "csv"]
TimeFormat = Literal["auto", "iso", "s", "ms", "us", "ns"]

_KEYS = frozenset({"topic", "payload", "separator", "decimal", "each", "columns", "values", "tag", "time", "unit", "seq"})
_CAPTURE = re.compile(r"\{([^{}]*)\}")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_DOTTED = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


class MappingError(AddressError):
    """A mapping cannot be read; field says which part, such as `mappings[0].values.t`, position counts its characters from 0."""

    def __init__(self, field: str, position: int, hint: str) -> None:
        super().__init__(position, hint)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field} {super().__str__()}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Topics of one kind; captures are the parts of a topic that stand under a name."""

    text: str
    subscription: str
    regex: re.Pattern[str]

    def match(self, topic: str) -> dict[str, str] | None:
        """Captures by name where the topic is one of these."""
        found = self.regex.fullmatch(topic)
        return None if found is None else found.groupdict()


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a payload: keys and indexes from the row, or from the whole payload; every: all members of the object there."""

    parts: tuple[str, ...]
    from_root: bool = False
    every: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A tag name: texts, and between them names of captures or paths."""

    parts: tuple[str | Path, ...]  # even places are texts, odd ones names (str) or paths


@dataclass(frozen=True, slots=True)
class Mapping:
    """One mapping, ready to be applied. values: name -> place; time None = when it was received."""

    pattern: Pattern
    payload: Payload
    separator: str
    decimal: str
    each: Path | None
    columns: bool
    values: dict[str, Path]
    tag: Template
    time: Path | None
    time_format: TimeFormat
    unit: Path | None
    seq: Path | None


def parse_all(config: Any) -> list[Mapping]:
    """The mappings of a source's config, [] for none; raises MappingError."""
    if config is None:
        return []
    if not isinstance(config, list) or len(config) > MAX_MAPPINGS:
        raise MappingError("mappings", 0, f"a list of at most {MAX_MAPPINGS} mappings")
    return [parse(entry, f"mappings[{number}]") for number, entry in enumerate(config)]


def parse(entry: Any, field: str = "mapping") -> Mapping:
    """One mapping; raises MappingError."""
    if not isinstance(entry, dict):
        raise MappingError(field, 0, "keys and values: topic, values, tag, time")
    unknown = sorted(set(map(str, entry)) - _KEYS)
    if unknown:
        raise MappingError(f"{field}.{unknown[0]}", 0, f"no such key; there are {', '.join(sorted(_KEYS))}")
    pattern = parse_pattern(entry.get("topic"), f"{field}.topic")
    values = _values(entry.get("values", ""), f"{field}.values")
    template = _template(entry.get("tag"), f"{field}.tag", set(pattern.regex.groupindex))
    if (len(values) > 1 or any(path.every for path in values.values())) and not _tells_values_apart(template):
        raise MappingError(f"{field}.tag", 0, "{name} in it, because there are several values")
    time, time_format = _time(entry.get("time", "/timestamp"), f"{field}.time")
    return Mapping(
        pattern=pattern,
        payload=_one_of(entry.get("payload", "json"), f"{field}.payload", ("json", "text", "csv")),
        separator=_character(entry.get("separator", ";"), f"{field}.separator"),
        decimal=_character(entry.get("decimal", "."), f"{field}.decimal"),
        each=_optional(entry.get("each"), f"{field}.each"),
        columns=_one_of(entry.get("columns", False), f"{field}.columns", (False, True)),
        values=values,
        tag=template,
        time=time,
        time_format=time_format,
        unit=_optional(entry.get("unit"), f"{field}.unit"),
        seq=_optional(entry.get("seq"), f"{field}.seq"),
    )


def parse_pattern(text: Any, field: str = "topic") -> Pattern:
    """A topic with + for one level, # for the rest, and {name} for what is to be remembered; raises MappingError."""
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_TEXT:
        raise MappingError(field, 0, "a topic such as line/{machine}/data")
    regex, filters, at = [], [], 0
    levels = text.split("/")
    seen: set[str] = set()
    for number, level in enumerate(levels):
        regex.append(_level(level, at, field, seen, is_last=number == len(levels) - 1))
        filters.append("+" if "{" in level else level)
        at += len(level) + 1
    joined = "/".join(regex).replace("/.*", "(?:/.*)?") if len(regex) > 1 else regex[0]
    return Pattern(text, "/".join(filters), re.compile(joined, re.DOTALL))


def _level(level: str, at: int, field: str, seen: set[str], *, is_last: bool) -> str:
    if level == "+":
        return "[^/]+"
    if level == "#":
        if not is_last:
            raise MappingError(field, at, "# only as the last level")
        return ".*"
    for place, character in enumerate(level):
        if character in "+#" or not character.isprintable():
            raise MappingError(field, at + place, "+ and # stand for a whole level")
    made, end = "", 0
    for found in _CAPTURE.finditer(level):
        name = found[1]
        if not _WORD.fullmatch(name) or name == "name" or name in seen:
            raise MappingError(field, at + found.start(), "a name of its own in braces, such as {machine}")
        seen.add(name)
        made += f"{_literal(level, end, found.start(), at, field)}(?P<{name}>[^/]+)"
        end = found.end()
    return made + _literal(level, end, len(level), at, field)


def _literal(level: str, start: int, end: int, at: int, field: str) -> str:
    for place in range(start, end):
        if level[place] in "{}":
            raise MappingError(field, at + place, "a brace that has its partner")
    return re.escape(level[start:end])


def parse_path(text: Any, field: str = "path") -> Path:
    """A JSON pointer (/a/b/0) or a dotted path (a.b[0]); "" is the row itself, $ at the front the whole payload, * at the end all.

    Raises MappingError.
    """
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return Path((str(text),))  # a column of a CSV line
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise MappingError(field, 0, "a path such as /data/value or data.value")
    from_root = text.startswith("$")
    rest = text[1:] if from_root else text
    every = rest == "*" or rest.endswith(("/*", ".*"))
    if every:
        rest = rest[:-1].rstrip("/.")
    if not rest:
        return Path((), from_root, every)
    if rest.startswith("/"):
        return Path(tuple(part.replace("~1", "/").replace("~0", "~") for part in rest[1:].split("/")), from_root, every)
    return Path(_dotted(rest, int(from_root), field), from_root, every)


def _dotted(text: str, offset: int, field: str) -> tuple[str, ...]:
    parts, at = [], 0
    while at < len(text):
        found = _DOTTED.match(text, at)
        if not found:
            raise MappingError(field, offset + at, "a name, or an index in brackets such as [0]")
        parts.append(found[1] or found[2])
        at = found.end()
    return tuple(parts)


def _values(value: Any, field: str) -> dict[str, Path]:
    if not isinstance(value, dict):
        return {"value": parse_path(value, field)}
    if not 1 <= len(value) <= MAX_VALUES:
        raise MappingError(field, 0, f"1 to {MAX_VALUES} values")
    return {str(name): parse_path(path, f"{field}.{name}") for name, path in value.items()}


def _optional(value: Any, field: str) -> Path | None:
    return None if value is None else parse_path(value, field)


def _time(value: Any, field: str) -> tuple[Path | None, TimeFormat]:
    if value == "receipt":
        return None, "auto"
    if not isinstance(value, dict):
        return parse_path(value, field), "auto"
    if set(value) - {"path", "format"}:
        raise MappingError(field, 0, 'path and format, or "receipt"')
    found = _one_of(value.get("format", "auto"), f"{field}.format", ("auto", "iso", "s", "ms", "us", "ns"))
    return parse_path(value.get("path", "/timestamp"), f"{field}.path"), found


def _template(text: Any, field: str, captures: set[str]) -> Template:
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_TEXT:
        raise MappingError(field, 0, "a tag name such as {machine}.{name}")
    parts: list[str | Path] = []
    end = 0
    for found in _CAPTURE.finditer(text):
        inner = found[1]
        if inner != "name" and inner not in captures and not inner.startswith(("/", "$")):
            known = ", ".join(sorted(captures | {"name"}))
            raise MappingError(field, found.start() + 1, f"one of {known}, or a path that starts with /")
        parts += [text[end : found.start()], inner if not inner.startswith(("/", "$")) else parse_path(inner, field)]
        end = found.end()
    parts.append(text[end:])
    for literal in parts[::2]:
        if isinstance(literal, str) and ("{" in literal or "}" in literal):
            raise MappingError(field, max(text.find("{"), text.find("}")), "a brace that has its partner")
    return Template(tuple(parts))


def _tells_values_apart(template: Template) -> bool:
    return "name" in template.parts[1::2]


def _one_of(value: Any, field: str, allowed: Sequence[Any]) -> Any:
    if value not in allowed or isinstance(value, bool) != isinstance(allowed[0], bool):
        raise MappingError(field, 0, f"one of {', '.join(map(str, allowed))}")
    return value


def _character(value: Any, field: str) -> str:
    if not isinstance(value, str) or len(value) != 1:
        raise MappingError(field, 0, "one character")
    return value


def outermost(filters: Sequence[str]) -> list[str]:
    """The filters without those that another one covers: a broker may send a message once for each that matches."""
    unique = list(dict.fromkeys(filters))
    return [one for one in unique if not any(other != one and covers(other, one) for other in unique)]


def covers(wide: str, narrow: str) -> bool:
    """True where every topic of the filter `narrow` is one of the filter `wide`."""
    ours, theirs = wide.split("/"), narrow.split("/")
    for place, level in enumerate(ours):
        if level == "#":
            return True
        if place >= len(theirs) or theirs[place] == "#" or (level != "+" and level != theirs[place]):
            return False
    return len(ours) == len(theirs)
