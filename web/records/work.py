"""Plain pages of work: orders with all that hangs on them, breakdowns, interventions, templates, procedures, the fault taxonomy."""

from __future__ import annotations

from dataclasses import replace

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Download, Field, Panel, Records

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
LEVELS = (("category", _("Category")), ("what", _("What")), ("why", _("Why")), ("where", _("Where")))

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
ACT = "/api/work-orders/{id}/actions/"
LIVE = ("requested", "open", "assigned", "in_progress", "on_hold", "reopened")
STOCK = (
    Field(name="part", label=_("Part"), kind="reference", source="/api/parts", required=True),
    Field(name="store", label=_("Store"), kind="reference", sends="store_id", source="/api/stores", required=True),
    Field(name="quantity", label=_("Quantity"), kind="number", low=0, default=1, required=True),
)
SIGNED = Field(name="signature.name", label=_("Signed by"))
ORDER_PANELS = (
    Panel(
        title=_("Comments"),
        api="/api/work-orders/{id}/comments",
        columns=(
            Field(name="at", label=_("When"), kind="moment"),
            Field(name="author", label=_("Who")),
            Field(name="body", label=_("Comment"), kind="long"),
        ),
    ),
    Panel(
        title=_("Time"),
        api="/api/work-orders/{id}/labour",
        columns=(
            Field(name="person", label=_("Person"), kind="reference"),
            Field(name="minutes", label=_("Minutes"), kind="integer"),
            Field(name="rate", label=_("Hourly rate"), kind="money"),
            Field(name="cost", label=_("Cost"), kind="money"),
            Field(name="note", label=_("Note")),
            Field(name="started_at", label=_("Started"), kind="moment"),
        ),
        acts=(Act(label=_("Remove"), path="/api/work-orders/{of.id}/labour/{id}", right="orders.work", method="DELETE"),),
    ),
    Panel(
        title=_("Linked orders"),
        api="/api/work-orders/{id}/links",
        columns=(
            Field(name="kind", label=_("Link"), kind="choice", choices=LINKS),
            Field(name="direction", label=_("Direction"), kind="choice", choices=(("out", _("this one")), ("in", _("the other")))),
            Field(name="order.number", label=_("Number"), kind="code", link="/work-orders/{order.id}"),
            Field(name="order.title", label=_("Title")),
            Field(name="order.status", label=_("State"), kind="choice", choices=STATES),
            Field(name="step", label=_("Step"), kind="code"),
        ),
        acts=(Act(label=_("Remove"), path="/api/work-orders/{of.id}/links/{id}", right="orders.create", method="DELETE"),),
    ),
    Panel(title=_("Sub-orders"), api="/api/work-orders?parent={id}", columns=(NUMBER, TITLE, STATE, PERSON), link="/work-orders/{id}"),
    Panel(
        title=_("Interventions"),
        api="/api/interventions?order={id}",
        columns=(
            NUMBER,
            Field(name="technician", label=_("Technician"), kind="reference"),
            Field(name="received_at", label=_("Received"), kind="moment"),
            Field(name="ended_at", label=_("Ended"), kind="moment"),
            Field(name="category", label=_("Category"), kind="reference"),
        ),
        link="/interventions/{id}",
    ),
    Panel(
        title=_("Parts from the stores"),
        api="/api/movements?order={id}",
        columns=(
            Field(name="part", label=_("Part"), kind="reference", link="/parts/{part.id}"),
            Field(name="quantity", label=_("Quantity"), kind="number"),
            Field(name="part.unit", label=_("Unit"), kind="code"),
            Field(name="store", label=_("Store"), kind="code"),
            Field(name="unit_cost", label=_("Cost of one"), kind="money"),
            Field(name="by", label=_("By")),
            Field(name="at", label=_("When"), kind="moment"),
        ),
        right="parts.read",
    ),
    Panel(
        title=_("Reserved parts"),
        api="/api/reservations?order={id}",
        columns=(
            Field(name="part", label=_("Part"), kind="reference", link="/parts/{part.id}"),
            Field(name="quantity", label=_("Quantity"), kind="number"),
            Field(name="store", label=_("Store"), kind="code"),
        ),
        right="parts.read",
    ),
    Panel(
        title=_("Files"),
        api="/api/attachments?thing=work_order&id={id}",
        columns=(Field(name="name", label=_("File"), link="/api/attachments/{id}/file"), Field(name="caption", label=_("Caption"))),
    ),
)
ORDER_ACTS = (
    Act(label=_("Approve"), path=f"{ACT}approve", right="orders.assign", shown_when=("status", ("requested",))),
    Act(
        label=_("Take over"),
        path=f"{ACT}assign",
        right="orders.work",
        shown_when=("status", ("open", "assigned", "reopened", "in_progress")),
    ),
    Act(
        label=_("Assign"),
        path=f"{ACT}assign",
        right="orders.assign",
        fields=(Field(name="assignee_id", label=_("Person"), kind="reference", source="/api/users", required=True),),
        shown_when=("status", ("requested", "open", "assigned", "reopened", "in_progress", "on_hold")),
    ),
    Act(label=_("Start"), path=f"{ACT}start", right="orders.work", shown_when=("status", ("open", "assigned", "reopened"))),
    Act(label=_("Hold"), path=f"{ACT}hold", right="orders.work", fields=(REASON,), shown_when=("status", ("in_progress",))),
    Act(label=_("Go on"), path=f"{ACT}resume", right="orders.work", shown_when=("status", ("on_hold",))),
    Act(
        label=_("Complete"),
        path=f"{ACT}complete",
        right="orders.work",
        fields=(
            replace(NOTES, required=True),
            Field(name="verdict", label=_("Verdict"), kind="choice", choices=VERDICTS, hint=_("Wanted where an alert opened the order.")),
            Field(name="actual_minutes", label=_("Actual"), kind="integer", unit="min", low=0),
            PARTS,
            Field(name="other_cost", label=_("Other cost"), kind="money", low=0),
        ),
        shown_when=("status", ("in_progress",)),
    ),
    Act(label=_("Verify"), path=f"{ACT}verify", right="orders.verify", fields=(NOTES,), shown_when=("status", ("completed",))),
    Act(label=_("Reopen"), path=f"{ACT}reopen", right="orders.verify", fields=(REASON,), shown_when=("status", ("completed",))),
    Act(
        label=_("Cancel the order"),
        path=f"{ACT}cancel",
        right="orders.assign",
        fields=(REASON,),
        shown_when=("status", ("requested", "open", "assigned", "in_progress", "on_hold", "reopened")),
    ),
    Act(
        label=_("Comment"),
        path="/api/work-orders/{id}/comments",
        right="notifications.read",
        fields=(Field(name="body", label=_("Comment"), kind="long", required=True),),
    ),
    Act(
        label=_("Enter time"),
        path="/api/work-orders/{id}/labour",
        right="orders.work",
        fields=(
            Field(name="minutes", label=_("Minutes"), kind="integer", low=1, high=44640, required=True),
            Field(name="rate", label=_("Hourly rate"), kind="money", low=0, hint=_("Left empty, the rate of the team.")),
            Field(name="note", label=_("Note")),
        ),
        shown_when=("status", ("in_progress", "on_hold", "completed")),
    ),
    Act(
        label=_("Link"),
        path="/api/work-orders/{id}/links",
        right="orders.create",
        fields=(
            Field(name="kind", label=_("This order"), kind="choice", choices=LINKS, required=True),
            Field(name="order", label=_("Order"), kind="reference", source="/api/work-orders", key="number", shows="title", required=True),
        ),
    ),
    Act(
        label=_("Issue a part"),
        path="/api/parts/{given.part}/movements",
        right="parts.issue",
        body=(("reason", "issue"), ("order", "{number}")),
        fields=STOCK,
        shown_when=("status", LIVE),
    ),
    Act(
        label=_("Reserve a part"),
        path="/api/parts/{given.part}/reservations",
        right="parts.issue",
        body=(("order", "{number}"),),
        fields=STOCK,
        shown_when=("status", LIVE),
    ),
    Act(
        label=_("Add a file"),
        path="/api/attachments",
        right="orders.work",
        upload=True,
        body=(("thing", "work_order"), ("id", "{id}")),
        fields=(
            Field(name="file", label=_("File"), kind="file", required=True),
            Field(name="caption", label=_("Caption")),
        ),
    ),
)
WORK_ORDERS = Records(
    path="work-orders",
    api="/api/work-orders",
    title=_("Work orders"),
    one=_("Work order"),
    group="work",
    read="orders.read",
    write="orders.create",
    columns=(
        NUMBER,
        TITLE,
        Field(name="asset", label=_("Asset"), kind="reference", link="/assets/{asset.code}"),
        TYPE,
        PRIORITY,
        STATE,
        PERSON,
        DUE,
        Field(name="overdue", label=_("Overdue"), kind="flag"),
        Field(name="cost.total", label=_("Cost"), kind="money"),
    ),
    fields=(
        ASSET,
        TITLE,
        DESCRIPTION,
        TYPE,
        PRIORITY,
        PROCEDURE,
        TEAM,
        DUE,
        ESTIMATE,
        Field(name="parent", label=_("Part of"), kind="reference", source="/api/work-orders", key="number", shows="number"),
        Field(name="external_ref", label=_("External reference"), kind="code"),
    ),
    read_only=(
        STATE,
        PERSON,
        Field(name="created_by", label=_("Opened by")),
        Field(name="created_at", label=_("Opened"), kind="moment"),
        Field(name="sla_at", label=_("Promised until"), kind="moment"),
        Field(name="sla_breached", label=_("Promise broken"), kind="flag"),
        Field(name="overdue", label=_("Overdue"), kind="flag"),
        Field(name="actual_min", label=_("Actual"), kind="integer", unit="min"),
        Field(name="cost.labour", label=_("Labour"), kind="money"),
        Field(name="cost.parts", label=_("Parts"), kind="money"),
        Field(name="cost.other", label=_("Other cost"), kind="money"),
        Field(name="cost.total", label=_("Cost"), kind="money"),
        Field(name="verdict", label=_("Verdict"), kind="choice", choices=VERDICTS),
        NOTES,
        PARTS,
        SIGNED,
        Field(name="verified_by", label=_("Verified by")),
        Field(name="number", label=_("Report an intervention on"), kind="code", link="/interventions/new?order={number}"),
    ),
    filters=(
        STATE,
        TYPE,
        PRIORITY,
        Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code"),
        Field(name="team", label=_("Team"), kind="reference", source="/api/teams", key="name"),
        Field(name="overdue", label=_("Overdue"), kind="choice", choices=(("true", _("Overdue")), ("false", _("In time")))),
        Field(name="from", label=_("Opened from"), kind="moment"),
        Field(name="to", label=_("Opened before"), kind="moment"),
    ),
    sorts=("number", "title", "type", "priority", "status", "due_at"),
    edits=False,
    acts=(
        *ORDER_ACTS,
        Act(
            label=_("Change"),
            path="/api/work-orders/{id}",
            right="orders.assign",
            method="PATCH",
            fields=(
                TITLE,
                DESCRIPTION,
                TYPE,
                PRIORITY,
                DUE,
                ESTIMATE,
                Field(name="external_ref", label=_("External reference"), kind="code"),
            ),
            shown_when=("status", ("requested", "open", "assigned", "in_progress", "on_hold", "completed", "reopened")),
        ),
    ),
    panels=ORDER_PANELS,
    downloads=(
        Download(label=_("Print"), path="/api/work-orders/{id}/print", right="orders.read"),
        Download(label=_("Evidence"), path="/api/work-orders/{id}/evidence?export=pdf", right="orders.read"),
        Download(label=_("CSV"), path="/api/work-orders?export=csv", right="orders.read", on_list=True),
        Download(label=_("XLSX"), path="/api/work-orders?export=xlsx", right="orders.read", on_list=True),
        Download(label=_("PDF"), path="/api/work-orders?export=pdf", right="orders.read", on_list=True),
    ),
    name="title",
    note=_("Every job with its time, cost, comments and links; the state moves only by its acts."),
)
BREAKDOWNS = replace(
    WORK_ORDERS,
    path="breakdowns",
    title=_("Breakdowns"),
    one=_("Breakdown"),
    extra={"type": "corrective"},
    filters=tuple(field for field in WORK_ORDERS.filters if field.name != "type"),
    fields=(),
    read_only=(),
    acts=(),
    panels=(),
    write=None,
    creates=False,
    downloads=(Download(label=_("CSV"), path="/api/work-orders?type=corrective&export=csv", right="orders.read", on_list=True),),
    link="/work-orders/{id}",
    note=_("Work that repairs what failed, found by a person or by an alert."),
)
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
TEMPLATES = Records(
    path="order-templates",
    api="/api/order-templates",
    title=_("Order templates"),
    one=_("Order template"),
    group="work",
    read="orders.read",
    write="orders.assign",
    columns=(
        Field(name="name", label=_("Name")),
        TITLE,
        TYPE,
        PRIORITY,
        ESTIMATE,
        Field(name="procedure", label=_("Procedure"), kind="reference", shows="title"),
    ),
    fields=(
        Field(name="name", label=_("Name"), required=True),
        TITLE,
        DESCRIPTION,
        TYPE,
        PRIORITY,
        PROCEDURE,
        TEAM,
        ESTIMATE,
        Field(name="due_hours", label=_("Due after"), kind="number", unit="h", low=0.1),
    ),
    sorts=("name", "type"),
    deletes=True,
    acts=(
        Act(
            label=_("Open an order"),
            path="/api/order-templates/{id}/orders",
            right="orders.create",
            fields=(ASSET, replace(TITLE, required=False, hint=_("Left empty, the title of the template.")), DUE),
            shows=(NUMBER, TITLE, STATE),
        ),
    ),
    note=_("What orders that come again start as."),
)
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
                Field(name="sev", label=_("Severity"), kind="code"),
                Field(name="t", label=_("Danger")),
                Field(name="b", label=_("Do this")),
            ),
        ),
        Panel(
            title=_("Steps"),
            inside="steps",
            columns=(
                Field(name="n", label=_("No."), kind="integer"),
                Field(name="k", label=_("Kind"), kind="code"),
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
RECORDS = (WORK_ORDERS, BREAKDOWNS, INTERVENTIONS, TEMPLATES, PROCEDURES, TAXONOMY)
