"""Plain pages of the live plant: tags as they are set up and the log of alerts; both are read only here."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Field, Records

SEVERITIES = (("advisory", _("Advisory")), ("warning", _("Warning")), ("critical", _("Critical")))
TYPES = (
    ("rule_violation", _("Out of limit")),
    ("drift", _("Drift")),
    ("anomaly", _("Unusual")),
    ("instrument_fault", _("Sensor fault")),
    ("data_gap", _("No data")),
    ("machine_fault", _("Fault")),
    ("source_lost", _("Source lost")),
    ("calibration_overdue", _("Calibration due")),
)

TAGS = Records(
    path="tags",
    api="/api/tags",
    title=_("Tags"),
    one=_("Tag"),
    group="register",
    read="assets.read",
    sorts=("tag", "label", "unit", "asset", "group"),
    columns=(
        Field(name="tag", label=_("Tag"), kind="code"),
        Field(name="label", label=_("Label")),
        Field(name="asset", label=_("Asset"), kind="code", link="/assets/{asset}"),
        Field(name="unit", label=_("Unit"), kind="code"),
        Field(name="low", label=_("Normal from"), kind="number"),
        Field(name="high", label=_("Normal to"), kind="number"),
        Field(name="source", label=_("Source")),
        Field(name="group", label=_("Read in group")),
    ),
    filters=(Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code"),),
    note=_("The live values: what each means, its unit and normal range, and the source it comes from."),
)

ALERTS = Records(
    path="alerts",
    api="/api/alerts",
    title=_("Alerts"),
    one=_("Alert"),
    group="work",
    read="alerts.read",
    sorts=("severity", "type", "raised_at", "occurrences"),
    columns=(
        Field(name="title", label=_("What")),
        Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES),
        Field(name="type", label=_("Kind"), kind="choice", choices=TYPES),
        Field(name="asset", label=_("Asset"), kind="reference", link="/assets/{asset.code}"),
        Field(name="raised_at", label=_("Since"), kind="moment"),
        Field(name="occurrences", label=_("Times"), kind="integer"),
        Field(name="acknowledged_by", label=_("Acknowledged by")),
        Field(name="resolved_by", label=_("Resolved by")),
        Field(name="order", label=_("Order"), kind="code", link="/orders/{order}"),
    ),
    filters=(
        Field(
            name="active",
            label=_("Which"),
            kind="choice",
            choices=(("true", _("Open")), ("false", _("Resolved")), ("all", _("All"))),
        ),
        Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code"),
    ),
    searchable=False,
    extra={"active": "all"},
    note=_("Everything that was ever wrong, newest first; the alarm page shows what is open now."),
)

RECORDS = (TAGS, ALERTS)
