"""Bodies of interventions: what they name is fetched in bulk. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from server.models.interventions import FaultTerm, Intervention
from server.models.plant import Asset
from server.models.work import WorkOrder
from server.rules.taxonomy import LEVELS
from server.store.related import by_id
from server.store.taxonomy import label
from server.timestamps import rfc3339

Body = dict[str, Any]


def bodies(session: Session, rows: Sequence[Intervention], language: str = "en") -> list[Body]:
    """Interventions, in their order; faults in the language where the taxonomy has it."""
    orders = by_id(session, WorkOrder, (row.order_id for row in rows))
    assets = by_id(session, Asset, (row.asset_id for row in rows))
    terms = by_id(session, FaultTerm, (getattr(row, f"{level}_id") for row in rows for level in LEVELS))
    return [_body(row, orders[row.order_id], assets[row.asset_id], terms, language) for row in rows]


def _body(row: Intervention, order: WorkOrder, asset: Asset, terms: dict[int, FaultTerm], language: str) -> Body:
    chosen = {level: terms.get(getattr(row, f"{level}_id") or 0) for level in LEVELS}
    faults = {level: {"id": term.id, "code": term.code, "name": label(term, language)} if term else None for level, term in chosen.items()}
    return {
        "id": row.id,
        "number": row.number,
        "order": {"id": order.id, "number": order.number, "title": order.title, "status": order.state},
        "asset": {"id": asset.id, "code": asset.code, "name": asset.name, "maintenance": asset.maintenance},
        "technician": {"id": row.technician_id, "name": row.technician},
        "received_at": rfc3339(row.received_at),
        "ended_at": rfc3339(row.ended_at),
        **faults,
        "parts": row.parts,
        "comments": row.comments,
        "created_at": rfc3339(row.created_at),
        "rev": row.rev,
    }
