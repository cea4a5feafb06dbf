"""The server's connections may add to the audit trail and nothing else, whatever a trigger says; everything else they may change."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from server import audit, database_role
from server.audit import Change
from server.database import Database
from server.store.actor import SYSTEM
from tests.server.small_plant import NOW, build


@pytest.fixture
def limited(fresh_postgres_url: str) -> Iterator[Database]:
    """A database after its set-up, with a row in the trail; its triggers are gone, so that only the role is left to refuse."""
    connection = psycopg2.connect(fresh_postgres_url)
    with connection, connection.cursor() as cursor:
        for table in database_role.APPEND_ONLY:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    connection.close()
    assert database_role.set_up(fresh_postgres_url)
    assert database_role.set_up(fresh_postgres_url)  # each start does it again
    database = Database(fresh_postgres_url, pool_size=1)
    with database.transaction() as session:
        audit.record(session, Change("x", "y", 1), SYSTEM, NOW)
        session.flush()
        audit.seal(session, b"k" * 32)
    yield database
    database.close()


@pytest.mark.parametrize("table", database_role.APPEND_ONLY)
@pytest.mark.parametrize(
    "statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0} CASCADE", "ALTER TABLE {0} DISABLE TRIGGER USER"]
)
def test_the_servers_role_only_adds_to_the_trail(limited: Database, table: str, statement: str) -> None:
    column = "actor" if table == "audit_log" else "hash"

    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), limited.transaction() as session:
        session.execute(text(statement.format(table, column)))

    with limited.transaction() as session:
        assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 1


def test_everything_else_works_as_before(limited: Database) -> None:
    with limited.transaction() as session:
        plant = build(session)
        session.execute(text("UPDATE assets SET name = 'x' WHERE id = :id"), {"id": plant.pump})
        session.execute(text("DELETE FROM tag_limits"))


def test_without_its_grants_a_restored_database_is_used_as_its_owner(fresh_postgres_url: str) -> None:
    database = Database(fresh_postgres_url, pool_size=1)

    with database.transaction() as session:
        assert session.scalar(text("SELECT current_user = session_user"))

    database.close()


@pytest.mark.parametrize(("name", "role"), [("sightline", "sightline_server"), ('x"; DROP', None), ("Upper", None), ("", None)])
def test_a_role_is_named_after_a_plain_database_only(name: str, role: str | None) -> None:
    assert database_role.role_of(name) == role
