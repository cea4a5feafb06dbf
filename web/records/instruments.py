"""Plain pages of the instrument register; calibrate, maintain and train stand in every row."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.calibration import CALIBRATIONS, MAINTENANCE
from web.records.imports import imports
from web.records.spec import Act, Download, Field, Panel, Records
from web.records.words import INTERVAL_STEPS, INTERVAL_UNITS

CRITICALITIES = (("low", _("Low")), ("medium", _("Medium")), ("high", _("High")), ("critical", _("Critical")))
DUE = (("overdue", _("Overdue")), ("soon", _("Due soon")), ("never", _("Never calibrated")), ("none", _("No interval")))

_ASSET = Field(
    name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code", link="/assets/{asset.code}", required=True
)
_TAG = Field(name="tag", label=_("Tag"), kind="code")
_CRITICALITY = Field(name="criticality", label=_("Criticality"), kind="choice", choices=CRITICALITIES)
_CALIBRATE = ("standard", "as_found", "as_left", "tolerance_pct", "signature", "notes")
_MAINTAIN = ("action", "description", "duration_min")


def _of(one: Records, names: tuple[str, ...]) -> tuple[Field, ...]:
    return tuple(field for field in one.fields if field.name in names)


CALIBRATE = Act(
    label=_("Calibrate"),
    path="/api/calibrations",
    right="calibrations.write",
    body=(("instrument", "{id}"),),
    fields=_of(CALIBRATIONS, _CALIBRATE),
    on_row=True,
)
MAINTAIN = Act(
    label=_("Maintain"),
    path="/api/maintenance",
    right="orders.work",
    body=(("instrument", "{id}"),),
    fields=_of(MAINTENANCE, _MAINTAIN),
    on_row=True,
)
TRAIN = Act(label=_("Train"), path="/api/ml/train/{tag}", right="assets.write", on_row=True)

ACCEPT = Act(
    label=_("Set the interval"),
    path="/api/instruments/{id}/interval",
    right="calibrations.accept",
    starts="/api/instruments/{id}/interval",
    start_with=(("days", "proposed_days"),),
    fields=(
        Field(
            name="days",
            label=_("Calibrate every"),
            kind="integer",
            unit="d",
            low=1,
            high=36500,
            required=True,
            hint=_("The proposal and its calculation stand below."),
        ),
        Field(name="reason", label=_("Reason"), kind="long"),
    ),
)
_STEPS = (
    Field(name="code", label=_("Step"), kind="choice", choices=INTERVAL_STEPS),
    Field(name="value", label=_("Value"), kind="number"),
    Field(name="unit", label=_("Unit"), kind="choice", choices=INTERVAL_UNITS),
)
_DECISIONS = (
    Field(name="decided_at", label=_("Time"), kind="moment"),
    Field(name="decided_by", label=_("Accepted by")),
    Field(name="old_days", label=_("Before"), kind="integer", unit="d"),
    Field(name="proposed_days", label=_("Proposed"), kind="integer", unit="d"),
    Field(name="new_days", label=_("Accepted"), kind="integer", unit="d"),
    Field(name="reason", label=_("Reason")),
)

INSTRUMENTS = Records(
    path="instruments",
    api="/api/instruments",
    title=_("Instruments"),
    one=_("Instrument"),
    group="register",
    read="assets.read",
    write="assets.write",
    deletes=True,
    sorts=("tag", "name", "type", "asset", "criticality", "calibrated_at", "calibration_due"),
    columns=(
        _TAG,
        Field(name="name", label=_("Name")),
        _ASSET,
        Field(name="type", label=_("Type")),
        _CRITICALITY,
        Field(name="calibrated_at", label=_("Calibrated"), kind="date"),
        Field(name="calibration_due", label=_("Due"), kind="date"),
    ),
    fields=(
        Field(name="name", label=_("Name"), required=True),
        _ASSET,
        Field(name="type", label=_("Type"), required=True, hint=_("pressure, temperature, flow, level ...")),
        Field(name="variable", label=_("Measures")),
        Field(name="unit", label=_("Unit"), kind="code"),
        Field(name="range_low", label=_("Range from"), kind="number"),
        Field(name="range_high", label=_("Range to"), kind="number"),
        Field(name="nominal", label=_("Nominal"), kind="number"),
        Field(name="accuracy_class", label=_("Accuracy class")),
        _CRITICALITY,
        Field(name="calibration_interval_days", label=_("Calibrate every"), kind="integer", unit="d", low=1, high=36500),
        Field(name="location", label=_("Place")),
        Field(name="external_ref", label=_("External reference")),
    ),
    first=(Field(name="tag", label=_("Tag"), kind="code", required=True, hint=_("a live tag of the same name is tied to it")),),
    read_only=(
        _TAG,
        Field(name="area.name", label=_("Area")),
        Field(name="live", label=_("Has a live tag"), kind="flag"),
        Field(name="calibrated_at", label=_("Calibrated"), kind="moment"),
        Field(name="calibration_due", label=_("Due"), kind="moment"),
    ),
    filters=(
        Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code"),
        _CRITICALITY,
        Field(name="due", label=_("Calibration"), kind="choice", choices=DUE),
    ),
    acts=(CALIBRATE, MAINTAIN, ACCEPT, TRAIN, *imports("instruments")),
    panels=(
        Panel(
            title=_("Health"),
            columns=(Field(name="text", label=_("Why")), Field(name="points", label=_("Points"), kind="integer")),
            api="/api/instruments/{id}/health",
            inside="calculation",
            right="assets.read",
        ),
        Panel(
            title=_("Calibrations"),
            columns=tuple(column for column in CALIBRATIONS.columns if column.name != "instrument.tag"),
            api="/api/instruments/{id}/calibrations",
            link="/calibrations/{id}",
            right="calibrations.read",
        ),
        Panel(
            title=_("Proposed interval"),
            columns=_STEPS,
            api="/api/instruments/{id}/interval",
            inside="steps",
            right="calibrations.read",
            none=_("Two calibrations at different times are needed for a proposal."),
        ),
        Panel(
            title=_("Intervals accepted"),
            columns=_DECISIONS,
            api="/api/instruments/{id}/interval",
            inside="decisions",
            right="calibrations.read",
        ),
    ),
    downloads=(
        Download(label="CSV", path="/api/instruments?export=csv", right="assets.read", on_list=True),
        Download(label="XLSX", path="/api/instruments?export=xlsx", right="assets.read", on_list=True),
        Download(label=_("Blank certificate"), path="/api/instruments/{id}/certificate-blank", right="calibrations.read"),
    ),
    name="tag",
    note=_("The devices behind the tags: what they measure, where, how exactly, and when each is due for calibration."),
)

RECORDS = (INSTRUMENTS,)
