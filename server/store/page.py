"""A page of a collection with the number of all that match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from server.errors import Invalid

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """`items` of `total`."""

    items: Sequence[Row]
    total: int


def page_of(session: Session, query: Select[Row], order: Sequence[Any], limit: int, offset: int) -> Page[Row]:
    """One page of the query and the count of all its rows."""
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    return Page(session.scalars(query.order_by(*order).limit(limit).offset(offset)).all(), total)


def ordering(sort: str, columns: Mapping[str, Any], fallback: str) -> list[Any]:
    """ORDER BY of a `sort` query: names separated by commas, `-` for descending; the fallback breaks ties. Raises Invalid."""
    wanted = [word for word in sort.split(",") if word]
    if fallback.lstrip("-") not in {word.lstrip("-") for word in wanted}:
        wanted.append(fallback)
    found: list[Any] = []
    for word in wanted:
        name = word.removeprefix("-")
        if name not in columns:
            raise Invalid("sort", "unknown", f"one of {', '.join(columns)}, with - in front for descending")
        direction = columns[name].desc() if word.startswith("-") else columns[name].asc()
        # a key is never null; saying where its nulls go would keep the database from reading its index backwards
        found.append(direction if getattr(columns[name], "primary_key", False) else direction.nulls_last())
    return found
