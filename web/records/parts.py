"""Plain pages of spare parts with their stock, ledger and reservations."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Download, Field, Panel, Records
from web.records.store_fields import NOTE, OF_ORDER, ORDER, QUANTITY, STORE
from web.records.words import MOVED

MOVEMENTS = "/api/parts/{id}/movements"
PARTS = Records(
    path="parts",
    api="/api/parts",
    title=_("Spare parts"),
    one=_("Spare part"),
    group="stores",
    read="parts.read",
    write="parts.write",
    columns=(
        Field(name="number", label=_("Number"), kind="code"),
        Field(name="name", label=_("Name")),
        Field(name="available", label=_("Available"), kind="number"),
        Field(name="on_hand", label=_("In stock"), kind="number"),
        Field(name="reserved", label=_("Reserved"), kind="number"),
        Field(name="on_order", label=_("On order"), kind="number"),
        Field(name="minimum", label=_("Minimum"), kind="number"),
        Field(name="unit", label=_("Unit"), kind="code"),
        Field(name="supplier", label=_("Supplier")),
    ),
    fields=(
        Field(name="number", label=_("Number"), kind="code", hint=_("Left empty, the next one is given.")),
        Field(name="name", label=_("Name"), required=True),
        Field(name="unit", label=_("Unit"), kind="code", default="pcs"),
        Field(name="description", label=_("Description"), kind="long"),
        Field(name="supplier", label=_("Supplier")),
        Field(name="supplier_part_no", label=_("Supplier's number"), kind="code"),
        Field(name="external_ref", label=_("External reference"), kind="code"),
        Field(name="unit_cost", label=_("Expected cost"), kind="money", low=0),
        Field(name="minimum", label=_("Minimum"), kind="number", low=0, hint=_("Reserved stock counts as gone. 0: not kept in stock.")),
        Field(name="maximum", label=_("Maximum"), kind="number", low=0, hint=_("What a reorder fills up to. 0: none.")),
        Field(name="reorder_quantity", label=_("Lot"), kind="number", low=0, hint=_("Bought in whole lots. 0: any number.")),
        Field(name="lead_days", label=_("Delivery"), kind="integer", unit="d", low=0),
        Field(name="critical", label=_("Critical"), kind="flag"),
    ),
    read_only=(
        Field(name="on_hand", label=_("In stock"), kind="number"),
        Field(name="reserved", label=_("Reserved"), kind="number"),
        Field(name="available", label=_("Available"), kind="number"),
        Field(name="on_order", label=_("On order"), kind="number"),
        Field(name="average_cost", label=_("Average cost"), kind="money"),
        Field(name="value", label=_("Value in stock"), kind="money"),
    ),
    filters=(
        Field(name="below_minimum", label=_("Stock"), kind="choice", choices=(("true", _("Below minimum")),)),
        Field(name="critical", label=_("Critical"), kind="choice", choices=(("true", _("Critical")), ("false", _("Not critical")))),
        Field(name="store_id", label=_("Store"), kind="reference", source="/api/stores"),
    ),
    sorts=("number", "name", "supplier", "unit_cost", "minimum", "lead_days", "critical", "available"),
    deletes=True,
    acts=(
        Act(label=_("Issue"), path=MOVEMENTS, right="parts.issue", fields=(STORE, QUANTITY, ORDER, NOTE), body=(("reason", "issue"),)),
        Act(label=_("Return"), path=MOVEMENTS, right="parts.issue", fields=(STORE, QUANTITY, OF_ORDER, NOTE), body=(("reason", "return"),)),
        Act(label=_("Reserve"), path="/api/parts/{id}/reservations", right="parts.issue", fields=(STORE, QUANTITY, OF_ORDER)),
        Act(
            label=_("Receive"),
            path=MOVEMENTS,
            right="parts.write",
            fields=(STORE, QUANTITY, Field(name="unit_cost", label=_("Cost of one"), kind="money", low=0), NOTE),
            body=(("reason", "receipt"),),
        ),
        Act(
            label=_("Move"),
            path=MOVEMENTS,
            right="parts.write",
            fields=(
                STORE,
                QUANTITY,
                Field(name="to_store", label=_("To store"), kind="reference", sends="to_store_id", source="/api/stores", required=True),
            ),
            body=(("reason", "transfer"),),
        ),
        Act(
            label=_("Adjust"),
            path=MOVEMENTS,
            right="parts.write",
            fields=(
                STORE,
                Field(name="quantity", label=_("Change"), kind="number", required=True, hint=_("Negative for a loss.")),
                Field(name="note", label=_("What for"), kind="long", required=True),
            ),
            body=(("reason", "adjustment"),),
        ),
        Act(
            label=_("Count"),
            path=MOVEMENTS,
            right="parts.write",
            fields=(STORE, Field(name="quantity", label=_("Found"), kind="number", required=True, low=0), NOTE),
            body=(("reason", "count"),),
        ),
    ),
    panels=(
        Panel(
            title=_("Stock by store"),
            inside="stores",
            columns=(
                Field(name="store.code", label=_("Store"), kind="code"),
                Field(name="on_hand", label=_("In stock"), kind="number"),
                Field(name="reserved", label=_("Reserved"), kind="number"),
                Field(name="available", label=_("Available"), kind="number"),
            ),
        ),
        Panel(
            title=_("Reserved for"),
            api="/api/parts/{id}/reservations",
            columns=(
                Field(name="order.number", label=_("Work order"), kind="code", link="/orders/{order.number}"),
                Field(name="store", label=_("Store"), kind="code"),
                Field(name="quantity", label=_("Reserved"), kind="number"),
                Field(name="issued", label=_("Issued"), kind="number"),
                Field(name="by", label=_("By")),
                Field(name="created_at", label=_("Since"), kind="moment"),
            ),
            acts=(
                Act(label=_("Release"), path="/api/reservations/{id}", right="parts.issue", method="DELETE", confirm=_("Give it back?")),
            ),
        ),
        Panel(
            title=_("Ledger"),
            api=MOVEMENTS,
            columns=(
                Field(name="at", label=_("When"), kind="moment"),
                Field(name="reason", label=_("Reason"), kind="choice", choices=MOVED),
                Field(name="quantity", label=_("Quantity"), kind="number"),
                Field(name="store", label=_("Store"), kind="code"),
                Field(name="unit_cost", label=_("Cost of one"), kind="money"),
                Field(name="order.number", label=_("Work order"), kind="code", link="/orders/{order.number}"),
                Field(name="note", label=_("Note")),
                Field(name="by", label=_("By")),
            ),
        ),
        Panel(
            title=_("Built into"),
            api="/api/bom?part_id={id}",
            columns=(
                Field(name="asset", label=_("Asset"), kind="code", link="/assets/{asset}"),
                Field(name="asset_class", label=_("Class"), kind="code"),
                Field(name="position", label=_("Position")),
                Field(name="quantity", label=_("Quantity"), kind="number"),
            ),
        ),
    ),
    downloads=(
        Download(label=_("CSV"), path="/api/parts?export=csv", right="parts.read", on_list=True),
        Download(label=_("XLSX"), path="/api/parts?export=xlsx", right="parts.read", on_list=True),
        Download(label=_("PDF"), path="/api/parts?export=pdf", right="parts.read", on_list=True),
        Download(label=_("Use by month"), path="/api/parts/{id}/usage?export=csv", right="parts.read"),
    ),
    note=_("What lies in the stores, what of it is reserved, and what has to be bought."),
)

RECORDS = (PARTS,)
