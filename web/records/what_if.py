"""The form that asks for a what-if replay of a limit; it stands on the tag's page and on the page of replays."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Field

SPAN = (
    Field(name="from", label=_("From"), kind="moment", required=True, ago_h=24),
    Field(name="to", label=_("To"), kind="moment", required=True, ago_h=0, hint=_("31 days at most; raw readings are kept for 7 days")),
)
OF_LIMIT = (
    Field(name="value", label=_("Limit"), kind="number"),
    Field(name="deadband", label=_("Deadband"), kind="number", low=0),
    Field(name="on_delay_s", label=_("Delay before it alerts"), kind="number", unit="s", low=0, high=86_400),
    Field(name="off_delay_s", label=_("Delay before it returns"), kind="number", unit="s", low=0, high=86_400),
)
_ASKED = (
    Field(name="name", label=_("Change"), link="/replays/{id}"),
    Field(name="status", label=_("State"), kind="word"),
)
TRY_LIMIT = Act(
    label=_("Try another value"),
    path="/api/replays",
    right="tags.write",
    body=(("limit_id", "{id}"),),
    fields=(*OF_LIMIT, *SPAN),
    prefills=True,
    shows=_ASKED,
)
