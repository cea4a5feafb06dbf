"""Alembic's entry: one connection, one advisory lock, every table of every folder.

The address comes from `config.attributes["url"]` (server/migrate.py), from `-x url=...`, or from the settings.
"""

from alembic import context
from sqlalchemy import create_engine, pool, text

from realtime import settings
from server.models.metadata import metadata

LOCK = 7_163_001  # any number, the same for every program that migrates


def database_url() -> str:
    url = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    if url:
        return str(url)
    loaded = settings.load()
    settings.require(loaded, "database_url")
    return str(loaded.database_url)


def run() -> None:
    engine = create_engine(settings.sqlalchemy_url(database_url()), poolclass=pool.NullPool)
    with engine.connect() as connection:
        # a session lock: two programs that start together migrate one after the other
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.commit()
        try:
            context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
            with context.begin_transaction():
                context.run_migrations()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
            connection.commit()


run()
