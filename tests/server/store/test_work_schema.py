"""The migration of work makes just the tables that the models of work describe."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Table

from server.database import Database
from server.models.metadata import metadata

OURS = {
    "teams",
    "procedures",
    "procedure_versions",
    "work_orders",
    "order_comments",
    "order_labour",
    "order_links",
    "order_templates",
    "policies",
    "sla_hours",
    "fault_terms",
    "interventions",
}


def table_of(difference: Any) -> str:
    thing = difference[1] if isinstance(difference[1], Table) else difference[-1]
    return thing.name if isinstance(thing, Table) else thing.table.name


@pytest.mark.usefixtures("plant")
def test_models_and_migration_of_work_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    differences = [row for entry in found for row in (entry if isinstance(entry, list) else [entry])]

    assert [row for row in differences if row[0].startswith("modify") and row[2] in OURS] == []
    assert [row for row in differences if not row[0].startswith("modify") and table_of(row) in OURS] == []
