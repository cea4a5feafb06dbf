"""Plain pages of procedures with their steps, warnings and versions."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.order_fields import TITLE
from web.records.spec import Act, Field, Panel, Records
from web.records.steps import DANGERS, STEP_KINDS

PROCEDURES = Records(
    path="procedures",
    api="/api/procedures",
    title=_("Procedures"),
    one=_("Procedure"),
    group="work",
    read="procedures.read",
    write="procedures.write",
    columns=(
        Field(name="code", label=_("Code"), kind="code"),
        TITLE,
        Field(name="class", label=_("Asset class")),
        Field(name="version", label=_("Version"), kind="integer"),
        Field(name="has_draft", label=_("Draft"), kind="flag"),
    ),
    fields=(
        Field(name="code", label=_("Code"), kind="code", required=True),
        TITLE,
        Field(name="class", label=_("Asset class"), kind="reference", source="/api/classes", key="name"),
    ),
    read_only=(
        Field(name="version", label=_("Version"), kind="integer"),
        Field(name="status", label=_("State"), kind="choice", choices=(("active", _("Active")), ("retired", _("Retired")))),
        Field(name="lock_out", label=_("Lock-out"), kind="flag"),
        Field(name="hazards", label=_("Hazards"), kind="words"),
        Field(name="estimated_min", label=_("Estimated"), kind="integer", unit="min"),
        Field(name="has_draft", label=_("Draft"), kind="flag"),
    ),
    filters=(Field(name="retired", label=_("State"), kind="choice", choices=(("false", _("Active")), ("true", _("Retired")))),),
    sorts=("code", "title"),
    edits=False,
    panels=(
        Panel(
            title=_("Warnings"),
            inside="warnings",
            columns=(
                Field(name="sev", label=_("Severity"), kind="choice", choices=DANGERS),
                Field(name="t", label=_("Danger")),
                Field(name="b", label=_("Do this")),
            ),
        ),
        Panel(
            title=_("Steps"),
            inside="steps",
            columns=(
                Field(name="n", label=_("No."), kind="integer"),
                Field(name="k", label=_("Kind"), kind="choice", choices=STEP_KINDS),
                Field(name="t", label=_("Step")),
                Field(name="must", label=_("Must"), kind="flag"),
            ),
        ),
        Panel(
            title=_("Versions"),
            api="/api/procedures/{id}/versions",
            columns=(
                Field(name="version", label=_("Version"), kind="integer"),
                Field(name="steps_count", label=_("Steps"), kind="integer"),
                Field(name="note", label=_("What changed")),
                Field(name="published_by", label=_("Published by")),
                Field(name="published_at", label=_("Published"), kind="moment"),
            ),
        ),
    ),
    acts=(
        Act(
            label=_("Publish the draft"), path="/api/procedures/{id}/publish", right="procedures.write", shown_when=("has_draft", ("true",))
        ),
        Act(
            label=_("Retire"),
            path="/api/procedures/{id}/retire",
            right="procedures.write",
            shown_when=("status", ("active",)),
            confirm=_("New orders do not get it any more; orders that have it keep it."),
        ),
        Act(label=_("Bring back"), path="/api/procedures/{id}/restore", right="procedures.write", shown_when=("status", ("retired",))),
    ),
    name="title",
    note=_("How jobs are done; an order keeps the version it was started with."),
)

RECORDS = (PROCEDURES,)
