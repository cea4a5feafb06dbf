"""Plain page of alerts: the log of everything that was wrong, with what it means, and what may be done with an entry of the watch list."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.live import SEVERITIES, TYPES
from web.records.spec import Act, Field, Panel, Records

SUSPECTS = (
    ("sensor", _("Transmitter suspect")),
    ("process", _("Process change")),
    ("connection", _("Connection")),
    ("unknown", _("Not clear")),
)
KINDS = (
    ("stuck", _("Stuck")),
    ("spike", _("Spikes")),
    ("drift_high", _("Drifts up")),
    ("drift_low", _("Drifts down")),
    ("noisy", _("Noisy")),
    ("none", _("None: only the level is wrong")),
    ("unknown", _("Not known")),
)
METHODS = (("rules", _("By rules")), ("learned", _("Learned from closed orders")))
DETECTORS = (  # in a word of what each sees; docs/monitoring.md says what it is good and bad at
    ("limits", _("Limit: a person's limit was crossed")),
    ("range", _("Range: outside what the sensor can measure")),
    ("stuck", _("Stuck: the value does not move")),
    ("spike", _("Spike: single readings far off")),
    ("noise", _("Noise: far noisier than when healthy")),
    ("gap", _("Gap: nothing arrives")),
    ("drift", _("Drift: the level left its healthy place")),
    ("shift", _("Shift: the level moved within minutes as never when healthy")),
    ("cusum", _("CUSUM: a small shift that lasts")),
    ("residual", _("Residual: a reading is not what the last ones led to expect")),
    ("cva", _("CVA: its signals no longer move together as when healthy")),
    ("novelty", _("Novelty: unlike anything it has shown before")),
    ("forest", _("Forest: a pattern not seen when healthy")),
    ("plc", _("The controller or the collector said so")),
    ("system", _("The system noticed it itself")),
)
_KIND, _CAUSE = "diagnosis.fault.label", "diagnosis.category.label"
HELD_BACK = (("maintenance", _("Work on the machine")), ("flood", _("A flood of alarms")))

ALERTS = Records(
    path="alerts",
    api="/api/alerts",
    title=_("Alerts"),
    one=_("Alert"),
    group="work",
    read="alerts.read",
    sorts=("severity", "type", "raised_at", "occurrences"),
    columns=(
        Field(name="title", label=_("What")),
        Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES),
        Field(name="type", label=_("Kind"), kind="choice", choices=TYPES),
        Field(name="asset", label=_("Asset"), kind="reference", link="/assets/{asset.code}"),
        Field(name="raised_at", label=_("Since"), kind="moment"),
        Field(name="occurrences", label=_("Times"), kind="integer"),
        Field(name="acknowledged_by", label=_("Acknowledged by")),
        Field(name="resolved_by", label=_("Resolved by")),
        Field(name="order", label=_("Order"), kind="code", link="/orders/{order}"),
    ),
    filters=(
        Field(
            name="active",
            label=_("Which"),
            kind="choice",
            choices=(("true", _("Open")), ("false", _("Resolved")), ("all", _("All"))),
        ),
        Field(name="suppressed", label=_("Held back"), kind="choice", choices=(("true", _("By work or a flood")),)),
        Field(name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code"),
    ),
    searchable=False,
    creates=False,
    edits=False,
    name="title",
    read_only=(
        Field(name="reason", label=_("Reason"), kind="long"),
        Field(name="recommendation", label=_("What to do"), kind="long"),
        Field(name="diagnosis.suspect", label=_("Sensor or process"), kind="choice", choices=SUSPECTS),
        Field(name=_KIND, label=_("Fault of the signal"), kind="choice", choices=KINDS, needs=_KIND),
        Field(name="diagnosis.fault.method", label=_("How that is known"), kind="choice", choices=METHODS, needs=_KIND),
        Field(name="diagnosis.fault.text", label=_("What speaks for that fault"), kind="long", needs=_KIND),
        Field(name=_CAUSE, label=_("Most likely cause"), needs=_CAUSE),
        Field(name="diagnosis.category.text", label=_("What speaks for that cause"), kind="long", needs=_CAUSE),
        Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES),
        Field(name="type", label=_("Kind"), kind="choice", choices=TYPES),
        Field(name="asset", label=_("Asset"), kind="reference", link="/assets/{asset.code}"),
        Field(name="tag", label=_("Tag"), kind="code"),
        Field(name="value", label=_("Value"), kind="measured"),
        Field(name="limit", label=_("Limit"), kind="measured"),
        Field(name="detector", label=_("Found by"), kind="choice", choices=DETECTORS),
        Field(name="watch", label=_("On the watch list"), kind="flag"),
        Field(name="provisional", label=_("From an unconfirmed baseline"), kind="flag"),
        Field(name="raised_at", label=_("Since"), kind="moment"),
        Field(name="returned_at", label=_("Returned"), kind="moment"),
        Field(name="occurrences", label=_("Times"), kind="integer"),
        Field(name="acknowledged_at", label=_("Acknowledged"), kind="moment"),
        Field(name="acknowledged_by", label=_("Acknowledged by")),
        Field(name="shelved_until", label=_("Shelved until"), kind="moment"),
        Field(name="shelved_reason", label=_("Reason for shelving")),
        Field(name="suppressed", label=_("Held back"), kind="choice", choices=HELD_BACK),
        Field(name="resolved_at", label=_("Resolved"), kind="moment"),
        Field(name="resolved_by", label=_("Resolved by")),
        Field(name="notes", label=_("Notes"), kind="long"),
        Field(name="order", label=_("Order"), kind="code", link="/orders/{order}"),
    ),
    acts=(
        Act(
            label=_("Acknowledge"), path="/api/alerts/{id}/acknowledge", right="alerts.acknowledge", shown_when=("acknowledged", ("false",))
        ),
        Act(label=_("Make it an alarm"), path="/api/alerts/{id}/promote", right="alerts.resolve", shown_when=("watch", ("true",))),
        Act(
            label=_("Nothing found"),
            path="/api/alerts/{id}/dismiss",
            right="alerts.resolve",
            shown_when=("watch", ("true",)),
            fields=(
                Field(
                    name="notes",
                    label=_("What was looked at?"),
                    kind="long",
                    required=True,
                    hint=_("Counts as a false finding of what found it."),
                ),
            ),
        ),
    ),
    panels=(
        Panel(
            title=_("Evidence: sensor or process"),
            inside="diagnosis.why",
            columns=(
                Field(name="text", label=_("What speaks")),
                Field(name="points", label=_("For the sensor (+), for the process (−)"), kind="integer"),
            ),
            none=_("Nothing speaks for either."),
        ),
        Panel(
            title=_("The other signals of the machine"),
            api="/api/alerts/{id}/diagnosis",
            inside="signals",
            columns=(
                Field(name="tag", label=_("Tag"), kind="code"),
                Field(name="before", label=_("Hour before"), kind="number"),
                Field(name="now", label=_("Newest minute"), kind="number"),
                Field(name="moved", label=_("Moved by spreads"), kind="number"),
                Field(name="follows", label=_("Follows the signal (r)"), kind="number"),
            ),
            none=_("Not measured: a single signal, or too little history."),
        ),
    ),
    extra={"active": "all"},
    note=_("Everything that was ever wrong, newest first; the alarm page shows what is open now."),
)

RECORDS = (ALERTS,)
