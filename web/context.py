"""What every template is given, and the few look-ups a page frame needs before its data arrive by REST."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from flask import Flask, g, has_request_context, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf.csrf import generate_csrf
from sqlalchemy import select

from server.auth.guard import brings_own_csrf, current_user, identify
from server.auth.principal import Principal
from server.errors import NotFound
from server.models.plant import Area, Asset, Site, Tag
from server.models.work import WorkOrder
from server.rules.roles import Role
from server.services import services
from web import languages

ROLE_WORDS = {
    Role.ADMIN: lazy_gettext("Administrator"),
    Role.MANAGER: lazy_gettext("Manager"),
    Role.PLANNER: lazy_gettext("Planner"),
    Role.STOREKEEPER: lazy_gettext("Storekeeper"),
    Role.TECHNICIAN: lazy_gettext("Technician"),
    Role.OPERATOR: lazy_gettext("Operator"),
    Role.VIEWER: lazy_gettext("Viewer"),
}


@dataclass(frozen=True, slots=True)
class PageUser:
    """Who looks at the page."""

    id: int
    name: str
    initials: str
    role_word: str
    rights: str


@dataclass(frozen=True, slots=True)
class PageAsset:
    """The title of an asset's page."""

    code: str
    name: str
    area: str
    has_frame: bool


@dataclass(frozen=True, slots=True)
class PageOrder:
    """The title of an order's page, and the running time in seconds that its proof will watch."""

    number: str
    proof_s: float


def initials(name: str) -> str:
    """ "L. Fontaine" -> "LF"."""
    words = [word for word in name.replace(".", " ").split() if word]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


def find_asset(code: str) -> PageAsset:
    """The asset with this code in the user's site; raises NotFound."""
    site = current_user().site_id
    with services().database.transaction() as session:
        query = select(Asset, Area.name).join(Area, Area.id == Asset.area_id).where(Asset.code == code, Asset.deleted_at.is_(None))
        row = session.execute(query if site is None else query.where(Asset.site_id == site)).first()
        if row is None:
            raise NotFound("asset", code)
        frames = session.scalar(select(Tag.id).where(Tag.asset_id == row[0].id, Tag.kind == "frame", Tag.deleted_at.is_(None)).limit(1))
        return PageAsset(row[0].code, row[0].name, row[1], frames is not None)


def find_order(number: str) -> PageOrder:
    """An order in the user's site by its number; raises NotFound."""
    site = current_user().site_id
    with services().database.transaction() as session:
        query = select(WorkOrder.number, WorkOrder.proof_s).where(WorkOrder.number == number)
        found = session.execute(query if site is None else query.where(WorkOrder.site_id == site)).first()
    if found is None:
        raise NotFound("work order", number)
    return PageOrder(found.number, found.proof_s or services().settings.proof_window_s)


def site_name(site: int | None) -> str:
    """Name of a site; None stands for an account that sees them all."""
    with services().database.transaction() as session:
        found = session.scalar(select(Site.name).where(Site.id == site)) if site is not None else None
    return found or _("All sites")


def require_demo() -> None:
    """404 where no demo plant runs."""
    if not services().settings.demo:
        raise NotFound("page", request.path)


def _common() -> dict[str, Any]:
    language = languages.locale()
    theme = request.cookies.get("theme", "")
    return {
        "locale": language,
        "direction": languages.direction(),
        "theme": theme if theme in {"light", "dark"} else "",
        "server_time": int(time.time() * 1000),
        "catalogue": url_for("words", language=language) if language != "en" else None,
        "csrf": None if brings_own_csrf() else generate_csrf(),
        "demo": services().settings.demo,
    }


def _user(principal: Principal) -> dict[str, Any]:
    role = ROLE_WORDS[Role(principal.role)] if principal.role else ""
    return {
        "user": PageUser(principal.id, principal.name, initials(principal.name), str(role), " ".join(sorted(principal.rights))),
        "site_name": site_name(principal.site_id),
    }


def _context() -> dict[str, Any]:
    if not has_request_context():
        return {}
    principal = None if "plain_page" in g else identify()
    return {**_common(), **(_user(principal) if principal else {})}


def problem_page(status: int, title: str, detail: str) -> str:
    """A refusal as a page, with one way on; asks the database nothing, which may be what is away."""
    g.plain_page = True
    return render_template("problem.html", status=status, problem_title=title, detail=detail)


def register(app: Flask) -> None:
    """Give the templates their context and the server its error page."""
    app.context_processor(_context)
    app.extensions["problem_page"] = problem_page
