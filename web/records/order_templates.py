"""Plain pages of order templates."""

from __future__ import annotations

from dataclasses import replace

from flask_babel import lazy_gettext as _

from web.records.order_fields import ASSET, DESCRIPTION, DUE, ESTIMATE, NUMBER, PRIORITY, PROCEDURE, STATE, TEAM, TITLE, TYPE
from web.records.spec import Act, Field, Records

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

RECORDS = (TEMPLATES,)
