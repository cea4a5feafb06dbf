"""Plain pages of meters: run hours and cycles with their readings."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records import words
from web.records.spec import Act, Field, Panel, Records
from web.records.upkeep_fields import ASSET, ASSET_CODE, NOTE

METERS = (("run_hours", _("Run hours")), ("cycles", _("Cycles")))
SOURCES = (("state", _("Running state")), ("starts", _("Starts")), ("counter", _("Counter tag")), ("manual", _("Read by hand")))
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
        Field(name="confidence", label=_("Confidence"), kind="choice", choices=words.CONFIDENCES),
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
                Field(name="kind", label=_("Kind"), kind="choice", choices=words.METER_READINGS),
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

RECORDS: tuple[Records, ...] = (METER_RECORDS,)
