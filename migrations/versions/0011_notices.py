"""Notices: preferences, mail, escalation, scheduled reports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = ("job_files", "report_schedules", "mail_outbox", "escalations", "escalation_policies", "notification_preferences")


def upgrade() -> None:
    op.add_column("notifications", sa.Column("group_key", sa.String(64), nullable=True))
    op.add_column("notifications", sa.Column("count", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.create_index(
        "ix_notifications_group",
        "notifications",
        ["user_id", "group_key", "created_at"],
        postgresql_where=sa.text("group_key IS NOT NULL"),
    )
    op.create_table(
        "notification_preferences",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("choices", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("quiet_from", sa.String(length=64), nullable=True),
        sa.Column("quiet_to", sa.String(length=64), nullable=True),
        sa.Column("critical_passes", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("rev", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_notification_preferences_user_id"),
        sa.PrimaryKeyConstraint("user_id", name="pk_notification_preferences"),
    )
    op.create_table(
        "escalation_policies",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("severity", sa.String(length=64), nullable=False),
        sa.Column("shift", sa.String(length=64), nullable=True),
        sa.Column("after_min", sa.Integer(), nullable=False),
        sa.Column("to_role", sa.String(length=64), nullable=True),
        sa.Column("to_team_id", sa.BigInteger(), nullable=True),
        sa.Column("on_duty", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("repeat_min", sa.Integer(), nullable=True),
        sa.Column("rounds", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("rev", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_escalation_policies_site_id"),
        sa.ForeignKeyConstraint(["to_team_id"], ["teams.id"], name="fk_escalation_policies_to_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_escalation_policies"),
    )
    op.create_index("ix_escalation_policies_site", "escalation_policies", ["site_id"], unique=False)
    op.create_table(
        "escalations",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("told", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert_records.id"], name="fk_escalations_alert_id"),
        sa.ForeignKeyConstraint(["policy_id"], ["escalation_policies.id"], name="fk_escalations_policy_id"),
        sa.PrimaryKeyConstraint("id", name="pk_escalations"),
        sa.UniqueConstraint("alert_id", "policy_id", "round", name="uq_escalations_alert_id_policy_id_round"),
    )
    op.create_table(
        "mail_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("recipient", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("notification_id", sa.BigInteger(), nullable=True),
        sa.Column("file_name", sa.String(length=200), nullable=True),
        sa.Column("file_type", sa.String(length=200), nullable=True),
        sa.Column("file", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=64), server_default="queued", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.String(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["notification_id"], ["notifications.id"], name="fk_mail_outbox_notification_id"),
        sa.PrimaryKeyConstraint("id", name="pk_mail_outbox"),
        sa.UniqueConstraint("key", name="uq_mail_outbox_key"),
    )
    op.create_index("ix_mail_outbox_notification_id", "mail_outbox", ["notification_id"], unique=False)
    op.create_index("ix_mail_outbox_state_due", "mail_outbox", ["state", "due_at"], unique=False)
    op.create_table(
        "report_schedules",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("report", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=64), nullable=False),
        sa.Column("rrule", sa.String(length=200), nullable=False),
        sa.Column("at", sa.String(length=64), server_default="06:00", nullable=False),
        sa.Column("span_days", sa.Integer(), server_default="7", nullable=False),
        sa.Column("filters", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("recipients", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("created_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_job_id", sa.BigInteger(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("rev", sa.Integer(), server_default="1", nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_report_schedules_created_by_id"),
        sa.ForeignKeyConstraint(["last_job_id"], ["background_jobs.id"], name="fk_report_schedules_last_job_id"),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_report_schedules_site_id"),
        sa.PrimaryKeyConstraint("id", name="pk_report_schedules"),
    )
    op.create_index(
        "ix_report_schedules_next", "report_schedules", ["next_at"], unique=False, postgresql_where=sa.text("active AND deleted_at IS NULL")
    )
    op.create_index("ix_report_schedules_site", "report_schedules", ["site_id"], unique=False)
    op.create_table(
        "job_files",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("type", sa.String(length=200), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["background_jobs.id"], name="fk_job_files_job_id"),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_files"),
    )
    op.create_index("ix_job_files_created_at", "job_files", ["created_at"], unique=False)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.drop_index("ix_notifications_group", table_name="notifications")
    op.drop_column("notifications", "count")
    op.drop_column("notifications", "group_key")
