"""Tables of the maintenance system: people, plant, alerts, work, audit, outbox, feed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = ("audit_log", "audit_seals")

REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$
"""
WAKE_RELAY = """
CREATE FUNCTION wake_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox', '');
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table('asset_classes',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('label', sa.String(length=200), server_default='', nullable=False),
    sa.Column('settings', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_asset_classes')),
    sa.UniqueConstraint('name', name=op.f('uq_asset_classes_name'))
    )
    op.create_table('audit_log',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor', sa.String(length=200), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=True),
    sa.Column('action', sa.String(length=64), nullable=False),
    sa.Column('thing', sa.String(length=64), nullable=False),
    sa.Column('thing_id', sa.BigInteger(), nullable=True),
    sa.Column('site_id', sa.BigInteger(), nullable=True),
    sa.Column('old', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('new', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_log'))
    )
    op.create_index('ix_audit_log_at', 'audit_log', ['at'], unique=False)
    op.create_index('ix_audit_log_thing', 'audit_log', ['thing', 'thing_id'], unique=False)
    op.create_table('counters',
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('value', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_counters'))
    )
    op.create_table('discovered_tags',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('source', sa.String(length=200), nullable=False),
    sa.Column('tag', sa.String(length=200), nullable=False),
    sa.Column('value', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('first_seen', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_seen', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen', sa.Integer(), server_default='1', nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_discovered_tags')),
    sa.UniqueConstraint('source', 'tag', name=op.f('uq_discovered_tags_source_tag'))
    )
    op.create_table('operation_keys',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('scope', sa.String(length=64), server_default='', nullable=False),
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('body_hash', sa.String(length=200), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('answer', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_operation_keys')),
    sa.UniqueConstraint('scope', 'owner', 'key', name=op.f('uq_operation_keys_scope_owner_key'))
    )
    op.create_index('ix_operation_keys_created', 'operation_keys', ['created_at'], unique=False)
    op.create_table('outbox',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('thing_id', sa.BigInteger(), nullable=False),
    sa.Column('rev', sa.Integer(), nullable=False),
    sa.Column('by', sa.String(length=200), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=True),
    sa.Column('data', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=True),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox'))
    )
    op.create_index('ix_outbox_waiting', 'outbox', ['id'], unique=False, postgresql_where=sa.text('published_at IS NULL'))
    op.create_index('uq_outbox_seq', 'outbox', ['seq'], unique=True)
    op.create_table('plant_version',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_plant_version'))
    )
    op.create_table('sites',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('code', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('time_zone', sa.String(length=64), server_default='UTC', nullable=False),
    sa.Column('shifts', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('demo', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sites')),
    sa.UniqueConstraint('code', name=op.f('uq_sites_code'))
    )
    op.create_table('audit_seals',
    sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('audit_id', sa.BigInteger(), nullable=False),
    sa.Column('hash', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['audit_id'], ['audit_log.id'], name=op.f('fk_audit_seals_audit_id')),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_audit_seals')),
    sa.UniqueConstraint('audit_id', name=op.f('uq_audit_seals_audit_id'))
    )
    op.create_table('background_jobs',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('queue', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=64), server_default='queued', nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=True),
    sa.Column('args', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('done', sa.Integer(), server_default='0', nullable=False),
    sa.Column('total', sa.Integer(), server_default='0', nullable=False),
    sa.Column('message', sa.String(), server_default='', nullable=False),
    sa.Column('result', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_background_jobs_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_background_jobs'))
    )
    op.create_index(op.f('ix_background_jobs_state'), 'background_jobs', ['state'], unique=False)
    op.create_table('procedures',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=True),
    sa.Column('code', sa.String(length=64), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('class_id', sa.BigInteger(), nullable=True),
    sa.Column('active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.ForeignKeyConstraint(['class_id'], ['asset_classes.id'], name=op.f('fk_procedures_class_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_procedures_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_procedures')),
    sa.UniqueConstraint('site_id', 'code', name=op.f('uq_procedures_site_id_code'))
    )
    op.create_table('process_units',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_process_units_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_process_units')),
    sa.UniqueConstraint('site_id', 'name', name=op.f('uq_process_units_site_id_name'))
    )
    op.create_table('sources',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('config', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('groups', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('state', sa.String(length=64), server_default='unknown', nullable=False),
    sa.Column('state_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('detail', sa.String(), server_default='', nullable=False),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_sources_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sources')),
    sa.UniqueConstraint('name', name=op.f('uq_sources_name'))
    )
    op.create_index(op.f('ix_sources_site_id'), 'sources', ['site_id'], unique=False)
    op.create_table('teams',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_teams_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_teams')),
    sa.UniqueConstraint('site_id', 'name', name=op.f('uq_teams_site_id_name'))
    )
    op.create_table('assets',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('area_id', sa.BigInteger(), nullable=False),
    sa.Column('class_id', sa.BigInteger(), nullable=True),
    sa.Column('parent_id', sa.BigInteger(), nullable=True),
    sa.Column('code', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('location', sa.String(length=200), server_default='', nullable=False),
    sa.Column('criticality', sa.String(length=64), server_default='medium', nullable=False),
    sa.Column('main_tag', sa.String(length=200), nullable=True),
    sa.Column('operating', sa.String(length=64), server_default='unknown', nullable=False),
    sa.Column('operating_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('fault_code', sa.String(length=64), nullable=True),
    sa.Column('maintenance', sa.String(length=64), server_default='ok', nullable=False),
    sa.Column('health', sa.Integer(), nullable=True),
    sa.Column('health_reasons', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['area_id'], ['process_units.id'], name=op.f('fk_assets_area_id')),
    sa.ForeignKeyConstraint(['class_id'], ['asset_classes.id'], name=op.f('fk_assets_class_id')),
    sa.ForeignKeyConstraint(['parent_id'], ['assets.id'], name=op.f('fk_assets_parent_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_assets_site_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assets')),
    sa.UniqueConstraint('site_id', 'code', name=op.f('uq_assets_site_id_code'))
    )
    op.create_index(op.f('ix_assets_area_id'), 'assets', ['area_id'], unique=False)
    op.create_index(op.f('ix_assets_parent_id'), 'assets', ['parent_id'], unique=False)
    op.create_table('policies',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=True),
    sa.Column('alert_type', sa.String(length=64), nullable=False),
    sa.Column('class_id', sa.BigInteger(), nullable=True),
    sa.Column('opens_order', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('priority', sa.String(length=64), nullable=True),
    sa.Column('procedure_id', sa.BigInteger(), nullable=True),
    sa.Column('team_id', sa.BigInteger(), nullable=True),
    sa.Column('auto_assign', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('due_hours', sa.Double(), nullable=True),
    sa.Column('proof_s', sa.Double(), nullable=True),
    sa.Column('title', sa.String(length=200), nullable=True),
    sa.ForeignKeyConstraint(['class_id'], ['asset_classes.id'], name=op.f('fk_policies_class_id')),
    sa.ForeignKeyConstraint(['procedure_id'], ['procedures.id'], name=op.f('fk_policies_procedure_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_policies_site_id')),
    sa.ForeignKeyConstraint(['team_id'], ['teams.id'], name=op.f('fk_policies_team_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_policies'))
    )
    op.create_table('procedure_versions',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('procedure_id', sa.BigInteger(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('steps', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('safety', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('hazards', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('lock_out', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('estimated_min', sa.Integer(), server_default='30', nullable=False),
    sa.Column('published_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('published_by', sa.String(length=200), server_default='system', nullable=False),
    sa.ForeignKeyConstraint(['procedure_id'], ['procedures.id'], name=op.f('fk_procedure_versions_procedure_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_procedure_versions')),
    sa.UniqueConstraint('procedure_id', 'version', name=op.f('uq_procedure_versions_procedure_id_version'))
    )
    op.create_table('users',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('employee_number', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('email', sa.String(length=200), nullable=True),
    sa.Column('role', sa.String(length=64), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('team_id', sa.BigInteger(), nullable=True),
    sa.Column('area_id', sa.BigInteger(), nullable=True),
    sa.Column('password_hash', sa.String(), nullable=False),
    sa.Column('must_change_password', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('language', sa.String(length=64), server_default='en', nullable=False),
    sa.Column('active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('on_duty', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('session_epoch', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failed_logins', sa.Integer(), server_default='0', nullable=False),
    sa.Column('locked_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_login_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['area_id'], ['process_units.id'], name=op.f('fk_users_area_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_users_site_id')),
    sa.ForeignKeyConstraint(['team_id'], ['teams.id'], name=op.f('fk_users_team_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users'))
    )
    op.create_index(op.f('ix_users_site_id'), 'users', ['site_id'], unique=False)
    op.create_index('uq_users_employee_number', 'users', ['employee_number'], unique=True)
    op.create_table('baselines',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirmed', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('confirmed_by', sa.String(length=200), nullable=True),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_baselines_asset_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_baselines'))
    )
    op.create_index(op.f('ix_baselines_asset_id'), 'baselines', ['asset_id'], unique=False)
    op.create_table('device_tokens',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('token_hash', sa.String(length=200), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('scopes', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('language', sa.String(length=64), server_default='en', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_device_tokens_site_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_device_tokens_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_device_tokens')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_device_tokens_token_hash'))
    )
    op.create_index(op.f('ix_device_tokens_user_id'), 'device_tokens', ['user_id'], unique=False)
    op.create_table('fault_codes',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('class_id', sa.BigInteger(), nullable=True),
    sa.Column('asset_id', sa.BigInteger(), nullable=True),
    sa.Column('code', sa.String(length=64), nullable=False),
    sa.Column('text', sa.String(length=200), nullable=False),
    sa.Column('severity', sa.String(length=64), server_default='critical', nullable=False),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_fault_codes_asset_id')),
    sa.ForeignKeyConstraint(['class_id'], ['asset_classes.id'], name=op.f('fk_fault_codes_class_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fault_codes'))
    )
    op.create_index(op.f('ix_fault_codes_asset_id'), 'fault_codes', ['asset_id'], unique=False)
    op.create_index(op.f('ix_fault_codes_class_id'), 'fault_codes', ['class_id'], unique=False)
    op.create_table('markers',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('code', sa.String(length=64), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('size_m', sa.Double(), server_default='0.1', nullable=False),
    sa.Column('retired_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_markers_asset_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_markers')),
    sa.UniqueConstraint('code', name=op.f('uq_markers_code'))
    )
    op.create_index(op.f('ix_markers_asset_id'), 'markers', ['asset_id'], unique=False)
    op.create_table('ml_model_versions',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('detector', sa.String(length=64), nullable=False),
    sa.Column('trained_by', sa.String(length=200), nullable=False),
    sa.Column('trained_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('windows', sa.Integer(), nullable=False),
    sa.Column('contamination', sa.Double(), nullable=True),
    sa.Column('feature_set', sa.String(length=64), nullable=False),
    sa.Column('metrics', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('active', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_ml_model_versions_asset_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ml_model_versions')),
    sa.UniqueConstraint('asset_id', 'version', name=op.f('uq_ml_model_versions_asset_id_version'))
    )
    op.create_table('operating_periods',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('operating', sa.String(length=64), nullable=False),
    sa.Column('fault_code', sa.String(length=64), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_operating_periods_asset_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_operating_periods'))
    )
    op.create_index('ix_operating_periods_asset_started', 'operating_periods', ['asset_id', 'started_at'], unique=False)
    op.create_table('pairings',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('device_code_hash', sa.String(length=200), nullable=False),
    sa.Column('user_code', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('place', sa.String(length=200), server_default='', nullable=False),
    sa.Column('state', sa.String(length=64), server_default='pending', nullable=False),
    sa.Column('tries', sa.Integer(), server_default='0', nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('polled_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_pairings_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pairings')),
    sa.UniqueConstraint('device_code_hash', name=op.f('uq_pairings_device_code_hash'))
    )
    op.create_index('ix_pairings_user_code', 'pairings', ['user_code'], unique=False)
    op.create_table('tags',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('source_id', sa.BigInteger(), nullable=True),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('label', sa.String(length=200), server_default='', nullable=False),
    sa.Column('unit', sa.String(length=64), server_default='', nullable=False),
    sa.Column('kind', sa.String(length=64), server_default='f64', nullable=False),
    sa.Column('decimals', sa.Integer(), server_default='2', nullable=False),
    sa.Column('address', sa.String(), server_default='', nullable=False),
    sa.Column('poll_group', sa.String(length=64), server_default='normal', nullable=False),
    sa.Column('period_s', sa.Double(), server_default='1', nullable=False),
    sa.Column('role', sa.String(length=64), nullable=True),
    sa.Column('scale_raw', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('scale_eng', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('deadband', sa.Double(), server_default='0', nullable=False),
    sa.Column('low', sa.Double(), nullable=True),
    sa.Column('high', sa.Double(), nullable=True),
    sa.Column('range_low', sa.Double(), nullable=True),
    sa.Column('range_high', sa.Double(), nullable=True),
    sa.Column('stuck_s', sa.Double(), nullable=True),
    sa.Column('stuck_deadband', sa.Double(), server_default='0', nullable=False),
    sa.Column('drift', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('joint', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('virtual', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_tags_asset_id')),
    sa.ForeignKeyConstraint(['source_id'], ['sources.id'], name=op.f('fk_tags_source_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tags')),
    sa.UniqueConstraint('name', name=op.f('uq_tags_name'))
    )
    op.create_index(op.f('ix_tags_asset_id'), 'tags', ['asset_id'], unique=False)
    op.create_index(op.f('ix_tags_source_id'), 'tags', ['source_id'], unique=False)
    op.create_table('alert_records',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('number', sa.String(length=64), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=True),
    sa.Column('asset_id', sa.BigInteger(), nullable=True),
    sa.Column('tag_id', sa.BigInteger(), nullable=True),
    sa.Column('tag', sa.String(length=200), nullable=True),
    sa.Column('type', sa.String(length=64), nullable=False),
    sa.Column('code', sa.String(length=200), nullable=True),
    sa.Column('severity', sa.String(length=64), nullable=False),
    sa.Column('detector', sa.String(length=64), nullable=False),
    sa.Column('origin', sa.String(length=64), nullable=False),
    sa.Column('message', sa.String(), nullable=False),
    sa.Column('condition', sa.String(length=64), server_default='active', nullable=False),
    sa.Column('watch', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('provisional', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('suppressed', sa.String(length=64), nullable=True),
    sa.Column('score', sa.Double(), nullable=True),
    sa.Column('limit', sa.Double(), nullable=True),
    sa.Column('value', sa.Double(), nullable=True),
    sa.Column('unit', sa.String(length=64), server_default='', nullable=False),
    sa.Column('because', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('data', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('raised_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('returned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('acknowledged_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('acknowledged_by', sa.String(length=200), nullable=True),
    sa.Column('shelved_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('shelved_by', sa.String(length=200), nullable=True),
    sa.Column('shelved_reason', sa.String(), nullable=True),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolved_by', sa.String(length=200), nullable=True),
    sa.Column('notes', sa.String(), nullable=True),
    sa.Column('occurrences', sa.Integer(), server_default='1', nullable=False),
    sa.Column('work_order_id', sa.BigInteger(), nullable=True),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_alert_records_asset_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_alert_records_site_id')),
    sa.ForeignKeyConstraint(['tag_id'], ['tags.id'], name=op.f('fk_alert_records_tag_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_records')),
    sa.UniqueConstraint('number', name=op.f('uq_alert_records_number'))
    )
    op.create_index(op.f('ix_alert_records_asset_id'), 'alert_records', ['asset_id'], unique=False)
    op.create_index('ix_alert_records_site_raised', 'alert_records', ['site_id', 'raised_at'], unique=False)
    op.create_index(op.f('ix_alert_records_work_order_id'), 'alert_records', ['work_order_id'], unique=False)
    op.create_index('uq_alert_records_open', 'alert_records', [sa.literal_column('coalesce(asset_id, 0)'), sa.literal_column("coalesce(tag, '')"), 'type', sa.literal_column("coalesce(code, '')"), sa.literal_column('coalesce(site_id, 0)')], unique=True, postgresql_where=sa.text('resolved_at IS NULL'))
    op.create_table('instruments',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('tag_id', sa.BigInteger(), nullable=True),
    sa.Column('tag', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('type', sa.String(length=64), nullable=False),
    sa.Column('variable', sa.String(length=200), server_default='', nullable=False),
    sa.Column('unit', sa.String(length=64), server_default='', nullable=False),
    sa.Column('range_low', sa.Double(), nullable=True),
    sa.Column('range_high', sa.Double(), nullable=True),
    sa.Column('nominal', sa.Double(), nullable=True),
    sa.Column('location', sa.String(length=200), server_default='', nullable=False),
    sa.Column('accuracy_class', sa.String(length=64), server_default='', nullable=False),
    sa.Column('criticality', sa.String(length=64), server_default='medium', nullable=False),
    sa.Column('calibration_interval_days', sa.Integer(), nullable=True),
    sa.Column('calibrated_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('calibration_due', sa.DateTime(timezone=True), nullable=True),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_instruments_asset_id')),
    sa.ForeignKeyConstraint(['tag_id'], ['tags.id'], name=op.f('fk_instruments_tag_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_instruments')),
    sa.UniqueConstraint('tag', name=op.f('uq_instruments_tag'))
    )
    op.create_index(op.f('ix_instruments_asset_id'), 'instruments', ['asset_id'], unique=False)
    op.create_index(op.f('ix_instruments_tag_id'), 'instruments', ['tag_id'], unique=False)
    op.create_table('tag_limits',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tag_id', sa.BigInteger(), nullable=False),
    sa.Column('side', sa.String(length=64), nullable=False),
    sa.Column('value', sa.Double(), nullable=False),
    sa.Column('severity', sa.String(length=64), nullable=False),
    sa.Column('deadband', sa.Double(), server_default='0', nullable=False),
    sa.Column('on_delay_s', sa.Double(), server_default='0', nullable=False),
    sa.Column('off_delay_s', sa.Double(), server_default='0', nullable=False),
    sa.Column('holds', sa.String(length=64), server_default='running', nullable=False),
    sa.Column('confirmed', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.ForeignKeyConstraint(['tag_id'], ['tags.id'], name=op.f('fk_tag_limits_tag_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tag_limits'))
    )
    op.create_index(op.f('ix_tag_limits_tag_id'), 'tag_limits', ['tag_id'], unique=False)
    op.create_table('alert_findings',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('alert_id', sa.BigInteger(), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=True),
    sa.Column('type', sa.String(length=64), nullable=False),
    sa.Column('detector', sa.String(length=64), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('onset_t', sa.BigInteger(), nullable=False),
    sa.Column('found_t', sa.BigInteger(), nullable=False),
    sa.Column('last_t', sa.BigInteger(), nullable=False),
    sa.Column('score', sa.Double(), nullable=False),
    sa.Column('limit', sa.Double(), nullable=False),
    sa.Column('value', sa.Double(), nullable=True),
    sa.Column('because', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('provisional', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.ForeignKeyConstraint(['alert_id'], ['alert_records.id'], name=op.f('fk_alert_findings_alert_id')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_alert_findings_asset_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_findings')),
    sa.UniqueConstraint('key', name=op.f('uq_alert_findings_key'))
    )
    op.create_index(op.f('ix_alert_findings_alert_id'), 'alert_findings', ['alert_id'], unique=False)
    op.create_index('ix_alert_findings_asset_last', 'alert_findings', ['asset_id', 'last_t'], unique=False)
    op.create_table('work_orders',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('number', sa.String(length=64), nullable=False),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('alert_id', sa.BigInteger(), nullable=True),
    sa.Column('repeat_of_id', sa.BigInteger(), nullable=True),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('description', sa.String(), server_default='', nullable=False),
    sa.Column('type', sa.String(length=64), server_default='corrective', nullable=False),
    sa.Column('priority', sa.String(length=64), server_default='normal', nullable=False),
    sa.Column('state', sa.String(length=64), server_default='open', nullable=False),
    sa.Column('team_id', sa.BigInteger(), nullable=True),
    sa.Column('assignee_id', sa.BigInteger(), nullable=True),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('procedure_id', sa.BigInteger(), nullable=True),
    sa.Column('procedure_version_id', sa.BigInteger(), nullable=True),
    sa.Column('proof_s', sa.Double(), nullable=True),
    sa.Column('due', sa.DateTime(timezone=True), nullable=True),
    sa.Column('estimated_min', sa.Integer(), nullable=True),
    sa.Column('actual_min', sa.Integer(), nullable=True),
    sa.Column('occurrences', sa.Integer(), server_default='0', nullable=False),
    sa.Column('hold_reason', sa.String(), nullable=True),
    sa.Column('problem', sa.String(), nullable=True),
    sa.Column('verdict', sa.String(length=64), nullable=True),
    sa.Column('notes', sa.String(), nullable=True),
    sa.Column('parts', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('reopen_reason', sa.String(), nullable=True),
    sa.Column('cancel_reason', sa.String(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('assigned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('completed_by_id', sa.BigInteger(), nullable=True),
    sa.Column('verified_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('verified_by', sa.String(length=200), nullable=True),
    sa.Column('reopened_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cancelled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('rev', sa.Integer(), server_default='1', nullable=False),
    sa.ForeignKeyConstraint(['alert_id'], ['alert_records.id'], name=op.f('fk_work_orders_alert_id')),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_work_orders_asset_id')),
    sa.ForeignKeyConstraint(['assignee_id'], ['users.id'], name=op.f('fk_work_orders_assignee_id')),
    sa.ForeignKeyConstraint(['completed_by_id'], ['users.id'], name=op.f('fk_work_orders_completed_by_id')),
    sa.ForeignKeyConstraint(['procedure_id'], ['procedures.id'], name=op.f('fk_work_orders_procedure_id')),
    sa.ForeignKeyConstraint(['procedure_version_id'], ['procedure_versions.id'], name=op.f('fk_work_orders_procedure_version_id')),
    sa.ForeignKeyConstraint(['repeat_of_id'], ['work_orders.id'], name=op.f('fk_work_orders_repeat_of_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_work_orders_site_id')),
    sa.ForeignKeyConstraint(['team_id'], ['teams.id'], name=op.f('fk_work_orders_team_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_work_orders')),
    sa.UniqueConstraint('number', name=op.f('uq_work_orders_number'))
    )
    op.create_index(op.f('ix_work_orders_alert_id'), 'work_orders', ['alert_id'], unique=False)
    op.create_index(op.f('ix_work_orders_asset_id'), 'work_orders', ['asset_id'], unique=False)
    op.create_index('ix_work_orders_assignee_state', 'work_orders', ['assignee_id', 'state'], unique=False)
    op.create_index('ix_work_orders_site_state', 'work_orders', ['site_id', 'state'], unique=False)
    op.create_table('calibration_records',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('instrument_id', sa.BigInteger(), nullable=False),
    sa.Column('work_order_id', sa.BigInteger(), nullable=True),
    sa.Column('performed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('performed_by', sa.String(length=200), nullable=False),
    sa.Column('standard', sa.String(length=200), nullable=False),
    sa.Column('as_found', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('as_left', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('error_pct', sa.Double(), nullable=False),
    sa.Column('tolerance_pct', sa.Double(), nullable=False),
    sa.Column('passed', sa.Boolean(), nullable=False),
    sa.Column('next_due', sa.DateTime(timezone=True), nullable=True),
    sa.Column('notes', sa.String(), server_default='', nullable=False),
    sa.ForeignKeyConstraint(['instrument_id'], ['instruments.id'], name=op.f('fk_calibration_records_instrument_id')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_orders.id'], name=op.f('fk_calibration_records_work_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_calibration_records'))
    )
    op.create_index('ix_calibration_records_instrument_at', 'calibration_records', ['instrument_id', 'performed_at'], unique=False)
    op.create_table('maintenance_records',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('instrument_id', sa.BigInteger(), nullable=True),
    sa.Column('work_order_id', sa.BigInteger(), nullable=True),
    sa.Column('action', sa.String(length=64), nullable=False),
    sa.Column('description', sa.String(), nullable=False),
    sa.Column('parts', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('duration_min', sa.Integer(), nullable=True),
    sa.Column('performed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('performed_by', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_maintenance_records_asset_id')),
    sa.ForeignKeyConstraint(['instrument_id'], ['instruments.id'], name=op.f('fk_maintenance_records_instrument_id')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_orders.id'], name=op.f('fk_maintenance_records_work_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_maintenance_records'))
    )
    op.create_index('ix_maintenance_records_asset_at', 'maintenance_records', ['asset_id', 'performed_at'], unique=False)
    op.create_table('maintenance_windows',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('asset_id', sa.BigInteger(), nullable=False),
    sa.Column('work_order_id', sa.BigInteger(), nullable=True),
    sa.Column('reason', sa.String(), server_default='', nullable=False),
    sa.Column('by', sa.String(length=200), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['asset_id'], ['assets.id'], name=op.f('fk_maintenance_windows_asset_id')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_orders.id'], name=op.f('fk_maintenance_windows_work_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_maintenance_windows'))
    )
    op.create_index(op.f('ix_maintenance_windows_asset_id'), 'maintenance_windows', ['asset_id'], unique=False)
    op.create_index(op.f('ix_maintenance_windows_work_order_id'), 'maintenance_windows', ['work_order_id'], unique=False)
    op.create_table('media',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=True),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('site_id', sa.BigInteger(), nullable=False),
    sa.Column('type', sa.String(length=64), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.String(length=200), nullable=False),
    sa.Column('alt', sa.String(length=200), server_default='', nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['order_id'], ['work_orders.id'], name=op.f('fk_media_order_id')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_media_site_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_media_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_media'))
    )
    op.create_index(op.f('ix_media_order_id'), 'media', ['order_id'], unique=False)
    op.create_table('notifications',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('body', sa.String(), server_default='', nullable=False),
    sa.Column('work_order_id', sa.BigInteger(), nullable=True),
    sa.Column('alert_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['alert_id'], ['alert_records.id'], name=op.f('fk_notifications_alert_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_notifications_user_id')),
    sa.ForeignKeyConstraint(['work_order_id'], ['work_orders.id'], name=op.f('fk_notifications_work_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notifications'))
    )
    op.create_index('ix_notifications_user_created', 'notifications', ['user_id', 'created_at'], unique=False)
    op.create_table('proof_windows',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=False),
    sa.Column('alert_id', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.String(length=64), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('settle_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deadline', sa.DateTime(timezone=True), nullable=False),
    sa.Column('required_s', sa.Double(), nullable=False),
    sa.Column('good_s', sa.Double(), server_default='0', nullable=False),
    sa.Column('tags', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('evidence', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['alert_id'], ['alert_records.id'], name=op.f('fk_proof_windows_alert_id')),
    sa.ForeignKeyConstraint(['order_id'], ['work_orders.id'], name=op.f('fk_proof_windows_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_proof_windows'))
    )
    op.create_index(op.f('ix_proof_windows_order_id'), 'proof_windows', ['order_id'], unique=False)
    op.create_index(op.f('ix_proof_windows_state'), 'proof_windows', ['state'], unique=False)
    op.create_table('step_events',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=False),
    sa.Column('procedure_version_id', sa.BigInteger(), nullable=False),
    sa.Column('step_id', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('value', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('unit', sa.String(length=64), nullable=True),
    sa.Column('option', sa.String(length=64), nullable=True),
    sa.Column('code', sa.String(length=200), nullable=True),
    sa.Column('media', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('note', sa.String(), nullable=True),
    sa.Column('ok', sa.Boolean(), nullable=True),
    sa.Column('next_step', sa.String(length=64), nullable=True),
    sa.Column('user_id', sa.BigInteger(), nullable=False),
    sa.Column('by', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['order_id'], ['work_orders.id'], name=op.f('fk_step_events_order_id')),
    sa.ForeignKeyConstraint(['procedure_version_id'], ['procedure_versions.id'], name=op.f('fk_step_events_procedure_version_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_step_events_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_step_events'))
    )
    op.create_index('ix_step_events_order_step', 'step_events', ['order_id', 'step_id'], unique=False)
    op.create_table('work_order_occurrences',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=False),
    sa.Column('alert_id', sa.BigInteger(), nullable=False),
    sa.Column('finding_key', sa.String(length=200), nullable=False),
    sa.Column('detector', sa.String(length=64), nullable=False),
    sa.Column('value', sa.Double(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['alert_id'], ['alert_records.id'], name=op.f('fk_work_order_occurrences_alert_id')),
    sa.ForeignKeyConstraint(['order_id'], ['work_orders.id'], name=op.f('fk_work_order_occurrences_order_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_work_order_occurrences')),
    sa.UniqueConstraint('order_id', 'finding_key', name=op.f('uq_work_order_occurrences_order_id_finding_key'))
    )
    op.create_foreign_key(op.f('fk_alert_records_work_order_id'), 'alert_records', 'work_orders', ['work_order_id'], ['id'])
    op.execute(REFUSE)
    for table in APPEND_ONLY:
        op.execute(f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()")
        op.execute(f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()")
    op.execute(WAKE_RELAY)
    op.execute("CREATE TRIGGER outbox_wakes AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION wake_relay()")
    op.execute("INSERT INTO plant_version (id, version, changed_at) VALUES (1, 0, now())")
    op.execute("INSERT INTO counters (name, value) VALUES ('alert', 0), ('work_order', 1000)")


def downgrade() -> None:
    op.drop_constraint("fk_alert_records_work_order_id", "alert_records", type_="foreignkey")
    for table in (
        "work_order_occurrences",
        "step_events",
        "proof_windows",
        "notifications",
        "media",
        "maintenance_windows",
        "maintenance_records",
        "calibration_records",
        "work_orders",
        "alert_findings",
        "tag_limits",
        "instruments",
        "alert_records",
        "tags",
        "pairings",
        "operating_periods",
        "ml_model_versions",
        "markers",
        "fault_codes",
        "device_tokens",
        "baselines",
        "users",
        "procedure_versions",
        "policies",
        "assets",
        "teams",
        "sources",
        "process_units",
        "procedures",
        "background_jobs",
        "audit_seals",
        "sites",
        "plant_version",
        "outbox",
        "operation_keys",
        "discovered_tags",
        "counters",
        "audit_log",
        "asset_classes",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION wake_relay()")
    op.execute("DROP FUNCTION refuse_change()")
