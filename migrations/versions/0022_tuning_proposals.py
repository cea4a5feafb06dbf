"""Thresholds that verdicts speak for: proposed with their evidence, accepted or dismissed by a person."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tuning_proposals",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("asset_id", sa.BigInteger(), nullable=False),
        sa.Column("tag_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("change", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(length=64), server_default="open", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_tuning_proposals_site_id"),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], name="fk_tuning_proposals_asset_id"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name="fk_tuning_proposals_tag_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tuning_proposals"),
    )
    op.create_index("ix_tuning_proposals_site_state", "tuning_proposals", ["site_id", "state"])
    op.create_index("ix_tuning_proposals_tag_id", "tuning_proposals", ["tag_id"])


def downgrade() -> None:
    op.drop_table("tuning_proposals")
