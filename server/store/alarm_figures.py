"""Alarm figures of a site from its alerts and their earlier spells, with the order that would remove each bad actor. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.alerts import AlertRecord
from server.models.people import User
from server.models.plant import Asset
from server.models.work import WorkOrder
from server.rules import alarm_figures as rules
from server.rules.alarm_figures import Spell
from server.rules.roles import Role
from server.rules.wording import TITLE_MAX
from server.rules.work_order import UNVERIFIED, OrderVerdict
from server.store import diagnoses
from server.store.related import by_id
from server.timestamps import rfc3339

MOST = 200_000


@dataclass(slots=True)
class _Seen:
    """The newest alert of each subject, every spell, and how severe they were."""

    alerts: dict[str, Any] = field(default_factory=dict)
    spells: list[Spell] = field(default_factory=list)
    severities: Counter[str] = field(default_factory=Counter)


def operators_of(session: Session, site: int | None) -> int:
    """Active operators of a site, at least one: somebody reads the alarms."""
    query = select(func.count()).select_from(User).where(User.active, User.role == str(Role.OPERATOR))
    return max(1, session.scalar(query if site is None else query.where(User.site_id == site)) or 0)


def figures(session: Session, site: int | None, span: tuple[datetime, datetime], operators: int, now: datetime) -> dict[str, Any]:
    """Everything about [start, end): rate, floods, chattering, stale (as of now), severities and the worst actors as `actors`."""
    start, end = span
    seen = _seen(session, site, start, end)
    rate = rules.rate(seen.spells, start, end, operators)
    floods = rules.ended_by(rules.floods(seen.spells), seen.spells, now)
    standing = _standing(session, site)
    chattering, stale = rules.chattering(seen.spells), rules.stale(standing.spells, now)
    known = {**standing.alerts, **seen.alerts}
    return {
        "operators": operators,
        "rate": {
            "raised": rate.raised,
            "per_10_min": round(rate.mean, 4),
            "peak_per_10_min": rate.peak,
            "acceptable_per_10_min": rules.ACCEPTABLE,
            "acceptable_share": round(rate.acceptable_share, 4),
        },
        "floods": [{"from": rfc3339(one.start), "to": rfc3339(one.end), "raised": one.raised} for one in floods],
        "chattering": [{**_subject(known[key]), "most_in_a_minute": times} for key, times in sorted(chattering.items())],
        "stale": [{**_subject(known[key]), "hours": round(age.total_seconds() / 3600, 1)} for key, age in sorted(stale.items())],
        "severities": _shares(seen.severities),
        "actors": _actors(session, seen, known, set(chattering), set(stale)),
    }


def _shares(counts: Counter[str]) -> dict[str, dict[str, float]]:
    total = counts.total()
    return {name: {"raised": n, "share": round(n / total, 4)} for name, n in sorted(counts.items())}


def _rows(session: Session, site: int | None, *conditions: Any) -> Sequence[AlertRecord]:
    query = select(AlertRecord).where(AlertRecord.watch.is_(False), AlertRecord.suppressed.is_distinct_from("maintenance"), *conditions)
    if site is not None:
        query = query.where(AlertRecord.site_id == site)
    return session.scalars(query.order_by(AlertRecord.id).limit(MOST)).all()


def _seen(session: Session, site: int | None, start: datetime, end: datetime) -> _Seen:
    """An alert that came back has its earlier spells in its data; so those raised after the span count too."""
    seen = _Seen()
    for alert in _rows(session, site, AlertRecord.raised_at >= start):
        key = _key(alert)
        earlier = [(one["raised_at"], one["returned_at"]) for one in alert.data.get("spells", [])]
        spells = [Spell(key, datetime.fromisoformat(first), datetime.fromisoformat(last)) for first, last in earlier]
        inside = [spell for spell in [*spells, Spell(key, alert.raised_at, alert.returned_at)] if start <= spell.raised < end]
        if inside:
            seen.alerts[key] = alert
            seen.spells += inside
            seen.severities[alert.severity] += len(inside)
    return seen


def _standing(session: Session, site: int | None) -> _Seen:
    seen = _Seen()
    for alert in _rows(session, site, AlertRecord.condition == "active", AlertRecord.resolved_at.is_(None)):
        seen.alerts[_key(alert)] = alert
        seen.spells.append(Spell(_key(alert), alert.raised_at))
    return seen


def _key(alert: AlertRecord) -> str:
    return f"{alert.asset_id or 0:012d} {alert.tag or ''} {alert.type} {alert.code or ''}"


def _subject(alert: AlertRecord) -> dict[str, Any]:
    return {
        "alert": {"id": alert.id, "number": alert.number},
        "tag": alert.tag,
        "type": alert.type,
        "code": alert.code,
        "message": alert.message,
    }


def _actors(session: Session, seen: _Seen, known: dict[str, Any], chattering: set[str], stale: set[str]) -> list[dict[str, Any]]:
    worst = rules.worst(seen.spells)
    alerts = [seen.alerts[one.subject] for one in worst]
    assets = by_id(session, Asset, (alert.asset_id for alert in alerts))
    orders = by_id(session, WorkOrder, (alert.work_order_id for alert in alerts))
    false = _mostly_false(session, alerts)
    made = []
    for one, alert in zip(worst, alerts, strict=True):
        asset = assets.get(alert.asset_id or 0)
        order = orders.get(alert.work_order_id or 0)
        what = alert.tag or (asset.code if asset else alert.code or alert.type)
        flags = {"chatters": one.subject in chattering, "stands": one.subject in stale}
        usual = diagnoses.order_title(alert)
        title, why = rules.remedy(what, **flags, mostly_false=(alert.asset_id, alert.tag, alert.type) in false, usual=usual)
        at_work = order is not None and order.state in UNVERIFIED
        made.append(
            {
                **_subject(alert),
                "asset": {"id": asset.id, "code": asset.code, "name": asset.name} if asset else None,
                "raised": one.raised,
                "share": round(one.share, 4),
                **flags,
                "order": {"id": order.id, "number": order.number, "status": order.state} if order is not None and at_work else None,
                "proposal": None if at_work else {"title": title[:TITLE_MAX], "why": why, "asset": asset.code if asset else None},
            }
        )
    return made


def _mostly_false(session: Session, alerts: Sequence[AlertRecord]) -> set[tuple[int | None, str | None, str]]:
    """(asset, tag, type) of which more than half of the verdicts say that nothing was wrong."""
    query = select(AlertRecord.asset_id, AlertRecord.tag, AlertRecord.type, WorkOrder.verdict)
    query = query.join(WorkOrder, WorkOrder.alert_id == AlertRecord.id).where(WorkOrder.verdict.is_not(None))
    query = query.where(AlertRecord.asset_id.in_({alert.asset_id for alert in alerts if alert.asset_id is not None}))
    said: dict[tuple[int | None, str | None, str], Counter[str]] = {}
    for asset_id, tag, type_, verdict in session.execute(query):
        said.setdefault((asset_id, tag, type_), Counter())[str(verdict)] += 1
    return {key for key, counts in said.items() if counts[OrderVerdict.FALSE] * 2 > counts.total()}
