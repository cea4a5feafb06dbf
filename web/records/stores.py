"""Plain pages of stores, and of what is built into which machine."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Field, Panel, Records
from web.records.store_fields import NOTE, PART, QUANTITY
from web.records.words import MOVED

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
                Field(name="reason", label=_("Reason"), kind="choice", choices=MOVED),
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

RECORDS = (STORES, BOM)
