"""The plant snapshot from the tables: all that the workers know of the plant."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from realtime import snapshot as wire
from realtime.events import SHARDS
from server.models.calibration import CalibrationRecord
from server.models.fault_codes import FaultCode
from server.models.maintenance import MaintenanceWindow
from server.models.ml import Baseline, MLModelVersion
from server.models.plant import Asset, AssetClass, Instrument, Source, Tag, TagLimit
from server.store import snapshot_version
from server.timestamps import to_ms

bump = snapshot_version.bump


WORK_TOLD = timedelta(days=2)  # longer than what a model is learned from without a baseline


def build(session: Session, now: datetime) -> wire.Snapshot:
    """The snapshot at the version in force; reads in one transaction, so run it in REPEATABLE READ or alone."""
    assets = list(session.scalars(select(Asset).where(Asset.deleted_at.is_(None)).order_by(Asset.id)))
    sources = {row.id: row for row in session.scalars(select(Source).where(Source.deleted_at.is_(None)).order_by(Source.id))}
    windows = session.scalars(
        select(MaintenanceWindow).where(MaintenanceWindow.ended_at.is_(None), MaintenanceWindow.until > now).order_by(MaintenanceWindow.id)
    )
    models = session.scalars(select(MLModelVersion).where(MLModelVersion.active).order_by(MLModelVersion.asset_id))
    return wire.Snapshot(
        version=snapshot_version.current(session),
        sources=[_source(row) for row in sources.values()],
        tags=_tags(session, {asset.id for asset in assets}, sources),
        assets=_assets(session, assets, now),
        maintenance=[wire.Maintenance(asset=window.asset_id, until=to_ms(window.until)) for window in windows],
        active_models=[wire.ActiveModel(asset=model.asset_id, version=model.version) for model in models],
    )


def _source(row: Source) -> wire.Source:
    groups = {name: float(period) for name, period in row.groups.items()}
    return wire.Source(id=row.id, name=row.name, kind=row.kind, enabled=row.enabled, config=row.config, groups=groups)


def _assets(session: Session, assets: list[Asset], now: datetime) -> list[wire.Asset]:
    classes = {row.id: row for row in session.scalars(select(AssetClass))}
    codes: dict[tuple[str, int], list[FaultCode]] = {}
    for code in session.scalars(select(FaultCode).where(FaultCode.deleted_at.is_(None)).order_by(FaultCode.id)):
        codes.setdefault(("asset", code.asset_id) if code.asset_id is not None else ("class", code.class_id or 0), []).append(code)
    baselines: dict[int, list[wire.Baseline]] = {}
    usable = or_(Baseline.confirmed, Baseline.state == "")  # not what is being checked, was refused or withdrawn
    for row in session.scalars(select(Baseline).where(usable).order_by(Baseline.starts_at)):
        span = wire.Baseline(start=to_ms(row.starts_at), end=to_ms(row.ends_at), confirmed=row.confirmed)
        baselines.setdefault(row.asset_id, []).append(span)
    work = _work(session, now)
    return [
        wire.Asset(
            id=asset.id,
            code=asset.code,
            name=asset.name,
            class_name=classes[asset.class_id].name if asset.class_id else "",
            site=asset.site_id,
            parent=asset.parent_id,
            fault_codes=_fault_codes(codes.get(("class", asset.class_id or 0), []), codes.get(("asset", asset.id), [])),
            baselines=baselines.get(asset.id, []),
            **_running(classes[asset.class_id].settings if asset.class_id else {}),
            work=work.get(asset.id, []),
        )
        for asset in assets
    ]


def _running(settings: dict[str, Any]) -> dict[str, Any]:
    """What a class says of when its machines run, and for how long after a start nothing is judged."""
    running = settings.get("running")
    if not running:
        return {}
    return {"runs_by": running.get("role") or "always", "start_up_s": running.get("on_delay_s")}


def _work(session: Session, now: datetime) -> dict[int, list[wire.Work]]:
    """Stretches of maintenance mode that touch a baseline of the asset or the last days: none of their readings is learned."""
    end = func.coalesce(MaintenanceWindow.ended_at, MaintenanceWindow.until)
    touched = exists().where(
        Baseline.asset_id == MaintenanceWindow.asset_id, Baseline.starts_at < end, Baseline.ends_at > MaintenanceWindow.starts_at
    )
    query = select(MaintenanceWindow.asset_id, MaintenanceWindow.starts_at, end).where(or_(end > now - WORK_TOLD, touched))
    found: dict[int, list[wire.Work]] = {}
    for asset_id, began, over in session.execute(query.order_by(MaintenanceWindow.starts_at, MaintenanceWindow.id)):
        found.setdefault(asset_id, []).append(wire.Work(start=to_ms(began), end=to_ms(over)))
    return found


def _fault_codes(of_class: list[FaultCode], of_asset: list[FaultCode]) -> list[wire.FaultCode]:
    merged = {code.code: code for code in [*of_class, *of_asset]}  # the asset's own wins
    return [wire.FaultCode(code=code.code, text=code.text, severity=cast("Any", code.severity)) for code in merged.values()]


def _tags(session: Session, asset_ids: set[int], sources: dict[int, Source]) -> list[wire.Tag]:
    limits: dict[int, list[wire.Limit]] = {}
    for row in session.scalars(select(TagLimit).order_by(TagLimit.id)):
        limits.setdefault(row.tag_id, []).append(_limit(row))
    calibrated = _calibrated(session)
    rows = session.scalars(select(Tag).where(Tag.deleted_at.is_(None)).order_by(Tag.id))
    return [_tag(row, sources, limits.get(row.id, []), calibrated.get(row.id)) for row in rows if row.asset_id in asset_ids]


def _calibrated(session: Session) -> dict[int, int]:
    """Last calibration of the instrument behind a tag, passed or not: the level may have been adjusted either way."""
    query = select(Instrument.tag_id, func.max(CalibrationRecord.performed_at)).join(
        CalibrationRecord, CalibrationRecord.instrument_id == Instrument.id
    )
    query = query.where(Instrument.deleted_at.is_(None), Instrument.tag_id.is_not(None)).group_by(Instrument.tag_id)
    return {int(tag_id or 0): to_ms(at) for tag_id, at in session.execute(query)}


def _limit(row: TagLimit) -> wire.Limit:
    return wire.Limit(
        side=cast("Any", row.side),
        value=row.value,
        severity=cast("Any", row.severity),
        deadband=row.deadband,
        on_delay_s=row.on_delay_s,
        off_delay_s=row.off_delay_s,
        confirmed=row.confirmed,
        holds=cast("Any", row.holds),
    )


_SAME = [
    "id",
    "name",
    "unit",
    "kind",
    "label",
    "decimals",
    "address",
    "period_s",
    "role",
    "deadband",
    "low",
    "high",
    "range_low",
    "range_high",
    "stuck_s",
    "stuck_deadband",
    "drift",
    "cusum_k",
    "cusum_h",
    "joint",
    "virtual",
    "deadband_pct",
    "max_interval_s",
    "wire_break",
    "average_s",
    "keep",
]


def _tag(row: Tag, sources: dict[int, Source], limits: list[wire.Limit], calibrated_at: int | None) -> wire.Tag:
    source = sources.get(row.source_id or 0)
    return wire.Tag(
        **{name: getattr(row, name) for name in _SAME},
        asset=row.asset_id,
        shard=row.asset_id % SHARDS,
        source=source.name if source else None,
        group=row.poll_group,
        scale_raw=_pair(row.scale_raw),
        scale_eng=_pair(row.scale_eng),
        enabled=row.enabled and (source is None or source.enabled),
        limits=limits,
        calibrated_at=calibrated_at,
    )


def _pair(values: list[float] | None) -> tuple[float, float] | None:
    return None if values is None else (float(values[0]), float(values[1]))
