"""What stands against an asset or an instrument now, gathered for server/rules/health.py: alerts, calibration, overdue work, verdicts.

An asset's health is kept on its row and told with it; an instrument's is judged when it is asked for. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from realtime.events import AlertType, Severity
from server.models.alerts import AlertFinding, AlertRecord
from server.models.calibration import CalibrationRecord
from server.models.plant import Asset, Instrument, Tag
from server.models.work import WorkOrder
from server.rules import health as rules
from server.rules.asset import Operating
from server.rules.calibration import is_overdue
from server.rules.facts import Signal
from server.rules.health import OVERDUE_WORK, Health, Trouble
from server.rules.policy import VERDICTS_WANTED
from server.rules.wording import MODEL_DAMAGED, symptom, wall
from server.rules.work_order import UNVERIFIED, OrderState, OrderVerdict
from server.store import judged
from server.store.diagnoses import about

LATE = [str(state) for state in UNVERIFIED - {OrderState.COMPLETED}]
SAME_VALUE = 0.05  # a value, or a score against its limit, that moved by less than this share changes no reason
_MODELS = [str(type_) for type_ in rules.BY_MODEL]


def of_asset(session: Session, asset: Asset, now: datetime) -> Health:
    """The asset's: open alerts that people are told of or that wait in a flood, its instruments' calibration, overdue orders."""
    active = _active(session, AlertRecord.asset_id == asset.id)
    silent = any(alert.type == AlertType.DATA_GAP and alert.tag is None for alert in active)  # the whole machine
    devices = devices_of(session, asset)
    troubles = _of_alerts(session, active, {asset.id: asset.class_id})
    found = [*troubles.get(asset.id, []), *_of_devices(session, devices, now), *_overdue(session, asset.id, now)]
    return rules.judge(found, has_data=asset.operating != Operating.UNKNOWN and not silent)


def devices_of(session: Session, asset: Asset) -> list[Instrument]:
    """Its instruments by tag number."""
    query = select(Instrument).where(Instrument.asset_id == asset.id, Instrument.deleted_at.is_(None))
    return list(session.scalars(query.order_by(Instrument.tag)))


def of_instruments(session: Session, devices: Sequence[Instrument], now: datetime) -> dict[int, Health]:
    """By instrument id: alerts on its own tag and its calibration. One whose live tag is silent or whose source is lost has no score."""
    if not devices:
        return {}
    owners = {asset.id: asset for asset in session.scalars(select(Asset).where(Asset.id.in_({device.asset_id for device in devices})))}
    active = _active(session, AlertRecord.tag.in_([device.tag for device in devices]), AlertRecord.asset_id.in_(owners))
    troubles = _of_alerts(session, active, {id_: asset.class_id for id_, asset in owners.items()}, by_tag=True)
    silent = {alert.tag for alert in active if alert.type == AlertType.DATA_GAP}
    left_bad = _left_bad(session, [device.id for device in devices])
    return {
        device.id: rules.judge(
            [*troubles.get(device.tag, []), *_of_device(device, left_bad.get(device.id), now)],
            has_data=device.tag_id is None or (device.tag not in silent and owners[device.asset_id].operating != Operating.UNKNOWN),
        )
        for device in devices
    }


def body(health: Health) -> dict[str, Any]:
    """Score, word and reasons as REST and facts show them."""
    return {"score": health.score, "word": health.word, "reasons": [asdict(reason) for reason in health.reasons]}


def calculation(health: Health) -> list[dict[str, Any]]:
    """The score line by line: 100, less each reason."""
    if health.score is None:
        return [{"text": "No data: nobody can say", "points": None}]
    start: dict[str, Any] = {"text": "In full health", "points": 100}
    return [
        start,
        *({"text": reason.text, "points": -reason.points} for reason in health.reasons),
        {"text": f"Health: {health.word}", "points": health.score},
    ]


def is_same(kept: Sequence[Mapping[str, Any]], reasons: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the reasons say what was said before, but for values that moved a little: nobody is told of those."""
    if len(kept) != len(reasons):
        return False
    return all(_alike(old, new) for old, new in zip(kept, reasons, strict=True))


def _alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if any(old.get(name) != new.get(name) for name in ("points", "kind", "tag", "alert")):
        return False
    if old.get("value") is None and new.get("value") is None:
        return old.get("text") == new.get("text")
    return all(_near(old.get(name), new.get(name)) for name in ("value", "times"))


