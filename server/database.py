"""One engine per process and the two ways to use it: an ORM transaction, or a DBAPI connection for the historian."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from realtime.settings import sqlalchemy_url
from server.database_role import step_down
from server.models.metadata import metadata

STATEMENT_TIMEOUT_MS = 15_000
IDLE_IN_TRANSACTION_MS = 30_000
POOL_WAIT_S = 30  # in a crowd requests wait for their turn instead of failing; the pool is not fair, so the unlucky wait longest


class Database:
    """A pool over DATABASE_URL; safe to share between threads and green threads."""

    def __init__(self, url: str, pool_size: int = 5) -> None:
        options = (
            f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} -c timezone=UTC"
        )
        self.url = url
        self.engine = create_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_WAIT_S,
            pool_pre_ping=True,
            json_deserializer=orjson.loads,  # jsonb writes 1e300 with all its digits; the standard reader makes an integer of them
            connect_args={"options": options, "connect_timeout": 5},
        )
        event.listen(self.engine, "connect", lambda connection, _record: step_down(connection, self.engine.url.database or ""))
        self.metadata = metadata
        self._session = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits at the end of the block and rolls back when it raises."""
        with self._session.begin() as session:
            yield session

    @contextmanager
    def raw(self) -> Iterator[Any]:
        """A DBAPI connection for `realtime.historian`; its transaction is rolled back at the end, so it is for reading."""
        connection = self.engine.raw_connection()
        try:
            yield connection
        finally:
            connection.close()

    def ping(self) -> bool:
        """True when PostgreSQL answers."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True

    def close(self) -> None:
        """Give every pooled connection back."""
        self.engine.dispose()
