"""The pages for people: each route names the right it needs, finds the thing and renders a frame; values come by REST and push.

Nothing is decided here: rules are in server/rules, rows in server/store, acts go to /api.
"""

from __future__ import annotations

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from server.auth import guard
from server.auth.guard import current_user, right
from server.rules.roles import Role
from server.services import services
from web import (
    assets,
    command_page,
    context,
    intervention_page,
    languages,
    libraries,
    phone_link,
    record_pages,
    report,
    report_pages,
    session_pages,
)

Answer = str | Response

pages = Blueprint("web", __name__, template_folder="templates")


@pages.get("/")
@right("overview.read")
def overview() -> Answer:
    """The control room; a technician starts with the own work (S0-7)."""
    if current_user().role == Role.TECHNICIAN and "stay" not in request.args:
        return redirect(url_for("web.mine"))
    url = phone_link.phone_url(request.url_root, lan=services().settings.lan)
    return render_template("overview.html", active="overview", phone_url=url, qr=phone_link.qr_svg(url) if url else None)


@pages.get("/andon")
@right("overview.read")
def andon() -> Answer:
    """The board over the line: no control on it, and NO CONNECTION over all of it when the server is gone."""
    return render_template("andon.html")


@pages.get("/assets")
@right("assets.read")
def asset_list() -> Answer:
    """Every machine and instrument, by area."""
    return render_template("assets.html", active="assets")


@pages.get("/assets/<code>")
@right("assets.read")
def asset_page(code: str) -> Answer:
    """One machine; an array tag gets the heatmap page."""
    asset = context.find_asset(code)
    template = "printer.html" if asset.has_frame else "machine.html"
    address = phone_link.page_address(request.url_root, f"/assets/{asset.code}", lan=services().settings.lan)
    return render_template(template, active="assets", asset=asset, asset_address=address, asset_qr=phone_link.qr_svg(address))


@pages.get("/alarms")
@right("alerts.read")
def alarms() -> Answer:
    """Every open alarm, grouped by asset."""
    return render_template("alarms.html", active="alarms")


@pages.get("/orders")
@right("orders.read")
def orders() -> Answer:
    """Work orders on a board by state, or as a table."""
    return render_template("orders.html", active="orders")


@pages.get("/orders/<number>")
@right("orders.read")
def order(number: str) -> Answer:
    """One work order in the control room."""
    return render_template("order.html", active="orders", order=context.find_order(number))


@pages.get("/mine")
@right("orders.read")
def mine() -> Answer:
    """The technician's own work, on a phone."""
    return render_template("mine.html", active="mine")


@pages.get("/work/<number>")
@right("orders.read")
def work(number: str) -> Answer:
    """One order on the phone: the value, the dangers, START."""
    return render_template("work.html", order=context.find_order(number))


@pages.get("/work/<number>/steps/<int:n>")
@right("orders.read")
def step(number: str, n: int) -> Answer:
    """One step of an order."""
    return render_template("step.html", order=context.find_order(number), n=n)


@pages.get("/work/<number>/finish")
@right("orders.read")
def finish(number: str) -> Answer:
    """The end of an order: verdict, note, COMPLETE."""
    return render_template("finish.html", order=context.find_order(number))


@pages.get("/pair")
@right("pair.approve")
def pair() -> Answer:
    """Type the code that a headset or phone shows."""
    return render_template("pair.html", active="pair")


@pages.get("/demo")
@right("simulator.write")
def demo() -> Answer:
    """Inject a fault into the demo plant; only there with DEMO=1."""
    context.require_demo()
    return render_template("demo.html", active="demo")


session_pages.register(pages)
report.register(pages)


def register(app: Flask) -> None:
    """Put the pages, their files and their language into the application."""
    app.register_blueprint(pages)
    app.register_blueprint(intervention_page.blueprint)
    app.register_blueprint(command_page.blueprint)
    record_pages.register(app)
    report_pages.register(app)
    assets.register(app)
    libraries.register(app)
    languages.register(app)
    context.register(app)
    guard.open_endpoints(app, "static_file", "favicon", "library_file", "words")
