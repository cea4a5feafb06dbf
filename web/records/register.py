"""Plain pages of the register: areas, assets with their life, what is to be replaced."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.imports import imports
from web.records.instruments import CRITICALITIES
from web.records.spec import Act, Download, Field, Panel, Records

WARRANTIES = (("active", _("Active")), ("soon", _("Ends soon")), ("ended", _("Ended")), ("none", _("None")))
BASES = (("years", _("Years")), ("hours", _("Run hours")))

_AREA = Field(name="area", label=_("Area"), kind="reference", source="/api/areas", key="name", required=True)
_CLASS = Field(name="class", label=_("Class"), kind="reference", source="/api/classes", key="name", shows="label")
_CRITICALITY = Field(name="criticality", label=_("Criticality"), kind="choice", choices=CRITICALITIES)
_CODE = Field(name="code", label=_("Code"), kind="code")
_NAME = Field(name="name", label=_("Name"), required=True)

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
        Field(name="replacement_on", label=_("Replacement planned"), kind="date"),
        Field(name="replacement_reason", label=_("Why replaced"), kind="long"),
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
        *imports("assets"),
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
            label=_("New fault-report code"),
            path="/api/assets/{code}/report-link/rotate",
            right="assets.write",
            confirm=_("Anyone who scans it reports a fault without a login. A code printed before leads nowhere from then on."),
            shows=(Field(name="url", label=_("Fault report"), kind="code"),),
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
            title=_("Longer life"),
            columns=(
                Field(name="on", label=_("On"), kind="date"),
                Field(name="years", label=_("Years"), kind="number"),
                Field(name="hours", label=_("Run hours"), kind="number"),
                Field(name="reason", label=_("Reason")),
                Field(name="by", label=_("By")),
            ),
            inside="life_extensions",
        ),
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
        Download(label=_("Label"), path="/api/assets/labels?codes={code}", right="assets.read"),
    ),
    note=_("Every machine with make, cost, warranty, expected life and what it is part of."),
)

REPLACEMENTS = Records(
    path="replacements",
    api="/api/register/replacements",
    title=_("Replacement plan"),
    one=_("Replacement"),
    group="register",
    read="assets.read",
    searchable=False,
    columns=(
        Field(name="code", label=_("Code"), kind="code"),
        Field(name="name", label=_("Name")),
        Field(name="due_on", label=_("Due"), kind="date"),
        Field(name="life.years_left", label=_("Life left"), kind="number", unit="a"),
        Field(name="replacement_cost", label=_("Cost"), kind="money"),
        Field(name="replacement_reason", label=_("Reason")),
    ),
    filters=(Field(name="years", label=_("Years ahead"), kind="number", low=0, high=100),),
    downloads=(
        Download(label="XLSX", path="/api/register/replacements?export=xlsx", right="assets.read", on_list=True),
        Download(label="PDF", path="/api/register/replacements?export=pdf", right="assets.read", on_list=True),
    ),
    link="/register/{code}",
    note=_("What is to be replaced in the next five years, by planned day or by remaining life."),
)

RECORDS = (ASSETS, AREAS, REPLACEMENTS)
