"""What applying a class to an asset would change: tags and limits added, values changed, a person's own kept. Pure.

A value counts as a person's own where it is neither empty nor what a class gave earlier; only `replace` overwrites that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EMPTY: tuple[object, ...] = (None, "")


@dataclass(frozen=True, slots=True)
class TagTemplate:
    """A tag that every asset of the class has: end of its name ("" = the asset's code alone), columns, limits."""

    suffix: str
    columns: Mapping[str, Any]
    limits: Sequence[Mapping[str, Any]] = ()

    def name_on(self, code: str) -> str:
        """Its name on an asset."""
        return f"{code}.{self.suffix}" if self.suffix else code


@dataclass(frozen=True, slots=True)
class TagNow:
    """A tag as it is, and what a class gave it before (None = nothing); `plain`: column values that nobody wrote."""

    columns: Mapping[str, Any]
    limits: Sequence[Mapping[str, Any]] = ()
    given_columns: Mapping[str, Any] = field(default_factory=dict)
    given_limits: Sequence[Mapping[str, Any]] | None = None
    plain: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the preview. act: add, change, or keep (a person's own value stands in the way)."""

    act: str
    kind: str  # class, tag, value or limits
    thing: str
    field: str = ""
    old: Any = None
    new: Any = None


def tag_changes(name: str, template: TagTemplate, now: TagNow | None, *, replace: bool) -> list[Change]:
    """What the template changes in one tag; None = there is no such tag."""
    wanted = [dict(limit) for limit in template.limits]
    if now is None:
        added = [Change("add", "tag", name, new=dict(template.columns))]
        return added + ([Change("add", "limits", name, new=wanted)] if wanted else [])
    found = [_value(name, column, value, now, replace) for column, value in template.columns.items()]
    changes = [change for change in found if change is not None]
    limits = _limits(name, wanted, now, replace)
    return changes + ([limits] if limits else [])


def _value(name: str, column: str, value: Any, now: TagNow, replace: bool) -> Change | None:
    old = now.columns.get(column)
    if old == value:
        return None
    given = column in now.given_columns and now.given_columns[column] == old
    free = replace or old in EMPTY or given or (column in now.plain and now.plain[column] == old)
    act = ("add" if old in EMPTY else "change") if free else "keep"
    return Change(act, "value", name, column, old, value)


def _limits(name: str, wanted: list[dict[str, Any]], now: TagNow, replace: bool) -> Change | None:
    old = [dict(limit) for limit in now.limits]
    if not wanted or old == wanted:
        return None
    given = now.given_limits is not None and [dict(limit) for limit in now.given_limits] == old
    act = "add" if not old else "change" if replace or given else "keep"
    return Change(act, "limits", name, old=old or None, new=wanted)


def class_change(code: str, old: str | None, new: str, *, replace: bool) -> Change | None:
    """Whether the asset comes into the class; one that is in another stays there unless replaced."""
    if old == new:
        return None
    act = "add" if old is None else "change" if replace else "keep"
    return Change(act, "class", code, old=old, new=new)
