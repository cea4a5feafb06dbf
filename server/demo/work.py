"""What planners of the demo plant have prepared: one template, so that nobody finds the list empty."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from server.models.order_records import OrderTemplate
from server.models.plant import Site


def add_templates(session: Session, site: Site, now: datetime) -> None:
    """A weekly walk-round, ready to be opened on any machine."""
    title = "Walk round: noise, leaks, guards"
    row = OrderTemplate(site_id=site.id, name="Weekly walk-round", title=title, type="inspection", created_at=now)
    row.description = "Look, listen and feel. Report what you find; a failed check opens its own order."
    row.priority, row.estimated_min, row.due_hours = "low", 20, 72.0
    session.add(row)
