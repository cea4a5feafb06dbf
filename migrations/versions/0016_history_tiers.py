"""Chunks of closed hours, late readings, spans to keep, the daily roll-up; roll-ups in partitions, so that old ones can be dropped.

What is stored stays: the roll-ups of before become the first partition, and the raw partitions of whole days are compacted like others.
"""

from typing import Any

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

DAY_MS = 86_400_000
# tier and width of its partitions; realtime.partitions has the same
ROLLED = (("rollup_1m", 7 * DAY_MS), ("rollup_1h", 90 * DAY_MS))
ROLLUP = """
CREATE TABLE {} (
    t bigint NOT NULL,
    sum double precision NOT NULL,
    min double precision NOT NULL,
    max double precision NOT NULL,
    m2 double precision NOT NULL,
    tag integer NOT NULL,
    n integer NOT NULL,
    PRIMARY KEY (tag, t)
) {}
"""
STATEMENTS = (
    # one row: below `closed_until` the hot table takes nothing more, below `chunked_until` it holds nothing more,
    # below `dropped_until` only what is kept for a reason is left
    """
    CREATE TABLE history_state (
        id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
        closed_until bigint NOT NULL,
        chunked_until bigint NOT NULL,
        dropped_until bigint NOT NULL
    )
    """,
    "INSERT INTO history_state (closed_until, chunked_until, dropped_until) VALUES (0, 0, 0)",
    # all readings of a tag in an hour as one compressed body (realtime.chunks)
    """
    CREATE TABLE reading_chunks (
        t bigint NOT NULL,
        tag integer NOT NULL,
        n integer NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (tag, t)
    ) PARTITION BY RANGE (t)
    """,
    "ALTER TABLE reading_chunks ALTER COLUMN body SET STORAGE EXTERNAL",
    # what arrived for a closed hour, until it is folded into the chunk
    """
    CREATE TABLE late_readings (
        t bigint NOT NULL,
        v double precision NOT NULL,
        seq bigint NOT NULL DEFAULT 0,
        tag integer NOT NULL,
        q smallint NOT NULL DEFAULT 0,
        PRIMARY KEY (tag, t, seq)
    )
    """,
    """
    CREATE TABLE history_keeps (
        started bigint NOT NULL,
        ended bigint NOT NULL,
        tag integer NOT NULL,
        reason text NOT NULL,
        PRIMARY KEY (tag, reason)
    )
    """,
    "CREATE INDEX history_keeps_ended ON history_keeps (ended)",
    """
    CREATE VIEW open_readings AS
        SELECT t, v, seq, tag, q FROM raw_readings UNION ALL SELECT t, v, seq, tag, q FROM late_readings
    """,
    """
    CREATE OR REPLACE VIEW samples AS
        SELECT tag, t, q FROM raw_readings
        UNION ALL SELECT tag, t, q FROM late_readings
        UNION ALL SELECT tag, t, q FROM text_readings
        UNION ALL SELECT tag, t, q FROM frames
    """,
)
FILL_DAYS = f"""
INSERT INTO rollup_1d (t, sum, min, max, m2, tag, n)
SELECT day, sum(sum), min(min), max(max), sum(m2 + n * (sum / n - mean) ^ 2), tag, sum(n)
FROM (
    SELECT *, sum(sum) OVER (PARTITION BY tag, day) / sum(n) OVER (PARTITION BY tag, day) AS mean
    FROM (SELECT *, t / {DAY_MS} * {DAY_MS} AS day FROM rollup_1h) AS hour
) AS part
GROUP BY tag, day
"""


def upgrade() -> None:
    connection = op.get_bind()
    for table, width in ROLLED:
        _part(connection, table, width)
    op.execute(ROLLUP.format("rollup_1d", "WITH (fillfactor = 70)"))
    op.execute(FILL_DAYS)
    for statement in STATEMENTS:
        op.execute(statement)
    _drop_empty_days(connection)


def _part(connection: Any, table: str, width: int) -> None:
    newest = connection.exec_driver_sql(f"SELECT max(t) FROM {table}").scalar()
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    op.execute(f"ALTER INDEX {table}_pkey RENAME TO {table}_before_pkey")
    op.execute(ROLLUP.format(table, "PARTITION BY RANGE (t)"))
    if newest is None:
        op.execute(f"DROP TABLE {table}_before")
    else:
        end = (newest // width + 1) * width
        op.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}_before FOR VALUES FROM (MINVALUE) TO ({end})")


def _drop_empty_days(connection: Any) -> None:
    """Days that were made ahead would stand where hours belong now."""
    found = connection.exec_driver_sql("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'raw_readings'::regclass")
    for (name,) in found.fetchall():
        if connection.exec_driver_sql(f"SELECT 1 FROM {name} LIMIT 1").scalar() is None:
            op.execute(f"DROP TABLE {name}")


def downgrade() -> None:
    connection = op.get_bind()
    if connection.exec_driver_sql("SELECT 1 FROM reading_chunks LIMIT 1").scalar() is not None:
        raise RuntimeError("the history holds compacted hours, which the release before cannot read; restore a backup of before instead")
    op.execute("DROP VIEW samples, open_readings")
    op.execute("INSERT INTO raw_readings (t, v, seq, tag, q) SELECT t, v, seq, tag, q FROM late_readings")
    op.execute(
        "CREATE VIEW samples AS SELECT tag, t, q FROM raw_readings UNION ALL SELECT tag, t, q FROM text_readings "
        "UNION ALL SELECT tag, t, q FROM frames"
    )
    op.execute("DROP TABLE history_state, reading_chunks, late_readings, history_keeps, rollup_1d")
    for table, _width in ROLLED:
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_parts")
        op.execute(ROLLUP.format(table, "WITH (fillfactor = 70)"))
        op.execute(f"INSERT INTO {table} SELECT t, sum, min, max, m2, tag, n FROM {table}_parts")
        op.execute(f"DROP TABLE {table}_parts")
