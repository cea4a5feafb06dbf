"""Plain pages of maintenance plans with what became of them and what is ahead."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records import words
from web.records.live import TYPES as TYPES_OF_ALERTS
from web.records.spec import Act, Field, Panel, Records
from web.records.upkeep_fields import ASSET, ASSET_CODE, ORDER, REASON

TYPES = (("preventive", _("Preventive")), ("inspection", _("Inspection")), ("calibration", _("Calibration")), ("safety", _("Safety")))
PRIORITIES = (("low", _("Low")), ("normal", _("Normal")), ("high", _("High")), ("urgent", _("Urgent")))
CAUSES = (("calendar", _("Calendar")), ("run_hours", _("Run hours")), ("cycles", _("Cycles")), ("condition", _("Condition")))
MONTHS = tuple(
    (str(n), word)
    for n, word in enumerate(
        (
            _("January"),
            _("February"),
            _("March"),
            _("April"),
            _("May"),
            _("June"),
            _("July"),
            _("August"),
            _("September"),
            _("October"),
            _("November"),
            _("December"),
        ),
        1,
    )
)
_TRIGGERS = (
    Field(name="kind", label=_("Kind"), kind="choice", choices=CAUSES, required=True),
    Field(name="rrule", label=_("Recurrence"), kind="recurrence", hint=_("For example FREQ=MONTHLY;INTERVAL=3")),
    Field(name="every", label=_("Every"), kind="number", low=0, hint=_("Run hours or cycles")),
    Field(name="alert_type", label=_("Alert"), kind="choice", choices=TYPES_OF_ALERTS),
    Field(name="tag", label=_("Tag"), kind="code"),
)
_WHERE = (
    Field(name="code", label=_("Asset"), kind="code"),
    Field(name="next_due", label=_("Next due"), kind="moment"),
    Field(name="next_cause", label=_("Because of"), kind="choice", choices=CAUSES),
    Field(name="last_done", label=_("Last done"), kind="moment"),
    Field(name="order.number", label=_("Open order"), kind="code"),
    Field(name="held", label=_("Held back"), kind="integer"),
)
_FORECAST = (
    ASSET_CODE,
    Field(name="due", label=_("Due"), kind="moment"),
    Field(name="earliest", label=_("At the earliest"), kind="moment"),
    Field(name="latest", label=_("At the latest"), kind="moment"),
    Field(name="cause", label=_("Because of"), kind="choice", choices=CAUSES),
    Field(name="total", label=_("Reading"), kind="number"),
    Field(name="target", label=_("Due at"), kind="number"),
    Field(name="per_day", label=_("A day"), kind="number"),
    Field(name="confidence", label=_("Confidence"), kind="choice", choices=words.CONFIDENCES),
)
_OCCURRENCES = (
    Field(name="occurrence", label=_("No."), kind="integer"),
    ASSET_CODE,
    Field(name="due", label=_("Due"), kind="moment"),
    Field(name="cause", label=_("Because of"), kind="choice", choices=CAUSES),
    Field(name="state", label=_("State"), kind="choice", choices=words.OCCURRENCES),
    ORDER,
    Field(name="done_at", label=_("Done"), kind="moment"),
    Field(name="in_time", label=_("In time"), kind="flag"),
    Field(name="reason", label=_("Reason")),
)
PLANS = Records(
    path="plans",
    api="/api/plans",
    title=_("Maintenance plans"),
    one=_("Maintenance plan"),
    group="work",
    read="plans.read",
    write="plans.write",
    name="title",
    note=_("What is to be done again and again, by calendar, meter or condition, whichever comes first."),
    sorts=("number", "title", "priority"),
    columns=(
        Field(name="number", label=_("Number"), kind="code"),
        Field(name="title", label=_("Title")),
        Field(name="next_due", label=_("Next due"), kind="moment"),
        Field(name="held", label=_("Held back"), kind="integer"),
        Field(name="compliance", label=_("Kept"), kind="number", unit="%"),
        Field(name="priority", label=_("Priority"), kind="choice", choices=PRIORITIES),
        Field(name="team", label=_("Team")),
        Field(name="active", label=_("Active"), kind="flag"),
    ),
    fields=(
        Field(name="title", label=_("Title"), required=True),
        Field(name="description", label=_("Description"), kind="long"),
        Field(name="asset_codes", label=_("Assets"), kind="words", sends="assets", required=True, hint=_("Codes")),
        Field(name="triggers", label=_("Triggers"), kind="list", columns=_TRIGGERS, required=True),
        Field(
            name="schedule",
            label=_("Schedule"),
            kind="choice",
            choices=(("floating", _("From when it was done")), ("fixed", _("Fixed dates"))),
            default="floating",
        ),
        Field(name="starts_on", label=_("Starts on"), kind="date", required=True),
        Field(name="at", label=_("Time of day"), kind="clock", default="08:00"),
        Field(name="lead_days", label=_("Order ahead"), kind="integer", unit="d", low=0, default=7),
        Field(name="early_days", label=_("Early at most"), kind="integer", unit="d", low=0, default=2),
        Field(name="late_days", label=_("Late at most"), kind="integer", unit="d", low=0, default=2),
        Field(
            name="shift",
            label=_("On a day without production"),
            kind="choice",
            choices=(("none", _("Stays")), ("before", _("The day before")), ("after", _("The day after"))),
            default="none",
        ),
        Field(name="months", label=_("Season"), kind="picks", choices=MONTHS, hint=_("Only in these months; none ticked: all year.")),
        Field(name="series", label=_("Series"), kind="code", hint=_("A plan of the same series and a higher level swallows this one.")),
        Field(name="level", label=_("Level"), kind="integer", low=1, default=1),
        Field(name="type", label=_("Type"), kind="choice", choices=TYPES, default="preventive"),
        Field(name="priority", label=_("Priority"), kind="choice", choices=PRIORITIES, default="normal"),
        Field(name="procedure", label=_("Procedure"), kind="reference", source="/api/procedures", key="code", shows="title"),
        Field(name="team", label=_("Team"), hint=_("Name of a team")),
        Field(name="estimated_min", label=_("Estimated time"), kind="integer", unit="min", low=1),
        Field(
            name="parts",
            label=_("Planned parts"),
            kind="list",
            columns=(Field(name="part", label=_("Part"), kind="code"), Field(name="quantity", label=_("Quantity"), kind="number", low=0)),
        ),
        Field(name="active", label=_("Active"), kind="flag", default=True),
    ),
    read_only=(
        Field(name="number", label=_("Number"), kind="code"),
        Field(name="next_due", label=_("Next due"), kind="moment"),
        Field(name="compliance", label=_("Kept in 12 months"), kind="number", unit="%"),
        Field(name="compliance_due", label=_("Due in 12 months"), kind="integer"),
    ),
    filters=(Field(name="active", label=_("Active"), kind="choice", choices=(("true", _("Active")), ("false", _("Not active")))),),
    deletes=True,
    panels=(
        Panel(title=_("Assets"), inside="assets", columns=_WHERE, link="/assets/{code}"),
        Panel(title=_("Forecast from use"), api="/api/plans/{id}/forecast", columns=_FORECAST),
        Panel(title=_("Occurrences"), api="/api/plans/{id}/occurrences", columns=_OCCURRENCES),
    ),
    acts=(Act(label=_("Skip the next one"), path="/api/plans/{id}/skip", right="plans.write", fields=(ASSET, REASON)),),
)

RECORDS: tuple[Records, ...] = (PLANS,)
