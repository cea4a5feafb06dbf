"""Plain page of the live plant: tags with the limits that people edit."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Field, Panel, Records
from web.records.what_if import TRY_LIMIT

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

SIDES = (
    ("high", _("Above")),
    ("low", _("Below")),
    ("rising", _("Rises faster, per minute")),
    ("falling", _("Falls faster, per minute")),
)
HOLDS = (
    ("running", _("While running")),
    ("idle", _("While idle")),
    ("starting", _("While starting up")),
    ("stopped", _("While stopped")),
    ("always", _("Always")),
)
_LIMIT = (
    Field(name="side", label=_("Side"), kind="choice", choices=SIDES, required=True),
    Field(name="value", label=_("Limit"), kind="number", required=True),
    Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES, default="warning"),
    Field(name="deadband", label=_("Deadband"), kind="number", low=0, hint=_("Empty: 2 % of the range, a tenth of a pace.")),
    Field(
        name="on_delay_s",
        label=_("Delay before it alerts"),
        kind="number",
        unit="s",
        low=0,
        high=86_400,
        hint=_("Empty: 30 s, 10 s for a pace."),
    ),
    Field(name="off_delay_s", label=_("Delay before it returns"), kind="number", unit="s", low=0, high=86400),
    Field(name="holds", label=_("Holds"), kind="choice", choices=HOLDS, default="running"),
    Field(name="confirmed", label=_("May open an order by itself"), kind="flag", default=True),
)
_LIMITS = Panel(
    title=_("Limits"),
    api="/api/tags/{id}/limits",
    columns=_LIMIT,
    none=_("No limits: nothing alerts but the monitors of drift, gaps and stuck values."),
    acts=(
        Act(label=_("Change limit"), path="/api/tags/{of.id}/limits/{id}", right="tags.write", method="PATCH", fields=_LIMIT),
        TRY_LIMIT,
        Act(
            label=_("Remove limit"),
            path="/api/tags/{of.id}/limits/{id}",
            right="tags.write",
            method="DELETE",
            confirm=_("Nothing alerts at this value any more, from now on."),
        ),
    ),
)
FORECASTS = (
    ("expected", _("If it goes on like this")),
    ("beyond", _("There already")),
    ("uncertain", _("Nobody can say: the band is too wide")),
    ("far", _("Too far ahead to say")),
    ("steady", _("It may as well not move")),
    ("away", _("It moves away from it")),
    ("too_little", _("Too little history, or none of the last hours")),
)
_FORECAST = Panel(
    title=_("Time to limit"),
    api="/api/tags/{id}/forecast",
    inside="forecasts",
    columns=(
        Field(name="side", label=_("Side"), kind="choice", choices=SIDES),
        Field(name="value", label=_("Limit"), kind="number"),
        Field(name="state", label=_("Forecast"), kind="choice", choices=FORECASTS),
        Field(name="earliest", label=_("Earliest"), kind="moment"),
        Field(name="expected", label=_("Expected"), kind="moment"),
        Field(name="latest", label=_("Latest"), kind="moment"),
        Field(name="per_day", label=_("Moves a day"), kind="number"),
        Field(name="span_days", label=_("Seen over"), kind="span", unit="d"),
    ),
    none=_("No limits: nothing to be reached."),
    right="readings.read",
)

_TAG_FIELDS = (
    Field(name="asset", label=_("Asset"), kind="code", link="/assets/{asset}", hint=_("code of the asset"), required=True),
    Field(name="label", label=_("Label")),
    Field(name="unit", label=_("Unit"), kind="code"),
    Field(name="source", label=_("Source"), kind="code"),
    Field(name="address", label=_("Address"), kind="code", hint=_("such as DB10.DBD4:REAL; the form of the source's protocol")),
    Field(name="group", label=_("Read in group"), kind="code"),
    Field(name="period_s", label=_("Comes every"), kind="number", unit="s", low=0.05, high=86400),
    Field(name="decimals", label=_("Decimals"), kind="integer", low=0, high=9),
    Field(name="low", label=_("Normal from"), kind="number"),
    Field(name="high", label=_("Normal to"), kind="number"),
    Field(name="range_low", label=_("Range from"), kind="number"),
    Field(name="range_high", label=_("Range to"), kind="number"),
    Field(name="deadband", label=_("Deadband"), kind="number", low=0),
    Field(name="deadband_pct", label=_("Deadband of the range"), kind="number", unit="%", low=0, high=100),
    Field(name="max_interval_s", label=_("A reading at least every"), kind="number", unit="s", low=0.05, high=86400),
    Field(name="wire_break", label=_("Raw value of a broken wire"), kind="code", hint=_("such as >27648")),
    Field(name="cusum_k", label=_("CUSUM k"), kind="number", unit="σ", low=0.01, high=10, hint=_("Empty: as CUSUM_K says, 0.5.")),
    Field(name="cusum_h", label=_("CUSUM h"), kind="number", unit="σ", low=0.1, high=1000, hint=_("Empty: one false alarm a year.")),
    Field(name="enabled", label=_("On"), kind="flag", default=True),
)
_READ_NOW = Act(
    label=_("Read it now"),
    path="/api/tags/{id}/read",
    right="sources.write",
    body=(("background", False),),
    shows=(
        Field(name="value", label=_("Value"), kind="number"),
        Field(name="raw", label=_("Raw value"), kind="number"),
        Field(name="quality", label=_("Quality"), kind="word"),
        Field(name="detail", label=_("What happened"), kind="long"),
        Field(name="remedy", label=_("What to do"), kind="long"),
    ),
)

TAGS = Records(
    path="tags",
    api="/api/tags",
    title=_("Tags"),
    one=_("Tag"),
    group="register",
    read="assets.read",
    write="tags.write",
    name="tag",
    deletes=True,
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
    first=(Field(name="tag", label=_("Tag"), kind="code", required=True),),
    fields=_TAG_FIELDS,
    filters=(Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code"),),
    panels=(_LIMITS, _FORECAST),
    acts=(
        _READ_NOW,
        Act(label=_("Add a limit"), path="/api/tags/{id}/limits", right="tags.write", fields=_LIMIT),
    ),
    note=_("The live values: what each means, its unit and normal range, its limits, and the source it comes from."),
)

RECORDS = (TAGS,)
