"""Markers: the short code printed on a machine, which glasses and phones read. One live marker an asset; nothing here commits."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.feed import Marker
from server.models.plant import Area, Asset
from server.models.requests import ReportLink
from server.store.related import by_id

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base32: no letter that reads as a digit
LENGTH = 7


def give_marker(session: Session, asset: Asset) -> Marker:
    """A new marker for a new asset; 35 random bits, unique by the table."""
    marker = Marker(code="".join(secrets.choice(ALPHABET) for _ in range(LENGTH)), asset_id=asset.id)
    session.add(marker)
    return marker


def marker_of(session: Session, asset: Asset) -> str | None:
    """The live marker's code."""
    return marks_of(session, [asset.id]).get(asset.id)


def marks_of(session: Session, asset_ids: Sequence[int]) -> dict[int, str]:
    """Live marker codes by asset."""
    query = select(Marker).where(Marker.asset_id.in_(asset_ids), Marker.retired_at.is_(None)).order_by(Marker.id)
    return {row.asset_id: row.code for row in session.scalars(query)}


def tokens_of(session: Session, asset_ids: Sequence[int]) -> dict[int, str]:
    """Tokens of the public fault report by asset, where one was made."""
    query = select(ReportLink).where(ReportLink.asset_id.in_(asset_ids), ReportLink.revoked_at.is_(None))
    return {row.asset_id: row.token for row in session.scalars(query)}


def places_of(session: Session, assets: Sequence[Asset]) -> dict[int, str]:
    """Where each asset stands, as a label says it."""
    areas = by_id(session, Area, (asset.area_id for asset in assets))
    return {asset.id: " · ".join(word for word in (areas[asset.area_id].name, asset.location) if word) for asset in assets}
