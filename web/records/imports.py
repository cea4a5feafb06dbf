"""The acts that bring a list into the register: look first, then take all rows or none."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Act, Field

LIST_FILE = (Field(name="file", label=_("CSV or XLSX"), kind="file", required=True, hint=_("Headings as in an export.")),)
IMPORTED = (
    Field(name="created", label=_("New"), kind="integer"),
    Field(name="updated", label=_("Changed"), kind="integer"),
    Field(name="unchanged", label=_("As they were"), kind="integer"),
    Field(
        name="errors",
        label=_("Bad rows"),
        kind="list",
        columns=(
            Field(name="line", label=_("Line"), kind="integer"),
            Field(name="column", label=_("Column"), kind="code"),
            Field(name="reason", label=_("Reason")),
        ),
    ),
)


def imports(kind: str) -> tuple[Act, Act]:
    """Both acts for `assets` or `instruments`."""
    look, take = (
        Act(
            label=label,
            path=f"/api/imports/{kind}",
            right="assets.write",
            upload=True,
            on_list=True,
            body=(("dry_run", dry),),
            fields=LIST_FILE,
            shows=IMPORTED,
        )
        for label, dry in ((_("Import: look first"), "true"), (_("Import"), "false"))
    )
    return look, take
