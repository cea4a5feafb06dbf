"""The monitor's own tables: detector state per shard, learned models per asset.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# last_ms and last_seq are the stream id of the last entry that the state has seen: both are saved in one statement.
STATEMENTS = (
    """
    CREATE TABLE ml_detector_state (
        shard integer PRIMARY KEY,
        last_ms bigint NOT NULL,
        last_seq bigint NOT NULL,
        config_version integer NOT NULL,
        saved_at timestamptz NOT NULL DEFAULT now(),
        body bytea NOT NULL
    )
    """,
    # version 0 is the monitor's own model of an asset that nobody trained by hand; others are MLModelVersion's.
    """
    CREATE TABLE ml_model_artefacts (
        asset integer NOT NULL,
        version integer NOT NULL,
        baseline_hash text NOT NULL,
        meta jsonb NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        body bytea NOT NULL,
        PRIMARY KEY (asset, version)
    )
    """,
    # numbers that do not compress; a column's STORAGE in CREATE TABLE would need PostgreSQL 16
    "ALTER TABLE ml_detector_state ALTER COLUMN body SET STORAGE EXTERNAL",
    "ALTER TABLE ml_model_artefacts ALTER COLUMN body SET STORAGE EXTERNAL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE ml_model_artefacts")
    op.execute("DROP TABLE ml_detector_state")
