"""Plain pages of the thresholds that verdicts speak for: proposed, accepted or dismissed by a person."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Field, Records

STATES = (("open", _("Open")), ("accepted", _("Accepted")), ("dismissed", _("Dismissed")), ("withdrawn", _("Withdrawn")))
_REASON = (Field(name="reason", label=_("Reason"), kind="long", required=True),)
_STATE = Field(name="state", label=_("State"), kind="choice", choices=STATES)


def _act(label: str, path: str) -> Act:
    return Act(label=label, path=path, right="tags.write", shown_when=("state", ("open",)), fields=_REASON)


TUNING = Records(
    path="tuning-proposals",
    api="/api/tuning-proposals",
    title=_("Proposed thresholds"),
    one=_("Proposed threshold"),
    group="reports",
    read="reports.read",
    searchable=False,
    columns=(
        Field(name="name", label=_("Change")),
        Field(name="asset", label=_("Asset"), kind="code", link="/assets/{asset}"),
        Field(name="tag", label=_("Tag"), kind="code", link="/tags/{tag_id}"),
        _STATE,
        Field(name="evidence.reproduced.false", label=_("False alerts kept away"), kind="integer"),
        Field(name="evidence.reproduced.true", label=_("True alerts kept"), kind="integer"),
        Field(name="created_at", label=_("Proposed"), kind="moment"),
        Field(name="decided_by", label=_("Decided by")),
    ),
    read_only=(
        Field(name="name", label=_("Change")),
        Field(name="asset", label=_("Asset"), kind="code", link="/assets/{asset}"),
        Field(name="tag", label=_("Tag"), kind="code", link="/tags/{tag_id}"),
        _STATE,
        Field(name="evidence.false", label=_("False verdicts"), kind="integer"),
        Field(name="evidence.true", label=_("Confirmed verdicts"), kind="integer"),
        Field(name="evidence.days", label=_("Looked back"), kind="integer", unit="d"),
        Field(name="evidence.reproduced.false", label=_("False alerts that it keeps away"), kind="integer"),
        Field(name="evidence.reproduced.true", label=_("True alerts that it keeps"), kind="integer"),
        Field(name="created_at", label=_("Proposed"), kind="moment"),
        Field(name="decided_at", label=_("Decided"), kind="moment"),
        Field(name="decided_by", label=_("Decided by")),
        Field(name="reason", label=_("Reason"), kind="long"),
    ),
    filters=(_STATE,),
    acts=(_act(_("Accept"), "/api/tuning-proposals/{id}/accept"), _act(_("Dismiss"), "/api/tuning-proposals/{id}/dismiss")),
    note=_("What would have kept false alerts away without losing a true one, proved on stored readings; nothing changes by itself."),
)

RECORDS = (TUNING,)
