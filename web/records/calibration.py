"""Plain pages of calibration: records, reference standards, impact reviews and maintenance records."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records import words
from web.records.spec import Act, Download, Field, Panel, Records

_POINT = (
    Field(name="applied", label=_("Applied"), kind="number", required=True),
    Field(name="reading", label=_("Reading"), kind="number", required=True),
)
_JUDGED = (*_POINT, Field(name="error_pct", label=_("Error"), kind="number", unit="% of span"))
_INSTRUMENT = Field(
    name="instrument", label=_("Instrument"), kind="reference", source="/api/instruments", key="id", shows="tag", required=True
)
_AS_FOUND = Field(name="as_found", label=_("As found"), kind="list", columns=_POINT, required=True, hint=_("One point, or five and more"))
_AS_LEFT = Field(name="as_left", label=_("As left"), kind="list", columns=_POINT, hint=_("Leave empty where nothing was adjusted"))
_TOLERANCE = Field(
    name="tolerance_pct", label=_("Tolerance"), kind="number", unit="% of span", low=0, high=100, hint=_("Empty: from the accuracy class")
)
_VERDICTS = (
    Field(name="found_error_pct", label=_("Worst error found"), kind="number", unit="% of span"),
    Field(name="left_error_pct", label=_("Worst error left"), kind="number", unit="% of span"),
    Field(name="tolerance_pct", label=_("Tolerance"), kind="number", unit="% of span"),
    Field(name="found_passed", label=_("Found within tolerance"), kind="flag"),
    Field(name="passed", label=_("Passed"), kind="flag"),
)
_USES = (
    Field(name="number", label=_("Number"), kind="code", link="/calibrations/{id}"),
    Field(name="performed_at", label=_("Performed at"), kind="moment"),
    Field(name="instrument.tag", label=_("Instrument"), kind="code"),
    Field(name="found_error_pct", label=_("Worst error found"), kind="number", unit="% of span"),
    Field(name="passed", label=_("Passed"), kind="flag"),
)

CALIBRATIONS = Records(
    path="calibrations",
    api="/api/calibrations",
    title=_("Calibrations"),
    one=_("Calibration"),
    group="register",
    read="calibrations.read",
    write="calibrations.write",
    name="number",
    edits=False,
    sorts=("performed_at", "number", "next_due_at", "instrument"),
    columns=(
        Field(name="number", label=_("Number"), kind="code"),
        Field(name="instrument.tag", label=_("Instrument"), kind="code"),
        Field(name="performed_at", label=_("Performed at"), kind="moment"),
        Field(name="performed_by", label=_("Performed by")),
        *_VERDICTS[:3],
        Field(name="passed", label=_("Passed"), kind="flag"),
        Field(name="next_due_at", label=_("Next due"), kind="moment"),
        Field(name="superseded_by.number", label=_("Superseded by"), kind="code"),
    ),
    fields=(
        _INSTRUMENT,
        Field(
            name="standard",
            label=_("Reference standard"),
            kind="reference",
            source="/api/standards",
            key="id",
            shows="serial",
            required=True,
            link="/standards/{standard.id}",
        ),
        _AS_FOUND,
        _AS_LEFT,
        _TOLERANCE,
        Field(name="performed_at", label=_("Performed at"), kind="moment"),
        Field(name="performed_by", label=_("Performed by")),
        Field(name="signature", label=_("Signature")),
        Field(name="work_order", label=_("Work order"), kind="reference", source="/api/work-orders", key="id", shows="number"),
        Field(name="ambient", label=_("Ambient conditions")),
        Field(name="notes", label=_("Remarks"), kind="long"),
        Field(name="standard_reason", label=_("Why an overdue standard was used"), kind="long"),
        Field(name="supersedes", label=_("Corrects"), kind="reference", source="/api/calibrations", key="id", shows="number"),
        Field(name="supersede_reason", label=_("What was wrong with it"), kind="long"),
    ),
    read_only=(
        *_VERDICTS,
        Field(name="drift_pct_per_year", label=_("Drift"), kind="number", unit="% of span per year"),
        Field(name="next_due_at", label=_("Next due"), kind="moment"),
        Field(name="follow_up.number", label=_("Order of the failed calibration"), kind="code", link="/orders/{follow_up.number}"),
        Field(
            name="impact_review.state",
            label=_("Impact review"),
            kind="choice",
            choices=words.REVIEW_STATES,
            link="/impact-reviews/{impact_review.id}",
        ),
        Field(name="superseded_by.number", label=_("Superseded by"), kind="code", link="/calibrations/{superseded_by.id}"),
    ),
    filters=(
        Field(name="instrument", label=_("Instrument"), kind="reference", source="/api/instruments", key="tag", shows="tag"),
        Field(name="passed", label=_("Passed"), kind="flag"),
    ),
    panels=(Panel(title=_("As found"), columns=_JUDGED, inside="as_found"), Panel(title=_("As left"), columns=_JUDGED, inside="as_left")),
    acts=(
        Act(
            label=_("Judge points"),
            path="/api/calibrations/preview",
            right="calibrations.read",
            fields=(_INSTRUMENT, _AS_FOUND, _AS_LEFT, _TOLERANCE),
            shows=_VERDICTS,
            on_list=True,
        ),
    ),
    downloads=(
        Download(label=_("Certificate"), path="/api/calibrations/{id}/certificate", right="calibrations.read"),
        Download(label="CSV", path="/api/calibrations?export=csv", right="calibrations.read", on_list=True),
        Download(label="XLSX", path="/api/calibrations?export=xlsx", right="calibrations.read", on_list=True),
        Download(label="PDF", path="/api/calibrations?export=pdf", right="calibrations.read", on_list=True),
    ),
    note=_("Records of calibrations as found and as left; nobody changes one, a correction is a new record that says why."),
)

STANDARDS = Records(
    path="standards",
    api="/api/standards",
    title=_("Reference standards"),
    one=_("Reference standard"),
    group="register",
    read="calibrations.read",
    write="standards.write",
    deletes=True,
    sorts=("serial", "name", "due_at"),
    columns=(
        Field(name="serial", label=_("Serial number"), kind="code"),
        Field(name="name", label=_("Name")),
        Field(name="certificate", label=_("Certificate"), kind="code"),
        Field(name="due_at", label=_("Due"), kind="moment"),
        Field(name="overdue", label=_("Overdue"), kind="flag"),
        Field(name="used", label=_("Used"), kind="integer"),
        Field(name="last_used_at", label=_("Last used"), kind="moment"),
    ),
    fields=(
        Field(name="serial", label=_("Serial number"), kind="code", required=True),
        Field(name="name", label=_("Name"), required=True),
        Field(name="type", label=_("Type")),
        Field(name="unit", label=_("Unit"), kind="code"),
        Field(name="range_low", label=_("Range from"), kind="number"),
        Field(name="range_high", label=_("Range to"), kind="number"),
        Field(name="uncertainty", label=_("Uncertainty"), kind="number", low=0, hint=_("Expanded, in its unit")),
        Field(name="certificate", label=_("Certificate"), kind="code", required=True),
        Field(name="calibrated_at", label=_("Calibrated at"), kind="moment"),
        Field(name="due_at", label=_("Due"), kind="moment", required=True),
        Field(name="notes", label=_("Notes"), kind="long"),
    ),
    read_only=(Field(name="overdue", label=_("Overdue"), kind="flag"), Field(name="used", label=_("Used"), kind="integer")),
    filters=(Field(name="overdue", label=_("Overdue"), kind="flag"),),
    panels=(Panel(title=_("Calibrations with it"), columns=_USES, api="/api/standards/{id}/calibrations"),),
    note=_("What instruments are calibrated against; each has a due date and a certificate of its own."),
)

REVIEWS = Records(
    path="impact-reviews",
    api="/api/impact-reviews",
    title=_("Impact reviews"),
    one=_("Impact review"),
    group="register",
    read="calibrations.read",
    name="number",
    searchable=False,
    creates=False,
    edits=False,
    sorts=("opened_at",),
    columns=(
        Field(name="number", label=_("Calibration"), kind="code"),
        Field(name="instrument.tag", label=_("Instrument"), kind="code"),
        Field(name="since", label=_("Last known good"), kind="moment"),
        Field(name="until", label=_("Found wrong"), kind="moment"),
        Field(name="count", label=_("Decisions"), kind="integer"),
        Field(name="state", label=_("State"), kind="choice", choices=words.REVIEW_STATES),
        Field(name="reviewed_by", label=_("Signed by")),
    ),
    read_only=(
        Field(name="instrument.tag", label=_("Instrument"), kind="code"),
        Field(name="calibration.number", label=_("Calibration"), kind="code", link="/calibrations/{calibration.id}"),
        Field(name="calibration.found_error_pct", label=_("Worst error found"), kind="number", unit="% of span"),
        Field(name="since", label=_("Last known good"), kind="moment"),
        Field(name="until", label=_("Found wrong"), kind="moment"),
        Field(name="state", label=_("State"), kind="choice", choices=words.REVIEW_STATES),
        Field(name="conclusion", label=_("Conclusion"), kind="long"),
        Field(name="reviewed_by", label=_("Signed by")),
        Field(name="reviewed_at", label=_("Signed at"), kind="moment"),
    ),
    filters=(Field(name="state", label=_("State"), kind="choice", choices=words.REVIEW_STATES),),
    panels=(
        Panel(
            title=_("What was decided on it since"),
            columns=(
                Field(name="at", label=_("Time"), kind="moment"),
                Field(name="kind", label=_("Kind"), kind="choice", choices=words.REVIEWED),
                Field(name="number", label=_("Number"), kind="code"),
                Field(name="what", label=_("What")),
                Field(name="by", label=_("By")),
            ),
            inside="items",
        ),
    ),
    acts=(
        Act(
            label=_("Sign"),
            path="/api/impact-reviews/{id}/sign",
            right="calibrations.accept",
            fields=(Field(name="conclusion", label=_("Conclusion"), kind="long", required=True),),
            shown_when=("state", ("open",)),
        ),
    ),
    note=_("After an instrument was found out of tolerance: everything decided on it since it was last known good."),
)

_ACTIONS = (
    ("repair", _("Repair")),
    ("replace", _("Replace")),
    ("clean", _("Clean")),
    ("adjust", _("Adjust")),
    ("lubricate", _("Lubricate")),
    ("inspect", _("Inspect")),
    ("other", _("Other")),
)

MAINTENANCE = Records(
    path="maintenance-records",
    api="/api/maintenance",
    title=_("Maintenance records"),
    one=_("Maintenance record"),
    group="work",
    read="assets.read",
    write="orders.work",
    name="number",
    edits=False,
    sorts=("performed_at", "number", "action"),
    columns=(
        Field(name="number", label=_("Number"), kind="code"),
        Field(name="asset.code", label=_("Asset"), kind="code", link="/assets/{asset.code}"),
        Field(name="action", label=_("Action"), kind="choice", choices=_ACTIONS),
        Field(name="description", label=_("Description")),
        Field(name="performed_at", label=_("Performed at"), kind="moment"),
        Field(name="performed_by", label=_("Technician")),
        Field(name="duration_min", label=_("Duration"), kind="integer", unit="min"),
    ),
    fields=(
        Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code", shows="code"),
        Field(name="instrument", label=_("Instrument"), kind="reference", source="/api/instruments", key="id", shows="tag"),
        Field(name="work_order", label=_("Work order"), kind="reference", source="/api/work-orders", key="id", shows="number"),
        Field(name="action", label=_("Action"), kind="choice", choices=_ACTIONS, required=True),
        Field(name="description", label=_("Description"), kind="long", required=True),
        Field(name="performed_by", sends="technician", label=_("Technician")),
        Field(
            name="parts",
            label=_("Parts"),
            kind="list",
            columns=(
                Field(name="sku", label=_("Part"), kind="code", required=True),
                Field(name="qty", label=_("Quantity"), kind="number", low=0),
            ),
        ),
        Field(name="duration_min", label=_("Duration"), kind="integer", unit="min", low=0),
        Field(name="performed_at", label=_("Performed at"), kind="moment"),
    ),
    filters=(
        Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code", shows="code"),
        Field(name="action", label=_("Action"), kind="choice", choices=_ACTIONS),
    ),
    note=_("What was done to assets and instruments, by whom and with which parts."),
)

RECORDS: tuple[Records, ...] = (CALIBRATIONS, STANDARDS, REVIEWS, MAINTENANCE)
