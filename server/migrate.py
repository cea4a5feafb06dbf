"""Bring a database to the newest schema; idempotent, safe to run from several programs at once.

Never from a process that is patched for eventlet: run it from set-up, a test or the command line.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

ROOT = Path(__file__).resolve().parent.parent


def upgrade(database_url: str) -> None:
    """`alembic upgrade head` on the given database, under an advisory lock."""
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["url"] = database_url
    command.upgrade(config, "head")
