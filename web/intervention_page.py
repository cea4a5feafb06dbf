"""The form of a new intervention, opened from a work order (S0-31): its order and technician are given, faults and machine are chosen.

What is typed goes to /api/interventions, which decides; this page only offers.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.auth.guard import current_user, right
from server.models.interventions import FaultTerm
from server.models.plant import Asset
from server.models.work import WorkOrder
from server.rules.taxonomy import LEVELS
from server.services import services
from server.store import order_rows, taxonomy
from server.timestamps import rfc3339
from web import languages
from web.record_pages import plain
from web.records.interventions import COMMENTS, ENDED, RECEIVED, VERDICT
from web.records.order_fields import PARTS

blueprint = Blueprint("intervention_page", __name__, template_folder="templates")


@blueprint.get("/interventions/new")
@right("orders.work")
def new() -> str:
    """The form; 404 where the address names no visible order."""
    user = current_user()
    with services().database.transaction() as session:
        order = order_rows.get_order(session, request.args.get("order", "")[:18] or "-", user)
        taxonomy.ensure(session, order.site_id)
        given = {
            "order": order.number,
            "title": order.title,
            "received_at": rfc3339(order.created_at),
            "born_of_alert": order.alert_id is not None,
            "machines": _machines(session, order),
            "terms": _terms(session, order.site_id),
        }
    fields = [plain(field) for field in (RECEIVED, ENDED, PARTS, VERDICT, COMMENTS)]
    return render_template("intervention_new.html", active="records", given=given, fields=fields, technician=user.name)


def _machines(session: Session, order: WorkOrder) -> list[dict[str, Any]]:
    """The order's asset and what stands below it."""
    query = select(Asset).where(Asset.deleted_at.is_(None), (Asset.id == order.asset_id) | (Asset.parent_id == order.asset_id))
    rows = sorted(session.scalars(query), key=lambda row: (row.id != order.asset_id, row.code))
    return [{"code": row.code, "name": row.name} for row in rows]


def _terms(session: Session, site_id: int) -> dict[str, list[dict[str, Any]]]:
    """Words by level, in the page's language; each with the one it stands under."""
    query = select(FaultTerm).where(FaultTerm.site_id == site_id, FaultTerm.deleted_at.is_(None))
    rows = session.scalars(query.order_by(FaultTerm.position, FaultTerm.id)).all()
    language = languages.locale()
    shown = [(row.level, {"id": row.id, "under": row.parent_id, "name": taxonomy.label(row, language)}) for row in rows]
    return {level: [term for own, term in shown if own == level] for level in LEVELS}
