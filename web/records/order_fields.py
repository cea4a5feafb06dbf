"""Fields, words and states that the pages of orders, interventions and templates share."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Field

STATES = (
    ("requested", _("Requested")),
    ("open", _("Open")),
    ("assigned", _("Assigned")),
    ("in_progress", _("In progress")),
    ("on_hold", _("On hold")),
    ("completed", _("Completed")),
    ("verified", _("Verified")),
    ("reopened", _("Reopened")),
    ("cancelled", _("Cancelled")),
)
TYPES = (
    ("corrective", _("Corrective")),
    ("preventive", _("Preventive")),
    ("predictive", _("Predictive")),
    ("calibration", _("Calibration")),
    ("inspection", _("Inspection")),
    ("safety", _("Safety")),
    ("project", _("Project")),
)
PRIORITIES = (("urgent", _("Urgent")), ("high", _("High")), ("normal", _("Normal")), ("low", _("Low")))
VERDICTS = (("confirmed", _("Confirmed")), ("false", _("False alarm")), ("something_else", _("Something else")))
LINKS = (
    ("relates", _("relates to")),
    ("duplicates", _("duplicates")),
    ("blocks", _("blocks")),
    ("follow_up", _("follows up")),
    ("repeat", _("repeats")),
)
NUMBER = Field(name="number", label=_("Number"), kind="code")
ASSET = Field(
    name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code", link="/assets/{asset.code}", required=True
)
TITLE = Field(name="title", label=_("Title"), required=True)
TYPE = Field(name="type", label=_("Type"), kind="choice", choices=TYPES, default="corrective", required=True)
PRIORITY = Field(name="priority", label=_("Priority"), kind="choice", choices=PRIORITIES)
STATE = Field(name="status", label=_("State"), kind="choice", choices=STATES)
DUE = Field(name="due_at", label=_("Due"), kind="moment")
ESTIMATE = Field(name="est_min", label=_("Estimated"), kind="integer", unit="min", low=1, high=10000)
PROCEDURE = Field(name="procedure", label=_("Procedure"), kind="reference", source="/api/procedures", key="code", shows="title")
TEAM = Field(name="team", label=_("Team"), kind="reference", source="/api/teams", key="name")
DESCRIPTION = Field(name="description", label=_("Description"), kind="long")
REASON = Field(name="reason", label=_("Reason"), kind="long", required=True)
NOTES = Field(name="notes", label=_("Notes"), kind="long")
PERSON = Field(name="assigned_to", label=_("Assigned to"), kind="reference")
PARTS = Field(
    name="parts",
    label=_("Spare parts used"),
    kind="list",
    columns=(
        Field(name="sku", label=_("Part"), kind="reference", source="/api/parts", key="number", required=True),
        Field(name="qty", label=_("Quantity"), kind="number", low=0, default=1),
    ),
)
LIVE = ("requested", "open", "assigned", "in_progress", "on_hold", "reopened")
STOCK = (
    Field(name="part", label=_("Part"), kind="reference", source="/api/parts", required=True),
    Field(name="store", label=_("Store"), kind="reference", sends="store_id", source="/api/stores", required=True),
    Field(name="quantity", label=_("Quantity"), kind="number", low=0, default=1, required=True),
)
SIGNED = Field(name="signature.name", label=_("Signed by"))
