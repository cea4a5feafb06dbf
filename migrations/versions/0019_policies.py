"""Alert policies are changed over REST, and a site says itself within how many hours each priority is promised."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("policies", sa.Column("rev", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("policies", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_policies_site", "policies", ["site_id"], unique=False)
    op.create_table(
        "sla_hours",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.String(length=64), nullable=False),
        sa.Column("hours", sa.Float(), nullable=False),
        sa.Column("rev", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_sla_hours_site_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sla_hours"),
    )
    op.create_index(
        "uq_sla_hours_site_id_priority",
        "sla_hours",
        ["site_id", "priority"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("sla_hours")
    op.drop_index("ix_policies_site", table_name="policies")
    op.drop_column("policies", "deleted_at")
    op.drop_column("policies", "rev")
