"""Baselines that a person marks: checked by a job, confirmed or refused with the reasons, withdrawn."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("baselines", sa.Column("state", sa.String(length=64), server_default="", nullable=False))
    op.add_column("baselines", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.add_column("baselines", sa.Column("marked_by", sa.String(length=200), server_default="", nullable=False))
    op.add_column("baselines", sa.Column("marked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("baselines", sa.Column("job_id", sa.BigInteger(), nullable=True))
    op.add_column(
        "baselines", sa.Column("verdict", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False)
    )
    op.create_foreign_key(op.f("fk_baselines_job_id"), "baselines", "background_jobs", ["job_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint(op.f("fk_baselines_job_id"), "baselines", type_="foreignkey")
    for name in ("verdict", "job_id", "marked_at", "marked_by", "note", "state"):
        op.drop_column("baselines", name)
