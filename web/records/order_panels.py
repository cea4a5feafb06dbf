"""What hangs on a work order: comments, time, links, sub-orders, interventions, parts, files."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.order_fields import LINKS, NUMBER, PERSON, STATE, STATES, TITLE
from web.records.spec import Act, Field, Panel
from web.records.words import MOVED

ORDER_PANELS = (
    Panel(
        title=_("Comments"),
        api="/api/work-orders/{id}/comments",
        columns=(
            Field(name="at", label=_("When"), kind="moment"),
            Field(name="author", label=_("Who")),
            Field(name="body", label=_("Comment"), kind="long"),
        ),
    ),
    Panel(
        title=_("Time"),
        api="/api/work-orders/{id}/labour",
        columns=(
            Field(name="person", label=_("Person"), kind="reference"),
            Field(name="minutes", label=_("Minutes"), kind="integer"),
            Field(name="rate", label=_("Hourly rate"), kind="money"),
            Field(name="cost", label=_("Cost"), kind="money"),
            Field(name="note", label=_("Note")),
            Field(name="started_at", label=_("Started"), kind="moment"),
        ),
        acts=(Act(label=_("Remove"), path="/api/work-orders/{of.id}/labour/{id}", right="orders.work", method="DELETE"),),
    ),
    Panel(
        title=_("Linked orders"),
        api="/api/work-orders/{id}/links",
        columns=(
            Field(name="kind", label=_("Link"), kind="choice", choices=LINKS),
            Field(name="direction", label=_("Direction"), kind="choice", choices=(("out", _("this one")), ("in", _("the other")))),
            Field(name="order.number", label=_("Number"), kind="code", link="/work-orders/{order.id}"),
            Field(name="order.title", label=_("Title")),
            Field(name="order.status", label=_("State"), kind="choice", choices=STATES),
            Field(name="step_text", label=_("Step")),
        ),
        acts=(Act(label=_("Remove"), path="/api/work-orders/{of.id}/links/{id}", right="orders.create", method="DELETE"),),
    ),
    Panel(title=_("Sub-orders"), api="/api/work-orders?parent={id}", columns=(NUMBER, TITLE, STATE, PERSON), link="/work-orders/{id}"),
    Panel(
        title=_("Interventions"),
        api="/api/interventions?order={id}",
        columns=(
            NUMBER,
            Field(name="technician", label=_("Technician"), kind="reference"),
            Field(name="received_at", label=_("Received"), kind="moment"),
            Field(name="ended_at", label=_("Ended"), kind="moment"),
            Field(name="category", label=_("Category"), kind="reference"),
        ),
        link="/interventions/{id}",
    ),
    Panel(
        title=_("Parts from the stores"),
        api="/api/movements?order={id}",
        columns=(
            Field(name="part", label=_("Part"), kind="reference", link="/parts/{part.id}"),
            Field(name="reason", label=_("What"), kind="choice", choices=MOVED),
            Field(name="quantity", label=_("Quantity"), kind="number", signless=True),
            Field(name="part.unit", label=_("Unit"), kind="code"),
            Field(name="store", label=_("Store"), kind="code"),
            Field(name="unit_cost", label=_("Cost of one"), kind="money"),
            Field(name="by", label=_("By")),
            Field(name="at", label=_("When"), kind="moment"),
        ),
        right="parts.read",
    ),
    Panel(
        title=_("Reserved parts"),
        api="/api/reservations?order={id}",
        columns=(
            Field(name="part", label=_("Part"), kind="reference", link="/parts/{part.id}"),
            Field(name="quantity", label=_("Quantity"), kind="number"),
            Field(name="store", label=_("Store"), kind="code"),
        ),
        right="parts.read",
    ),
    Panel(
        title=_("Files"),
        api="/api/attachments?thing=work_order&id={id}",
        columns=(Field(name="name", label=_("File"), link="/api/attachments/{id}/file"), Field(name="caption", label=_("Caption"))),
    ),
)
