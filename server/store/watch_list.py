"""The watch list: how right its detectors have been, and when an entry leaves it by itself. Nothing here commits.

What people do with an entry (promote, dismiss) is in `server.store.alerts`.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.alerts import AlertRecord
from server.rules.policy import SAME_ENTRY
from server.rules.verdicts import Precision, precision_of
from server.store import alerts, judged
from server.store.actor import SYSTEM
from server.store.verdicts import OWN_KIND

LOOKED_BACK = timedelta(days=90)  # as the page of precision does
AT_ONCE = 500


def forget(session: Session, now: datetime) -> int:
    """End the entries whose condition returned and has been away for SAME_ENTRY; how many."""
    over = select(AlertRecord).where(AlertRecord.watch, AlertRecord.resolved_at.is_(None), AlertRecord.condition == "returned")
    rows = session.scalars(
        over.where(AlertRecord.returned_at <= now - SAME_ENTRY).order_by(AlertRecord.id).limit(AT_ONCE).with_for_update(skip_locked=True)
    ).all()
    for alert in rows:
        times = "once" if alert.occurrences == 1 else f"{alert.occurrences} times"
        alerts.close(
            session, alert, SYSTEM, now, f"came {times}, then not again for {SAME_ENTRY // timedelta(hours=1)} h; nobody judged it"
        )
    return len(rows)


def precision(session: Session, site: int | None, now: datetime) -> dict[str, Any]:
    """{detector: {"verdicts", "confirmed", "precision", "low", "high", "trusted"}} of the last 90 days; the never judged are not in it."""
    said = judged.verdicts()
    query = select(said.c.detector, said.c.verdict, func.count()).group_by(said.c.detector, said.c.verdict)
    query = query.where(said.c.at >= now - LOOKED_BACK, said.c.type != OWN_KIND)
    if site is not None:
        query = query.where(said.c.site_id == site)
    found: dict[str, Counter[str]] = {}
    for detector, verdict, n in session.execute(query):
        found.setdefault(detector, Counter())[verdict] = n
    return {name: _told(precision_of(name, counted.elements())) for name, counted in found.items()}


def _told(found: Precision) -> dict[str, Any]:
    names = ("verdicts", "confirmed", "precision", "low", "high", "trusted")
    return {name: getattr(found, name) for name in names}
