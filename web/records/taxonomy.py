"""Plain pages of the fault taxonomy."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Field, Records

LEVELS = (("category", _("Category")), ("what", _("What")), ("why", _("Why")), ("where", _("Where")))
TERM = Field(name="label", label=_("Words"), required=True)
TAXONOMY = Records(
    path="fault-terms",
    api="/api/fault-terms",
    title=_("Fault taxonomy"),
    one=_("Fault term"),
    group="work",
    read="orders.read",
    write="taxonomy.write",
    columns=(
        Field(name="level", label=_("Level"), kind="choice", choices=LEVELS),
        Field(name="code", label=_("Code"), kind="code"),
        Field(name="name", label=_("Words")),
        Field(name="position", label=_("Place"), kind="integer"),
    ),
    fields=(
        Field(name="level", label=_("Level"), kind="choice", choices=LEVELS, required=True),
        Field(
            name="parent", label=_("Stands under"), kind="reference", source="/api/fault-terms", hint=_("Left empty, it fits everywhere.")
        ),
        Field(name="code", label=_("Code"), kind="code", required=True),
        TERM,
        Field(name="position", label=_("Place"), kind="integer", low=0),
    ),
    filters=(Field(name="level", label=_("Level"), kind="choice", choices=LEVELS),),
    sorts=("position", "code", "label"),
    edits=False,
    acts=(
        Act(
            label=_("Change the words"),
            path="/api/fault-terms/{id}",
            right="taxonomy.write",
            method="PATCH",
            fields=(TERM, Field(name="position", label=_("Place"), kind="integer", low=0)),
        ),
    ),
    deletes=True,
    note=_("The words that technicians tell faults in: category, what, why, where."),
)

RECORDS = (TAXONOMY,)
