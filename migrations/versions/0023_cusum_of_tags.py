"""CUSUM k and h of a tag, where they differ from the settings."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tags", sa.Column("cusum_k", sa.Float(), nullable=True))
    op.add_column("tags", sa.Column("cusum_h", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("tags", "cusum_h")
    op.drop_column("tags", "cusum_k")
