"""What a class definition and a fault code may hold, as requests bring them."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from server.api.blueprint import Number, Whole, text
from server.api.values import line
from server.presets import vibration
from server.rules.limit_defaults import HOLDS, SIDES

SEVERITIES = ("advisory", "warning", "critical")
ROLES = ("running", "idle", "fault", "status", "fault_code", "counter")


class LimitTemplate(ma.Schema):
    """One limit of a tag."""

    side = ma.fields.String(required=True, validate=ma.validate.OneOf(SIDES))
    value = Number(required=True)
    severity = ma.fields.String(required=True, validate=ma.validate.OneOf(SEVERITIES))
    deadband = Number(validate=ma.validate.Range(0))
    on_delay_s = Number(validate=ma.validate.Range(0, 86_400))
    off_delay_s = Number(validate=ma.validate.Range(0, 86_400))
    holds = ma.fields.String(validate=ma.validate.OneOf(HOLDS))


class TagTemplateSchema(ma.Schema):
    """A tag that every asset of the class has; its name is put behind the asset's code."""

    name = line(64, required=True)
    label = line()
    unit = line(32)
    kind = ma.fields.String(validate=ma.validate.OneOf(["f64", "text"]))
    decimals = Whole(low=0, high=9)
    role = ma.fields.String(validate=ma.validate.OneOf(ROLES), allow_none=True)
    low = Number(allow_none=True)
    high = Number(allow_none=True)
    range_low = Number(allow_none=True)
    range_high = Number(allow_none=True)
    stuck_s = Number(allow_none=True, validate=ma.validate.Range(0, min_inclusive=False))
    drift = ma.fields.Boolean()
    joint = ma.fields.Boolean()
    iso20816 = ma.fields.Boolean(metadata={"description": "limits at the zone boundaries of ISO 20816-3"})
    limits = ma.fields.List(ma.fields.Nested(LimitTemplate), validate=ma.validate.Length(max=12))


class Running(ma.Schema):
    """When limits hold: while the tag of this role says so (null = always), and not before this long above."""

    role = ma.fields.String(required=True, validate=ma.validate.OneOf(ROLES), allow_none=True)
    on_delay_s = Number(load_default=0.0, validate=ma.validate.Range(0, 86_400))


class PlanTemplate(ma.Schema):
    """A PM plan that the site gets once."""

    key = text(32, required=True)
    title = text(200, required=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["calendar", "run_hours", "cycles"]))
    rrule = text(500)
    every = Number(validate=ma.validate.Range(0, min_inclusive=False))
    estimated_min = Whole(low=1, high=10_000, allow_none=True)
    procedure = text(64, allow_none=True)

    @ma.validates_schema
    def _has_its_trigger(self, data: dict[str, Any], **_kwargs: Any) -> None:
        needed = "rrule" if data.get("kind") == "calendar" else "every"
        if needed not in data:
            raise ma.ValidationError(f"A plan of this kind takes {needed}.", needed)


class BomTemplate(ma.Schema):
    """A part by its name."""

    part = text(200, required=True)
    quantity = Number(required=True, validate=ma.validate.Range(0, min_inclusive=False))
    position = line()


class ProcedureTemplate(ma.Schema):
    """A procedure in the shape of AR_FEED.md; its steps are judged as when it is published."""

    code = text(64, required=True)
    title = text(200, required=True)
    steps = ma.fields.List(ma.fields.Dict(), required=True)
    safety = ma.fields.List(ma.fields.Dict())
    hazards = ma.fields.List(ma.fields.String())
    lock_out = ma.fields.Boolean()
    estimated_min = Whole(low=1, high=10_000)


class ClassColumns(ma.Schema):
    """What people say of a class."""

    label = text(200)
    machine_group = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(list(vibration.ZONES)))
    running = ma.fields.Nested(Running, allow_none=True)
    tags = ma.fields.List(ma.fields.Nested(TagTemplateSchema), validate=ma.validate.Length(max=100))
    plans = ma.fields.List(ma.fields.Nested(PlanTemplate), validate=ma.validate.Length(max=50))
    procedures = ma.fields.List(ma.fields.Nested(ProcedureTemplate), validate=ma.validate.Length(max=50))
    bom = ma.fields.List(ma.fields.Nested(BomTemplate), validate=ma.validate.Length(max=200))


class NewClass(ClassColumns):
    """A class by its name, a machine's word."""

    name = ma.fields.String(required=True, validate=ma.validate.Regexp(r"[a-z][a-z0-9_]{0,63}\Z", error="Small letters, digits, _."))


class ApplyBody(ma.Schema):
    """To which assets, and whether only to look."""

    assets = ma.fields.List(text(64), required=True, validate=ma.validate.Length(1, 500))
    dry_run = ma.fields.Boolean(load_default=True)
    replace = ma.fields.Boolean(load_default=False, metadata={"description": "overwrite what a person set"})
    machine_group = ma.fields.String(load_default=None, allow_none=True, validate=ma.validate.OneOf(list(vibration.ZONES)))


class Texts(ma.Schema):
    """The meaning in the other languages."""

    fr = line()
    ar = line()


class CodeColumns(ma.Schema):
    """What a fault code means."""

    texts = ma.fields.Nested(Texts)
    severity = ma.fields.String(validate=ma.validate.OneOf(SEVERITIES))
    category = line(64)
    what = line(64)
    why = line(64)
    where = line(64)
    procedure = line(64)
    text = text(200)


class NewCode(CodeColumns):
    """A meaning for a class or for one asset."""

    code = text(64, required=True)
    class_ = text(64, data_key="class", attribute="class", allow_none=True)
    asset = text(64, allow_none=True)
    text = text(200, required=True)
