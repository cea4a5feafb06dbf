"""Plain pages of work orders, and of those among them that repair a breakdown."""

from __future__ import annotations

from dataclasses import replace

from flask_babel import lazy_gettext as _

from web.records.order_acts import ORDER_ACTS
from web.records.order_fields import (
    ASSET,
    DESCRIPTION,
    DUE,
    ESTIMATE,
    NOTES,
    NUMBER,
    PARTS,
    PERSON,
    PRIORITY,
    PROCEDURE,
    SIGNED,
    STATE,
    TEAM,
    TITLE,
    TYPE,
    VERDICTS,
)
from web.records.order_panels import ORDER_PANELS
from web.records.spec import Act, Download, Field, Records

WORK_ORDERS = Records(
    path="work-orders",
    api="/api/work-orders",
    title=_("Work orders"),
    one=_("Work order"),
    group="work",
    read="orders.read",
    write="orders.create",
    columns=(
        NUMBER,
        TITLE,
        Field(name="asset", label=_("Asset"), kind="reference", link="/assets/{asset.code}"),
        TYPE,
        PRIORITY,
        STATE,
        PERSON,
        DUE,
        Field(name="overdue", label=_("Overdue"), kind="flag"),
        Field(name="cost.total", label=_("Cost"), kind="money"),
    ),
    fields=(
        ASSET,
        TITLE,
        DESCRIPTION,
        TYPE,
        PRIORITY,
        PROCEDURE,
        TEAM,
        DUE,
        ESTIMATE,
        Field(name="parent", label=_("Part of"), kind="reference", source="/api/work-orders", key="number", shows="number"),
        Field(name="external_ref", label=_("External reference"), kind="code"),
    ),
    read_only=(
        STATE,
        PERSON,
        Field(name="created_by", label=_("Opened by")),
        Field(name="created_at", label=_("Opened"), kind="moment"),
        Field(name="sla_at", label=_("Promised until"), kind="moment"),
        Field(name="sla_breached", label=_("Promise broken"), kind="flag"),
        Field(name="overdue", label=_("Overdue"), kind="flag"),
        Field(name="actual_min", label=_("Actual"), kind="integer", unit="min"),
        Field(name="cost.labour", label=_("Labour"), kind="money"),
        Field(name="cost.parts", label=_("Parts"), kind="money"),
        Field(name="cost.other", label=_("Other cost"), kind="money"),
        Field(name="cost.total", label=_("Cost"), kind="money"),
        Field(name="verdict", label=_("Verdict"), kind="choice", choices=VERDICTS),
        NOTES,
        PARTS,
        SIGNED,
        Field(name="verified_by", label=_("Verified by")),
        Field(name="number", label=_("Report an intervention on"), kind="code", link="/interventions/new?order={number}"),
    ),
    filters=(
        STATE,
        TYPE,
        PRIORITY,
        Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code"),
        Field(name="team", label=_("Team"), kind="reference", source="/api/teams", key="name"),
        Field(name="overdue", label=_("Overdue"), kind="choice", choices=(("true", _("Overdue")), ("false", _("In time")))),
        Field(name="from", label=_("Opened from"), kind="moment"),
        Field(name="to", label=_("Opened before"), kind="moment"),
    ),
    sorts=("number", "title", "type", "priority", "status", "due_at"),
    edits=False,
    acts=(
        *ORDER_ACTS,
        Act(
            label=_("Change"),
            path="/api/work-orders/{id}",
            right="orders.assign",
            method="PATCH",
            fields=(
                TITLE,
                DESCRIPTION,
                TYPE,
                PRIORITY,
                DUE,
                ESTIMATE,
                Field(name="external_ref", label=_("External reference"), kind="code"),
            ),
            shown_when=("status", ("requested", "open", "assigned", "in_progress", "on_hold", "completed", "reopened")),
        ),
    ),
    panels=ORDER_PANELS,
    downloads=(
        Download(label=_("Print"), path="/api/work-orders/{id}/print", right="orders.read"),
        Download(label=_("Evidence"), path="/api/work-orders/{id}/evidence?export=pdf", right="orders.read"),
        Download(label=_("CSV"), path="/api/work-orders?export=csv", right="orders.read", on_list=True),
        Download(label=_("XLSX"), path="/api/work-orders?export=xlsx", right="orders.read", on_list=True),
        Download(label=_("PDF"), path="/api/work-orders?export=pdf", right="orders.read", on_list=True),
    ),
    name="title",
    note=_("Every job with its time, cost, comments and links; the state moves only by its acts."),
)
BREAKDOWNS = replace(
    WORK_ORDERS,
    path="breakdowns",
    title=_("Breakdowns"),
    one=_("Breakdown"),
    extra={"type": "corrective"},
    filters=tuple(field for field in WORK_ORDERS.filters if field.name != "type"),
    fields=(),
    read_only=(),
    acts=(),
    panels=(),
    write=None,
    creates=False,
    downloads=(Download(label=_("CSV"), path="/api/work-orders?type=corrective&export=csv", right="orders.read", on_list=True),),
    link="/work-orders/{id}",
    note=_("Work that repairs what failed, found by a person or by an alert."),
)

RECORDS = (WORK_ORDERS, BREAKDOWNS)
