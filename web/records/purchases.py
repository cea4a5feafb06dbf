"""Plain pages of purchase requests."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Field, Panel, Records
from web.records.store_fields import PART, QUANTITY, REASON, STORE

STATES = (
    ("proposed", _("Proposed")),
    ("requested", _("Requested")),
    ("approved", _("Approved")),
    ("ordered", _("Ordered")),
    ("partly_received", _("Partly received")),
    ("received", _("Received")),
    ("rejected", _("Rejected")),
    ("cancelled", _("Cancelled")),
)
ACTIONS = "/api/purchases/{id}/actions/"
PURCHASES = Records(
    path="purchases",
    api="/api/purchases",
    title=_("Purchases"),
    one=_("Purchase"),
    group="stores",
    read="parts.read",
    write="purchases.write",
    columns=(
        Field(name="number", label=_("Number"), kind="code"),
        Field(name="status", label=_("State"), kind="choice", choices=STATES),
        Field(name="supplier", label=_("Supplier")),
        Field(name="total", label=_("Total"), kind="money"),
        Field(name="requested_by", label=_("Requested by")),
        Field(name="expected_on", label=_("Expected"), kind="date"),
        Field(name="changed_at", label=_("Changed"), kind="moment"),
    ),
    fields=(
        Field(name="supplier", label=_("Supplier")),
        Field(name="expected_on", label=_("Expected"), kind="date"),
        Field(name="note", label=_("Note"), kind="long"),
        Field(
            name="lines",
            label=_("Parts"),
            kind="list",
            required=True,
            columns=(PART, QUANTITY, Field(name="unit_cost", label=_("Cost of one"), kind="money", low=0)),
        ),
    ),
    read_only=(
        Field(name="status", label=_("State"), kind="choice", choices=STATES),
        Field(name="total", label=_("Total"), kind="money"),
        Field(name="requested_by", label=_("Requested by")),
        Field(name="approved_by", label=_("Approved by")),
        Field(name="reference", label=_("Supplier's order"), kind="code"),
        Field(name="ordered_at", label=_("Ordered"), kind="moment"),
        Field(name="reason", label=_("Reason")),
    ),
    filters=(Field(name="status", label=_("State"), kind="choice", choices=(("open", _("Open")), *STATES)),),
    sorts=("number", "supplier", "status", "changed_at", "expected_on"),
    acts=(
        Act(label=_("Propose what is short"), path="/api/purchases/propose", right="purchases.write", on_list=True),
        Act(label=_("Request"), path=ACTIONS + "request", right="purchases.write", shown_when=("status", ("proposed",))),
        Act(label=_("Approve"), path=ACTIONS + "approve", right="purchases.approve", shown_when=("status", ("requested",))),
        Act(
            label=_("Reject"),
            path=ACTIONS + "reject",
            right="purchases.approve",
            fields=(REASON,),
            shown_when=("status", ("proposed", "requested")),
        ),
        Act(
            label=_("Order"),
            path=ACTIONS + "order",
            right="purchases.write",
            fields=(
                Field(name="reference", label=_("Supplier's order"), kind="code"),
                Field(name="expected_on", label=_("Expected"), kind="date"),
            ),
            shown_when=("status", ("approved",)),
        ),
        Act(
            label=_("Receive"),
            path="/api/purchases/{id}/receipts",
            right="parts.write",
            fields=(
                STORE,
                Field(
                    name="lines",
                    label=_("Goods"),
                    kind="list",
                    required=True,
                    columns=(Field(name="line_id", label=_("Line"), kind="integer", required=True), QUANTITY),
                ),
            ),
            shown_when=("status", ("ordered", "partly_received")),
        ),
        Act(
            label=_("Close"),
            path=ACTIONS + "close",
            right="purchases.write",
            fields=(REASON,),
            shown_when=("status", ("partly_received",)),
        ),
        Act(
            label=_("Cancel"),
            path=ACTIONS + "cancel",
            right="purchases.write",
            fields=(REASON,),
            shown_when=("status", ("proposed", "requested", "approved", "ordered")),
        ),
    ),
    panels=(
        Panel(
            title=_("Lines"),
            inside="lines",
            columns=(
                Field(name="id", label=_("Line"), kind="integer"),
                Field(name="part", label=_("Part"), kind="reference", link="/parts/{part.id}"),
                Field(name="quantity", label=_("Quantity"), kind="number"),
                Field(name="received", label=_("Received"), kind="number"),
                Field(name="unit_cost", label=_("Cost of one"), kind="money"),
                Field(name="cost", label=_("Cost"), kind="money"),
                Field(name="why", label=_("Why")),
            ),
        ),
    ),
    name="number",
    note=_("From what the reorder rule proposes to the goods in the store; nobody approves the own request."),
)

RECORDS = (PURCHASES,)
