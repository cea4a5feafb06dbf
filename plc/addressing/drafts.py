"""What a dialect makes of a file before it is judged: one tag map a source, each entry with its place in the file. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from plc.addressing.errors import TagMapError


@dataclass(frozen=True, slots=True)
class Given:
    """What a person says beside the file, for dialects that name no device: source, its kind and host, the machine, a name prefix."""

    source: str = ""
    kind: str = ""
    host: str = ""
    machine: str = ""
    prefix: str = ""
    groups: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Draft:
    """One source to be. is_bare: the file says nothing of the device, so a source that exists keeps its settings."""

    source: dict[str, Any]
    groups: dict[str, Any] = field(default_factory=dict)
    machine: str | None = None
    entries: list[dict[str, Any]] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    wrong: list[TagMapError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_bare: bool = False

    def add(self, where: str, row: dict[str, Any]) -> None:
        """One tag, with empty values left out."""
        self.entries.append({key: value for key, value in row.items() if value not in (None, "")})
        self.origins.append(where)

    def refuse(self, where: str, detail: str, text: str = "") -> None:
        """One row that cannot be a tag."""
        self.wrong.append(TagMapError(where, detail, text))

    def document(self) -> dict[str, Any]:
        """As `tagmap.judge` reads it."""
        return {"source": self.source, "groups": self.groups, "machine": self.machine, "tags": self.entries}


def bare(given: Given, kind: str) -> Draft:
    """A draft of a file that names no device."""
    if not given.source:
        raise TagMapError("source", "this file names no device: say which source the tags belong to (source=...)")
    settings = {"host": given.host} if given.host else {}
    groups = dict(given.groups) or {"fast": 0.2, "normal": 1.0, "slow": 60.0}
    return Draft({"name": given.source, "driver": given.kind or kind, **settings}, groups, given.machine or None, is_bare=True)
