"""Plain pages of the loop's figures: how right detectors are, and which alarms are bad; read only."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.alerts import DETECTORS
from web.records.live import TYPES
from web.records.spec import Download, Field, Records


def _files(path: str) -> tuple[Download, ...]:
    kinds = ("csv", "xlsx", "pdf")
    return tuple(Download(label=kind.upper(), path=f"{path}?export={kind}", right="reports.read", on_list=True) for kind in kinds)


_SCOPES = (("detector", _("Detector")), ("type", _("Alert type")), ("class", _("Asset class")), ("instrument", _("Instrument")))
_NAMES = (*TYPES, *DETECTORS)  # classes and instruments have names of their own

PRECISION = Records(
    path="verdict-figures",
    api="/api/figures/verdicts",
    title=_("Precision of alerts"),
    one=_("Precision"),
    group="reports",
    read="reports.read",
    searchable=False,
    sorts=("name", "verdicts", "precision", "repeats"),
    columns=(
        Field(name="scope", label=_("By"), kind="choice", choices=_SCOPES),
        Field(name="name", label=_("Name"), kind="choice", choices=_NAMES),
        Field(name="verdicts", label=_("Verdicts"), kind="integer"),
        Field(name="confirmed", label=_("Confirmed"), kind="integer"),
        Field(name="false", label=_("False"), kind="integer"),
        Field(name="something_else", label=_("Something else"), kind="integer"),
        Field(name="precision", label=_("Precision"), kind="share"),
        Field(name="low", label=_("95 % from"), kind="share"),
        Field(name="high", label=_("95 % to"), kind="share"),
        Field(name="trusted", label=_("Trusted"), kind="flag"),
        Field(name="repeats", label=_("Repeats"), kind="integer"),
    ),
    filters=(Field(name="scope", label=_("By"), kind="choice", choices=_SCOPES),),
    downloads=_files("/api/figures/verdicts"),
    note=_("How often technicians confirmed what alerts said in the last 90 days, and what came back within 30 days of its repair."),
)

ALARMS = Records(
    path="alarm-figures",
    api="/api/figures/alarms",
    title=_("Worst alarms"),
    one=_("Alarm"),
    group="reports",
    read="reports.read",
    searchable=False,
    sorts=("raised", "share"),
    columns=(
        Field(name="message", label=_("Alarm")),
        Field(name="asset.code", label=_("Asset"), kind="code", link="/assets/{asset.code}"),
        Field(name="tag", label=_("Tag"), kind="code"),
        Field(name="raised", label=_("Raised"), kind="integer"),
        Field(name="share", label=_("Share of all"), kind="share"),
        Field(name="chatters", label=_("Chatters"), kind="flag"),
        Field(name="stands", label=_("Stands over a day"), kind="flag"),
        Field(name="order.number", label=_("Order"), kind="code", link="/orders/{order.number}"),
        Field(name="proposal.title", label=_("Order that would remove it")),
        Field(name="proposal.why", label=_("Why")),
    ),
    downloads=_files("/api/figures/alarms"),
    note=_("The ten alarms raised most in the last 7 days, and the order that would remove each."),
)

RECORDS: tuple[Records, ...] = (PRECISION, ALARMS)
