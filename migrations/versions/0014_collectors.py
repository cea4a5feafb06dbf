"""How a tag is reported and how long it is kept."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tags", sa.Column("deadband_pct", sa.Float(), server_default="0", nullable=False))
    op.add_column("tags", sa.Column("max_interval_s", sa.Float(), server_default="60", nullable=False))
    op.add_column("tags", sa.Column("wire_break", sa.String()))
    op.add_column("tags", sa.Column("average_s", sa.Float()))
    op.add_column("tags", sa.Column("keep", postgresql.JSONB()))


def downgrade() -> None:
    for name in ("keep", "average_s", "wire_break", "max_interval_s", "deadband_pct"):
        op.drop_column("tags", name)
