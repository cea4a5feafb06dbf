"""Words of the typed steps and dangers of procedures (AR_FEED.md), and the form of one step. What a step may hold is server/rules'."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Field

STEP_KINDS = (
    ("info", _("Read")),
    ("confirm", _("Confirm")),
    ("check", _("Pass or fail")),
    ("measure", _("Measure")),
    ("choice", _("Choose")),
    ("photo", _("Take a photo")),
    ("scan", _("Scan a code")),
    ("part", _("Take a part")),
    ("text", _("Write")),
    ("timer", _("Wait")),
    ("sign", _("Sign")),
)
DANGERS = (("danger", _("Danger")), ("warning", _("Warning")), ("caution", _("Caution")), ("notice", _("Notice")))

DANGER_FIELDS = (
    Field(name="sev", label=_("Severity"), kind="choice", choices=DANGERS, required=True, default="warning"),
    Field(name="t", label=_("Danger"), required=True),
    Field(name="b", label=_("Do this")),
)
_OPTION = (
    Field(name="k", label=_("Key"), kind="code", required=True),
    Field(name="t", label=_("Answer"), required=True),
    Field(name="go", label=_("Goes on at step"), kind="code"),
)
STEP_FIELDS = (
    Field(name="id", label=_("Key"), kind="code", required=True, hint=_("Each its own: s1, s2, s3")),
    Field(name="k", label=_("Kind"), kind="choice", choices=STEP_KINDS, required=True, default="confirm"),
    Field(name="must", label=_("Must be done"), kind="flag"),
    Field(name="t", label=_("Step"), kind="long", required=True, hint=_("One act, verb first; {asset} stands for the machine.")),
    Field(name="b", label=_("More words"), kind="long"),
    Field(name="warn.t", label=_("Warning before it")),
    Field(name="warn.sev", label=_("Its severity"), kind="choice", choices=DANGERS),
    Field(name="in.lo", label=_("Measure: at least"), kind="number"),
    Field(name="in.hi", label=_("Measure: at most"), kind="number"),
    Field(name="in.unit", label=_("Measure: unit"), kind="code"),
    Field(name="in.tag", label=_("Measure: live tag"), kind="code"),
    Field(name="in.code", label=_("Scan: the code"), kind="code"),
    Field(name="in.seconds", label=_("Wait: time"), kind="integer", unit="s", low=1, high=86_400),
    Field(name="part.sku", label=_("Part: number"), kind="code"),
    Field(name="part.qty", label=_("Part: quantity"), kind="number", low=0),
    Field(name="opt", label=_("Choose: answers"), kind="list", columns=_OPTION, keeps=True),
    Field(name="on_fail.follow_up.title", label=_("If it fails, open an order")),
    Field(name="next", label=_("Goes on at step"), kind="code", hint=_("Empty: the following one.")),
)
