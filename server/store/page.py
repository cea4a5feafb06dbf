"""A page of a collection with the number of all that match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

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
