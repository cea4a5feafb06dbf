"""What people do with a work order: the acts of its states, and what they add to it."""

from __future__ import annotations

from dataclasses import replace

from flask_babel import lazy_gettext as _

from web.records.order_fields import LINKS, LIVE, NOTES, PARTS, REASON, STOCK, VERDICTS
from web.records.spec import Act, Field

ACT = "/api/work-orders/{id}/actions/"
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
