"""Work: orders, interventions, fault taxonomy, procedures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(precision=14, scale=2)
CODE, WORDS = sa.String(length=64), sa.String(length=200)
MOMENT = sa.DateTime(timezone=True)
SEARCHED = "lower(number || ' ' || title || ' ' || description || ' ' || coalesce(external_ref, ''))"


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _rev() -> sa.Column[int]:
    return sa.Column("rev", sa.Integer(), server_default="1", nullable=False)


def upgrade() -> None:
    _orders()
    _procedures()
    _order_records()
    _templates()
    _terms()
    _interventions()


def _orders() -> None:
    op.add_column("teams", sa.Column("labour_rate", MONEY))
    op.add_column("work_orders", sa.Column("external_ref", CODE))
    op.add_column("work_orders", sa.Column("parent_id", sa.BigInteger()))
    op.add_column("work_orders", sa.Column("sla_at", MOMENT))
    op.add_column("work_orders", sa.Column("other_cost", MONEY, server_default="0", nullable=False))
    op.add_column("work_orders", sa.Column("signature", postgresql.JSONB(none_as_null=True)))
    op.create_foreign_key(op.f("fk_work_orders_parent_id"), "work_orders", "work_orders", ["parent_id"], ["id"])
    op.create_index(op.f("ix_work_orders_external_ref"), "work_orders", ["external_ref"])
    op.create_index(op.f("ix_work_orders_parent_id"), "work_orders", ["parent_id"])
    op.create_index("ix_work_orders_site_created", "work_orders", ["site_id", "created_at"])
    op.create_index("ix_work_orders_site_id_id", "work_orders", ["site_id", "id"])
    op.create_index("ix_work_orders_site_due", "work_orders", ["site_id", "due", "id"])
    op.create_index("ix_work_orders_site_completed", "work_orders", ["site_id", "completed_at"])
    op.add_column("work_orders", sa.Column("searched", sa.String(), sa.Computed(SEARCHED, persisted=True), nullable=False))
    op.execute("UPDATE work_orders SET sla_at = due")


def _procedures() -> None:
    op.add_column("procedures", sa.Column("draft", postgresql.JSONB(none_as_null=True)))
    op.add_column("procedures", sa.Column("drafted_by", WORDS))
    op.add_column("procedures", sa.Column("drafted_at", MOMENT))
    op.add_column("procedures", _rev())
    op.add_column("procedure_versions", sa.Column("note", sa.String(), server_default="", nullable=False))


def _order_records() -> None:
    op.create_table(
        "order_comments",
        _id(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("author", WORDS, nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        _to("order_comments", "order_id", "work_orders"),
        _to("order_comments", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_comments")),
    )
    op.create_index(op.f("ix_order_comments_order_id"), "order_comments", ["order_id"])
    op.create_table(
        "order_labour",
        _id(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("minutes", sa.Integer()),
        sa.Column("rate", MONEY, nullable=False),
        sa.Column("cost", MONEY, nullable=False),
        sa.Column("note", sa.String(), server_default="", nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("entered_by", WORDS, nullable=False),
        sa.Column("deleted_at", MOMENT),
        _rev(),
        _to("order_labour", "order_id", "work_orders"),
        _to("order_labour", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_labour")),
    )
    op.create_index(op.f("ix_order_labour_order_id"), "order_labour", ["order_id"])
    op.create_index("ix_order_labour_started", "order_labour", ["started_at"])
    running = sa.text("minutes IS NULL AND deleted_at IS NULL")
    op.create_index("uq_order_labour_running", "order_labour", ["user_id"], unique=True, postgresql_where=running)
    op.create_table(
        "order_links",
        _id(),
        sa.Column("from_id", sa.BigInteger(), nullable=False),
        sa.Column("to_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", CODE, nullable=False),
        sa.Column("step_id", CODE),
        sa.Column("by", WORDS, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
        _to("order_links", "from_id", "work_orders"),
        _to("order_links", "to_id", "work_orders"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_links")),
    )
    op.create_index(op.f("ix_order_links_to_id"), "order_links", ["to_id"])
    live, of_step = sa.text("deleted_at IS NULL"), sa.text("step_id IS NOT NULL")
    op.create_index("uq_order_links_pair", "order_links", ["from_id", "to_id", "kind"], unique=True, postgresql_where=live)
    op.create_index("uq_order_links_step", "order_links", ["to_id", "step_id"], unique=True, postgresql_where=of_step)


def _templates() -> None:
    op.create_table(
        "order_templates",
        _id(),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("title", WORDS, nullable=False),
        sa.Column("description", sa.String(), server_default="", nullable=False),
        sa.Column("type", CODE, server_default="corrective", nullable=False),
        sa.Column("priority", CODE),
        sa.Column("procedure_id", sa.BigInteger()),
        sa.Column("team_id", sa.BigInteger()),
        sa.Column("estimated_min", sa.Integer()),
        sa.Column("due_hours", sa.Float()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
        _rev(),
        _to("order_templates", "site_id", "sites"),
        _to("order_templates", "procedure_id", "procedures"),
        _to("order_templates", "team_id", "teams"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_templates")),
    )
    live = sa.text("deleted_at IS NULL")
    op.create_index("uq_order_templates_name", "order_templates", ["site_id", "name"], unique=True, postgresql_where=live)


def _terms() -> None:
    op.create_table(
        "fault_terms",
        _id(),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("level", CODE, nullable=False),
        sa.Column("parent_id", sa.BigInteger()),
        sa.Column("code", CODE, nullable=False),
        sa.Column("label", WORDS, nullable=False),
        sa.Column("labels", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deleted_at", MOMENT),
        _rev(),
        _to("fault_terms", "site_id", "sites"),
        _to("fault_terms", "parent_id", "fault_terms"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fault_terms")),
    )
    op.create_index(op.f("ix_fault_terms_parent_id"), "fault_terms", ["parent_id"])
    place = ["site_id", "level", sa.text("coalesce(parent_id, 0)"), "code"]
    op.create_index("uq_fault_terms_code", "fault_terms", place, unique=True, postgresql_where=sa.text("deleted_at IS NULL"))


def _interventions() -> None:
    op.create_table(
        "interventions",
        _id(),
        sa.Column("number", CODE, nullable=False),
        sa.Column("site_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("asset_id", sa.BigInteger(), nullable=False),
        sa.Column("technician_id", sa.BigInteger(), nullable=False),
        sa.Column("technician", WORDS, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("what_id", sa.BigInteger()),
        sa.Column("why_id", sa.BigInteger()),
        sa.Column("where_id", sa.BigInteger()),
        sa.Column("parts", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("comments", sa.String(), server_default="", nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
        _rev(),
        _to("interventions", "site_id", "sites"),
        _to("interventions", "order_id", "work_orders"),
        _to("interventions", "asset_id", "assets"),
        _to("interventions", "technician_id", "users"),
        *(_to("interventions", f"{level}_id", "fault_terms") for level in ("category", "what", "why", "where")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interventions")),
        sa.UniqueConstraint("number", name=op.f("uq_interventions_number")),
    )
    op.create_index(op.f("ix_interventions_order_id"), "interventions", ["order_id"])
    op.create_index(op.f("ix_interventions_asset_id"), "interventions", ["asset_id"])
    op.create_index("ix_interventions_site_received", "interventions", ["site_id", "received_at"])


def downgrade() -> None:
    for table in ("interventions", "fault_terms", "order_templates", "order_links", "order_labour", "order_comments"):
        op.drop_table(table)
    op.drop_column("procedure_versions", "note")
    for column in ("rev", "drafted_at", "drafted_by", "draft"):
        op.drop_column("procedures", column)
    for name in ("site_created", "site_id_id", "site_due", "site_completed"):
        op.drop_index(f"ix_work_orders_{name}", "work_orders")
    for column in ("searched", "signature", "other_cost", "sla_at", "parent_id", "external_ref"):
        op.drop_column("work_orders", column)
    op.drop_column("teams", "labour_rate")
