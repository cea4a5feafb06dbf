"""What a report is: a summary of figures and sections, each one query; how it is shown stands in render.py.

A section's query is run where it is needed: a page of it as JSON, all of it as a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Numeric, Select, and_, func
from sqlalchemy.orm import Session

from server.export.table import Column
from server.models.plant import Area, Asset

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is asked for: the span [since, until) and the filters; None = any. `zone` is the site's."""

    site_id: int | None
    since: datetime
    until: datetime
    now: datetime
    area: str | None = None
    asset: str | None = None
    search: str | None = None
    currency: str = "EUR"
    zone: str = "UTC"

    def within(self, column: Any) -> ColumnElement[bool]:
        """Whether a time lies in the span."""
        return and_(column >= self.since, column < self.until)

    def plant(self) -> list[ColumnElement[bool]]:
        """Conditions on Asset (and Area, joined): the site and what the filters name."""
        found: list[ColumnElement[bool]] = []
        if self.site_id is not None:
            found.append(Asset.site_id == self.site_id)
        if self.area is not None:
            found.append(Area.name == self.area)
        if self.asset is not None:
            found.append(Asset.code == self.asset)
        return found

    def words(self, *columns: Any) -> list[ColumnElement[bool]]:
        """Condition that one of the columns holds the words searched for."""
        if not self.search:
            return []
        any_of = columns[0].icontains(self.search, autoescape=True)
        for column in columns[1:]:
            any_of = any_of | column.icontains(self.search, autoescape=True)
        return [any_of]


@dataclass(frozen=True, slots=True)
class Section:
    """One table: columns, and the query whose labels are their keys. shape changes a row before it is shown."""

    title: str
    columns: tuple[Column, ...]
    query: Select[Any]
    shape: Callable[[Row], Row] = dict


@dataclass(frozen=True, slots=True)
class Built:
    """A report with its figures; `figures` says what each key of the summary is."""

    figures: tuple[Column, ...]
    summary: Row
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One report by its name in the address."""

    name: str
    title: str
    about: str
    build: Callable[[Session, Asked], Built]


ASSET = Column("asset", "Asset")
AREA = Column("area", "Area")


def percent(part: Any, whole: Any) -> float | None:
    """100 * part / whole with one decimal; None of nothing."""
    return round(100 * float(part) / float(whole), 1) if whole else None


def one(session: Session, query: Select[Any]) -> Row:
    """The one row of a query of aggregates; sums of nothing are None."""
    return dict(session.execute(query).mappings().one())


def count_if(condition: Any) -> ColumnElement[int]:
    """How many rows meet it."""
    return func.count().filter(condition)


def seconds_between(start: Any, end: Any) -> ColumnElement[Any]:
    """Elapsed seconds."""
    return func.extract("epoch", end - start)


def hours(seconds: Any) -> ColumnElement[Any]:
    """Seconds as hours with two decimals."""
    return func.round((seconds / 3600).cast(Numeric), 2)


def minutes(seconds: Any) -> ColumnElement[Any]:
    """Seconds as minutes with one decimal."""
    return func.round((seconds / 60).cast(Numeric), 1)
