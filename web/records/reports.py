"""Plain pages of what runs by itself: background jobs, scheduled reports, escalation of alerts nobody answers."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from server.reports.table import REPORTS
from web.records.live import SEVERITIES
from web.records.spec import Act, Download, Field, Records

FORMATS = (("csv", "CSV"), ("xlsx", "XLSX"), ("pdf", "PDF"))
NAMES = tuple((one.name, one.title) for one in REPORTS.values())
JOBS_ASKED = (
    ("report.run", _("Report")),
    ("report.work_orders", _("Work orders as a file")),
    ("backup.make", _("Backup")),
    ("audit.verify", _("Check of the audit trail")),
    ("ml.train", _("Training")),
)
STATES = (("queued", _("Waiting")), ("running", _("Running")), ("done", _("Done")), ("failed", _("Failed")))
ROLES = (
    ("admin", _("Administrators")),
    ("manager", _("Managers")),
    ("planner", _("Planners")),
    ("technician", _("Technicians")),
    ("operator", _("Operators")),
)

JOBS = Records(
    path="jobs",
    api="/api/jobs",
    title=_("Background jobs"),
    one=_("Job"),
    group="reports",
    read="jobs.read",
    columns=(
        Field(name="id", label=_("Number"), kind="code"),
        Field(name="name", label=_("Job"), kind="choice", choices=JOBS_ASKED),
        Field(name="args.report", label=_("Report"), kind="choice", choices=NAMES),
        Field(name="status", label=_("State"), kind="choice", choices=STATES),
        Field(name="created_by", label=_("Asked by")),
        Field(name="created_at", label=_("Asked"), kind="moment"),
        Field(name="finished_at", label=_("Ended"), kind="moment"),
        Field(name="message", label=_("Why it failed")),
    ),
    read_only=(
        Field(name="name", label=_("Job"), kind="choice", choices=JOBS_ASKED),
        Field(name="status", label=_("State"), kind="choice", choices=STATES),
        Field(name="args.report", label=_("Report"), kind="choice", choices=NAMES),
        Field(name="args.format", label=_("Format"), kind="choice", choices=FORMATS),
        Field(name="args.from", label=_("From"), kind="moment"),
        Field(name="args.to", label=_("To"), kind="moment"),
        Field(name="done", label=_("Done of it"), kind="integer"),
        Field(name="total", label=_("Of"), kind="integer"),
        Field(name="created_by", label=_("Asked by")),
        Field(name="created_at", label=_("Asked"), kind="moment"),
        Field(name="started_at", label=_("Began"), kind="moment"),
        Field(name="finished_at", label=_("Ended"), kind="moment"),
        Field(name="message", label=_("Why it failed"), kind="long"),
    ),
    filters=(Field(name="status", label=_("State"), kind="choice", choices=STATES),),
    sorts=("id", "name", "status", "created_at", "finished_at"),
    searchable=False,
    creates=False,
    edits=False,
    downloads=(Download(label=_("File"), path="/api/jobs/{id}/file", right="reports.read"),),
    note=_("What was asked for in the background, and the files it made; they are kept for 30 days."),
)

MESSAGES = Records(
    path="messages",
    api="/api/notifications",
    title=_("Messages"),
    one=_("Message"),
    group="work",
    read="notifications.read",
    note=_("What you were told, newest first."),
    searchable=False,
    sorts=("created_at",),
    columns=(
        Field(name="created_at", label=_("When"), kind="moment"),
        Field(name="title", label=_("What")),
        Field(name="body", label=_("Details")),
        Field(name="count", label=_("Times"), kind="integer"),
        Field(name="order", label=_("Order"), kind="code", link="/work-orders/{order}"),
        Field(name="downtime", label=_("Downtime"), kind="code", link="/downtimes/{downtime}"),
        Field(name="read_at", label=_("Read"), kind="moment"),
    ),
    filters=(Field(name="unread", label=_("Which"), kind="choice", choices=(("true", _("Not read yet")), ("false", _("All")))),),
    creates=False,
    edits=False,
    acts=(Act(label=_("Mark as read"), path="/api/notifications/{id}/read", right="notifications.read", on_row=True),),
)

SCHEDULES = Records(
    path="report-schedules",
    api="/api/report-schedules",
    title=_("Reports by mail"),
    one=_("Report by mail"),
    group="reports",
    read="reports.schedule",
    write="reports.schedule",
    columns=(
        Field(name="name", label=_("Name")),
        Field(name="report", label=_("Report"), kind="choice", choices=tuple((one.name, one.title) for one in REPORTS.values())),
        Field(name="format", label=_("Format"), kind="choice", choices=FORMATS),
        Field(name="recipient_names", label=_("To")),
        Field(name="next_at", label=_("Next"), kind="moment"),
        Field(name="last_at", label=_("Last"), kind="moment"),
        Field(name="active", label=_("Active"), kind="flag"),
    ),
    fields=(
        Field(name="name", label=_("Name"), required=True),
        Field(
            name="report",
            label=_("Report"),
            kind="choice",
            choices=NAMES,
            required=True,
        ),
        Field(name="format", label=_("Format"), kind="choice", choices=FORMATS, required=True, default="pdf"),
        Field(
            name="rrule",
            label=_("Rule"),
            kind="recurrence",
            required=True,
            default="FREQ=WEEKLY;BYDAY=MO",
            hint=_("RFC 5545: FREQ=DAILY, FREQ=WEEKLY;BYDAY=MO, FREQ=MONTHLY;BYMONTHDAY=1"),
        ),
        Field(name="at", label=_("Time of day"), kind="clock", default="06:00", hint=_("By the clock of the site")),
        Field(name="span_days", label=_("Days it covers"), kind="integer", low=1, high=3660, default=7),
        Field(
            name="recipients", label=_("Recipients"), kind="words", required=True, hint=_("Employee numbers of people who may read reports")
        ),
        Field(name="active", label=_("Active"), kind="flag", default=True),
    ),
    read_only=(
        Field(name="recipient_names", label=_("To")),
        Field(name="next_at", label=_("Next"), kind="moment"),
        Field(name="last_at", label=_("Last"), kind="moment"),
        Field(name="last_job", label=_("Last job"), kind="code", link="/jobs/{last_job}"),
    ),
    sorts=("name", "report", "next_at"),
    deletes=True,
    note=_("A report that is made and mailed by itself; it needs a mail relay (SMTP_HOST)."),
)

ESCALATION = Records(
    path="escalation-policies",
    api="/api/escalation-policies",
    title=_("Escalation"),
    one=_("Escalation policy"),
    group="system",
    read="policies.write",
    write="policies.write",
    columns=(
        Field(name="name", label=_("Name")),
        Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES),
        Field(name="after_min", label=_("After"), kind="integer", unit="min"),
        Field(name="to_role", label=_("Role"), kind="choice", choices=ROLES),
        Field(name="to_team", label=_("Team")),
        Field(name="shift", label=_("Shift")),
        Field(name="rounds", label=_("Times"), kind="integer"),
        Field(name="active", label=_("Active"), kind="flag"),
    ),
    fields=(
        Field(name="name", label=_("Name"), required=True),
        Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES, required=True),
        Field(name="after_min", label=_("After"), kind="integer", unit="min", low=1, high=10080, required=True),
        Field(name="to_role", label=_("Role"), kind="choice", choices=ROLES, hint=_("Empty, and no team: all who may acknowledge")),
        Field(name="to_team_id", label=_("Team"), kind="reference", source="/api/teams"),
        Field(name="on_duty", label=_("Only those on duty"), kind="flag"),
        Field(name="shift", label=_("Only in shift"), hint=_("Name of a shift of the site; empty = at any hour")),
        Field(name="repeat_min", label=_("Again every"), kind="integer", unit="min", low=1, high=10080),
        Field(name="rounds", label=_("At most so often"), kind="integer", low=1, high=100, default=1),
        Field(name="active", label=_("Active"), kind="flag", default=True),
    ),
    sorts=("name", "severity", "after_min"),
    deletes=True,
    note=_("Who is told of an alert that nobody acknowledges, after how long and how often."),
)

RECORDS = (MESSAGES, JOBS, SCHEDULES, ESCALATION)
