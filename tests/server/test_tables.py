"""The tables that reports and older tools query by name, with the columns that they were promised (S2-147..158)."""

from __future__ import annotations

import pytest

from server.models.metadata import metadata

PROMISED = {
    "users": {"employee_number", "name", "role", "password_hash", "active"},
    "instruments": {"tag", "type", "unit", "range_low", "range_high", "criticality"},
    "process_units": {"name", "site_id"},
    "calibration_records": {"instrument_id", "standard_id", "performed_at", "performed_by", "as_found", "as_left", "error_pct", "passed"},
    "maintenance_records": {"number", "description", "performed_at", "performed_by"},
    "work_orders": {"number", "title", "state", "priority", "assignee_id", "due", "notes", "estimated_min", "actual_min"},
    "alert_records": {"type", "severity", "origin", "message", "raised_at", "resolved_at"},
    "notifications": {"user_id", "title", "read_at"},
    "audit_log": {"actor", "action", "thing", "thing_id", "old", "new"},
    "ml_model_versions": {"version", "active"},
    "background_jobs": {"state"},
}


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_a_promised_table_has_its_columns(name: str) -> None:
    assert PROMISED[name] - {column.name for column in metadata.tables[name].columns} == set()
