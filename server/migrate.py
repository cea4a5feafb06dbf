"""Bring a database to the newest schema; idempotent, safe to run from several programs at once.

Never from a process that is patched for eventlet: run it from set-up, a test or the command line.
"""

from __future__ import annotations

from pathlib import Path

import psycopg2
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

ROOT = Path(__file__).resolve().parent.parent


def upgrade(database_url: str) -> None:
    """`alembic upgrade head` on the given database, under an advisory lock."""
    config = _config()
    config.attributes["url"] = database_url
    command.upgrade(config, "head")


def awaits_upgrade(database_url: str) -> bool:
    """True when the database holds an older schema; False for one that is empty or up to date."""
    connection = psycopg2.connect(database_url, connect_timeout=5)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
            if cursor.fetchone() != (True,):
                return False
            cursor.execute("SELECT version_num FROM alembic_version")
            rows = cursor.fetchall()
    finally:
        connection.close()
    return bool(rows) and rows != [(ScriptDirectory.from_config(_config()).get_current_head(),)]


def _config() -> Config:
    return Config(str(ROOT / "alembic.ini"))
