"""Requests about procedures; the routes are in procedures, what a step may hold in server/rules/procedure_steps.py."""

from __future__ import annotations

import marshmallow as ma

from server.api.blueprint import Page, Whole, text


class ProceduresQuery(Page):
    """Which procedures."""

    search = ma.fields.String(load_default=None, validate=ma.validate.Length(max=100))
    class_ = text(64, load_default=None, data_key="class", metadata={"description": "an asset class's name"})
    retired = ma.fields.Boolean(load_default=False)


class NewProcedure(ma.Schema):
    """Its code and title, and the asset class it is for (none = any)."""

    code = text(64, required=True)
    title = text(200, required=True)
    class_ = text(64, load_default=None, allow_none=True, data_key="class")


class ProcedurePatch(ma.Schema):
    """Its title and class; the steps are versions."""

    title = text(200)
    class_ = text(64, allow_none=True, data_key="class")


class Document(ma.Schema):
    """Steps in AR_FEED.md's shape with what stands before them; `on_fail: {follow_up: {title, priority?, procedure?}}` opens an order."""

    steps = ma.fields.List(ma.fields.Dict(), required=True, validate=ma.validate.Length(max=200))
    safety = ma.fields.List(ma.fields.Dict(), load_default=list, validate=ma.validate.Length(max=20))
    hazards = ma.fields.List(text(64), load_default=list, validate=ma.validate.Length(max=20))
    lock_out = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    estimated_min = Whole(low=1, high=10_000, load_default=30)
    note = text(500, shortest=0, load_default="")


class StepOrder(ma.Schema):
    """Ids of all steps of the draft, in their new order."""

    order = ma.fields.List(text(64), required=True, validate=ma.validate.Length(1, 200))


class DifferenceQuery(ma.Schema):
    """Two versions; without `to` the newest."""

    from_ = ma.fields.Integer(required=True, data_key="from", validate=ma.validate.Range(1, 100_000))
    to = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 100_000))
