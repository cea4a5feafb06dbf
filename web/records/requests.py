"""Plain pages of the triage of fault reports."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Field, Panel, Records
from web.records.store_fields import REASON

FEELS = (("stopped", _("The machine stands still")), ("bad", _("It runs, but badly")), ("small", _("Something small")))
TRIAGE = (("new", _("New")), ("accepted", _("Accepted")), ("rejected", _("Rejected")), ("duplicate", _("Duplicate")))
NEW = ("status", ("new",))
REQUESTS = Records(
    path="requests",
    api="/api/requests",
    title=_("Fault reports"),
    one=_("Fault report"),
    group="work",
    read="requests.read",
    columns=(
        Field(name="number", label=_("Number"), kind="code"),
        Field(name="status", label=_("State"), kind="choice", choices=TRIAGE),
        Field(name="asset", label=_("Asset"), kind="reference", link="/assets/{asset.code}"),
        Field(name="severity", label=_("How bad"), kind="choice", choices=FEELS),
        Field(name="description", label=_("What is wrong")),
        Field(name="created_at", label=_("Reported"), kind="moment"),
        Field(name="order.number", label=_("Work order"), kind="code", link="/orders/{order.number}"),
    ),
    read_only=(
        Field(name="description", label=_("What is wrong"), kind="long"),
        Field(name="asset", label=_("Asset"), kind="reference", link="/assets/{asset.code}"),
        Field(name="status", label=_("State"), kind="choice", choices=TRIAGE),
        Field(name="severity", label=_("How bad"), kind="choice", choices=FEELS),
        Field(name="reporter", label=_("Reported by")),
        Field(name="contact", label=_("Contact")),
        Field(name="created_at", label=_("Reported"), kind="moment"),
        Field(name="order.number", label=_("Work order"), kind="code", link="/orders/{order.number}"),
        Field(name="duplicate_of.number", label=_("Duplicate of"), kind="code", link="/requests/{duplicate_of.id}"),
        Field(name="reason", label=_("Reason")),
        Field(name="triaged_by", label=_("Decided by")),
        Field(name="triaged_at", label=_("Decided"), kind="moment"),
    ),
    filters=(
        Field(name="status", label=_("State"), kind="choice", choices=TRIAGE),
        Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code"),
    ),
    sorts=("number", "created_at", "status", "severity"),
    creates=False,
    edits=False,
    acts=(
        Act(
            label=_("Make it a work order"),
            path="/api/requests/{id}/accept",
            right="requests.triage",
            fields=(
                Field(name="title", label=_("Title"), hint=_("Left empty, the first line of the report.")),
                Field(
                    name="priority",
                    label=_("Priority"),
                    kind="choice",
                    choices=(("urgent", _("Urgent")), ("high", _("High")), ("normal", _("Normal")), ("low", _("Low"))),
                ),
            ),
            shown_when=NEW,
        ),
        Act(label=_("Reject"), path="/api/requests/{id}/reject", right="requests.triage", fields=(REASON,), shown_when=NEW),
        Act(
            label=_("Reported before"),
            path="/api/requests/{id}/duplicate",
            right="requests.triage",
            fields=(
                Field(
                    name="duplicate_of",
                    label=_("First report"),
                    kind="reference",
                    source="/api/requests",
                    shows="number",
                    required=True,
                ),
            ),
            shown_when=NEW,
        ),
    ),
    panels=(
        Panel(
            title=_("Photos"),
            inside="photos",
            columns=(
                Field(name="name", label=_("File"), link="/api/attachments/{id}/file"),
                Field(name="created_at", label=_("Sent"), kind="moment"),
            ),
        ),
    ),
    name="number",
    note=_("What people without an account reported by the QR code of a machine; accepted ones become work orders."),
)

RECORDS = (REQUESTS,)
