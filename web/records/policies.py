"""Plain pages of what an alert becomes, and of the hours within which orders are promised."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.live import TYPES
from web.records.order_fields import PRIORITIES
from web.records.spec import Field, Records

_CLASS = Field(name="class", sends="class_id", label=_("Asset class"), kind="reference", source="/api/classes", hint=_("Empty: any class"))
_PROCEDURE = Field(name="procedure", sends="procedure_id", label=_("Procedure"), kind="reference", source="/api/procedures")
_TEAM = Field(name="team", sends="team_id", label=_("Team"), kind="reference", source="/api/teams")
_TYPE = Field(name="alert_type", label=_("Kind of alert"), kind="choice", choices=TYPES, required=True)
_PRIORITY = Field(
    name="priority", label=_("Priority"), kind="choice", choices=PRIORITIES, hint=_("Empty: by severity and the asset's criticality")
)
_OPENS = Field(name="opens_order", label=_("Opens an order by itself"), kind="flag", default=True)
_DUE = Field(
    name="due_hours", label=_("Due within"), kind="number", unit="h", low=0, high=8784, hint=_("Empty: the SLA hours of its priority")
)

POLICIES = Records(
    path="alert-policies",
    api="/api/alert-policies",
    title=_("Alert policies"),
    one=_("Alert policy"),
    group="system",
    read="policies.read",
    write="policies.write",
    columns=(_TYPE, _CLASS, _OPENS, _PRIORITY, _DUE, _PROCEDURE, _TEAM, Field(name="shared", label=_("At every site"), kind="flag")),
    fields=(
        _TYPE,
        _CLASS,
        _OPENS,
        _PRIORITY,
        _DUE,
        _PROCEDURE,
        _TEAM,
        Field(name="auto_assign", label=_("Give it to who of the team has least to do"), kind="flag"),
        Field(
            name="proof_s",
            label=_("Proof after the repair"),
            kind="number",
            unit="s",
            low=0,
            high=2_592_000,
            hint=_("How long the signal must stay normal; empty: the usual time"),
        ),
        Field(name="title", label=_("Title of its orders"), hint=_("Empty: what the alert says")),
    ),
    read_only=(Field(name="shared", label=_("At every site"), kind="flag"),),
    filters=(
        Field(name="alert_type", label=_("Kind of alert"), kind="choice", choices=TYPES),
        Field(name="priority", label=_("Priority"), kind="choice", choices=PRIORITIES),
    ),
    sorts=("alert_type", "priority", "due_hours"),
    deletes=True,
    note=_("What an alert becomes, by its kind and the class of its asset: an order, its priority, procedure, team and due time."),
)

SLA_HOURS = Records(
    path="sla-hours",
    api="/api/sla-hours",
    title=_("SLA hours"),
    one=_("SLA hours of a priority"),
    group="system",
    read="policies.read",
    write="policies.write",
    name="priority",
    searchable=False,
    columns=(
        Field(name="priority", label=_("Priority"), kind="choice", choices=PRIORITIES),
        Field(name="hours", label=_("Promised within"), kind="number", unit="h"),
    ),
    first=(Field(name="priority", label=_("Priority"), kind="choice", choices=PRIORITIES, required=True),),
    fields=(Field(name="hours", label=_("Promised within"), kind="number", unit="h", low=0, high=8784, required=True),),
    read_only=(Field(name="priority", label=_("Priority"), kind="choice", choices=PRIORITIES),),
    filters=(Field(name="priority", label=_("Priority"), kind="choice", choices=PRIORITIES),),
    sorts=("priority", "hours"),
    deletes=True,
    note=_("Within how many hours an order is promised; a priority without a row: urgent 2 h, high 8 h, normal 72 h, low 336 h."),
)

RECORDS = (POLICIES, SLA_HOURS)
