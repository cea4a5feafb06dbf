"""PM plans, meters, calendars and downtime.

Downtime that was already seen (operating_periods) becomes rows, one a stretch of stopped and fault.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BACKFILL = """
WITH down AS (
    SELECT p.*, CASE WHEN lag(ended_at) OVER w = started_at THEN 0 ELSE 1 END AS begins
    FROM operating_periods AS p WHERE operating IN ('fault', 'stopped')
    WINDOW w AS (PARTITION BY asset_id ORDER BY started_at, id)
), stretch AS (
    SELECT *, sum(begins) OVER (PARTITION BY asset_id ORDER BY started_at, id) AS number FROM down
)
INSERT INTO downtimes (site_id, asset_id, started_at, ended_at, state, fault_code, category)
SELECT a.site_id, s.asset_id, min(s.started_at), CASE WHEN bool_or(s.ended_at IS NULL) THEN NULL ELSE max(s.ended_at) END,
    CASE WHEN bool_or(s.operating = 'fault') THEN 'fault' ELSE 'stopped' END, max(s.fault_code),
    CASE WHEN bool_or(s.operating = 'fault') THEN 'unplanned' ELSE 'unclassified' END
FROM stretch AS s JOIN assets AS a ON a.id = s.asset_id GROUP BY a.site_id, s.asset_id, s.number
"""


def upgrade() -> None:
    op.create_table('downtime_reasons',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('code', sa.String(length=64), nullable=False),
    sa.Column('label', sa.String(length=200), nullable=False),
    sa.Column('category', sa.String(length=64), nullable=False),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_downtime_reasons_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_downtime_reasons')),
    sa.UniqueConstraint('site_id', 'code', name=op.f('uq_downtime_reasons_site_id_code'))
    )
    op.create_table('work_calendars',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('area_id', sa.BigInteger(), nullable=True),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('weekly', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['area_id'], ['process_units.id'], name=op.f('fk_work_calendars_area_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_work_calendars_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_work_calendars'))
    )
    op.create_index(op.f('ix_work_calendars_site_id'), 'work_calendars', ['site_id'], unique=False)
    op.create_index('uq_work_calendars_area', 'work_calendars', ['area_id'], unique=True, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('uq_work_calendars_site', 'work_calendars', ['site_id'], unique=True, postgresql_where=sa.text('area_id IS NULL AND deleted_at IS NULL'))
    op.create_table('calendar_days',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('calendar_id', sa.BigInteger(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('name', sa.String(length=200), server_default='', nullable=False),
    sa.Column('windows', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.ForeignKeyConstraint(['calendar_id'], ['work_calendars.id'], name=op.f('fk_calendar_days_calendar_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_calendar_days')),
    sa.UniqueConstraint('calendar_id', 'day', name=op.f('uq_calendar_days_calendar_id_day'))
    )
    op.create_table('pm_plans',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('number', sa.String(length=64), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('description', sa.String(), server_default='', nullable=False),
    sa.Column('type', sa.String(length=64), server_default='preventive', nullable=False),
    sa.Column('priority', sa.String(length=64), server_default='normal', nullable=False),
    sa.Column('procedure_id', sa.BigInteger(), nullable=True),
    sa.Column('team_id', sa.BigInteger(), nullable=True),
    sa.Column('assignee_id', sa.BigInteger(), nullable=True),
    sa.Column('estimated_min', sa.Integer(), nullable=True),
    sa.Column('parts', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('schedule', sa.String(length=64), server_default='floating', nullable=False),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('at', sa.String(length=64), server_default='08:00', nullable=False),
    sa.Column('lead_days', sa.Integer(), server_default='7', nullable=False),
    sa.Column('early_days', sa.Integer(), server_default='2', nullable=False),
    sa.Column('late_days', sa.Integer(), server_default='2', nullable=False),
    sa.Column('months', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('shift', sa.String(length=64), server_default='none', nullable=False),
    sa.Column('series', sa.String(length=64), server_default='', nullable=False),
    sa.Column('level', sa.Integer(), server_default='1', nullable=False),
    sa.Column('active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['assignee_id'], ['users.id'], name=op.f('fk_pm_plans_assignee_id')),
    sa.ForeignKeyConstraint(['procedure_id'], ['procedures.id'], name=op.f('fk_pm_plans_procedure_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_pm_plans_site_id')),
    sa.ForeignKeyConstraint(['team_id'], ['teams.id'], name=op.f('fk_pm_plans_team_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pm_plans')),
    sa.UniqueConstraint('number', name=op.f('uq_pm_plans_number'))
    )
    op.create_index(op.f('ix_pm_plans_site_id'), 'pm_plans', ['site_id'], unique=False)
    op.create_table('meters',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('unit', sa.String(length=64), nullable=False),
    sa.Column('source', sa.String(length=64), nullable=False),
    sa.Column('tag_id', sa.BigInteger(), nullable=True),
    sa.Column('rollover', sa.Double(), nullable=True),
    sa.Column('total', sa.Double(), server_default='0', nullable=False),
    sa.Column('shown_from', sa.Double(), server_default='0', nullable=False),
    sa.Column('counted_to', sa.DateTime(timezone=True), nullable=False),
    sa.Column('counted_mark', sa.BigInteger(), nullable=True),
    sa.Column('last_raw', sa.Double(), nullable=True),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_meters_asset_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_meters_site_id')),
    sa.ForeignKeyConstraint(['tag_id'], ['tags.id'], name=op.f('fk_meters_tag_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_meters'))
    )
    op.create_index(op.f('ix_meters_site_id'), 'meters', ['site_id'], unique=False)
    op.create_index(op.f('ix_meters_tag_id'), 'meters', ['tag_id'], unique=False)
    op.create_index('uq_meters_asset_kind_name', 'meters', ['asset_id', 'kind', 'name'], unique=True, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('pm_plan_assets',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('plan_id', sa.BigInteger(), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('occurrences', sa.Integer(), server_default='0', nullable=False),
    sa.Column('last_due', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_done', sa.DateTime(timezone=True), nullable=True),
    sa.Column('bases', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('next_due', sa.DateTime(timezone=True), nullable=True),
    sa.Column('next_cause', sa.String(length=64), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_pm_plan_assets_asset_id')),
    sa.ForeignKeyConstraint(['plan_id'], ['pm_plans.id'], name=op.f('fk_pm_plan_assets_plan_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pm_plan_assets')),
    sa.UniqueConstraint('plan_id', 'asset_id', name=op.f('uq_pm_plan_assets_plan_id_asset_id'))
    )
    op.create_index(op.f('ix_pm_plan_assets_asset_id'), 'pm_plan_assets', ['asset_id'], unique=False)
    op.create_index('ix_pm_plan_assets_next_due', 'pm_plan_assets', ['next_due'], unique=False)
    op.create_table('pm_triggers',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('plan_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('rrule', sa.String(), nullable=True),
    sa.Column('every', sa.Double(), nullable=True),
    sa.Column('alert_type', sa.String(length=64), nullable=True),
    sa.Column('tag', sa.String(length=200), nullable=True),
    sa.ForeignKeyConstraint(['plan_id'], ['pm_plans.id'], name=op.f('fk_pm_triggers_plan_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pm_triggers'))
    )
    op.create_index(op.f('ix_pm_triggers_plan_id'), 'pm_triggers', ['plan_id'], unique=False)
    op.create_table('meter_readings',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('meter_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('value', sa.Double(), nullable=False),
    sa.Column('total', sa.Double(), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('by', sa.String(length=200), nullable=False),
    sa.Column('note', sa.String(), server_default='', nullable=False),
    sa.ForeignKeyConstraint(['meter_id'], ['meters.id'], name=op.f('fk_meter_readings_meter_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_meter_readings'))
    )
    op.create_index('ix_meter_readings_meter_at', 'meter_readings', ['meter_id', 'at'], unique=False)
    op.create_table('downtimes',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('cause_id', sa.BigInteger(), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('state', sa.String(length=64), nullable=False),
    sa.Column('fault_code', sa.String(length=64), nullable=True),
    sa.Column('category', sa.String(length=64), server_default='unclassified', nullable=False),
    sa.Column('reason_id', sa.BigInteger(), nullable=True),
    sa.Column('note', sa.String(), server_default='', nullable=False),
    sa.Column('work_order_id', sa.BigInteger(), nullable=True),
    sa.Column('machine_rate', sa.Numeric(precision=14, scale=2), nullable=True),
    sa.Column('asked', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('classified_by', sa.String(length=200), nullable=True),
    sa.Column('classified_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('ended_at >= started_at', name=op.f('ck_downtimes_order')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_downtimes_asset_id')),
    sa.ForeignKeyConstraint(['cause_id'], ['downtimes.id'], name=op.f('fk_downtimes_cause_id')),
    sa.ForeignKeyConstraint(['reason_id'], ['downtime_reasons.id'], name=op.f('fk_downtimes_reason_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_downtimes_site_id')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_orders.id'], name=op.f('fk_downtimes_work_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_downtimes'))
    )
    op.create_index('ix_downtimes_asset_started', 'downtimes', ['asset_id', 'started_at'], unique=False)
    op.create_index(op.f('ix_downtimes_cause_id'), 'downtimes', ['cause_id'], unique=False)
    op.create_index(op.f('ix_downtimes_reason_id'), 'downtimes', ['reason_id'], unique=False)
    op.create_index('ix_downtimes_site_started', 'downtimes', ['site_id', 'started_at'], unique=False)
    op.create_index(op.f('ix_downtimes_work_order_id'), 'downtimes', ['work_order_id'], unique=False)
    op.create_index('uq_downtimes_open', 'downtimes', ['asset_id'], unique=True, postgresql_where=sa.text('ended_at IS NULL AND deleted_at IS NULL'))
    op.create_table('pm_occurrences',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('plan_id', sa.BigInteger(), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('occurrence', sa.Integer(), nullable=False),
    sa.Column('due', sa.DateTime(timezone=True), nullable=False),
    sa.Column('earliest', sa.DateTime(timezone=True), nullable=False),
    sa.Column('latest', sa.DateTime(timezone=True), nullable=False),
    sa.Column('cause', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=64), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=True),
    sa.Column('swallowed_by_id', sa.BigInteger(), nullable=True),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('by', sa.String(length=200), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_pm_occurrences_asset_id')),
    sa.ForeignKeyConstraint(['order_id'], ['work_orders.id'], name=op.f('fk_pm_occurrences_order_id')),
    sa.ForeignKeyConstraint(['plan_id'], ['pm_plans.id'], name=op.f('fk_pm_occurrences_plan_id')),
    sa.ForeignKeyConstraint(['swallowed_by_id'], ['pm_plans.id'], name=op.f('fk_pm_occurrences_swallowed_by_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pm_occurrences')),
    sa.UniqueConstraint('plan_id', 'asset_id', 'occurrence', name=op.f('uq_pm_occurrences_plan_id_asset_id_occurrence'))
    )
    op.create_index('ix_pm_occurrences_asset_due', 'pm_occurrences', ['asset_id', 'due'], unique=False)
    op.create_index(op.f('ix_pm_occurrences_order_id'), 'pm_occurrences', ['order_id'], unique=False)
    op.create_index('uq_pm_occurrences_open', 'pm_occurrences', ['plan_id', 'asset_id'], unique=True, postgresql_where=sa.text("state = 'open'"))
    op.execute(BACKFILL)
    op.add_column('operating_periods', sa.Column('followed', sa.Boolean(), server_default=sa.text('true'), nullable=False))
    op.alter_column('operating_periods', 'followed', server_default=sa.text('false'))
    op.create_index('ix_operating_periods_unfollowed', 'operating_periods', ['started_at'], unique=False, postgresql_where=sa.text('NOT followed'))


def downgrade() -> None:
    op.drop_index("ix_operating_periods_unfollowed", table_name="operating_periods")
    op.drop_column("operating_periods", "followed")
    op.drop_table("pm_occurrences")
    op.drop_table("downtimes")
    op.drop_table("meter_readings")
    op.drop_table("pm_triggers")
    op.drop_table("pm_plan_assets")
    op.drop_table("meters")
    op.drop_table("pm_plans")
    op.drop_table("calendar_days")
    op.drop_table("work_calendars")
    op.drop_table("downtime_reasons")
