"""Plain pages of the register: areas, assets with their life, classes and fault codes."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.instruments import CRITICALITIES
from web.records.live import SEVERITIES
from web.records.spec import Act, Download, Field, Panel, Records

WARRANTIES = (("active", _("Active")), ("soon", _("Ends soon")), ("ended", _("Ended")), ("none", _("None")))
BASES = (("years", _("Years")), ("hours", _("Run hours")))

_AREA = Field(name="area", label=_("Area"), kind="reference", source="/api/areas", key="name", required=True)
_CLASS = Field(name="class", label=_("Class"), kind="reference", source="/api/classes", key="name", shows="label")
_CRITICALITY = Field(name="criticality", label=_("Criticality"), kind="choice", choices=CRITICALITIES)
_CODE = Field(name="code", label=_("Code"), kind="code")
_NAME = Field(name="name", label=_("Name"), required=True)
_ASSET = Field(name="asset", label=_("Asset"), kind="reference", source="/api/register/assets", key="code", link="/register/{asset.code}")

AREAS = Records(
    path="areas",
    api="/api/areas",
    title=_("Areas"),
    one=_("Area"),
    group="register",
    read="assets.read",
    write="assets.write",
    deletes=True,
    sorts=("name",),
    columns=(Field(name="name", label=_("Name")), Field(name="assets", label=_("Assets"), kind="integer")),
    fields=(_NAME,),
    read_only=(Field(name="assets", label=_("Assets"), kind="integer"),),
    note=_("The process units of the site, which assets stand in."),
)

ASSETS = Records(
    path="register",
    api="/api/register/assets",
    title=_("Asset register"),
    one=_("Asset"),
    group="register",
    read="assets.read",
    write="assets.write",
    deletes=True,
    key="code",
    sorts=("code", "name", "area", "criticality", "make", "installed_on"),
    columns=(
        _CODE,
        Field(name="name", label=_("Name")),
        Field(name="area", label=_("Area"), kind="reference"),
        Field(name="class", label=_("Class"), kind="reference", shows="label"),
        _CRITICALITY,
        Field(name="make", label=_("Make")),
        Field(name="model", label=_("Model")),
        Field(name="installed_on", label=_("Installed"), kind="date"),
        Field(name="health.score", label=_("Health"), kind="integer"),
    ),
    first=(Field(name="code", label=_("Code"), kind="code", hint=_("Left empty, the next one is given.")),),
    fields=(
        _NAME,
        _AREA,
        _CLASS,
        Field(
            name="parent", label=_("Part of"), kind="reference", source="/api/register/assets", key="code", link="/register/{parent.code}"
        ),
        _CRITICALITY,
        Field(name="location", label=_("Place")),
        Field(name="make", label=_("Make")),
        Field(name="model", label=_("Model")),
        Field(name="serial", label=_("Serial number"), kind="code"),
        Field(name="external_ref", label=_("External reference")),
        Field(name="installed_on", label=_("Installed"), kind="date"),
        Field(name="warranty_until", label=_("Warranty until"), kind="date"),
        Field(name="purchase_cost", label=_("Purchase cost"), kind="money", low=0),
        Field(name="replacement_cost", label=_("Replacement cost"), kind="money", low=0),
        Field(name="machine_rate", label=_("Cost of an hour down"), kind="money", low=0),
        Field(name="expected_life_years", label=_("Expected life"), kind="number", unit="a", low=0, high=200),
        Field(name="expected_life_hours", label=_("Expected run hours"), kind="number", unit="h", low=0),
        Field(name="notes", label=_("Notes"), kind="long"),
    ),
    read_only=(
        Field(name="life.run_hours", label=_("Run hours"), kind="number", unit="h"),
        Field(name="life.years_left", label=_("Life left"), kind="number", unit="a"),
        Field(name="life.ends_on", label=_("Ends on"), kind="date"),
        Field(name="life.basis", label=_("Judged by"), kind="choice", choices=BASES),
        Field(name="life.value", label=_("Value now"), kind="money"),
        Field(name="health.score", label=_("Health"), kind="integer", link="/assets/{code}"),
    ),
    filters=(
        Field(name="area", label=_("Area"), kind="reference", source="/api/areas", key="name"),
        Field(name="class", label=_("Class"), kind="reference", source="/api/classes", key="name", shows="label"),
        _CRITICALITY,
        Field(name="warranty", label=_("Warranty"), kind="choice", choices=WARRANTIES),
    ),
    acts=(
        Act(
            label=_("Extend life"),
            path="/api/assets/{code}/life-extensions",
            right="assets.write",
            fields=(
                Field(name="years", label=_("Years"), kind="number", low=0, high=100, default=0),
                Field(name="hours", label=_("Run hours"), kind="number", low=0, default=0),
                Field(name="reason", label=_("Reason"), kind="long", required=True),
            ),
        ),
        Act(
            label=_("Attach a file"),
            path="/api/attachments",
            right="attachments.write",
            upload=True,
            body=(("thing", "asset"), ("id", "{id}")),
            fields=(Field(name="file", label=_("File"), kind="file", required=True), Field(name="caption", label=_("Caption"))),
        ),
    ),
    panels=(
        Panel(
            title=_("Instruments"),
            columns=(
                Field(name="tag", label=_("Tag"), kind="code"),
                Field(name="name", label=_("Name")),
                Field(name="type", label=_("Type")),
            ),
            api="/api/instruments?asset={code}",
            link="/instruments/{id}",
        ),
        Panel(
            title=_("Parts of it"),
            columns=(_CODE, Field(name="name", label=_("Name"))),
            api="/api/register/assets?parent={code}",
            link="/register/{code}",
        ),
        Panel(
            title=_("Documents and photos"),
            columns=(
                Field(name="name", label=_("File"), link="/api/attachments/{id}/file"),
                Field(name="caption", label=_("Caption")),
                Field(name="created_at", label=_("Added"), kind="moment"),
            ),
            api="/api/attachments?thing=asset&id={id}",
            acts=(
                Act(
                    label=_("Delete"), path="/api/attachments/{id}", right="attachments.write", method="DELETE", confirm=_("The file goes.")
                ),
            ),
        ),
    ),
    downloads=(
        Download(label="CSV", path="/api/register/assets?export=csv", right="assets.read", on_list=True),
        Download(label="XLSX", path="/api/register/assets?export=xlsx", right="assets.read", on_list=True),
    ),
    note=_("Every machine with make, cost, warranty, expected life and what it is part of."),
)

_TEMPLATE_TAG = (
    Field(name="name", label=_("Tag"), kind="code"),
    Field(name="label", label=_("Label")),
    Field(name="unit", label=_("Unit"), kind="code"),
    Field(name="low", label=_("Normal from"), kind="number"),
    Field(name="high", label=_("Normal to"), kind="number"),
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
    fields=(Field(name="label", label=_("Name"), required=True),),
    read_only=(Field(name="assets", label=_("Assets"), kind="integer"),),
    panels=(
        Panel(title=_("Tags"), columns=_TEMPLATE_TAG, inside="tags"),
        Panel(
            title=_("Maintenance plans"),
            columns=(
                Field(name="title", label=_("Title")),
                Field(name="kind", label=_("Kind")),
                Field(name="every", label=_("Every"), kind="number"),
            ),
            inside="plans",
        ),
        Panel(
            title=_("Parts list"),
            columns=(Field(name="part", label=_("Part")), Field(name="quantity", label=_("Quantity"), kind="number")),
            inside="bom",
        ),
    ),
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
        Field(name="what", label=_("What")),
    ),
    first=(Field(name="code", label=_("Code"), kind="code", required=True), _CLASS, _ASSET),
    fields=(
        Field(name="text", label=_("Text"), required=True),
        Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES),
        Field(name="category", label=_("Category")),
        Field(name="what", label=_("What")),
        Field(name="why", label=_("Why")),
        Field(name="where", label=_("Where")),
        Field(name="procedure", label=_("Procedure"), kind="code"),
    ),
    read_only=(
        Field(name="code", label=_("Code"), kind="code"),
        Field(name="class", label=_("Class"), kind="reference", shows="label"),
        Field(name="texts.fr", label=_("French")),
        Field(name="texts.ar", label=_("Arabic")),
    ),
    filters=(Field(name="class", label=_("Class"), kind="reference", source="/api/classes", key="name", shows="label"),),
    note=_("What the codes of controllers mean, how severe they are and what to do."),
)

RECORDS = (ASSETS, AREAS, CLASSES, FAULT_CODES)
