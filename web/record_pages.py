"""The plain pages of every declared resource: hub, list, detail and form as frames with the declaration in them.

Values come by REST and are drawn by static/js/records; nothing is decided here but what a person may see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from flask import Blueprint, Flask, render_template
from flask_babel import lazy_gettext

from server.auth.guard import current_user, right, signed_in
from server.models.plant import Site
from server.services import services
from web.records.spec import Act, Download, Panel, Records
from web.records.table import RECORDS

blueprint = Blueprint("records", __name__, template_folder="templates")
CURRENCY = "EUR"  # of an account that sees every site
GROUPS = {
    "register": lazy_gettext("Register"),
    "work": lazy_gettext("Work"),
    "stores": lazy_gettext("Stores"),
    "people": lazy_gettext("People"),
    "reports": lazy_gettext("Reports"),
    "system": lazy_gettext("System"),
}


def _is_default(value: Any) -> bool:
    return value is None or value is False or value in ("", ())  # 0 is a value: a lowest number, a default


def plain(value: Any) -> Any:
    """A declaration as JSON takes it: fields that hold their default are left out, lazy words become texts."""
    if is_dataclass(value) and not isinstance(value, type):
        shown = ((one.name, getattr(value, one.name)) for one in fields(value))
        return {name: plain(below) for name, below in shown if not _is_default(below)}
    if isinstance(value, tuple):
        return [plain(below) for below in value]
    if isinstance(value, dict):
        return {key: plain(below) for key, below in value.items()}
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def _permitted(things: tuple[Any, ...], rights: frozenset[str]) -> tuple[Any, ...]:
    found: tuple[Act | Download, ...] = tuple(thing for thing in things if thing.right in rights)
    return found


def _offered(panel: Panel, rights: frozenset[str]) -> Panel:
    row = panel.row if panel.write in rights else ()
    return replace(panel, acts=_permitted(panel.acts, rights), heads=_permitted(panel.heads, rights), row=row)


def visible(one: Records, rights: frozenset[str]) -> dict[str, Any]:
    """The declaration without what these rights do not permit."""
    panels = tuple(_offered(panel, rights) for panel in one.panels if panel.right is None or panel.right in rights)
    shown = replace(one, acts=_permitted(one.acts, rights), downloads=_permitted(one.downloads, rights), panels=panels)
    writes = one.write is not None and one.write in rights
    return {
        **cast("dict[str, Any]", plain(shown)),
        "creates": writes and one.creates and bool(one.fields),
        "edits": writes and one.edits and bool(one.fields),
        "deletes": writes and one.deletes,
        "searchable": one.searchable,
        "currency": _currency(),
    }


def _currency() -> str:
    site = current_user().site_id
    if site is None:
        return CURRENCY
    with services().database.transaction() as session:
        found = session.get(Site, site)
        return str(getattr(found, "currency", CURRENCY))


def _frame(one: Records, kind: str, key: str | None = None) -> str:
    spec = visible(one, current_user().rights)
    return render_template(f"records/{kind}.html", active="records", one=one, spec=spec, key=key, group_word=GROUPS[one.group])


@blueprint.get("/records")
@signed_in
def hub() -> str:
    """Every resource that the person may read, by group."""
    rights = current_user().rights
    groups = [(key, word, [one for one in RECORDS if one.group == key and one.read in rights]) for key, word in GROUPS.items()]
    return render_template("records/hub.html", active="records", groups=[group for group in groups if group[2]])


def _views(one: Records) -> dict[str, tuple[str, str, Callable[..., str]]]:
    """Endpoint -> (address, right, view) of one resource."""
    name = one.path.replace("/", "_").replace("-", "_")
    views: dict[str, tuple[str, str, Callable[..., str]]] = {f"{name}_list": (f"/{one.path}", one.read, lambda: _frame(one, "list"))}
    if one.fields and one.write and one.creates:
        views[f"{name}_new"] = (f"/{one.path}/new", one.write, lambda: _frame(one, "new"))
    if one.fields or one.read_only or one.panels:
        views[f"{name}_detail"] = (f"/{one.path}/<key>", one.read, lambda key: _frame(one, "detail", key))
    return views


def register(app: Flask) -> None:
    """Add the pages of every declaration."""
    pages = Blueprint("record", __name__, template_folder="templates")
    for one in RECORDS:
        for endpoint, (rule, needed, view) in _views(one).items():
            pages.add_url_rule(rule, endpoint, right(needed)(view))
    app.register_blueprint(blueprint)
    app.register_blueprint(pages)
