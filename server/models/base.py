"""Base of every table of the server and the column types that all of them share; no query lives in server/models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, MetaData, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

Key = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Words = Annotated[str, mapped_column(String(200))]  # a line that people read
Code = Annotated[str, mapped_column(String(64))]  # a name that programs compare
Json = Annotated[dict[str, Any], mapped_column(JSONB)]
JsonList = Annotated[list[Any], mapped_column(JSONB)]


class Base(DeclarativeBase):
    """Declarative base; times are timestamptz, texts unbounded where nothing else is said."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 - SQLAlchemy's protocol


def to(target: str, *, use_alter: bool = False) -> ForeignKey:
    """A foreign key to `table.column`; nothing is deleted while something points at it."""
    return ForeignKey(target, use_alter=use_alter)
