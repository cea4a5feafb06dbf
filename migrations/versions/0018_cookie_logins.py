"""When a page login was last used: an admin's ends after half an hour without an act."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cookie_logins",
        sa.Column("login_id", sa.String(64), primary_key=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_cookie_logins_expires_at", "cookie_logins", ["expires_at"])


def downgrade() -> None:
    op.drop_table("cookie_logins")
