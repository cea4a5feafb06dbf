"""Calibration: standards, complete records that nobody changes, impact reviews, accepted intervals, numbered maintenance records."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def _key() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _text(name: str) -> sa.Column:
    return sa.Column(name, sa.String(), server_default="", nullable=False)


def upgrade() -> None:
    _standards()
    _records()
    _reviews()
    _maintenance()
    op.execute(
        "CREATE TRIGGER calibration_records_unchanged BEFORE UPDATE ON calibration_records FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _standards() -> None:
    op.create_table(
        "reference_standards",
        _key(),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("type", sa.String(64), server_default="", nullable=False),
        sa.Column("unit", sa.String(64), server_default="", nullable=False),
        sa.Column("range_low", sa.Double()),
        sa.Column("range_high", sa.Double()),
        sa.Column("uncertainty", sa.Double()),
        sa.Column("certificate", sa.String(200), nullable=False),
        sa.Column("calibrated_at", TIME),
        sa.Column("due", TIME, nullable=False),
        _text("notes"),
        sa.Column("rev", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", TIME),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_reference_standards_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_standards")),
    )
    op.create_index(
        "uq_reference_standards_serial",
        "reference_standards",
        ["site_id", "serial"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _record_columns() -> list[sa.Column]:
    return [
        sa.Column("number", sa.String(64)),
        sa.Column("follow_up_id", sa.BigInteger()),
        sa.Column("performed_by_id", sa.BigInteger()),
        sa.Column("signature", sa.String(200), server_default="", nullable=False),
        sa.Column("standard_id", sa.BigInteger()),
        sa.Column("standard_facts", postgresql.JSONB(none_as_null=True)),
        sa.Column("standard_reason", sa.String()),
        sa.Column("left_error_pct", sa.Double()),
        sa.Column("found_passed", sa.Boolean()),
        sa.Column("interval_days", sa.Integer()),
        sa.Column("drift_pct_per_year", sa.Double()),
        sa.Column("ambient", sa.String(200), server_default="", nullable=False),
        sa.Column("supersedes_id", sa.BigInteger()),
        sa.Column("supersede_reason", sa.String()),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
    ]


_RECORD_KEYS = {
    "follow_up_id": "work_orders",
    "performed_by_id": "users",
    "standard_id": "reference_standards",
    "supersedes_id": "calibration_records",
}


def _records() -> None:
    for column in _record_columns():
        op.add_column("calibration_records", column)
    _number("calibration_records", "CAL", "calibration")
    # what was recorded before told only the error found and whether it passed
    op.execute(
        "UPDATE calibration_records SET found_passed = abs(error_pct) <= tolerance_pct, created_at = performed_at, left_error_pct ="
        " coalesce((SELECT (p->>'error_pct')::float8 FROM jsonb_array_elements(as_left) p"
        " ORDER BY abs((p->>'error_pct')::float8) DESC LIMIT 1), error_pct)"
    )
    op.execute("UPDATE calibration_records SET passed = abs(left_error_pct) <= tolerance_pct")
    for name in ("left_error_pct", "found_passed"):
        op.alter_column("calibration_records", name, nullable=False)
    for name, table in _RECORD_KEYS.items():
        op.create_foreign_key(op.f(f"fk_calibration_records_{name}"), "calibration_records", table, [name], ["id"])
    op.create_unique_constraint(op.f("uq_calibration_records_supersedes_id"), "calibration_records", ["supersedes_id"])
    op.create_index(op.f("ix_calibration_records_work_order_id"), "calibration_records", ["work_order_id"])
    op.create_index(op.f("ix_calibration_records_standard_id"), "calibration_records", ["standard_id"])


def _number(table: str, prefix: str, counter: str) -> None:
    """Number the rows that are there in the order they were made, and go on counting behind them."""
    op.execute(
        f"UPDATE {table} SET number = '{prefix}-' || counted.n FROM"  # noqa: S608 - names of our own
        f" (SELECT id, row_number() OVER (ORDER BY id) AS n FROM {table}) counted WHERE counted.id = {table}.id"
    )
    op.execute(f"INSERT INTO counters (name, value) SELECT '{counter}', count(*) FROM {table} HAVING count(*) > 0")  # noqa: S608
    op.alter_column(table, "number", nullable=False)
    op.create_unique_constraint(op.f(f"uq_{table}_number"), table, ["number"])


def _reviews() -> None:
    op.create_table(
        "impact_reviews",
        _key(),
        sa.Column("calibration_id", sa.BigInteger(), nullable=False),
        sa.Column("instrument_id", sa.BigInteger(), nullable=False),
        sa.Column("since", TIME),
        sa.Column("until", TIME, nullable=False),
        sa.Column("items", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("state", sa.String(64), server_default="open", nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("conclusion", sa.String()),
        sa.Column("reviewed_by", sa.String(200)),
        sa.Column("reviewed_by_id", sa.BigInteger()),
        sa.Column("reviewed_at", TIME),
        sa.Column("rev", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["calibration_id"], ["calibration_records.id"], name=op.f("fk_impact_reviews_calibration_id")),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_impact_reviews_instrument_id")),
        sa.ForeignKeyConstraint(["reviewed_by_id"], ["users.id"], name=op.f("fk_impact_reviews_reviewed_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_impact_reviews")),
        sa.UniqueConstraint("calibration_id", name=op.f("uq_impact_reviews_calibration_id")),
    )
    op.create_index(op.f("ix_impact_reviews_instrument_id"), "impact_reviews", ["instrument_id"])
    op.create_table(
        "interval_decisions",
        _key(),
        sa.Column("instrument_id", sa.BigInteger(), nullable=False),
        sa.Column("old_days", sa.Integer()),
        sa.Column("new_days", sa.Integer(), nullable=False),
        sa.Column("calculation", postgresql.JSONB(), nullable=False),
        _text("reason"),
        sa.Column("decided_by", sa.String(200), nullable=False),
        sa.Column("decided_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_interval_decisions_instrument_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interval_decisions")),
    )
    op.create_index(op.f("ix_interval_decisions_instrument_id"), "interval_decisions", ["instrument_id"])


def _maintenance() -> None:
    op.add_column("maintenance_records", sa.Column("number", sa.String(64)))
    _number("maintenance_records", "MR", "maintenance_record")
    op.create_index(op.f("ix_maintenance_records_instrument_id"), "maintenance_records", ["instrument_id"])
    op.create_index(op.f("ix_maintenance_records_work_order_id"), "maintenance_records", ["work_order_id"])


def downgrade() -> None:
    op.execute("DROP TRIGGER calibration_records_unchanged ON calibration_records")
    op.drop_index(op.f("ix_maintenance_records_work_order_id"), "maintenance_records")
    op.drop_index(op.f("ix_maintenance_records_instrument_id"), "maintenance_records")
    op.drop_column("maintenance_records", "number")
    op.drop_table("interval_decisions")
    op.drop_table("impact_reviews")
    op.drop_index(op.f("ix_calibration_records_work_order_id"), "calibration_records")
    for column in reversed(_record_columns()):
        op.drop_column("calibration_records", column.name)
    op.drop_table("reference_standards")
    op.execute("DELETE FROM counters WHERE name IN ('calibration', 'maintenance_record')")
