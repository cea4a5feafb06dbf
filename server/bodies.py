"""The bodies of REST and of facts: one shape for a thing wherever it appears. Times are RFC 3339, nothing is computed twice.

Orders are in `server.order_bodies`, steps in `server.store.steps`; the feed for glasses has its own cards.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from realtime.events import PACES
from server import order_bodies as orders_module
from server.briefs import alert_brief, asset_brief
from server.models.alerts import AlertRecord
from server.models.notifications import Notification
from server.models.plant import Asset, Tag, TagLimit
from server.rules import health
from server.rules.policy import Route
from server.store import related as related_rows
from server.store.related import Related, TagRows
from server.timestamps import rfc3339

Body = dict[str, Any]
KEPT_APART = frozenset({"diagnosis", "measured", "told_value"})  # the brief shows what people read of it

order_body = orders_module.order_body
order_bodies = orders_module.order_bodies


def alert_body(session: Session, alert: AlertRecord) -> Body:
    """One alert."""
    return alert_bodies(session, [alert])[0]


def alert_bodies(session: Session, alerts: Collection[AlertRecord]) -> list[Body]:
    """Alerts, in their order."""
    session.flush()
    related = related_rows.of_alerts(session, alerts)
    return [_alert(alert, related) for alert in alerts]


def _alert(alert: AlertRecord, related: Related) -> Body:
    asset = related.assets.get(alert.asset_id or 0)
    order = related.orders.get(alert.work_order_id or 0)
    who = related.users.get(order.assignee_id or 0) if order else None
    brief = alert_brief(alert, related)
    assert brief is not None
    return {
        **brief,
        "site": alert.site_id,
        "asset": asset_brief(asset, related) if asset else None,
        "detector": alert.detector,
        "origin": alert.origin,
        "route": Route.WATCH if alert.watch else Route.ALERT,
        "score": alert.score,
        "acknowledged": alert.acknowledged_at is not None,
        "acknowledged_at": rfc3339(alert.acknowledged_at),
        "acknowledged_by": alert.acknowledged_by,
        "last_at": rfc3339(alert.last_at),
        "returned_at": rfc3339(alert.returned_at),
        "resolved_at": rfc3339(alert.resolved_at),
        "resolved_by": alert.resolved_by,
        "notes": alert.notes,
        "shelved_until": rfc3339(alert.shelved_until),
        "shelved_by": alert.shelved_by,
        "shelved_reason": alert.shelved_reason,
        "suppressed": alert.suppressed,
        "watch": alert.watch,
        "provisional": alert.provisional,
        "first_out": related.first_out.get(alert.asset_id or 0) == alert.id,
        "occurrences": alert.occurrences,
        "order": order.number if order else None,
        "order_status": order.state if order else None,
        "order_who": who.name if who else None,
        "data": {name: value for name, value in alert.data.items() if name not in KEPT_APART},
        "rev": alert.rev,
    }


def asset_body(session: Session, asset: Asset) -> Body:
    """One asset with its tags, open alerts and newest order."""
    return asset_bodies(session, [asset])[0]


def asset_bodies(session: Session, assets: Collection[Asset]) -> list[Body]:
    """Assets, in their order."""
    session.flush()
    related = related_rows.of_assets(session, assets)
    tag_rows = related_rows.tags_of(session, related.assets)
    alerts: dict[int, list[Body]] = {}
    for body in alert_bodies(session, open_alerts(session, related.assets)):
        for concerned in [body["asset"]["id"]] if body["asset"] else body["data"]["assets"]:
            alerts.setdefault(concerned, []).append(body)
    return [{**_asset(asset, related, tag_rows), "alerts": alerts.get(asset.id, [])} for asset in assets]


def open_alerts(session: Session, asset_ids: Collection[int]) -> list[AlertRecord]:
    """Announced alerts of these assets that nobody has resolved, oldest first, with those of lost sources that feed several assets."""
    shared = AlertRecord.asset_id.is_(None) & AlertRecord.data.has_key("assets")  # few: `asset_bodies` gives each its own
    query = select(AlertRecord).where(AlertRecord.asset_id.in_(asset_ids) | shared, AlertRecord.resolved_at.is_(None))
    return list(session.scalars(query.where(AlertRecord.watch.is_(False), AlertRecord.suppressed.is_(None)).order_by(AlertRecord.id)))


def concerning(asset_id: int) -> ColumnElement[bool]:
    """Which alerts are about this asset, alone or with others."""
    return (AlertRecord.asset_id == asset_id) | (AlertRecord.asset_id.is_(None) & AlertRecord.data["assets"].contains([asset_id]))


def _asset(asset: Asset, related: Related, tag_rows: TagRows) -> Body:
    class_ = related.classes.get(asset.class_id or 0)
    order = related.orders.get(asset.id)
    who = related.users.get(order.assignee_id or 0) if order else None
    return {
        **asset_brief(asset, related),
        "class": class_.name if class_ else "",
        "site": asset.site_id,
        "parent": asset.parent_id,
        "criticality": asset.criticality,
        "operating": asset.operating,
        "operating_since": rfc3339(asset.operating_since),
        "fault_code": asset.fault_code,
        "maintenance": asset.maintenance,
        "health": {"score": asset.health, "word": health.word_for(asset.health), "reasons": asset.health_reasons},
        "headline": asset.main_tag,
        "tags": [_tag(tag, tag_rows) for tag in tag_rows.tags.get(asset.id, [])],
        "order": {"id": order.id, "number": order.number, "status": order.state, "who": who.name if who else None} if order else None,
        "rev": asset.rev,
    }


def _tag(tag: Tag, tag_rows: TagRows) -> Body:
    source = tag_rows.sources.get(tag.source_id or 0)
    names = ("id", "name", "label", "unit", "decimals", "kind", "role", "low", "high", "range_low", "range_high", "period_s")
    return {
        **{name: getattr(tag, name) for name in names},
        # a pace is no place on the scale of a value
        "limits": [_limit(limit) for limit in tag_rows.limits.get(tag.id, []) if limit.side not in PACES],
        "source": source.name if source else None,
    }


def _limit(limit: TagLimit) -> Body:
    return {"side": limit.side, "value": limit.value, "severity": limit.severity, "confirmed": limit.confirmed}


def notification_body(notification: Notification) -> Body:
    """One message to one person; a click opens its downtime, order or alert."""
    return {
        "id": notification.id,
        "user": notification.user_id,
        "kind": notification.kind,
        "title": notification.title,
        "body": notification.body,
        "order": notification.work_order_id,
        "alert": notification.alert_id,
        "downtime": notification.downtime_id,
        "count": notification.count,
        "created_at": rfc3339(notification.created_at),
        "read_at": rfc3339(notification.read_at),
    }
