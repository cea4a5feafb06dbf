"""Whether machines still speak: one that fell silent as a whole is unknown; without a run bit good data mean running.

A lost source makes its assets unknown in server/signals.py.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime import historian
from realtime.events import AlertType, Quality, split_quality
from server.models.alerts import AlertFinding, AlertRecord
from server.models.plant import Asset, OperatingPeriod, Source, Tag
from server.rules.asset import Operating
from server.rules.wording import MODEL_DAMAGED
from server.store import assets
from server.store.actor import SYSTEM
from server.timestamps import from_ms, to_ms

FRESH_WITHIN = timedelta(seconds=30)


def see_silent(session: Session, now: datetime) -> int:
    """Machines that fell silent as a whole say nothing of their state any more; the number that is unknown now."""
    speaking = select(Asset.id).where(Asset.operating != str(Operating.UNKNOWN), Asset.deleted_at.is_(None))
    silenced = 0
    for asset_id in sorted(session.scalars(speaking.where(Asset.id.in_(silent(session))))):
        silenced += _set(session, asset_id, Operating.UNKNOWN, None, now, now)
    return silenced


def silent(session: Session) -> set[int]:
    """Assets of which nothing arrives: a gap of the whole machine, or a gap in every tag that a source feeds."""
    query = select(AlertFinding.asset_id, AlertRecord.tag).join(AlertRecord, AlertRecord.id == AlertFinding.alert_id)
    gaps: dict[int, set[str | None]] = {}
    query = query.where(AlertFinding.type == str(AlertType.DATA_GAP), AlertFinding.active, AlertRecord.code.is_distinct_from(MODEL_DAMAGED))
    for asset_id, tag in session.execute(query):
        if asset_id is not None:
            gaps.setdefault(asset_id, set()).add(tag)
    fed: dict[int, set[str]] = {}
    tags = select(Tag.asset_id, Tag.name).where(Tag.asset_id.in_(gaps), Tag.source_id.is_not(None), Tag.deleted_at.is_(None))
    for asset_id, name in session.execute(tags):
        fed.setdefault(asset_id, set()).add(name)
    return {asset_id for asset_id, found in gaps.items() if None in found or (asset_id in fed and fed[asset_id] <= found)}


def see_running(session: Session, now: datetime) -> int:
    """Assets whose state was unknown and whose good data arrive again; the number known now. Reads only their newest samples.

    Without a run bit they count as running; the others are told by the PLC, unless they were only silent: then as before.
    """
    query = select(Tag.id, Tag.asset_id, Tag.source_id).join(Asset, Asset.id == Tag.asset_id)
    query = query.where(Asset.operating == str(Operating.UNKNOWN), Asset.deleted_at.is_(None), Tag.deleted_at.is_(None))
    lost = set(session.scalars(select(Source.id).where(Source.state == "lost")))
    waiting = {row.id: row for row in session.execute(query.where(Asset.id.not_in(silent(session)))) if row.source_id not in lost}
    if not waiting:
        return 0
    newest = historian.latest(session.connection().connection, list(waiting))
    alive = {waiting[tag].asset_id for tag, (t, _, q) in newest.items() if _is_fresh(t, q, now)}
    told = _told_by_plc(session, alive)
    known = sum(_set(session, asset_id, Operating.RUNNING, None, now, now) for asset_id in sorted(alive - told))
    return known + sum(_as_before(session, asset_id, now) for asset_id in sorted(alive & told))


def _told_by_plc(session: Session, asset_ids: Collection[int]) -> set[int]:
    return set(session.scalars(select(Tag.asset_id).where(Tag.asset_id.in_(asset_ids), Tag.role.is_not(None), Tag.deleted_at.is_(None))))


def _as_before(session: Session, asset_id: int, now: datetime) -> bool:
    """The state before a silence that ended: the PLC tells changes only, and the collector saw none."""
    asset = session.get_one(Asset, asset_id)
    if asset.operating_since is None:
        return False
    gaps = select(func.max(AlertFinding.last_t)).where(AlertFinding.asset_id == asset_id, AlertFinding.type == str(AlertType.DATA_GAP))
    ended = session.scalar(gaps.where(AlertFinding.active.is_(False), AlertFinding.last_t >= to_ms(asset.operating_since)))
    before = select(OperatingPeriod).where(OperatingPeriod.asset_id == asset_id, OperatingPeriod.ended_at == asset.operating_since)
    period = session.scalars(before.order_by(OperatingPeriod.id.desc()).limit(1)).one_or_none()
    if ended is None or period is None or period.operating == Operating.UNKNOWN:
        return False
    return _set(session, asset_id, Operating(period.operating), period.fault_code, from_ms(ended), now)


def _set(session: Session, asset_id: int, operating: Operating, fault_code: str | None, at: datetime, now: datetime) -> bool:
    asset = assets.lock_asset(session, asset_id)
    if asset is None or not assets.set_operating(session, asset, operating, fault_code, at):
        return False
    assets.refresh_health(session, asset, now)
    assets.announce(session, asset, SYSTEM.name, now)
    return True


def _is_fresh(t: int, quality: int, now: datetime) -> bool:
    return split_quality(quality)[0] is Quality.GOOD and now - from_ms(t) < FRESH_WITHIN
