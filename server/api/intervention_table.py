"""The list of interventions as a table for files, read in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from server.export.table import Column, Table
from server.store import interventions
from server.store.actor import Person
from server.store.intervention_bodies import bodies

AT_ONCE = 500
COLUMNS = (
    Column("number", "Number"),
    Column("order", "Work order"),
    Column("asset", "Machine"),
    Column("technician", "Technician"),
    Column("received_at", "Received", "moment"),
    Column("ended_at", "Ended", "moment"),
    Column("category", "Category"),
    Column("what", "What"),
    Column("why", "Why"),
    Column("where", "Where"),
    Column("parts", "Parts"),
    Column("comments", "Comments"),
)


def table(session: Session, wanted: interventions.Wanted, user: Person, sort: str, language: str) -> Table:
    """All interventions that are wanted, in the list's order."""
    return Table("Interventions", COLUMNS, _rows(session, wanted, user, sort, language))


def _rows(session: Session, wanted: interventions.Wanted, user: Person, sort: str, language: str) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        items = interventions.list_interventions(session, wanted, user, limit=AT_ONCE, offset=offset, sort=sort).items
        yield from map(_row, bodies(session, items, language))
        offset += AT_ONCE
        if len(items) < AT_ONCE:
            return


def _row(body: dict[str, Any]) -> dict[str, Any]:
    faults = {level: body[level]["name"] if body[level] else "" for level in ("category", "what", "why", "where")}
    parts = ", ".join(f"{part.get('qty', 1):g} {part['sku']}" for part in body["parts"])
    named = {"order": body["order"]["number"], "asset": body["asset"]["code"], "technician": body["technician"]["name"]}
    return {**body, **faults, **named, "parts": parts}
