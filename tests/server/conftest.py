"""A small plant in an empty database, and what the tests of stores and worker do with it."""

from __future__ import annotations

import pytest

from server.database import Database
from tests.server.small_plant import SmallPlant, build

HISTORY = ("raw_readings", "late_readings", "reading_chunks", "history_keeps", "reading_gaps")
KEPT = {"counters", "plant_version"}  # the migration fills them

FROM_ONE = "SELECT setval((schemaname || '.' || sequencename)::regclass, start_value, false) FROM pg_sequences WHERE last_value IS NOT NULL"


def emptied(database: Database) -> None:
    """Take away what an earlier test of the module left; a TRUNCATE of small tables takes thirty times as long."""
    tables = [*sorted(set(database.metadata.tables) - KEPT), *HISTORY]
    with database.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # the audit trail refuses it otherwise
        connection.exec_driver_sql("; ".join(f"DELETE FROM {table}" for table in tables))
        connection.exec_driver_sql(FROM_ONE)


@pytest.fixture
def database(module_pool: Database) -> Database:
    """The module's migrated database, empty."""
    emptied(module_pool)
    return module_pool


@pytest.fixture
def plant(database: Database) -> SmallPlant:
    """One site with a pump, a press, three technicians and a policy."""
    with database.transaction() as session:
        return build(session)
