"""Plain pages of production calendars: the week, and the days that are not like their weekday (holidays, extra shifts)."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Field, Panel, Records

WEEKDAYS = tuple((str(n), word) for n, word in enumerate((_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))))
HOURS = (
    Field(name="start", label=_("From"), kind="clock"),
    Field(name="end", label=_("To"), kind="clock", hint=_("At or before the start: on the next day.")),
)
_WEEK = (
    Field(name="days", label=_("Days"), kind="picks", choices=WEEKDAYS, required=True),
    Field(name="shift", label=_("Shift"), hint=_("Name of a shift of the site, or hours beside it")),
    *HOURS,
)
_DAY = (
    Field(name="day", label=_("Day"), kind="date", required=True),
    Field(name="name", label=_("Name"), hint=_("For example New Year")),
    Field(name="windows", label=_("Hours of that day"), kind="list", columns=HOURS, hint=_("None: closed."), none=_("closed")),
)
_WEEKLY = _("Week")
_DAYS = _("Holidays and other days that are not like their weekday")

CALENDARS = Records(
    path="calendars",
    api="/api/calendars",
    title=_("Production calendars"),
    one=_("Production calendar"),
    group="register",
    read="plans.read",
    write="calendar.write",
    note=_("When the site or an area means to produce: availability counts only this time."),
    sorts=("name",),
    columns=(Field(name="name", label=_("Name")), Field(name="area", label=_("Area"))),
    first=(
        Field(name="weekly", label=_WEEKLY, kind="list", columns=_WEEK),
        Field(name="days", label=_DAYS, kind="list", columns=_DAY),
    ),
    fields=(
        Field(name="name", label=_("Name"), required=True),
        Field(name="area", label=_("Area"), kind="reference", source="/api/areas", key="name", hint=_("Empty: the whole site.")),
    ),
    deletes=True,
    panels=(
        Panel(
            title=_WEEKLY,
            inside="weekly",
            columns=_WEEK,
            none=_("No hours: nothing is to be produced."),
            row=_WEEK,
            word=_("Hours"),
            write="calendar.write",
        ),
        Panel(title=_DAYS, inside="days", columns=_DAY, row=_DAY, word=_("Day"), write="calendar.write"),
    ),
)

RECORDS: tuple[Records, ...] = (CALENDARS,)
