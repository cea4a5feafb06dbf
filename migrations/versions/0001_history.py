"""The history: readings, roll-ups, frames, texts, gaps and the list of imports.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Times are ms UTC. Columns stand widest first: a reading is 56 bytes, and a bigint seq costs nothing (alignment).
# The daily partitions of raw_readings and frames are made by realtime.partitions, ahead and on demand.
STATEMENTS = (
    """
    CREATE TABLE raw_readings (
        t bigint NOT NULL,
        v double precision NOT NULL,
        seq bigint NOT NULL DEFAULT 0,
        tag integer NOT NULL,
        q smallint NOT NULL DEFAULT 0,
        PRIMARY KEY (tag, t, seq)
    ) PARTITION BY RANGE (t)
    """,
    """
    CREATE TABLE frames (
        t bigint NOT NULL,
        seq bigint NOT NULL DEFAULT 0,
        scale double precision NOT NULL,
        zero double precision NOT NULL,
        low double precision NOT NULL,
        high double precision NOT NULL,
        mean double precision NOT NULL,
        std double precision NOT NULL,
        tag integer NOT NULL,
        height integer NOT NULL,
        width integer NOT NULL,
        q smallint NOT NULL DEFAULT 0,
        dtype text NOT NULL,
        unit text NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (tag, t, seq)
    ) PARTITION BY RANGE (t)
    """,
    # they are compressed already; a column's STORAGE in CREATE TABLE would need PostgreSQL 16
    "ALTER TABLE frames ALTER COLUMN body SET STORAGE EXTERNAL",
    """
    CREATE TABLE text_readings (
        t bigint NOT NULL,
        seq bigint NOT NULL DEFAULT 0,
        tag integer NOT NULL,
        q smallint NOT NULL DEFAULT 0,
        v text NOT NULL,
        PRIMARY KEY (tag, t, seq)
    )
    """,
    # Free room in each page keeps the many updates of the running minute and hour on the page (HOT).
    """
    CREATE TABLE rollup_1m (
        t bigint NOT NULL,
        sum double precision NOT NULL,
        min double precision NOT NULL,
        max double precision NOT NULL,
        m2 double precision NOT NULL,
        tag integer NOT NULL,
        n integer NOT NULL,
        PRIMARY KEY (tag, t)
    ) WITH (fillfactor = 70)
    """,
    "CREATE TABLE rollup_1h (LIKE rollup_1m INCLUDING ALL) WITH (fillfactor = 70)",
    """
    CREATE TABLE reading_gaps (
        started bigint NOT NULL,
        ended bigint NOT NULL,
        tag integer NOT NULL,
        reason smallint NOT NULL,
        PRIMARY KEY (tag, started)
    )
    """,
    "CREATE INDEX reading_gaps_ended ON reading_gaps (ended)",
    """
    CREATE VIEW samples AS
        SELECT tag, t, q FROM raw_readings
        UNION ALL SELECT tag, t, q FROM text_readings
        UNION ALL SELECT tag, t, q FROM frames
    """,
    """
    CREATE TABLE history_imports (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        origin text NOT NULL,
        simulated boolean NOT NULL,
        started bigint NOT NULL,
        ended bigint NOT NULL,
        readings bigint NOT NULL,
        written_at timestamptz NOT NULL DEFAULT now()
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP VIEW samples")
    op.execute("DROP TABLE raw_readings, frames, text_readings, rollup_1m, rollup_1h, reading_gaps, history_imports")
