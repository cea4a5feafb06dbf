"""Evidence: fault stories that nobody changes; alerts by time for them and for the alarm figures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "fault_stories",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", TIME, nullable=False),
        sa.Column("part", sa.String(64), nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("digest", sa.String(200), nullable=False),
        sa.Column("frozen_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert_records.id"], name=op.f("fk_fault_stories_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fault_stories")),
        sa.UniqueConstraint("alert_id", "raised_at", "part", name=op.f("uq_fault_stories_alert_id_raised_at_part")),
    )
    op.create_index("ix_fault_stories_frozen_at", "fault_stories", ["frozen_at"])
    op.create_index("ix_alert_records_raised_at", "alert_records", ["raised_at"])
    op.execute("CREATE TRIGGER fault_stories_unchanged BEFORE UPDATE ON fault_stories FOR EACH ROW EXECUTE FUNCTION refuse_change()")


def downgrade() -> None:
    op.drop_index("ix_alert_records_raised_at", "alert_records")
    op.drop_table("fault_stories")
