"""A page of orders by their latest due date is read by an index, orders without one last."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["site_id", sa.text("due DESC NULLS LAST"), sa.text("id DESC")]
    op.create_index("ix_work_orders_site_due_last", "work_orders", columns)


def downgrade() -> None:
    op.drop_index("ix_work_orders_site_due_last", table_name="work_orders")
