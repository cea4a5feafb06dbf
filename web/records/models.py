"""Plain pages of what judges each asset: its healthy intervals, its trained versions, its training under way."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Field, Panel, Records

JUDGED_BY = (
    ("version", _("An activated version")),
    ("rules", _("Rules only: the active version is damaged")),
    ("own", _("The monitor's own model of the confirmed intervals")),
    ("provisional", _("A provisional model: watch list only")),
)
JOB_STATES = (("queued", _("Waiting")), ("running", _("Running")), ("done", _("Done")), ("failed", _("Failed")))
INTERVAL_STATES = (
    ("checking", _("Being checked")),
    ("confirmed", _("Confirmed")),
    ("refused", _("Refused")),
    ("withdrawn", _("Withdrawn")),
    ("provisional", _("Not confirmed")),
)
VERSION_STATES = (("active", _("Active")), ("damaged", _("Damaged, not used")), ("kept", _("Kept")), ("outdated", _("Outdated")))
LEFT = (
    ("expected", _("If it goes on like this")),
    ("long", _("Longer than anybody can say")),
    ("too_few_lives", _("Too few lives on record: ten are needed")),
    ("not_learned", _("Not learned yet")),
    ("learning", _("Being learned")),
    ("no_wear", _("Their signals do not show when lives end")),
    ("unlike", _("It is not as those machines were")),
    ("new", _("Too new to say")),
    ("too_little", _("Its readings do not go back to its beginning")),
)
YES_NO = (("yes", _("Yes")), ("no", _("No")))

_CODE = Field(name="code", label=_("Code"), kind="code")
_NAME = Field(name="name", label=_("Name"))
_JUDGED_BY = Field(name="judged_by", label=_("Judged by"), kind="choice", choices=JUDGED_BY)

MARK = Act(
    label=_("Mark a healthy interval"),
    path="/api/assets/{code}/baselines",
    right="assets.write",
    fields=(
        Field(
            name="starts_at",
            label=_("Healthy from"),
            kind="moment",
            required=True,
            hint=_("What was under work, standing, starting up or of bad quality is left out by itself."),
        ),
        Field(
            name="ends_at",
            label=_("to"),
            kind="moment",
            required=True,
            hint=_("10 minutes to 92 days; whole days where days differ."),
        ),
        Field(name="note", label=_("Note")),
    ),
)
TRAIN = Act(label=_("Train a version"), path="/api/ml/train/{code}", right="assets.write")

MODELS = Records(
    path="models",
    api="/api/ml/assets",
    title=_("Models"),
    one=_("Model"),
    group="register",
    read="assets.read",
    creates=False,
    edits=False,
    key="code",
    columns=(
        _CODE,
        _NAME,
        _JUDGED_BY,
        Field(name="active.version", label=_("Version"), kind="integer"),
        Field(name="active.left_out_alarm_pct", label=_("In alarm, left out"), kind="number", unit="%"),
        Field(name="confirmed", label=_("Healthy intervals"), kind="integer"),
        Field(name="under_way", label=_("Under way"), kind="choice", choices=YES_NO),
    ),
    read_only=(
        Field(name="code", label=_("Asset"), kind="code", link="/assets/{code}"),
        _JUDGED_BY,
        Field(name="active.version", label=_("Active version"), kind="integer"),
        Field(name="training.status", label=_("Last training"), kind="choice", choices=JOB_STATES, none=_("None yet.")),
        Field(name="training.version", label=_("Version trained"), kind="integer"),
        Field(name="training.message", label=_("Message")),
        Field(name="training.steps", label=_("Steps done")),
        Field(name="training.created_by", label=_("Asked for by")),
        Field(name="training.created_at", label=_("Asked for"), kind="moment"),
    ),
    acts=(MARK, TRAIN),
    follows=("under_way", ("yes",)),
    panels=(
        Panel(
            title=_("Healthy intervals"),
            api="/api/assets/{code}/baselines",
            columns=(
                Field(name="state", label=_("State"), kind="choice", choices=INTERVAL_STATES),
                Field(name="starts_at", label=_("From"), kind="moment"),
                Field(name="ends_at", label=_("To"), kind="moment"),
                Field(name="reasons", label=_("Why refused"), kind="words"),
                Field(name="marked_by", label=_("Marked by")),
                Field(name="note", label=_("Note")),
            ),
            acts=(
                Act(
                    label=_("Withdraw"),
                    path="/api/assets/{of.code}/baselines/{id}",
                    right="assets.write",
                    method="DELETE",
                    shown_when=("state", ("confirmed", "provisional", "checking")),
                    confirm=_("Nothing is learned from it any more. It stays in the list."),
                ),
            ),
            none=_("Nobody has marked one. Until then the last two hours make a provisional model."),
        ),
        Panel(
            title=_("Versions, with the time in alarm on healthy data that was left out, and on what was learned from"),
            api="/api/ml/models/{code}",
            columns=(
                Field(name="version", label=_("Version"), kind="integer"),
                Field(name="state", label=_("State"), kind="choice", choices=VERSION_STATES),
                Field(name="left_out_alarm_pct", label=_("In alarm, left out"), kind="number", unit="%"),
                Field(name="metrics.left_out_alarms_per_hour", label=_("Alarms"), kind="number", unit="/h"),
                Field(name="in_sample_alarm_pct", label=_("In alarm, learned from"), kind="number", unit="%"),
                Field(name="trained_at", label=_("Trained"), kind="moment"),
                Field(name="trained_by", label=_("By")),
                Field(name="outdated", label=_("Outdated")),
            ),
            acts=(
                Act(
                    label=_("Activate"),
                    path="/api/ml/models/{id}/activate",
                    right="assets.write",
                    shown_when=("state", ("kept", "outdated")),
                    confirm=_(
                        "The monitor judges by this version within seconds. Its left-out alarm rate is what to expect of healthy running. "
                        "The one before is kept."
                    ),
                ),
                Act(
                    label=_("Deactivate"),
                    path="/api/ml/models/{id}/activate",
                    right="assets.write",
                    method="DELETE",
                    shown_when=("active", ("true",)),
                    confirm=_("The monitor judges by its own model again."),
                ),
            ),
            none=_("None was trained yet."),
        ),
        Panel(
            title=_("Run hours to the next failure, from the lives of such machines"),
            api="/api/assets/{code}/remaining-life",
            inside="remaining_life",
            columns=(
                Field(name="state", label=_("Forecast"), kind="choice", choices=LEFT),
                Field(name="left_h", label=_("Left"), kind="number", unit="h"),
                Field(name="low_h", label=_("At least"), kind="number", unit="h"),
                Field(name="high_h", label=_("At most"), kind="number", unit="h"),
                Field(name="more_than_h", label=_("More than"), kind="number", unit="h"),
                Field(name="expected", label=_("Expected"), kind="moment"),
                Field(name="lives", label=_("Lives on record"), kind="integer"),
                Field(name="why", label=_("Why")),
                Field(name="judged_at", label=_("Reckoned"), kind="moment"),
            ),
            heads=(
                Act(
                    label=_("Learn from these lives"),
                    path="/api/assets/{code}/remaining-life",
                    right="assets.write",
                    confirm=_(
                        "For every machine of this class. A life ends with a confirmed failure; from then on it is told anew once a day. "
                        "The band holds nine of ten."
                    ),
                ),
            ),
        ),
    ),
    note=_("What the monitor has learned of each asset, from which healthy intervals, and how often it would have alarmed on them."),
)

RECORDS = (MODELS,)
