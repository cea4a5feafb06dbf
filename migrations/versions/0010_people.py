"""People: skills and shifts, teams that can be taken away, password resets, contractor links; who and why in the audit trail."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_log", sa.Column("actor_kind", sa.String(64), nullable=True))
    op.add_column("audit_log", sa.Column("reason", sa.Text(), nullable=True))
    op.create_index("ix_audit_log_actor", "audit_log", ["actor_id", "id"])
    op.add_column("users", sa.Column("skills", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False))
    op.add_column("users", sa.Column("shift", sa.String(64), nullable=True))
    op.add_column("users", sa.Column("contractor", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("users", sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("rev", sa.Integer(), server_default="1", nullable=False))
    op.drop_column("users", "failed_logins")
    op.drop_column("users", "locked_until")
    op.add_column("teams", sa.Column("shift", sa.String(64), nullable=True))
    op.add_column("teams", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("teams", sa.Column("rev", sa.Integer(), server_default="1", nullable=False))
    op.drop_constraint("uq_teams_site_id_name", "teams", type_="unique")
    op.create_index("uq_teams_site_id_name", "teams", ["site_id", "name"], unique=True, postgresql_where=sa.text("deleted_at IS NULL"))
    _create_resets()
    _create_contractor_links()


def _create_resets() -> None:
    op.create_table(
        "password_resets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_password_resets_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_password_resets"),
        sa.UniqueConstraint("token_hash", name="uq_password_resets_token_hash"),
    )
    op.create_index("ix_password_resets_user_id", "password_resets", ["user_id"])


def _create_contractor_links() -> None:
    op.create_table(
        "contractor_links",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("company", sa.String(200), server_default="", nullable=False),
        sa.Column("may_work", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("token_hash", sa.String(200), nullable=False),
        sa.Column("created_by_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_contractor_links_site_id"),
        sa.ForeignKeyConstraint(["order_id"], ["work_orders.id"], name="fk_contractor_links_order_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_contractor_links_user_id"),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_contractor_links_created_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_contractor_links"),
        sa.UniqueConstraint("token_hash", name="uq_contractor_links_token_hash"),
    )
    op.create_index("ix_contractor_links_order_id", "contractor_links", ["order_id"])
    op.create_index("ix_contractor_links_site_id", "contractor_links", ["site_id"])


def downgrade() -> None:
    op.drop_table("contractor_links")
    op.drop_table("password_resets")
    op.drop_index("uq_teams_site_id_name", "teams")
    op.create_unique_constraint("uq_teams_site_id_name", "teams", ["site_id", "name"])
    for column in ("rev", "deleted_at", "shift"):
        op.drop_column("teams", column)
    op.add_column("users", sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("failed_logins", sa.Integer(), server_default="0", nullable=False))
    for column in ("rev", "deactivated_at", "contractor", "shift", "skills"):
        op.drop_column("users", column)
    op.drop_index("ix_audit_log_actor", "audit_log")
    for column in ("reason", "actor_kind"):
        op.drop_column("audit_log", column)