def _near(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is after
    return abs(after - before) <= SAME_VALUE * max(abs(before), abs(after))


def _active(session: Session, *which: ColumnElement[bool]) -> list[AlertRecord]:
    query = select(AlertRecord).where(*which, AlertRecord.resolved_at.is_(None), AlertRecord.condition == "active")
    query = query.where(AlertRecord.code.is_distinct_from(MODEL_DAMAGED))  # the monitor's trouble, not the machine's
    query = query.where(AlertRecord.watch.is_(False), AlertRecord.suppressed.is_distinct_from("maintenance"))
    return list(session.scalars(query.order_by(AlertRecord.id)))


def _of_alerts(
    session: Session, active: Collection[AlertRecord], classes: Mapping[int, int | None], *, by_tag: bool = False
) -> dict[Any, list[Trouble]]:
    """Troubles by asset id, or by tag."""
    names = {tag for alert in active if (tag := about(alert))}
    tags = {tag.name: tag for tag in session.scalars(select(Tag).where(Tag.name.in_(names)))} if names else {}
    precision, ratios = _precision(session, active, classes), _ratios(session, active)
    found: dict[Any, list[Trouble]] = {}
    for alert in active:
        share, ratio = precision.get((classes.get(alert.asset_id or 0), alert.type)), ratios.get(alert.id)
        text = _words(alert, tags.get(about(alert) or ""), ratio)
        value = alert.value if alert.value is not None else ratio
        critical = alert.severity == Severity.CRITICAL
        trouble = Trouble(alert.type, text, alert.tag, alert.id, value, share, ratio, critical)
        found.setdefault(alert.tag if by_tag else alert.asset_id, []).append(trouble)
    return found


def _words(alert: AlertRecord, tag: Tag | None, ratio: float | None) -> str:
    """ "Vibration (M2.vibration) at 9.42 mm/s, limit 7.10 mm/s"; the alert's own words where it names no signal."""
    if tag is None or alert.type in {AlertType.CALIBRATION_OVERDUE, AlertType.DATA_GAP}:
        return alert.message
    signal = Signal(tag=tag.name, label=tag.label, unit=tag.unit, decimals=tag.decimals)
    at = f" at {signal.said(alert.value)}" if alert.value is not None else ""
    beyond = f", {ratio:.1f} times the alarm limit of its detector" if ratio is not None else ""
    if alert.type == AlertType.RULE_VIOLATION and alert.limit is not None:
        return f"{signal.named}{at}, {wall(alert.code, signal.said(alert.limit))}"
    if alert.type == AlertType.INSTRUMENT_FAULT:
        return f"{signal.named} {symptom(alert.code)}{at}"
    if alert.type == AlertType.DRIFT:
        return f"{signal.named} drifts from its normal course{at}{beyond}"
    return f"{alert.message}, most in {signal.named}{at}{beyond}"


def _ratios(session: Session, active: Collection[AlertRecord]) -> dict[int, float]:
    """Score / limit of the strongest active finding of each alert that a model raised."""
    ids = [alert.id for alert in active if alert.type in _MODELS]
    if not ids:
        return {}
    found = select(AlertFinding.alert_id, func.max(AlertFinding.score / func.nullif(AlertFinding.limit, 0)))
    found = found.where(AlertFinding.alert_id.in_(ids), AlertFinding.active).group_by(AlertFinding.alert_id)
    return {alert: float(ratio) for alert, ratio in session.execute(found) if ratio is not None}


def _precision(
    session: Session, active: Collection[AlertRecord], classes: Mapping[int, int | None]
) -> dict[tuple[int | None, str], float | None]:
    """(class, type) -> share of right verdicts, where there are enough; asked for what a model found only."""
    wanted = {classes.get(alert.asset_id or 0) for alert in active if alert.type in _MODELS} - {None}
    if not wanted:
        return {}
    said = judged.verdicts()
    right = func.count().filter(said.c.verdict == str(OrderVerdict.CONFIRMED))
    query = select(said.c.class_id, said.c.type, right, func.count()).group_by(said.c.class_id, said.c.type)
    query = query.where(said.c.type.in_(_MODELS), said.c.class_id.in_(wanted), said.c.site_id.in_({alert.site_id for alert in active}))
    return {(class_, type_): hits / n for class_, type_, hits, n in session.execute(query) if n >= VERDICTS_WANTED}


def _of_devices(session: Session, devices: Sequence[Instrument], now: datetime) -> list[Trouble]:
    left_bad = _left_bad(session, [device.id for device in devices])
    return [trouble for device in devices for trouble in _of_device(device, left_bad.get(device.id), now)]


def _of_device(device: Instrument, left_bad: CalibrationRecord | None, now: datetime) -> list[Trouble]:
    due = device.calibration_due
    if is_overdue(due, now) and due is not None:
        return [_calibration(device, f"calibration overdue since {due:%Y-%m-%d}")]
    if left_bad is None:
        return []
    worst, allowed = abs(left_bad.left_error_pct), left_bad.tolerance_pct
    return [
        _calibration(device, f"left out of tolerance on {left_bad.performed_at:%Y-%m-%d}: {worst:.2f} % of span, allowed {allowed:.2f} %")
    ]


def _calibration(device: Instrument, text: str) -> Trouble:
    return Trouble(AlertType.CALIBRATION_OVERDUE, f"{device.name} ({device.tag}): {text}", device.tag)


def _left_bad(session: Session, ids: Sequence[int]) -> dict[int, CalibrationRecord]:
    """The newest calibration of each instrument, where it left the device out of tolerance."""
    if not ids:
        return {}
    mine = select(CalibrationRecord).where(CalibrationRecord.instrument_id.in_(ids)).ext(distinct_on(CalibrationRecord.instrument_id))
    newest = mine.order_by(CalibrationRecord.instrument_id, CalibrationRecord.performed_at.desc(), CalibrationRecord.id.desc())
    return {record.instrument_id: record for record in session.scalars(newest) if not record.passed}


def _overdue(session: Session, asset_id: int, now: datetime) -> list[Trouble]:
    query = select(WorkOrder).where(WorkOrder.asset_id == asset_id, WorkOrder.state.in_(LATE), WorkOrder.due <= now)
    late = session.scalars(query.order_by(WorkOrder.due, WorkOrder.id)).all()
    if not late:
        return []
    more = f", and {len(late) - 1} more" if len(late) > 1 else ""
    return [Trouble(OVERDUE_WORK, f"{late[0].number} is overdue: {late[0].title}{more}")]
