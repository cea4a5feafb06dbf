"""Guarded writes to PLCs, their stop, and rights that an admin gives to one person."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def at(name: str, *, needed: bool = False) -> "sa.Column[datetime]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not needed)


def upgrade() -> None:
    op.add_column("users", sa.Column("granted", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False))
    op.create_table(
        "plc_commands",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("site_id", sa.BigInteger(), sa.ForeignKey("sites.id", name="fk_plc_commands_site_id"), nullable=False),
        sa.Column("asset_id", sa.BigInteger(), sa.ForeignKey("assets.id", name="fk_plc_commands_asset_id"), nullable=False),
        *(sa.Column(name, sa.String(200), nullable=False) for name in ("entry", "source", "tag", "address")),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("effect", sa.String(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("is_critical", sa.Boolean(), nullable=False),
        sa.Column("mode", sa.String(64), nullable=False),
        sa.Column("pulse_ms", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(), server_default="", nullable=False),
        sa.Column("refusal", sa.String(64)),
        sa.Column("present", sa.Float()),
        at("present_at"),
        sa.Column("present_quality", sa.Integer()),
        sa.Column("old", sa.Float()),
        sa.Column("new", sa.Float()),
        sa.Column("nonce", sa.String(64)),
        sa.Column("requested_by_id", sa.BigInteger(), sa.ForeignKey("users.id", name="fk_plc_commands_requested_by_id"), nullable=False),
        sa.Column("requested_by", sa.String(200), nullable=False),
        at("requested_at", needed=True),
        at("expires_at", needed=True),
        sa.Column("confirmed_by_id", sa.BigInteger(), sa.ForeignKey("users.id", name="fk_plc_commands_confirmed_by_id")),
        sa.Column("confirmed_by", sa.String(200)),
        at("sent_at"),
        at("ended_at"),
        sa.Column("rev", sa.Integer(), server_default="1", nullable=False),
    )
    op.create_index("ix_plc_commands_site", "plc_commands", ["site_id", "id"])
    op.create_index("ix_plc_commands_asset_id", "plc_commands", ["asset_id"])
    op.create_index("ix_plc_commands_open", "plc_commands", ["id"], postgresql_where=sa.text("state IN ('requested', 'sent')"))
    op.create_index("ix_plc_commands_sent", "plc_commands", ["sent_at"])
    op.create_table(
        "plc_stops",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("stopped_by", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        at("stopped_at", needed=True),
        sa.Column("released_by", sa.String(200)),
        at("released_at"),
    )
    op.create_index(
        "uq_plc_stops_open", "plc_stops", [sa.text("(released_at IS NULL)")], unique=True, postgresql_where=sa.text("released_at IS NULL")
    )


def downgrade() -> None:
    op.drop_table("plc_stops")
    op.drop_table("plc_commands")
    op.drop_column("users", "granted")
