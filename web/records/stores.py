"""Plain pages of the stores: parts with their ledger, stores, parts lists, purchases, and the triage of fault reports."""

from __future__ import annotations

from dataclasses import replace

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Download, Field, Panel, Records

STORE = Field(name="store", label=_("Store"), kind="reference", sends="store_id", source="/api/stores", required=True)
ORDER = Field(name="order", label=_("Work order"), kind="reference", source="/api/work-orders", key="number", shows="title")
OF_ORDER = replace(ORDER, required=True)
PART = Field(name="part", label=_("Part"), kind="reference", sends="part_id", source="/api/parts", required=True, link="/parts/{part.id}")
QUANTITY = Field(name="quantity", label=_("Quantity"), kind="number", required=True, low=0)
NOTE = Field(name="note", label=_("Note"), kind="long")
REASON = Field(name="reason", label=_("Reason"), kind="long", required=True)
REASONS = (
    ("receipt", _("Received")),
    ("issue", _("Issued")),
    ("return", _("Returned")),
    ("adjustment", _("Adjusted")),
    ("transfer", _("Moved")),
    ("count", _("Counted")),
)
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
                Field(name="reason", label=_("Reason"), kind="choice", choices=REASONS),
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

STORES = Records(
    path="stores",
    api="/api/stores",
    title=_("Stores"),
    one=_("Store"),
    group="stores",
    read="parts.read",
    write="parts.write",
    columns=(
        Field(name="code", label=_("Code"), kind="code"),
        Field(name="name", label=_("Name")),
        Field(name="location", label=_("Place")),
    ),
    fields=(
        Field(name="code", label=_("Code"), kind="code", required=True),
        Field(name="name", label=_("Name"), required=True),
        Field(name="location", label=_("Place")),
    ),
    sorts=("code", "name"),
    deletes=True,
    acts=(
        Act(
            label=_("Take stock"),
            path="/api/stores/{id}/counts",
            right="parts.write",
            fields=(
                Field(
                    name="lines",
                    label=_("Counted"),
                    kind="list",
                    required=True,
                    columns=(PART, Field(name="counted", label=_("Found"), kind="number", required=True, low=0)),
                ),
                NOTE,
            ),
        ),
    ),
    panels=(
        Panel(
            title=_("Parts"),
            api="/api/parts?store_id={id}",
            link="/parts/{id}",
            columns=(
                Field(name="number", label=_("Number"), kind="code"),
                Field(name="name", label=_("Name")),
                Field(name="on_hand", label=_("In all stores"), kind="number"),
                Field(name="unit", label=_("Unit"), kind="code"),
            ),
        ),
        Panel(
            title=_("Ledger"),
            api="/api/movements?store_id={id}",
            columns=(
                Field(name="at", label=_("When"), kind="moment"),
                Field(name="part.number", label=_("Part"), kind="code", link="/parts/{part.id}"),
                Field(name="reason", label=_("Reason"), kind="choice", choices=REASONS),
                Field(name="quantity", label=_("Quantity"), kind="number"),
                Field(name="by", label=_("By")),
            ),
        ),
    ),
    note=_("The rooms that spare parts lie in; stock is taken here."),
)

BOM = Records(
    path="parts-lists",
    api="/api/bom",
    title=_("Parts lists"),
    one=_("Line of a parts list"),
    group="stores",
    read="parts.read",
    write="parts.write",
    columns=(
        Field(name="part", label=_("Part"), kind="reference", link="/parts/{part.id}"),
        Field(name="asset", label=_("Asset"), kind="code", link="/assets/{asset}"),
        Field(name="asset_class", label=_("Class"), kind="code"),
        Field(name="position", label=_("Position")),
        Field(name="quantity", label=_("Quantity"), kind="number"),
        Field(name="available", label=_("Available"), kind="number"),
    ),
    fields=(
        Field(name="position", label=_("Position")),
        QUANTITY,
    ),
    read_only=(
        Field(name="part", label=_("Part"), kind="reference", link="/parts/{part.id}"),
        Field(name="asset", label=_("Asset"), kind="code", link="/assets/{asset}"),
        Field(name="asset_class", label=_("Class"), kind="code"),
        Field(name="available", label=_("Available"), kind="number"),
    ),
    filters=(
        Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code"),
        Field(name="part_id", label=_("Part"), kind="reference", source="/api/parts"),
    ),
    sorts=("position", "quantity"),
    searchable=False,
    creates=False,
    deletes=True,
    acts=(
        Act(
            label=_("Add a part"),
            path="/api/bom",
            right="parts.write",
            on_list=True,
            fields=(
                PART,
                Field(
                    name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code", hint=_("Or a class, one of them.")
                ),
                Field(name="asset_class", label=_("Class"), kind="reference", source="/api/classes", key="name"),
                QUANTITY,
                Field(name="position", label=_("Position")),
            ),
        ),
    ),
    name="position",
    note=_("What an asset, or every asset of a class, is built of."),
)

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

RECORDS = (PARTS, STORES, BOM, PURCHASES, REQUESTS)
