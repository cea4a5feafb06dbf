"""What hangs on an asset class, each list with the form of one row: tags with limits, fault codes, plans, procedures, parts."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.live import HOLDS, SEVERITIES, SIDES
from web.records.spec import Act, Field, Panel
from web.records.steps import DANGER_FIELDS, STEP_FIELDS

WRITE = "classes.write"
ROLES = (
    ("running", _("Running bit")),
    ("idle", _("Idle bit")),
    ("fault", _("Fault bit")),
    ("status", _("Status word")),
    ("fault_code", _("Fault code")),
    ("counter", _("Counter")),
)
VALUES = (("f64", _("Number")), ("text", _("Text")))
TRIGGERS = (("calendar", _("Calendar")), ("run_hours", _("Run hours")), ("cycles", _("Cycles")))

_LIMIT = (
    Field(name="side", label=_("Side"), kind="choice", choices=SIDES, required=True, default="high"),
    Field(name="value", label=_("Limit"), kind="number", required=True),
    Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES, required=True, default="warning"),
    Field(name="deadband", label=_("Deadband"), kind="number", low=0, hint=_("Empty: 2 % of the range.")),
    Field(name="on_delay_s", label=_("Delay before it alerts"), kind="number", unit="s", low=0, high=86_400, hint=_("Empty: 30 s.")),
    Field(name="off_delay_s", label=_("Delay before it returns"), kind="number", unit="s", low=0, high=86_400),
    Field(name="holds", label=_("Holds"), kind="choice", choices=HOLDS),
)
_TAG = (
    Field(name="name", label=_("Name"), kind="code", required=True, hint=_("Stands behind the asset's code: vibration.")),
    Field(name="label", label=_("Label")),
    Field(name="unit", label=_("Unit"), kind="code"),
    Field(name="kind", label=_("Value"), kind="choice", choices=VALUES),
    Field(name="decimals", label=_("Decimals"), kind="integer", low=0, high=9),
    Field(name="role", label=_("What it tells of the machine"), kind="choice", choices=ROLES),
    Field(name="low", label=_("Normal from"), kind="number"),
    Field(name="high", label=_("Normal to"), kind="number"),
    Field(name="range_low", label=_("Range from"), kind="number"),
    Field(name="range_high", label=_("Range to"), kind="number"),
    Field(name="stuck_s", label=_("Stuck after"), kind="number", unit="s", low=0),
    Field(name="drift", label=_("Watched for drift"), kind="flag", default=True),
    Field(name="joint", label=_("Watched with the others"), kind="flag", default=True),
    Field(name="iso20816", label=_("Limits of ISO 20816-3"), kind="flag"),
    Field(name="limits", label=_("Limits"), kind="list", columns=_LIMIT, keeps=True),
)
_CODE = (
    Field(name="text", label=_("Text"), required=True),
    Field(name="texts.fr", label=_("French")),
    Field(name="texts.ar", label=_("Arabic")),
    Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES, default="critical"),
    Field(name="category", label=_("Category"), kind="reference", source="/api/fault-terms?level=category", key="code"),
    Field(name="what", label=_("What"), kind="reference", source="/api/fault-terms?level=what", key="code"),
    Field(name="why", label=_("Why"), kind="reference", source="/api/fault-terms?level=why", key="code"),
    Field(name="where", label=_("Where"), kind="reference", source="/api/fault-terms?level=where", key="code"),
    Field(name="procedure", label=_("Procedure"), kind="reference", source="/api/procedures", key="code", shows="title"),
)
CODE_FIELDS = _CODE
_PLAN = (
    Field(name="key", label=_("Key"), kind="code", required=True, hint=_("Each its own: grease")),
    Field(name="title", label=_("Title"), required=True),
    Field(name="kind", label=_("Trigger"), kind="choice", choices=TRIGGERS, required=True, default="calendar"),
    Field(name="rrule", label=_("Recurrence"), kind="recurrence", hint=_("Calendar, for example FREQ=MONTHLY;INTERVAL=3")),
    Field(name="every", label=_("Every"), kind="number", low=0, hint=_("Run hours or cycles")),
    Field(name="estimated_min", label=_("Estimated time"), kind="integer", unit="min", low=1, high=10_000),
    Field(name="procedure", label=_("Procedure"), kind="code", hint=_("Code of a procedure of this class or of the site")),
)
_PROCEDURE = (
    Field(name="code", label=_("Code"), kind="code", required=True),
    Field(name="title", label=_("Title"), required=True),
    Field(name="estimated_min", label=_("Estimated time"), kind="integer", unit="min", low=1, high=10_000),
    Field(name="lock_out", label=_("Lock-out"), kind="flag"),
    Field(name="hazards", label=_("Hazards"), kind="words", hint=_("One a line")),
    Field(name="safety", label=_("Warnings"), kind="list", columns=DANGER_FIELDS, keeps=True),
    Field(name="steps", label=_("Steps"), kind="list", columns=STEP_FIELDS, keeps=True, required=True),
)
_PART = (
    Field(name="part", label=_("Part"), required=True, hint=_("By its name in the store")),
    Field(name="quantity", label=_("Quantity"), kind="number", low=0, required=True, default=1),
    Field(name="position", label=_("Position")),
)

PANELS = (
    Panel(
        title=_("Tags"),
        inside="tags",
        columns=(
            Field(name="name", label=_("Tag"), kind="code"),
            Field(name="label", label=_("Label")),
            Field(name="unit", label=_("Unit"), kind="code"),
            Field(name="role", label=_("Tells"), kind="choice", choices=ROLES),
            Field(name="range_low", label=_("Range from"), kind="number"),
            Field(name="range_high", label=_("Range to"), kind="number"),
            Field(name="iso20816", label=_("ISO 20816-3"), kind="flag"),
            Field(name="limits", label=_("Limits"), kind="list", columns=_LIMIT[:3]),
        ),
        row=_TAG,
        word=_("Tag"),
        write=WRITE,
    ),
    Panel(
        title=_("Fault codes"),
        columns=(
            Field(name="code", label=_("Code"), kind="code"),
            Field(name="text", label=_("Text")),
            Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES),
        ),
        api="/api/fault-codes?class={name}",
        link="/fault-codes/{id}",
        heads=(
            Act(
                label=_("Add a fault code"),
                path="/api/fault-codes",
                right=WRITE,
                body=(("class", "{name}"),),
                fields=(Field(name="code", label=_("Code"), kind="code", required=True), *_CODE),
            ),
        ),
        acts=(
            Act(label=_("Change"), path="/api/fault-codes/{id}", right=WRITE, method="PATCH", fields=_CODE),
            Act(
                label=_("Remove"),
                path="/api/fault-codes/{id}",
                right=WRITE,
                method="DELETE",
                confirm=_("The code then counts as unknown on every machine of this class."),
            ),
        ),
    ),
    Panel(
        title=_("Maintenance plans"),
        inside="plans",
        columns=(
            Field(name="title", label=_("Title")),
            Field(name="kind", label=_("Trigger"), kind="choice", choices=TRIGGERS),
            Field(name="every", label=_("Every"), kind="number"),
            Field(name="rrule", label=_("Recurrence"), kind="recurrence"),
            Field(name="procedure", label=_("Procedure"), kind="code"),
        ),
        row=_PLAN,
        word=_("Plan"),
        write=WRITE,
    ),
    Panel(
        title=_("Procedures"),
        inside="procedures",
        columns=(
            Field(name="code", label=_("Code"), kind="code"),
            Field(name="title", label=_("Title")),
            Field(name="estimated_min", label=_("Estimated time"), kind="integer", unit="min"),
            Field(name="lock_out", label=_("Lock-out"), kind="flag"),
            Field(name="steps", label=_("Steps"), kind="list"),
        ),
        row=_PROCEDURE,
        word=_("Procedure"),
        write=WRITE,
    ),
    Panel(
        title=_("Parts list"),
        inside="bom",
        columns=(
            Field(name="part", label=_("Part")),
            Field(name="quantity", label=_("Quantity"), kind="number"),
            Field(name="position", label=_("Position")),
        ),
        row=_PART,
        word=_("Part"),
        write=WRITE,
    ),
)
