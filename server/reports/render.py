"""A report as JSON (its figures and the first rows of each section) and as tables for a file (all rows, read one by one)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from server.export.table import Column, Table
from server.models.plant import Site
from server.reports.base import Asked, Built, Report, Row, Section
from server.timestamps import rfc3339

ROWS_AT_ONCE = 500
TOTAL = "total_"  # label of the count beside each row; no column is called so


def body(session: Session, report: Report, asked: Asked, rows: int) -> dict[str, Any]:
    """The REST body: `rows` of each section at most, with the number of all."""
    built = report.build(session, asked)
    return {
        "report": report.name,
        "title": report.title,
        "from": rfc3339(asked.since),
        "to": rfc3339(asked.until),
        "generated_at": rfc3339(asked.now),
        "filters": {"area": asked.area, "asset": asked.asset, "search": asked.search},
        "currency": asked.currency,
        "summary": {column.key: plain(built.summary[column.key]) for column in built.figures},
        "summary_columns": [_column(column) for column in built.figures],
        "tables": [_section(session, section, rows) for section in built.sections],
    }


def _section(session: Session, section: Section, rows: int) -> dict[str, Any]:
    counted = section.query.add_columns(func.count(literal_column("1")).over().label(TOTAL)).limit(rows)
    found = session.execute(counted).mappings().all()
    shaped = [section.shape(dict(row)) for row in found]
    return {
        "title": section.title,
        "columns": [_column(column) for column in section.columns],
        "rows": [{column.key: plain(row[column.key]) for column in section.columns} for row in shaped],
        "total": found[0][TOTAL] if found else 0,
    }


def _column(column: Column) -> dict[str, str]:
    return {"key": column.key, "label": column.label, "kind": column.kind, "unit": column.unit}


def plain(value: Any) -> Any:
    """As JSON holds it."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value


def rows_of(session: Session, built: Built) -> int:
    """How many rows a file of the report has."""
    counts = [select(func.count()).select_from(section.query.order_by(None).subquery()).scalar_subquery() for section in built.sections]
    return sum(session.execute(select(*counts)).one())


def tables(session: Session, report: Report, built: Built, asked: Asked) -> list[Table]:
    """For a file: the figures, then every section; rows come from the database as they are written."""
    subtitle = f"{asked.since:%Y-%m-%d} to {asked.until:%Y-%m-%d} (UTC)" + "".join(
        f", {name} {value}" for name, value in (("area", asked.area), ("asset", asked.asset), ("search", asked.search)) if value
    )
    figures = [{"figure": column.label, "value": built.summary[column.key], "unit": column.unit} for column in built.figures]
    columns = (Column("figure", "Figure"), Column("value", "Value", "number"), Column("unit", "Unit"))
    summary = Table(report.title, columns, figures, subtitle)
    return [summary, *(Table(section.title, section.columns, _read(session, section)) for section in built.sections)]


def _read(session: Session, section: Section) -> Iterator[Row]:
    for row in session.execute(section.query.execution_options(yield_per=ROWS_AT_ONCE)).mappings():
        yield section.shape(dict(row))


def site_words(session: Session, site_id: int | None) -> Mapping[str, str]:
    """Currency and time zone of a site; those of nobody in particular without one."""
    site = session.get(Site, site_id) if site_id is not None else None
    return {"currency": site.currency, "zone": site.time_zone} if site else {"currency": "EUR", "zone": "UTC"}
