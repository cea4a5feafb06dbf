"""The leader's second look at open alerts: what the other signals did meanwhile is measured, and the diagnosis follows it.

A task beside the folding of findings, never in it: one look reads an hour of every signal of the machine. Nothing here commits.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, case, func, select
from sqlalchemy.orm import Session

from realtime.events import AlertType, FactName
from server.models.alerts import AlertRecord
from server.store import alerts, companions, crews, diagnoses
from server.store.actor import SYSTEM
from server.timestamps import to_ms

MEASURED = [str(one) for one in (AlertType.RULE_VIOLATION, AlertType.DRIFT, AlertType.ANOMALY, AlertType.INSTRUMENT_FAULT)]
LOOKS = ((timedelta(minutes=5), 10), (timedelta(hours=1), 60))  # younger than -> seconds between two looks
LATER_S = 600
LOOKS_BACK = timedelta(days=1)
AT_ONCE = 3  # so that a flood does not hold the leader's clock
NEWS = 0.1  # change of the value, as a share of it, that is told though nothing else changed
_FIGURE = re.compile(r"\d[\d.,\u2009]*")


def diagnose(session: Session, now: datetime) -> int:
    """Look again at the alerts that are due; the number looked at. Repeating it changes nothing but the figures."""
    found = list(session.scalars(_due(now)))
    for alert in found:
        look_again(session, alert, now)
    return len(found)


def _due(now: datetime) -> Any:
    measured = func.coalesce(AlertRecord.data["measured"]["at"].astext.cast(BigInteger), 0)
    looks = [(AlertRecord.raised_at > now - young, to_ms(now) - 1000 * every_s) for young, every_s in LOOKS]
    query = select(AlertRecord).where(AlertRecord.resolved_at.is_(None), AlertRecord.condition == "active")
    query = query.where(AlertRecord.asset_id.is_not(None), AlertRecord.suppressed.is_(None), AlertRecord.type.in_(MEASURED))
    query = query.where(AlertRecord.raised_at > now - LOOKS_BACK, measured < case(*looks, else_=to_ms(now) - 1000 * LATER_S))
    return query.order_by(measured, AlertRecord.id).limit(AT_ONCE).with_for_update(skip_locked=True, key_share=True)


def look_again(session: Session, alert: AlertRecord, now: datetime) -> None:
    """Measure and judge anew; told as `alert.changed` where it now says something else."""
    before, called = alert.data.get("diagnosis"), diagnoses.order_title(alert)
    told_value = alert.data.get("told_value", alert.value)
    alert.data = {**alert.data, "measured": companions.measure(session, alert, diagnoses.about(alert), now)}
    after = diagnoses.judged(session, alert, now)
    alert.data = {**alert.data, "diagnosis": after}
    if _words(before) == _words(after) and not _moved(told_value, alert.value):
        return
    alert.data = {**alert.data, "told_value": alert.value}
    session.flush()
    alerts.tell(session, alert, FactName.ALERT_CHANGED, SYSTEM.name, now)
    crews.follow(session, alert, called, now)


def _words(diagnosis: dict[str, Any] | None) -> str:
    """What it says without its figures, which change with every look."""
    shown = {name: value for name, value in (diagnosis or {}).items() if name not in {"measured_at", "features"}}
    return _FIGURE.sub("#", json.dumps(shown, sort_keys=True))


def _moved(told: float | None, value: float | None) -> bool:
    if told is None or value is None:
        return told is not value
    return abs(value - told) > NEWS * max(abs(told), abs(value))
