"""Pages of reports (S2-82) and of what the reader wants to be told of (N-7): frames, filled by REST in static/js."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template

from server.auth.guard import right
from server.reports.table import REPORTS, report_named

blueprint = Blueprint("report_pages", __name__, template_folder="templates")


@blueprint.get("/reports")
@right("reports.read")
def all_reports() -> str:
    """Every report."""
    return render_template("reports.html", active="records", reports=REPORTS.values())


@blueprint.get("/reports/<string(maxlength=64):name>")
@right("reports.read")
def report(name: str) -> str:
    """One report: figures, tables, its files."""
    return render_template("report_page.html", active="records", report=report_named(name))


@blueprint.get("/account/notices")
@right("notifications.read")
def notices() -> str:
    """What the reader wants to be told of."""
    return render_template("notices.html", active="account")


def register(app: Flask) -> None:
    """Add the pages."""
    app.register_blueprint(blueprint)
