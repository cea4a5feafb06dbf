"""Plain pages of upkeep: plans with what became of them, meters, downtime with its reasons, and planned-production calendars."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Download, Field, Panel, Records

ASSET = Field(
    name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code", required=True, link="/assets/{asset.code}"
)
ASSET_CODE = Field(name="asset.code", label=_("Asset"), kind="code", link="/assets/{asset.code}")
ORDER = Field(name="order.number", label=_("Work order"), kind="code", link="/work-orders/{order.id}")
REASON = Field(name="reason", label=_("Reason"), kind="long", required=True)
NOTE = Field(name="note", label=_("Note"), kind="long")
CATEGORIES = (("planned", _("Planned")), ("unplanned", _("Unplanned")), ("unclassified", _("Unclassified")))
SAID = CATEGORIES[:2]
TYPES = (("preventive", _("Preventive")), ("inspection", _("Inspection")), ("calibration", _("Calibration")), ("safety", _("Safety")))
PRIORITIES = (("low", _("Low")), ("normal", _("Normal")), ("high", _("High")), ("urgent", _("Urgent")))
CAUSES = (("calendar", _("Calendar")), ("run_hours", _("Run hours")), ("cycles", _("Cycles")), ("condition", _("Condition")))
METERS = (("run_hours", _("Run hours")), ("cycles", _("Cycles")))
SOURCES = (("state", _("Running state")), ("starts", _("Starts")), ("counter", _("Counter tag")), ("manual", _("Read by hand")))
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
WEEKDAYS = tuple((str(n), word) for n, word in enumerate((_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))))
HOURS = (Field(name="start", label=_("From"), kind="code"), Field(name="end", label=_("To"), kind="code"))

_TRIGGERS = (
    Field(name="kind", label=_("Kind"), kind="choice", choices=CAUSES, required=True),
    Field(name="rrule", label=_("Recurrence"), kind="code", hint=_("For example FREQ=MONTHLY;INTERVAL=3")),
    Field(name="every", label=_("Every"), kind="number", low=0, hint=_("Run hours or cycles")),
    Field(name="alert_type", label=_("Alert"), kind="code"),
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
    Field(name="confidence", label=_("Confidence"), kind="code"),
)
_OCCURRENCES = (
    Field(name="occurrence", label=_("No."), kind="integer"),
    ASSET_CODE,
    Field(name="due", label=_("Due"), kind="moment"),
    Field(name="cause", label=_("Because of"), kind="choice", choices=CAUSES),
    Field(name="state", label=_("State"), kind="code"),
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
        Field(name="at", label=_("Time of day"), kind="code", default="08:00"),
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

METER_RECORDS = Records(
    path="meters",
    api="/api/meters",
    title=_("Meters"),
    one=_("Meter"),
    group="register",
    read="plans.read",
    write="plans.write",
    note=_("Run hours and cycles, counted from the machine's own bits or read by hand."),
    sorts=("asset", "name", "kind"),
    columns=(
        ASSET_CODE,
        Field(name="name", label=_("Name")),
        Field(name="value", label=_("Reading"), kind="number"),
        Field(name="unit", label=_("Unit"), kind="code"),
        Field(name="per_day", label=_("A day"), kind="number"),
        Field(name="source", label=_("Counted from"), kind="choice", choices=SOURCES),
    ),
    fields=(
        ASSET,
        Field(name="kind", label=_("Kind"), kind="choice", choices=METERS, required=True),
        Field(name="source", label=_("Counted from"), kind="choice", choices=SOURCES, required=True),
        Field(name="name", label=_("Name")),
        Field(name="unit", label=_("Unit"), kind="code"),
        Field(name="tag", label=_("Counter tag"), kind="code"),
        Field(name="rollover", label=_("Starts again at"), kind="number", hint=_("For example 65536")),
        Field(name="value", label=_("Reading now"), kind="number", low=0),
    ),
    read_only=(
        Field(name="total", label=_("Total of all meters so far"), kind="number"),
        Field(name="per_day", label=_("A day"), kind="number"),
        Field(name="confidence", label=_("Confidence"), kind="code"),
        Field(name="counted_to", label=_("Counted up to"), kind="moment"),
    ),
    filters=(Field(name="kind", label=_("Kind"), kind="choice", choices=METERS),),
    edits=False,
    deletes=True,
    panels=(
        Panel(
            title=_("Readings"),
            api="/api/meters/{id}/readings",
            columns=(
                Field(name="at", label=_("Time"), kind="moment"),
                Field(name="value", label=_("Reading"), kind="number"),
                Field(name="kind", label=_("Kind"), kind="code"),
                Field(name="by", label=_("By")),
                NOTE,
            ),
        ),
    ),
    acts=(
        Act(
            label=_("Enter a reading"),
            path="/api/meters/{id}/readings",
            right="orders.create",
            fields=(
                Field(name="value", label=_("Reading"), kind="number", required=True, low=0),
                Field(name="replaced", label=_("The meter is new"), kind="flag"),
                NOTE,
            ),
        ),
        Act(
            label=_("Rename"),
            path="/api/meters/{id}",
            method="PATCH",
            right="plans.write",
            fields=(Field(name="name", label=_("Name"), required=True),),
        ),
    ),
)

_DOWN = (
    ASSET_CODE,
    Field(name="asset.area", label=_("Area")),
    Field(name="started_at", label=_("From"), kind="moment"),
    Field(name="ended_at", label=_("To"), kind="moment"),
    Field(name="minutes", label=_("Time"), kind="number", unit="min"),
    Field(name="category", label=_("Category"), kind="choice", choices=CATEGORIES),
    Field(name="reason.label", label=_("Reason")),
    Field(name="cost", label=_("Cost"), kind="money"),
)
_SAYS = (
    Field(name="reason", label=_("Reason"), kind="reference", source="/api/downtime-reasons", key="code", shows="label"),
    Field(name="category", label=_("Category"), kind="choice", choices=SAID, hint=_("Only without a reason")),
    NOTE,
)

DOWNTIMES = Records(
    path="downtimes",
    api="/api/downtimes",
    title=_("Downtime"),
    one=_("Downtime"),
    group="work",
    read="downtime.read",
    write="downtime.classify",
    name="asset.code",
    note=_("When machines stood, told by their own state; people say why."),
    sorts=("asset", "started_at", "ended_at", "category"),
    columns=_DOWN,
    fields=(
        ASSET,
        Field(name="started_at", label=_("From"), kind="moment", required=True),
        Field(name="ended_at", label=_("To"), kind="moment", hint=_("Empty: it stands now")),
        NOTE,
    ),
    read_only=(
        *_DOWN[4:],
        Field(name="state", label=_("The machine said"), kind="code"),
        Field(name="fault_code", label=_("Fault code"), kind="code"),
        ORDER,
        Field(name="cause.asset", label=_("Because of"), kind="code", link="/downtimes/{cause.id}"),
        Field(name="machine_rate", label=_("Machine rate"), kind="money"),
        Field(name="classified_by", label=_("Classified by")),
        Field(name="classified_at", label=_("Classified at"), kind="moment"),
    ),
    filters=(
        Field(name="category", label=_("Category"), kind="choice", choices=CATEGORIES),
        Field(name="open", label=_("Now"), kind="choice", choices=(("true", _("Standing")), ("false", _("Ended")))),
        Field(name="own", label=_("Cause"), kind="choice", choices=(("true", _("Its own")), ("false", _("Another machine")))),
        Field(name="from", label=_("From"), kind="moment"),
        Field(name="to", label=_("To"), kind="moment"),
    ),
    edits=False,
    deletes=True,
    acts=(
        Act(label=_("Say why"), path="/api/downtimes/{id}/classify", right="downtime.classify", fields=_SAYS),
        Act(
            label=_("Split"),
            path="/api/downtimes/{id}/split",
            right="downtime.classify",
            fields=(Field(name="at", label=_("At"), kind="moment", required=True),),
        ),
        Act(
            label=_("Merge"),
            path="/api/downtimes/{id}/merge",
            right="downtime.classify",
            fields=(Field(name="with", label=_("With row"), kind="integer", low=1, required=True),),
        ),
        Act(
            label=_("Correct"),
            path="/api/downtimes/{id}",
            method="PATCH",
            right="downtime.classify",
            fields=(Field(name="started_at", label=_("From"), kind="moment"), Field(name="ended_at", label=_("To"), kind="moment"), NOTE),
        ),
    ),
    downloads=(
        Download(label=_("CSV"), path="/api/downtimes?export=csv", right="downtime.read", on_list=True),
        Download(label=_("XLSX"), path="/api/downtimes?export=xlsx", right="downtime.read", on_list=True),
        Download(label=_("PDF"), path="/api/downtimes?export=pdf", right="downtime.read", on_list=True),
    ),
)

_REASON = (
    Field(name="code", label=_("Code"), kind="code", required=True),
    Field(name="label", label=_("Words"), required=True),
    Field(name="category", label=_("Category"), kind="choice", choices=SAID, required=True),
)
REASONS = Records(
    path="downtime-reasons",
    api="/api/downtime-reasons",
    title=_("Downtime reasons"),
    one=_("Downtime reason"),
    group="register",
    read="downtime.read",
    write="taxonomy.write",
    name="label",
    note=_("What people choose from when a machine stood."),
    sorts=("code", "label", "category"),
    columns=_REASON,
    fields=_REASON,
    deletes=True,
)

CALENDARS = Records(
    path="calendars",
    api="/api/calendars",
    title=_("Production calendars"),
    one=_("Production calendar"),
    group="register",
    read="plans.read",
    write="calendar.write",
    note=_("When the site or an area means to produce: availability counts only this time."),
    sorts=("name",),
    columns=(Field(name="name", label=_("Name")), Field(name="area", label=_("Area"))),
    fields=(
        Field(name="name", label=_("Name"), required=True),
        Field(name="area", label=_("Area"), hint=_("Name of an area; empty: the whole site")),
    ),
    deletes=True,
    panels=(
        Panel(
            title=_("Days that are not like their weekday"),
            inside="days",
            columns=(Field(name="day", label=_("Day"), kind="date"), Field(name="name", label=_("Name"))),
        ),
        Panel(
            title=_("Week"),
            inside="weekly",
            columns=(Field(name="days", label=_("Days"), kind="picks", choices=WEEKDAYS), Field(name="shift", label=_("Shift")), *HOURS),
        ),
    ),
)

RECORDS: tuple[Records, ...] = (PLANS, METER_RECORDS, DOWNTIMES, REASONS, CALENDARS)
