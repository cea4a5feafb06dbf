"""What an alert means: kind of fault, sensor or process, and what to do, gathered from the tables and judged by server/rules.

Kept on the alert (`data.diagnosis`): judged when it is raised, and again by the leader as the signals tell more
(server/store/diagnosing.py). Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server.models.alerts import AlertRecord
from server.models.calibration import CalibrationRecord
from server.models.plant import Asset, Instrument, Tag
from server.rules import advice, fault_kind
from server.rules.calibration import is_overdue
from server.rules.companions import MOVED, STILL
from server.rules.facts import Calibrated, Companion, Facts, Signal
from server.rules.fault_kind import UNKNOWN, Guess
from server.rules.triage import Triage, triage
from server.store import cases, companions
from server.store.cases import Past
from server.timestamps import from_ms, rfc3339, to_ms

INSTRUMENT = "instrument"  # the category of the taxonomy
CALIBRATIONS = 4
SHOWN_REASONS = 6


@dataclass(frozen=True, slots=True)
class Around:
    """Rows around one alert: its asset, the tags there by name, what else is open there, past orders of the class."""

    asset: Asset
    signals: Mapping[str, Signal]
    witnesses: frozenset[str]  # tags that may be compared
    open: Sequence[AlertRecord]
    past: Sequence[Past]
    class_name: str


def about(alert: AlertRecord) -> str | None:
    """The tag that the alert is about: its own, else the one with the largest share in what a model found of several."""
    joint = alert.type == AlertType.ANOMALY and alert.because
    return alert.tag or (str(alert.because[0]["tag"]) if joint else None)


def judged(session: Session, alert: AlertRecord, now: datetime) -> dict[str, Any]:
    """The diagnosis as alerts carry it."""
    asset = session.get(Asset, alert.asset_id) if alert.asset_id is not None else None
    if asset is None:
        return _of_no_asset(alert)
    around = _around(session, alert, asset)
    measured = _measured(alert) or _measured_beside(alert, around)
    facts = _facts(session, alert, around, measured, now)
    found = triage(facts)
    features = cases.features_of(alert.type, alert.code, about(alert), _learnable(facts, measured))
    kinds = [case for one in around.past if (case := one.as_kind) is not None]
    categories = [case for one in around.past if (case := one.as_category) is not None]
    of = f"class {around.class_name}" if around.class_name else "this machine"
    kind = fault_kind.kind(_codes(alert, around), kinds, features, of=of)
    category = fault_kind.category(facts.category, str(found.suspect), categories, features, of=of)
    word = cases.category_label(session, asset.site_id, category.label) if category.label != UNKNOWN else ""
    subject = advice.Subject(
        type=facts.type,
        code=alert.code,
        asset=asset.code,
        signal=facts.signal,
        value=alert.value,
        limit=alert.limit,
        suspect=found.suspect,
        moved=tuple(one for one in facts.companions if abs(one.moved) >= MOVED),
        still=sum(abs(one.moved) <= STILL for one in facts.companions),
        text=str(alert.data.get("texts", {}).get("en", "")),
        because=tuple(facts.shares),
        past=f"{word}, most likely: {category.text}." if category.method == "learned" and word else "",
    )
    said = {
        "recommendation": advice.advise(subject),
        "order_title": advice.order_title(subject, alert.data.get("order_title", alert.message)),
    }
    return _body(found, kind, category, word, features, measured) | said


def _of_no_asset(alert: AlertRecord) -> dict[str, Any]:
    """Of a source that feeds several assets, or of the system itself."""
    type_ = AlertType(alert.type)
    found = triage(Facts(type=type_))
    category = fault_kind.category("", str(found.suspect), [], {}, of="this source")
    subject = advice.Subject(type=type_, code=alert.code, asset=alert.code or "the system", suspect=found.suspect)
    advised = advice.advise(subject) if type_ is AlertType.SOURCE_LOST else f"{alert.message}."
    return _body(found, fault_kind.kind_by_rules(set()), category, "", {}, {}) | {"recommendation": advised}


def _body(
    found: Triage, kind: Guess, category: Guess, word: str, features: Mapping[str, str], measured: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "suspect": str(found.suspect),
        "points": found.points,
        "why": [asdict(reason) for reason in found.reasons[:SHOWN_REASONS]],
        "fault": {"label": str(kind.label), **_told(kind)},
        "category": {"code": category.label, "label": word, **_told(category)},
        "features": dict(features),
        "measured_at": measured.get("at"),
    }


def _told(guess: Guess) -> dict[str, Any]:
    share = None if guess.share is None else round(guess.share, 3)
    return {"method": guess.method, "share": share, "text": guess.text, "cases": guess.cases}


def _measured(alert: AlertRecord) -> dict[str, Any]:
    """What the leader measured since this onset; that of an earlier spell is of no use."""
    kept = alert.data.get("measured") or {}
    return kept if kept.get("onset") == to_ms(alert.raised_at) else {}


def _measured_beside(alert: AlertRecord, around: Around) -> dict[str, Any]:
    """What was measured for another open alert on the same tag: the second detector to speak finds it there."""
    same = [found for one in around.open if one.tag == alert.tag and alert.tag is not None and (found := _measured(one))]
    return max(same, key=lambda found: int(found["at"]), default={})


def _learnable(facts: Facts, measured: Mapping[str, Any]) -> dict[str, str]:
    if not measured:
        return {}
    moved = "together" if any(abs(one.moved) >= MOVED for one in facts.companions) else "alone"
    return {"moved": moved, **({"shape": measured["shape"]} if measured.get("shape") else {})}


def _around(session: Session, alert: AlertRecord, asset: Asset) -> Around:
    tags = session.scalars(select(Tag).where(Tag.asset_id == asset.id, Tag.deleted_at.is_(None))).all()
    signals = {tag.name: _read(tag) for tag in tags}
    here = select(AlertRecord).where(AlertRecord.asset_id == asset.id, AlertRecord.resolved_at.is_(None))
    active = session.scalars(here.where(AlertRecord.condition == "active", AlertRecord.id != alert.id).order_by(AlertRecord.id)).all()
    witnesses = frozenset(tag.name for tag in companions.signals_of(session, asset.id))
    return Around(asset, signals, witnesses, active, cases.past_of_class(session, asset), cases.class_name(session, asset))


def _codes(alert: AlertRecord, around: Around) -> set[str]:
    tag = about(alert)
    same = [one for one in around.open if tag is not None and one.tag == tag]
    return {one.code for one in (alert, *same) if one.code}


def _facts(session: Session, alert: AlertRecord, around: Around, measured: Mapping[str, Any], now: datetime) -> Facts:
    tag = about(alert)
    others = [(one, around.signals[one.tag]) for one in around.open if one.tag and one.tag != tag and one.tag in around.signals]
    of_tag = [one for one in around.past if tag is not None and one.tag == tag and one.category is not None]
    return Facts(
        type=AlertType(alert.type),
        code=alert.code,
        category=str(alert.data.get("category") or ""),
        signal=_signal(tag, around),
        value=alert.value,
        limit=alert.limit,
        companions=_companions(measured, around),
        others=len(around.witnesses - {tag}),
        also_faulty=_unique([signal for one, signal in others if one.type == AlertType.INSTRUMENT_FAULT]),
        also_alarmed=_unique([signal for one, signal in others if one.type in {AlertType.RULE_VIOLATION, AlertType.DRIFT}]),
        calibrated=_calibrated(session, tag, now) if tag is not None else None,
        past=(sum(one.category == INSTRUMENT for one in of_tag), len(of_tag)),
        shares=[(around.signals[share["tag"]], float(share["share"])) for share in alert.because if share["tag"] in around.signals],
    )


def _signal(tag: str | None, around: Around) -> Signal | None:
    return None if tag is None else around.signals.get(tag, Signal(tag=tag))


def _read(tag: Tag) -> Signal:
    return Signal(tag=tag.name, label=tag.label, unit=tag.unit, decimals=tag.decimals, computed=tag.virtual)


def _unique(signals: Sequence[Signal]) -> list[Signal]:
    return list({signal.tag: signal for signal in signals}.values())


def _companions(measured: Mapping[str, Any], around: Around) -> list[Companion]:
    return [
        Companion(around.signals[one["tag"]], one["before"], one["now"], one["moved"], one["follows"])
        for one in measured.get("others", [])
        if one["tag"] in around.signals
    ]


def _calibrated(session: Session, tag: str, now: datetime) -> Calibrated | None:
    """The instrument behind the tag and its newest calibrations that no other supersedes; None where no device is registered."""
    superseded = select(CalibrationRecord.supersedes_id).where(CalibrationRecord.supersedes_id.is_not(None))
    counts = (CalibrationRecord.instrument_id == Instrument.id) & CalibrationRecord.id.not_in(superseded)
    query = select(Instrument, CalibrationRecord).outerjoin(CalibrationRecord, counts)
    query = query.where(Instrument.tag == tag, Instrument.deleted_at.is_(None)).order_by(CalibrationRecord.performed_at.desc())
    rows = session.execute(query.limit(CALIBRATIONS)).all()
    if not rows:
        return None
    records = [record for _, record in rows if record is not None]
    return Calibrated(
        overdue=is_overdue(rows[0][0].calibration_due, now),
        failed=bool(records) and not records[0].passed,
        errors_pct=tuple(record.error_pct for record in reversed(records)),
    )


def order_title(alert: AlertRecord) -> str:
    """What an order for it is called: what the diagnosis makes of it, else what alarmed."""
    return str((alert.data.get("diagnosis") or {}).get("order_title") or alert.data.get("order_title") or alert.message)


def body_of(alert: AlertRecord) -> dict[str, Any] | None:
    """The diagnosis as REST and facts show it; None where there is none yet."""
    kept = alert.data.get("diagnosis")
    return shown(kept) if kept else None


def shown(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What people read of a diagnosis."""
    at = kept.get("measured_at")
    named = {name: value for name, value in kept.items() if name not in {"features", "measured_at"}}
    return {**named, "measured_at": None if at is None else rfc3339(from_ms(at))}


def brief_of(alert: AlertRecord) -> dict[str, Any]:
    """`recommendation` and `diagnosis` of an alert's body."""
    found = body_of(alert)
    if found is None:
        return {"recommendation": "", "diagnosis": None}
    return {"recommendation": found.pop("recommendation"), "diagnosis": found}
