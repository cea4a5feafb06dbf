"""One leader at a time: a session advisory lock on a connection of its own, which PostgreSQL gives back when its holder dies."""

from __future__ import annotations

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

LEADER = 7_163_002


class Leadership:
    """Take it with `stand`, ask `holds` often: a broken connection means that another may lead already."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg2.connect(database_url, connect_timeout=5, keepalives_idle=5, keepalives_interval=2, keepalives_count=2)
        self._connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        self._held = False

    def stand(self) -> bool:
        """Take the lead if nobody has it; raises psycopg2.Error when the database is away."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (LEADER,))
            answer = cursor.fetchone()
            self._held = answer is not None and bool(answer[0])
        return self._held

    def holds(self) -> bool:
        """Whether the lead is still ours."""
        if not self._held:
            return False
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error:
            self._held = False
        return self._held

    def close(self) -> None:
        """Give it up."""
        self._held = False
        self._connection.close()
