"""The watch list: how right its detectors have been, and when an entry leaves it by itself. Nothing here commits.

What people do with an entry (promote, dismiss) is in `server.store.alerts`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.alerts import AlertRecord
from server.rules.policy import SAME_ENTRY
from server.store import alerts, verdicts
from server.store.actor import SYSTEM

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
    rows, _ = verdicts.figures(session, site, now - LOOKED_BACK, now)
    names = ("verdicts", "confirmed", "precision", "low", "high", "trusted")
    return {row["name"]: {name: row[name] for name in names} for row in rows if row["scope"] == "detector"}
