"""Revisions and switches of sources and tags, and what people decided about discovered tags."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("rev", sa.Integer(), server_default="1", nullable=False))
    op.add_column("sources", sa.Column("deleted_at", sa.DateTime(timezone=True)))
    op.add_column("tags", sa.Column("rev", sa.Integer(), server_default="1", nullable=False))
    op.add_column("tags", sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("discovered_tags", sa.Column("state", sa.String(64), server_default="new", nullable=False))
    op.add_column("discovered_tags", sa.Column("decided_by", sa.String(200)))
    op.add_column("discovered_tags", sa.Column("decided_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    for name in ("decided_at", "decided_by", "state"):
        op.drop_column("discovered_tags", name)
    for name in ("enabled", "rev"):
        op.drop_column("tags", name)
    for name in ("deleted_at", "rev"):
        op.drop_column("sources", name)
