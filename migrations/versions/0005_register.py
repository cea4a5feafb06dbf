"""Register: assets, instruments, classes, files, sites' currency."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ALIVE = sa.text("deleted_at IS NULL")
SEARCHED = {
    "assets": "lower(code || ' ' || name || ' ' || location || ' ' || make || ' ' || model || ' ' || serial || ' ' || external_ref)",
    "instruments": "lower(tag || ' ' || name || ' ' || type || ' ' || variable || ' ' || location || ' ' || external_ref)",
}
REVISED = ("process_units", "asset_classes", "fault_codes")


def _rev():
    return sa.Column("rev", sa.Integer(), server_default="1", nullable=False)


def _deleted():
    return sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True)


def _line(name, length=200):
    return sa.Column(name, sa.String(length), server_default="", nullable=False)


def _json(name, empty):
    return sa.Column(name, postgresql.JSONB(), server_default=sa.text(f"'{empty}'::jsonb"), nullable=False)


def _asset_columns():
    money = [sa.Column(name, sa.Numeric(14, 2), nullable=True) for name in ("purchase_cost", "machine_rate", "replacement_cost")]
    days = [sa.Column(name, sa.Date(), nullable=True) for name in ("purchased_on", "installed_on", "warranty_until", "replacement_on")]
    lives = [sa.Column(name, sa.Double(), nullable=True) for name in ("expected_life_years", "expected_life_hours")]
    return [
        *(_line(name) for name in ("make", "model", "serial", "external_ref")),
        *(sa.Column(name, sa.String(), server_default="", nullable=False) for name in ("notes", "replacement_reason")),
        *money,
        *days,
        *lives,
        sa.Column("hours_at_install", sa.Double(), server_default="0", nullable=False),
        _json("life_extensions", "[]"),
        _json("class_applied", "{}"),
        sa.Column("record_rev", sa.Integer(), server_default="1", nullable=False),
    ]


def upgrade() -> None:
    op.add_column("sites", sa.Column("currency", sa.String(64), server_default="EUR", nullable=False))
    op.add_column("sites", _rev())
    for table in REVISED:
        op.add_column(table, _rev())
        op.add_column(table, _deleted())
    for column in _asset_columns():
        op.add_column("assets", column)
    op.add_column("instruments", _line("external_ref"))
    op.add_column("instruments", sa.Column("area_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key("fk_instruments_area_id", "instruments", "process_units", ["area_id"], ["id"])
    op.create_index("ix_instruments_area_id", "instruments", ["area_id"])
    for table, words in SEARCHED.items():
        op.add_column(table, sa.Column("searched", sa.String(), sa.Computed(words, persisted=True), nullable=False))
    op.create_index("ix_assets_site_area_code", "assets", ["site_id", "area_id", "code"])
    op.create_index("ix_assets_class_id", "assets", ["class_id"])
    # a deleted thing gives its code free
    op.drop_constraint("uq_assets_site_id_code", "assets", type_="unique")
    op.create_index("uq_assets_site_id_code", "assets", ["site_id", "code"], unique=True, postgresql_where=ALIVE)
    op.drop_constraint("uq_instruments_tag", "instruments", type_="unique")
    op.create_index("uq_instruments_tag", "instruments", ["tag"], unique=True, postgresql_where=ALIVE)
    op.add_column("fault_codes", _json("texts", "{}"))
    for name in ("category", "what", "why", "where", "procedure"):
        op.add_column("fault_codes", _line(name, 64))
    for owner in ("class", "asset"):
        alive = sa.text(f"{owner}_id IS NOT NULL AND deleted_at IS NULL")
        op.create_index(f"uq_fault_codes_{owner}", "fault_codes", [f"{owner}_id", "code"], unique=True, postgresql_where=alive)
    op.create_table(
        "attachments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=True),
        sa.Column("thing", sa.String(64), nullable=False),
        sa.Column("thing_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("type", sa.String(200), nullable=False),
        _line("caption"),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("created_by_id", sa.BigInteger(), nullable=True),
        _deleted(),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="fk_attachments_site_id"),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_attachments_created_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_attachments"),
    )
    op.create_index("ix_attachments_thing", "attachments", ["thing", "thing_id"])
    op.create_index("ix_attachments_site_id", "attachments", ["site_id"])


def downgrade() -> None:
    op.drop_table("attachments")
    for owner in ("class", "asset"):
        op.drop_index(f"uq_fault_codes_{owner}", "fault_codes")
    for name in ("texts", "category", "what", "why", "where", "procedure"):
        op.drop_column("fault_codes", name)
    op.drop_index("uq_instruments_tag", "instruments")
    op.create_unique_constraint("uq_instruments_tag", "instruments", ["tag"])
    op.drop_index("uq_assets_site_id_code", "assets")
    op.create_unique_constraint("uq_assets_site_id_code", "assets", ["site_id", "code"])
    op.drop_index("ix_assets_class_id", "assets")
    op.drop_index("ix_assets_site_area_code", "assets")
    for table in SEARCHED:
        op.drop_column(table, "searched")
    op.drop_column("instruments", "area_id")
    op.drop_column("instruments", "external_ref")
    for column in _asset_columns():
        op.drop_column("assets", column.name)
    for table in REVISED:
        op.drop_column(table, "deleted_at")
        op.drop_column(table, "rev")
    op.drop_column("sites", "rev")
    op.drop_column("sites", "currency")
