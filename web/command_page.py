"""The page of guarded writes to PLCs: what may be asked for, the two steps of asking, what came of it, the stop."""

from __future__ import annotations

from flask import Blueprint, render_template

from server.auth.guard import right

blueprint = Blueprint("command_page", __name__, template_folder="templates")


@blueprint.get("/plc-writes")
@right("plc.read")
def plc_writes() -> str:
    """The frame; who has the right plc.write gets buttons, everybody else sees what was done."""
    return render_template("plc_writes.html", active="records")
