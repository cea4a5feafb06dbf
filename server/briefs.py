"""The short form of an asset and an alert, as other bodies carry it."""

from __future__ import annotations

from typing import Any

from server.models.alerts import AlertRecord
from server.models.plant import Asset, Tag
from server.store import diagnoses
from server.store.related import Related
from server.timestamps import rfc3339

Body = dict[str, Any]


def asset_brief(asset: Asset, related: Related) -> Body:
    """Where and what the asset is."""
    area = related.areas.get(asset.area_id)
    return {
        "id": asset.id,
        "code": asset.code,
        "name": asset.name,
        "area": area.name if area else "",
        "place": asset.location or (area.name if area else ""),
        "main_tag": asset.main_tag,
    }


def tag_words(tag: Tag | None, alert: AlertRecord) -> Body:
    """How the alert's value is written."""
    return {
        "tag": alert.tag,
        "label": (tag.label or tag.name) if tag else alert.tag,
        "unit": alert.unit or (tag.unit if tag else ""),
        "decimals": tag.decimals if tag else 2,
    }


def alert_brief(alert: AlertRecord | None, related: Related) -> Body | None:
    """What it says; None without an alert."""
    if alert is None:
        return None
    return {
        "id": alert.id,
        "number": alert.number,
        **tag_words(related.tag_named(alert.tag), alert),
        "type": alert.type,
        "code": alert.code,
        "severity": alert.severity,
        "value": alert.value,
        "limit": alert.limit,
        "condition": alert.condition,
        "title": alert.message,
        "reason": alert.data.get("reason", ""),
        "because": alert.because,
        **diagnoses.brief_of(alert),
        "raised_at": rfc3339(alert.raised_at),
        "story": f"/api/alerts/{alert.id}/story" if alert.asset_id is not None else None,
    }
