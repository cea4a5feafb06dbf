"""Plain pages of interventions: what technicians found and did."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.order_fields import NUMBER, PARTS, STATES, VERDICTS
from web.records.spec import Act, Download, Field, Panel, Records

FOUND = (
    Field(name="category", label=_("Fault category"), kind="reference", source="/api/fault-terms?level=category", required=True),
    Field(name="what", label=_("Fault what"), kind="reference", source="/api/fault-terms?level=what"),
    Field(name="why", label=_("Fault why"), kind="reference", source="/api/fault-terms?level=why"),
    Field(name="where", label=_("Fault where"), kind="reference", source="/api/fault-terms?level=where"),
)
RECEIVED = Field(name="received_at", label=_("Received"), kind="moment", required=True)
ENDED = Field(name="ended_at", label=_("Ended"), kind="moment", hint=_("With an end, order and machine are fixed."))
COMMENTS = Field(name="comments", label=_("Comments"), kind="long")
VERDICT = Field(name="verdict", label=_("Verdict"), kind="choice", choices=VERDICTS, hint=_("Wanted where an alert opened the order."))
INTERVENTIONS = Records(
    path="interventions",
    api="/api/interventions",
    title=_("Interventions"),
    one=_("Intervention"),
    group="work",
    read="orders.read",
    write="orders.work",
    columns=(
        NUMBER,
        Field(name="order", label=_("Work order"), kind="reference", shows="number", link="/work-orders/{order.id}"),
        Field(name="asset", label=_("Machine"), kind="reference", link="/assets/{asset.code}"),
        Field(name="technician", label=_("Technician"), kind="reference"),
        RECEIVED,
        ENDED,
        *FOUND,
    ),
    fields=(RECEIVED, ENDED, *FOUND, PARTS, COMMENTS),
    read_only=(
        Field(name="order", label=_("Work order"), kind="reference", shows="number", link="/work-orders/{order.id}"),
        Field(name="order.status", label=_("State"), kind="choice", choices=STATES),
        Field(name="asset", label=_("Machine"), kind="reference", link="/assets/{asset.code}"),
        Field(name="technician", label=_("Technician"), kind="reference"),
    ),
    filters=(
        Field(name="asset", label=_("Machine"), kind="reference", source="/api/assets", key="code"),
        Field(name="from", label=_("Received from"), kind="moment"),
        Field(name="to", label=_("Received before"), kind="moment"),
    ),
    sorts=("number", "received_at", "ended_at", "technician"),
    creates=False,  # one begins at its order: /interventions/new?order=, web/intervention_page.py
    panels=(
        Panel(
            title=_("Photos and files"),
            api="/api/attachments?thing=intervention&id={id}",
            columns=(Field(name="name", label=_("File"), link="/api/attachments/{id}/file"), Field(name="caption", label=_("Caption"))),
        ),
    ),
    acts=(
        Act(
            label=_("Add a photo"),
            path="/api/attachments",
            right="orders.work",
            upload=True,
            body=(("thing", "intervention"), ("id", "{id}")),
            fields=(Field(name="file", label=_("File"), kind="file", required=True), Field(name="caption", label=_("Caption"))),
        ),
    ),
    downloads=(
        Download(label=_("CSV"), path="/api/interventions?export=csv", right="orders.read", on_list=True),
        Download(label=_("XLSX"), path="/api/interventions?export=xlsx", right="orders.read", on_list=True),
    ),
    name="number",
    note=_("What technicians found and did at the machines; a new one begins at its work order."),
)

RECORDS = (INTERVENTIONS,)
