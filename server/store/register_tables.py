"""The register as tables to hand out; those of assets and instruments are read back by server/store/imports.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from server.export.table import Column, Table

ASSET_COLUMNS = (
    Column("code", "code"),
    Column("name", "name"),
    Column("area", "area"),
    Column("class", "class"),
    Column("parent", "parent"),
    Column("location", "location"),
    Column("criticality", "criticality"),
    Column("make", "make"),
    Column("model", "model"),
    Column("serial", "serial"),
    Column("external_ref", "external_ref"),
    Column("purchase_cost", "purchase_cost", "money"),
    Column("machine_rate", "machine_rate", "money"),
    Column("purchased_on", "purchased_on", "date"),
    Column("installed_on", "installed_on", "date"),
    Column("warranty_until", "warranty_until", "date"),
    Column("expected_life_years", "expected_life_years", "number"),
    Column("expected_life_hours", "expected_life_hours", "number"),
    Column("hours_at_install", "hours_at_install", "number"),
    Column("replacement_cost", "replacement_cost", "money"),
    Column("replacement_on", "replacement_on", "date"),
    Column("replacement_reason", "replacement_reason"),
    Column("main_tag", "main_tag"),
    Column("notes", "notes"),
)
INSTRUMENT_COLUMNS = (
    Column("tag", "tag"),
    Column("asset", "asset"),
    Column("name", "name"),
    Column("type", "type"),
    Column("variable", "variable"),
    Column("unit", "unit"),
    Column("range_low", "range_low", "number"),
    Column("range_high", "range_high", "number"),
    Column("nominal", "nominal", "number"),
    Column("area", "area"),
    Column("location", "location"),
    Column("accuracy_class", "accuracy_class"),
    Column("criticality", "criticality"),
    Column("calibration_interval_days", "calibration_interval_days", "whole"),
    Column("external_ref", "external_ref"),
)


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A body with other things by their codes and names."""
    named = {"area": "name", "class": "name", "parent": "code", "asset": "code"}
    return {key: value.get(named[key]) if key in named and isinstance(value, Mapping) else value for key, value in row.items()}


def assets_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Assets; headings are the names that an import reads."""
    return Table("Assets", ASSET_COLUMNS, (flat(row) for row in rows))


def instruments_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Instruments; headings are the names that an import reads."""
    return Table("Instruments", INSTRUMENT_COLUMNS, (flat(row) for row in rows))


def replacements_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """What is to be replaced, when and why."""
    columns = (
        Column("code", "Code"),
        Column("name", "Name"),
        Column("area", "Area"),
        Column("due_on", "Due"),
        Column("years_left", "Years left", "number"),
        Column("basis", "By"),
        Column("value", "Value left", "money"),
        Column("replacement_cost", "Cost", "money"),
        Column("replacement_reason", "Reason"),
    )
    return Table("Replacements", columns, ({**flat(row), **row["life"], "due_on": row["due_on"]} for row in rows))
