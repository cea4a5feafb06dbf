"""Plain pages of the instance itself: backups and webhooks."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.live import SEVERITIES
from web.records.spec import Act, Field, Records

WEBHOOKS = Records(
    path="webhooks",
    api="/api/webhooks",
    title=_("Webhooks"),
    one=_("Webhook"),
    group="system",
    read="policies.write",
    write="policies.write",
    columns=(
        Field(name="name", label=_("Name")),
        Field(name="active", label=_("Active"), kind="flag"),
        Field(name="sent", label=_("Sent"), kind="integer"),
        Field(name="last_at", label=_("Last sent"), kind="moment"),
        Field(name="last_error", label=_("Last refusal")),
    ),
    fields=(
        Field(name="name", label=_("Name"), required=True),
        Field(name="url", label=_("Address"), required=True, hint=_("The host must stand in the server's setting WEBHOOK_HOSTS.")),
        Field(
            name="format",
            label=_("Format"),
            kind="choice",
            choices=(("slack", _("Slack, Mattermost, Teams: one sentence")), ("json", _("The whole fact, signed"))),
            default="slack",
        ),
        Field(name="facts", label=_("Tells of"), kind="words", hint=_("alert.raised, work_order.opened, ... as in the API's facts")),
        Field(name="min_severity", label=_("Alerts from"), kind="choice", choices=SEVERITIES, default="warning"),
        Field(name="active", label=_("Active"), kind="flag", default=True),
    ),
    read_only=(
        Field(name="sent", label=_("Sent"), kind="integer"),
        Field(name="dropped", label=_("Let go"), kind="integer"),
        Field(name="last_at", label=_("Last sent"), kind="moment"),
        Field(name="last_error", label=_("Last refusal")),
    ),
    acts=(Act(label=_("Send a test"), path="/api/webhooks/{id}/test", right="policies.write"),),
    searchable=False,
    deletes=True,
    note=_("Tell a chat room or another system what happens: alerts, orders, lost sources."),
)

BACKUPS = Records(
    path="backups",
    api="/api/backups",
    title=_("Backups"),
    one=_("Backup"),
    group="system",
    read="system.read",
    columns=(
        Field(name="at", label=_("Made"), kind="moment"),
        Field(
            name="reason",
            label=_("Why"),
            kind="choice",
            choices=(("nightly", _("Nightly")), ("manual", _("By hand")), ("upgrade", _("Before an upgrade"))),
        ),
        Field(name="ok", label=_("Succeeded"), kind="flag"),
        Field(name="file", label=_("File"), kind="code"),
        Field(name="bytes", label=_("Bytes"), kind="integer"),
        Field(name="message", label=_("Message")),
    ),
    acts=(Act(label=_("Back up now"), path="/api/backups", right="policies.write", on_list=True),),
    searchable=False,
    note=_("Encrypted copies of the whole database; made every night and before an upgrade."),
)

RECORDS = (WEBHOOKS, BACKUPS)
