"""The role that the server's connections run as: it reads and writes everything but may only add to the audit trail.

Made at set-up where the owner of the database may make roles; where it may not, the triggers alone refuse (docs/people.md). It is no login:
connections come in as the owner and step down, so that addresses and set-ups stay as they are.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from realtime.settings import sqlalchemy_url

log = logging.getLogger("setup")

APPEND_ONLY = ("audit_log", "audit_seals")
_IS_READY = """SELECT pg_has_role(oid, 'MEMBER') AND has_table_privilege(oid, to_regclass('audit_log'), 'INSERT')
FROM pg_roles WHERE rolname = %s"""
_PLAIN = re.compile(r"[a-z_][a-z0-9_]{0,50}\Z")


def role_of(database: str) -> str | None:
    """Name of the role of a database; None where the database's name is not plain enough to make one of it."""
    return f"{database}_server" if _PLAIN.match(database) else None


def set_up(database_url: str) -> bool:
    """Make the role and grant what it needs; False where the owner may not. Run after the migrations: new tables are granted then."""
    engine = create_engine(sqlalchemy_url(database_url), poolclass=NullPool)
    role = role_of(engine.url.database or "")
    if role is None:
        return False
    try:
        with engine.begin() as connection:
            _make(connection, role)
            _grant(connection, role)
    except DBAPIError as error:
        log.warning("the audit trail is kept by its triggers alone, no role of its own: %s", str(error.orig).strip().splitlines()[0])
        return False
    return True


def _make(connection: Connection, role: str) -> None:
    if connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}) is None:
        connection.exec_driver_sql(f"CREATE ROLE {role} NOLOGIN")
    connection.exec_driver_sql(f"GRANT {role} TO CURRENT_USER")


def _grant(connection: Connection, role: str) -> None:
    tables = "SELECT, INSERT, UPDATE, DELETE"
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA public TO {role}")
    connection.exec_driver_sql(f"GRANT {tables} ON ALL TABLES IN SCHEMA public TO {role}")
    connection.exec_driver_sql(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")
    connection.exec_driver_sql(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {tables} ON TABLES TO {role}")
    connection.exec_driver_sql(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}")
    for table in APPEND_ONLY:
        connection.exec_driver_sql(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}")


def step_down(dbapi_connection: Any, database: str) -> None:
    """Run a fresh connection as the role, where it is there and granted (a restored database is not until its next set-up)."""
    role = role_of(database)
    if role is None:
        return
    cursor = dbapi_connection.cursor()
    cursor.execute(_IS_READY, (role,))
    found = cursor.fetchone()
    if found is not None and found[0]:
        cursor.execute(f"SET ROLE {role}")
    cursor.close()
    dbapi_connection.commit()
