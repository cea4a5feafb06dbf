"""Spare parts, ledger, purchases and public requests."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = (
    "fault_requests",
    "report_links",
    "purchase_lines",
    "purchases",
    "bom_lines",
    "reservations",
    "stock_levels",
    "stock_movements",
    "parts",
    "stores",
)

# the sum of the ledger; a negative one breaks the CHECK of stock_levels and with it the movement
SUM = """
CREATE FUNCTION add_to_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock_levels (part_id, store_id, on_hand) VALUES (NEW.part_id, NEW.store_id, 0) ON CONFLICT DO NOTHING;
    UPDATE stock_levels SET on_hand = on_hand + NEW.quantity WHERE part_id = NEW.part_id AND store_id = NEW.store_id;
    RETURN NULL;
END $$
"""
# rows of a demo plant go with it (server/demo/removal.py); everything else stays for ever
REFUSE = """
CREATE FUNCTION refuse_stock_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT FROM parts JOIN sites ON sites.id = parts.site_id WHERE parts.id = OLD.part_id AND sites.demo) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$
"""
TRIGGERS = (
    "CREATE TRIGGER stock_movements_append_only BEFORE UPDATE OR DELETE ON stock_movements FOR EACH ROW"
    " EXECUTE FUNCTION refuse_stock_change()",
    "CREATE TRIGGER stock_movements_no_truncate BEFORE TRUNCATE ON stock_movements FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER stock_movements_sum AFTER INSERT ON stock_movements FOR EACH ROW EXECUTE FUNCTION add_to_stock()",
    # depth 0 = a statement of its own, not the ledger's trigger
    "CREATE TRIGGER stock_levels_only_by_ledger BEFORE INSERT OR UPDATE OR DELETE ON stock_levels FOR EACH ROW"
    " WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_stock_change()",
    "CREATE TRIGGER stock_levels_no_truncate BEFORE TRUNCATE ON stock_levels FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
)


def upgrade() -> None:
    op.create_table('stores',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('code', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('location', sa.String(length=200), server_default='', nullable=False),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_stores_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stores'))
    )
    op.create_index('ix_stores_site_name', 'stores', ['site_id', 'name'], unique=False)
    op.create_index('uq_stores_site_code_live', 'stores', ['site_id', 'code'], unique=True, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('parts',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('number', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('description', sa.String(), server_default='', nullable=False),
    sa.Column('unit', sa.String(length=64), server_default='pcs', nullable=False),
    sa.Column('supplier', sa.String(length=200), server_default='', nullable=False),
    sa.Column('supplier_part_no', sa.String(length=200), server_default='', nullable=False),
    sa.Column('unit_cost', sa.Numeric(precision=14, scale=2), server_default=sa.text('0'), nullable=False),
    sa.Column('average_cost', sa.Numeric(precision=18, scale=6), server_default=sa.text('0'), nullable=False),
    sa.Column('external_ref', sa.String(length=200), nullable=True),
    sa.Column('minimum', sa.Numeric(precision=14, scale=3), server_default=sa.text('0'), nullable=False),
    sa.Column('maximum', sa.Numeric(precision=14, scale=3), server_default=sa.text('0'), nullable=False),
    sa.Column('reorder_quantity', sa.Numeric(precision=14, scale=3), server_default=sa.text('0'), nullable=False),
    sa.Column('lead_days', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('critical', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('minimum >= 0 AND (maximum = 0 OR maximum >= minimum) AND unit_cost >= 0 AND average_cost >= 0', name=op.f('ck_parts_sane')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_parts_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_parts')),
    sa.UniqueConstraint('site_id', 'number', name=op.f('uq_parts_site_id_number'))
    )
    op.create_index('ix_parts_site_name', 'parts', ['site_id', 'name'], unique=False)
    op.create_table('stock_movements',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('part_id', sa.BigInteger(), nullable=False),
    sa.Column('store_id', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.String(length=64), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.Column('unit_cost', sa.Numeric(precision=18, scale=6), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=True),
    sa.Column('purchase_line_id', sa.BigInteger(), nullable=True),
    sa.Column('note', sa.String(), server_default='', nullable=False),
    sa.Column('by_id', sa.BigInteger(), nullable=True),
    sa.Column('by', sa.String(length=200), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("quantity <> 0 OR reason = 'count'", name=op.f('ck_stock_movements_moves')),
    sa.ForeignKeyConstraint(['by_id'], ['users.id'], name=op.f('fk_stock_movements_by_id')),
    sa.ForeignKeyConstraint(['order_id'], ['work_orders.id'], name=op.f('fk_stock_movements_order_id')),
    sa.ForeignKeyConstraint(['part_id'], ['parts.id'], name=op.f('fk_stock_movements_part_id')),
    sa.ForeignKeyConstraint(['store_id'], ['stores.id'], name=op.f('fk_stock_movements_store_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stock_movements'))
    )
    op.create_index('ix_stock_movements_order', 'stock_movements', ['order_id'], unique=False)
    op.create_index('ix_stock_movements_at', 'stock_movements', ['at'], unique=False)
    op.create_index('ix_stock_movements_part_at', 'stock_movements', ['part_id', 'at'], unique=False)
    op.create_index('ix_stock_movements_store_at', 'stock_movements', ['store_id', 'at'], unique=False)
    op.create_table('stock_levels',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('part_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('store_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('on_hand', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.CheckConstraint('on_hand >= 0', name=op.f('ck_stock_levels_not_negative')),
    sa.ForeignKeyConstraint(['part_id'], ['parts.id'], name=op.f('fk_stock_levels_part_id')),
    sa.ForeignKeyConstraint(['store_id'], ['stores.id'], name=op.f('fk_stock_levels_store_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stock_levels')),
    sa.UniqueConstraint('part_id', 'store_id', name=op.f('uq_stock_levels_part_id_store_id'))
    )
    op.create_table('reservations',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('part_id', sa.BigInteger(), nullable=False),
    sa.Column('store_id', sa.BigInteger(), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.Column('issued', sa.Numeric(precision=14, scale=3), server_default=sa.text('0'), nullable=False),
    sa.Column('by', sa.String(length=200), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('released_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('quantity > 0 AND issued >= 0 AND issued <= quantity', name=op.f('ck_reservations_sane')),
    sa.ForeignKeyConstraint(['order_id'], ['work_orders.id'], name=op.f('fk_reservations_order_id')),
    sa.ForeignKeyConstraint(['part_id'], ['parts.id'], name=op.f('fk_reservations_part_id')),
    sa.ForeignKeyConstraint(['store_id'], ['stores.id'], name=op.f('fk_reservations_store_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reservations'))
    )
    op.create_index('ix_reservations_open', 'reservations', ['part_id', 'store_id'], unique=False, postgresql_where=sa.text('released_at IS NULL'))
    op.create_index('ix_reservations_order', 'reservations', ['order_id'], unique=False)
    op.create_table('bom_lines',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=True),
    sa.Column('class_id', sa.BigInteger(), nullable=True),
    sa.Column('part_id', sa.BigInteger(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.Column('position', sa.String(length=200), server_default='', nullable=False),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('(asset_id IS NULL) <> (class_id IS NULL) AND quantity > 0', name=op.f('ck_bom_lines_one_owner')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_bom_lines_asset_id')),
    sa.ForeignKeyConstraint(['class_id'], ['asset_classes.id'], name=op.f('fk_bom_lines_class_id')),
    sa.ForeignKeyConstraint(['part_id'], ['parts.id'], name=op.f('fk_bom_lines_part_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_bom_lines_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bom_lines'))
    )
    op.create_index('ix_bom_lines_asset', 'bom_lines', ['asset_id'], unique=False)
    op.create_index('ix_bom_lines_class', 'bom_lines', ['class_id'], unique=False)
    op.create_index('ix_bom_lines_part', 'bom_lines', ['part_id'], unique=False)
    op.create_table('purchases',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('number', sa.String(length=64), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.String(length=64), nullable=False),
    sa.Column('supplier', sa.String(length=200), server_default='', nullable=False),
    sa.Column('note', sa.String(), server_default='', nullable=False),
    sa.Column('reference', sa.String(length=200), server_default='', nullable=False),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('expected_on', sa.Date(), nullable=True),
    sa.Column('requested_by_id', sa.BigInteger(), nullable=True),
    sa.Column('requested_by', sa.String(length=200), nullable=True),
    sa.Column('approved_by_id', sa.BigInteger(), nullable=True),
    sa.Column('approved_by', sa.String(length=200), nullable=True),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ordered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.ForeignKeyConstraint(['approved_by_id'], ['users.id'], name=op.f('fk_purchases_approved_by_id')),
    sa.ForeignKeyConstraint(['requested_by_id'], ['users.id'], name=op.f('fk_purchases_requested_by_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_purchases_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_purchases')),
    sa.UniqueConstraint('number', name=op.f('uq_purchases_number'))
    )
    op.create_index('ix_purchases_site_state', 'purchases', ['site_id', 'state'], unique=False)
    op.create_table('purchase_lines',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('purchase_id', sa.BigInteger(), nullable=False),
    sa.Column('part_id', sa.BigInteger(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.Column('received', sa.Numeric(precision=14, scale=3), server_default=sa.text('0'), nullable=False),
    sa.Column('unit_cost', sa.Numeric(precision=14, scale=2), nullable=False),
    sa.Column('why', sa.String(), server_default='', nullable=False),
    sa.CheckConstraint('quantity > 0 AND received >= 0 AND unit_cost >= 0', name=op.f('ck_purchase_lines_sane')),
    sa.ForeignKeyConstraint(['part_id'], ['parts.id'], name=op.f('fk_purchase_lines_part_id')),
    sa.ForeignKeyConstraint(['purchase_id'], ['purchases.id'], name=op.f('fk_purchase_lines_purchase_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_purchase_lines')),
    sa.UniqueConstraint('purchase_id', 'part_id', name=op.f('uq_purchase_lines_purchase_id_part_id'))
    )
    op.create_index('ix_purchase_lines_part', 'purchase_lines', ['part_id'], unique=False)
    op.create_table('report_links',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('token', sa.String(length=64), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_report_links_asset_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_report_links')),
    sa.UniqueConstraint('token', name=op.f('uq_report_links_token'))
    )
    op.create_index('uq_report_links_asset_live', 'report_links', ['asset_id'], unique=True, postgresql_where=sa.text('revoked_at IS NULL'))
    op.create_table('fault_requests',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('number', sa.String(length=64), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('link_id', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('status_token', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=64), nullable=False),
    sa.Column('words', sa.String(), nullable=False),
    sa.Column('severity', sa.String(length=64), nullable=False),
    sa.Column('reporter', sa.String(length=200), server_default='', nullable=False),
    sa.Column('contact', sa.String(length=200), server_default='', nullable=False),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('duplicate_of_id', sa.BigInteger(), nullable=True),
    sa.Column('order_id', sa.BigInteger(), nullable=True),
    sa.Column('triaged_by', sa.String(length=200), nullable=True),
    sa.Column('triaged_by_id', sa.BigInteger(), nullable=True),
    sa.Column('triaged_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_fault_requests_asset_id')),
    sa.ForeignKeyConstraint(['duplicate_of_id'], ['fault_requests.id'], name=op.f('fk_fault_requests_duplicate_of_id')),
    sa.ForeignKeyConstraint(['link_id'], ['report_links.id'], name=op.f('fk_fault_requests_link_id')),
    sa.ForeignKeyConstraint(['order_id'], ['work_orders.id'], name=op.f('fk_fault_requests_order_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_fault_requests_site_id')),
    sa.ForeignKeyConstraint(['triaged_by_id'], ['users.id'], name=op.f('fk_fault_requests_triaged_by_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fault_requests')),
    sa.UniqueConstraint('link_id', 'key', name=op.f('uq_fault_requests_link_id_key')),
    sa.UniqueConstraint('number', name=op.f('uq_fault_requests_number')),
    sa.UniqueConstraint('status_token', name=op.f('uq_fault_requests_status_token'))
    )
    op.create_index('ix_fault_requests_asset', 'fault_requests', ['asset_id'], unique=False)
    op.create_index('ix_fault_requests_link_created', 'fault_requests', ['link_id', 'created_at'], unique=False)
    op.create_index('ix_fault_requests_order', 'fault_requests', ['order_id'], unique=False)
    op.create_index('ix_fault_requests_site_state', 'fault_requests', ['site_id', 'state'], unique=False)
    op.execute(SUM)
    op.execute(REFUSE)
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION add_to_stock()")
    op.execute("DROP FUNCTION refuse_stock_change()")
