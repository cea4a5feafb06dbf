"""Plain pages of asset classes, the fault codes of their controllers, and the codes that nobody has named yet."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.class_parts import CODE_FIELDS, PANELS, ROLES
from web.records.live import SEVERITIES
from web.records.spec import Act, Field, Records

_CLASS = Field(name="class", label=_("Class"), kind="reference", source="/api/classes", key="name", shows="label")
_ASSET = Field(name="asset", label=_("Asset"), kind="reference", source="/api/register/assets", key="code", link="/register/{asset.code}")

ACTS = (("add", _("New")), ("change", _("Changed")), ("keep", _("Kept")))
GROUPS = (
    ("1-rigid", _("Above 300 kW, rigid")),
    ("1-flexible", _("Above 300 kW, flexible")),
    ("2-rigid", _("15 to 300 kW, rigid")),
    ("2-flexible", _("15 to 300 kW, flexible")),
)
_APPLIED = (
    Field(
        name="lines",
        label=_("Changes"),
        kind="list",
        columns=(
            Field(name="on", label=_("Asset"), kind="code"),
            Field(name="act", label=_("What happens"), kind="choice", choices=ACTS),
            Field(name="kind", label=_("Kind")),
            Field(name="thing", label=_("Thing"), kind="code"),
            Field(name="field", label=_("Value"), kind="code"),
            Field(name="old", label=_("Before")),
            Field(name="new", label=_("After")),
        ),
    ),
)
_TO_WHICH = (
    Field(name="assets", label=_("Codes of the assets"), kind="words", required=True),
    Field(name="machine_group", label=_("Vibration group (ISO 20816-3)"), kind="choice", choices=GROUPS),
    Field(name="replace", label=_("Overwrite what people set"), kind="flag"),
)
PRESETS = (("manufacturing", _("Manufacturing")), ("energy", _("Energy")), ("automotive", _("Automotive")), ("hvac", _("HVAC")))
_INSTALLED = (
    Field(name="created", label=_("New"), kind="words"),
    Field(name="completed", label=_("Completed"), kind="words"),
    Field(name="unchanged", label=_("As they were"), kind="words"),
)

CLASSES = Records(
    path="asset-classes",
    api="/api/classes",
    title=_("Asset classes"),
    one=_("Asset class"),
    group="register",
    read="assets.read",
    write="classes.write",
    deletes=True,
    name="label",
    columns=(
        Field(name="label", label=_("Name")),
        Field(name="name", label=_("Key"), kind="code"),
        Field(name="assets", label=_("Assets"), kind="integer"),
        Field(name="fault_codes", label=_("Fault codes"), kind="integer"),
    ),
    first=(Field(name="name", label=_("Key"), kind="code", required=True, hint=_("Small letters, digits and _")),),
    fields=(
        Field(name="label", label=_("Name"), required=True),
        Field(name="machine_group", label=_("Vibration group (ISO 20816-3)"), kind="choice", choices=GROUPS),
        Field(name="running.role", label=_("Limits hold while"), kind="choice", choices=ROLES, hint=_("Empty: always.")),
        Field(name="running.on_delay_s", label=_("and not for the first"), kind="number", unit="s", low=0, high=86_400),
    ),
    acts=(
        Act(
            label=_("Preview"),
            path="/api/classes/{id}/apply",
            right="classes.write",
            body=(("dry_run", True),),
            fields=_TO_WHICH,
            shows=_APPLIED,
        ),
        Act(
            label=_("Apply"),
            path="/api/classes/{id}/apply",
            right="classes.write",
            body=(("dry_run", False),),
            fields=_TO_WHICH,
            shows=_APPLIED,
        ),
        *(
            Act(label=label, path=f"/api/classes/presets/{name}", right="classes.write", on_list=True, shows=_INSTALLED)
            for name, label in PRESETS
        ),
    ),
    read_only=(Field(name="assets", label=_("Assets"), kind="integer"),),
    panels=PANELS,
    note=_("What assets of one kind share: tags, limits, fault codes, plans, procedures and parts."),
)

FAULT_CODES = Records(
    path="fault-codes",
    api="/api/fault-codes",
    title=_("Fault codes"),
    one=_("Fault code"),
    group="register",
    read="assets.read",
    write="classes.write",
    deletes=True,
    name="text",
    columns=(
        Field(name="code", label=_("Code"), kind="code"),
        Field(name="text", label=_("Text")),
        Field(name="class", label=_("Class"), kind="reference", shows="label"),
        Field(name="asset", label=_("Asset"), kind="reference", link="/assets/{asset.code}"),
        Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES),
        Field(name="what", label=_("What"), kind="word"),
    ),
    first=(Field(name="code", label=_("Code"), kind="code", required=True), _CLASS, _ASSET),
    fields=CODE_FIELDS,
    read_only=(
        Field(name="code", label=_("Code"), kind="code"),
        Field(name="class", label=_("Class"), kind="reference", shows="label"),
    ),
    filters=(Field(name="class", label=_("Class"), kind="reference", source="/api/classes", key="name", shows="label"),),
    note=_("What the codes of controllers mean, how severe they are and what to do."),
)

UNKNOWN_CODES = Records(
    path="unknown-codes",
    api="/api/fault-codes/unknown",
    title=_("Unknown fault codes"),
    one=_("Unknown fault code"),
    group="register",
    read="assets.read",
    searchable=False,
    columns=(
        Field(name="code", label=_("Code"), kind="code"),
        Field(name="asset", label=_("Asset"), kind="reference", link="/assets/{asset.code}"),
        Field(name="class", label=_("Class"), kind="code"),
        Field(name="times", label=_("Times"), kind="integer"),
        Field(name="last_at", label=_("Last"), kind="moment"),
    ),
    acts=(
        Act(
            label=_("Name it"),
            path="/api/fault-codes",
            right="classes.write",
            on_row=True,
            body=(("asset", "{asset.code}"), ("code", "{code}")),
            fields=(
                Field(name="text", label=_("Text"), required=True),
                Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES, default="critical"),
            ),
        ),
    ),
    note=_("Codes that machines showed and nobody has named yet, the most frequent first."),
)

RECORDS = (CLASSES, FAULT_CODES, UNKNOWN_CODES)
