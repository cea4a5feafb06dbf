"""Plain pages of downtime, and of the reasons people give for it."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records import words
from web.records.spec import Act, Download, Field, Records
from web.records.upkeep_fields import ASSET, ASSET_CODE, NOTE, ORDER

CATEGORIES = (("planned", _("Planned")), ("unplanned", _("Unplanned")), ("unclassified", _("Unclassified")))
SAID = CATEGORIES[:2]
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
        Field(name="state", label=_("The machine said"), kind="choice", choices=words.MACHINE_SAID),
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

RECORDS: tuple[Records, ...] = (DOWNTIMES, REASONS)
