"""Requests about work orders; the routes are in work_orders, order_records and order_templates."""

from __future__ import annotations

import marshmallow as ma

from server.api.blueprint import Number, Page, Whole, text
from server.api.exports import EXPORT
from server.api.times import Instant
from server.rules.work_order import OrderAction
from server.store.order_links import LinkKind

# What a wished status means as an act; the state machine judges it (PATCH, and words of older systems).
BY_STATUS = {
    "in_progress": OrderAction.START,
    "on_hold": OrderAction.HOLD,
    "completed": OrderAction.COMPLETE,
    "fixed": OrderAction.COMPLETE,
    "verified": OrderAction.VERIFY,
    "closed": OrderAction.VERIFY,
    "reopened": OrderAction.REOPEN,
    "cancelled": OrderAction.CANCEL,
}
COST_MAX = 99_999_999


class OrdersQuery(Page):
    """Which orders."""

    status = ma.fields.String(metadata={"description": "a status, `active` or `done`"})
    tag = ma.fields.String(metadata={"description": "a tag or an asset's code"})
    assigned_to = ma.fields.String(metadata={"description": "a user's id, or `me`"})
    asset = text(64, metadata={"description": "an asset's code"})
    type = text(32)
    priority = text(16)
    team = text(200, metadata={"description": "a team's name"})
    parent = text(64, metadata={"description": "sub-orders of this order (id or number)"})
    overdue = ma.fields.Boolean(metadata={"description": "not done after its due time"})
    since = Instant(data_key="from", metadata={"description": "opened at or after"})
    until = Instant(data_key="to", metadata={"description": "opened before"})
    search = ma.fields.String(validate=ma.validate.Length(max=100))
    export = EXPORT


class NewOrder(ma.Schema):
    """What is to be done, on which asset (or the asset of a tag)."""

    asset = text(64)
    tag = text(200)
    title = text(200, required=True)
    description = text(4000, shortest=0, load_default="")
    type = text(32, load_default="corrective")
    priority = text(16, load_default=None, allow_none=True)
    procedure = text(64, load_default=None, allow_none=True, metadata={"description": "code of a procedure"})
    team = text(200, load_default=None, allow_none=True, metadata={"description": "a team's name"})
    parent = text(64, load_default=None, allow_none=True, metadata={"description": "the order this is a part of (id or number)"})
    external_ref = text(64, load_default=None, allow_none=True)
    due_at = Instant(load_default=None, allow_none=True)
    est_min = Whole(low=1, high=10_000, load_default=None, allow_none=True)


class FromAlert(ma.Schema):
    """The alert an order is for."""

    alert_id = Whole(low=1, required=True)


class OrderPatch(ma.Schema):
    """A wished status and assignee with what the act behind it needs; and the plain fields, which need `orders.assign`."""

    status = ma.fields.String(validate=ma.validate.OneOf([*BY_STATUS, "assigned"]))
    assigned_to = Whole(low=1)
    notes = text(4000)
    verdict = text(32)
    reason = text(2000)
    actual_minutes = Whole(low=0, high=100_000)
    parts = ma.fields.List(ma.fields.Dict(), validate=ma.validate.Length(max=200))
    signature = ma.fields.Dict()
    title = text(200)
    description = text(4000, shortest=0, allow_none=True)
    type = text(32)
    priority = text(16)
    procedure = text(64, allow_none=True)
    team = text(200, allow_none=True)
    parent = text(64, allow_none=True)
    external_ref = text(64, allow_none=True)
    due_at = Instant(allow_none=True)
    est_min = Whole(low=1, high=10_000, allow_none=True)
    other_cost = Number(validate=ma.validate.Range(0, COST_MAX))


class BulkAssign(ma.Schema):
    """Orders (ids or numbers) and who gets them."""

    orders = ma.fields.List(text(64), required=True, validate=ma.validate.Length(1, 200))
    assignee_id = Whole(low=1, required=True)


class NewComment(ma.Schema):
    """What is said."""

    body = text(4000, required=True)


class NewLabour(ma.Schema):
    """Time that was worked; `person` other than the caller needs `orders.assign`, without `rate` the team's counts."""

    person = Whole(low=1, load_default=None, allow_none=True)
    minutes = Whole(low=1, high=44_640, required=True)
    rate = Number(load_default=None, allow_none=True, validate=ma.validate.Range(0, COST_MAX))
    started_at = Instant(load_default=None, allow_none=True)
    note = text(500, shortest=0, load_default="")


class NewLink(ma.Schema):
    """What this order is to another (id or number)."""

    order = text(64, required=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf([str(kind) for kind in LinkKind]))


class NewTemplate(ma.Schema):
    """What orders made from it start as."""

    name = text(200, required=True)
    title = text(200, required=True)
    description = text(4000, shortest=0, load_default="")
    type = text(32, load_default="corrective")
    priority = text(16, load_default=None, allow_none=True)
    procedure = text(64, load_default=None, allow_none=True)
    team = text(200, load_default=None, allow_none=True)
    est_min = Whole(low=1, high=10_000, load_default=None, allow_none=True)
    due_hours = Number(load_default=None, allow_none=True, validate=ma.validate.Range(0.1, 87_600))


class TemplatePatch(ma.Schema):
    """Any of a template's fields."""

    name = text(200)
    title = text(200)
    description = text(4000, shortest=0)
    type = text(32)
    priority = text(16, allow_none=True)
    procedure = text(64, allow_none=True)
    team = text(200, allow_none=True)
    est_min = Whole(low=1, high=10_000, allow_none=True)
    due_hours = Number(allow_none=True, validate=ma.validate.Range(0.1, 87_600))


class OrderFromTemplate(ma.Schema):
    """Where, and what differs from the template."""

    asset = text(64, required=True)
    title = text(200)
    due_at = Instant(allow_none=True)
