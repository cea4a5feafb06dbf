"""Plain pages of what-if replays: what a changed limit, setting or model would have raised, and the button that puts it in force."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.live import HOLDS, SEVERITIES, SIDES, TYPES
from web.records.spec import Act, Field, Panel, Records
from web.records.what_if import OF_LIMIT, SPAN

KINDS = (("limit", _("Limit")), ("setting", _("Tag's settings")), ("detector", _("Detector's settings")), ("model", _("Model")))
STANDS = (
    ("queued", _("Waiting")),
    ("running", _("Running")),
    ("failed", _("Failed")),
    ("ready", _("Ready")),
    ("loses_true_alerts", _("Would lose true alerts")),
    ("in_force", _("In force")),
)
ROUTES = (("order", _("May open an order")), ("alert", _("Alert")), ("watch", _("Watch list")))
OUTCOMES = (
    ("true_lost", _("True alert lost")),
    ("false_removed", _("False alert removed")),
    ("true_kept", _("True alert kept")),
    ("false_kept", _("False alert kept")),
)
_ALERT = (
    Field(name="start", label=_("Raised"), kind="moment"),
    Field(name="end", label=_("Returned"), kind="moment"),
    Field(name="tag", label=_("Tag"), kind="code"),
    Field(name="type", label=_("Kind"), kind="choice", choices=TYPES),
    Field(name="code", label=_("Code"), kind="code"),
    Field(name="severity", label=_("Severity"), kind="choice", choices=SEVERITIES),
    Field(name="peak", label=_("Score / limit"), kind="number"),
    Field(name="route", label=_("Goes to"), kind="choice", choices=ROUTES),
    Field(name="outcome", label=_("What people found"), kind="choice", choices=OUTCOMES),
    Field(name="order", label=_("Order"), kind="code", link="/orders/{order}"),
)


def _panel(name: str, title: str, none: str) -> Panel:
    return Panel(title=title, inside=name, columns=_ALERT, none=none)


REPLAYS = Records(
    path="replays",
    api="/api/replays",
    title=_("What-if replays"),
    one=_("Replay"),
    group="reports",
    read="reports.read",
    write="tags.write",
    searchable=False,
    edits=False,
    columns=(
        Field(name="name", label=_("Change")),
        Field(name="asset", label=_("Asset"), kind="code", link="/assets/{asset}"),
        Field(name="verdict", label=_("State"), kind="choice", choices=STANDS),
        Field(name="done", label=_("Done"), kind="integer", unit="%"),
        Field(name="counts.removed", label=_("Alerts removed"), kind="integer"),
        Field(name="counts.added", label=_("Alerts added"), kind="integer"),
        Field(name="outcomes.true_lost", label=_("True alerts lost"), kind="integer"),
        Field(name="outcomes.false_removed", label=_("False alerts removed"), kind="integer"),
        Field(name="created_at", label=_("Asked"), kind="moment"),
        Field(name="created_by", label=_("By")),
    ),
    first=(
        *SPAN,
        Field(name="tag", sends="tag_id", label=_("Tag"), kind="reference", source="/api/tags", shows="tag"),
        Field(name="side", label=_("New limit"), kind="choice", choices=SIDES, hint=_("to change a limit that stands, go to its tag")),
        *OF_LIMIT,
        Field(name="holds", label=_("Holds"), kind="choice", choices=HOLDS),
        Field(name="stuck_s", label=_("Stuck after"), kind="number", unit="s", low=1, high=604_800),
        Field(name="stuck_deadband", label=_("Stuck within"), kind="number", low=0),
        Field(name="range_low", label=_("Range from"), kind="number"),
        Field(name="range_high", label=_("Range to"), kind="number"),
        Field(name="cusum_h", label=_("CUSUM h"), kind="number", low=0.1, high=1000),
        Field(name="cusum_k", label=_("CUSUM k"), kind="number", low=0.01, high=10),
    ),
    fields=(Field(name="asset", label=_("Asset"), kind="code", hint=_("for a detector's setting, where no tag is named")),),
    read_only=(
        Field(name="name", label=_("Change")),
        Field(name="kind", label=_("Of a"), kind="choice", choices=KINDS),
        Field(name="verdict", label=_("State"), kind="choice", choices=STANDS),
        Field(name="message", label=_("Message")),
        Field(name="done", label=_("Done"), kind="integer", unit="%"),
        Field(name="from", label=_("From"), kind="moment"),
        Field(name="to", label=_("To"), kind="moment"),
        Field(name="readings", label=_("Readings"), kind="integer"),
        Field(name="covered_s", label=_("History found"), kind="span", unit="s"),
        Field(name="in_sample", label=_("Share that models learned from"), kind="share"),
        Field(name="now", label=_("Alerts as it is"), kind="integer"),
        Field(name="proposed", label=_("Alerts as proposed"), kind="integer"),
        Field(name="announced.removed", label=_("Removed, not of the watch list"), kind="integer"),
        Field(name="announced.added", label=_("Added, not of the watch list"), kind="integer"),
        Field(name="outcomes.true_lost", label=_("True alerts lost"), kind="integer"),
        Field(name="outcomes.false_removed", label=_("False alerts removed"), kind="integer"),
        Field(name="not_reproduced", label=_("Known verdicts that the replay does not find"), kind="integer"),
        Field(name="applied.by", label=_("Put in force by")),
        Field(name="applied.at", label=_("Put in force"), kind="moment"),
        Field(name="applied.reason", label=_("Reason"), kind="long"),
    ),
    follows=("verdict", ("queued", "running")),
    panels=(
        _panel("removed", _("Alerts that would not have been"), _("None.")),
        _panel("added", _("Alerts that would have been new"), _("None.")),
        _panel("kept", _("Alerts either way"), _("None.")),
    ),
    acts=(
        Act(
            label=_("Put this in force"),
            path="/api/replays/{id}/put-in-force",
            right="tags.write",
            shown_when=("verdict", ("ready", "loses_true_alerts")),
            fields=(Field(name="reason", label=_("Reason"), kind="long", required=True),),
        ),
    ),
    note=_(
        "A changed limit, setting or model over stored readings: what would be raised. Nothing changes until a person puts it in force."
    ),
)

RECORDS = (REPLAYS,)
