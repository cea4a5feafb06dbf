"""The address on a machine's label where anyone reports a fault: made, rotated, revoked. Nothing here commits."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import NotFound
from server.models.plant import Asset
from server.models.requests import ReportLink
from server.store.actor import Person
from server.store.assets import lock_asset

TOKEN_BYTES = 16  # 128 bits: nobody guesses one


def live_link(session: Session, asset: Asset) -> ReportLink | None:
    """The link of an asset, None where it has none."""
    return session.scalar(select(ReportLink).where(ReportLink.asset_id == asset.id, ReportLink.revoked_at.is_(None)))


def rotate(session: Session, asset: Asset, user: Person, now: datetime) -> ReportLink:
    """A new link; what was printed before leads nowhere from now on."""
    lock_asset(session, asset.id)
    revoke(session, asset, user, now)
    link = ReportLink(asset_id=asset.id, token=secrets.token_urlsafe(TOKEN_BYTES), created_by=user.name, created_at=now)
    session.add(link)
    session.flush()
    audit.record(session, audit.Change("create", "report_link", link.id, asset.site_id, None, {"asset": asset.code}), user, now)
    return link


def revoke(session: Session, asset: Asset, user: Person, now: datetime) -> None:
    """Take the link away; without one nothing happens."""
    link = live_link(session, asset)
    if link is not None:
        link.revoked_at = now
        session.flush()
        audit.record(session, audit.Change("revoke", "report_link", link.id, asset.site_id, {"asset": asset.code}, None), user, now)


def resolve(session: Session, token: str) -> tuple[ReportLink, Asset]:
    """The link and asset behind a token; raises NotFound for one that is unknown, rotated away or of an asset that is gone."""
    query = select(ReportLink, Asset).join(Asset, Asset.id == ReportLink.asset_id)
    live = query.where(ReportLink.token == token, ReportLink.revoked_at.is_(None), Asset.deleted_at.is_(None))
    found = session.execute(live).one_or_none()
    if found is None:
        raise NotFound("address on this", "label")
    return found[0], found[1]
