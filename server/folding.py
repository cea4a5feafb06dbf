"""Findings and signals from the bus into the tables: each entry one transaction, each entry at least once, each effect once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.errors import DecodeError
from realtime.events import AlertType, Finding, Severity
from server.models.plant import Asset, Tag, TagLimit
from server.rules.limit_defaults import SIDES
from server.rules.wording import Subject
from server.store import assets, conditions
from server.store.actor import SYSTEM
from server.store.conditions import Condition
from server.store.pursuit import pursue


def fold_finding(session: Session, finding: Finding, now: datetime, proof_s: float) -> None:
    """A detector's finding; raises DecodeError where it speaks of an asset or tag that is not ours."""
    asset = session.get(Asset, finding.asset)
    if asset is None:
        raise DecodeError(f"finding {finding.key}: asset {finding.asset} is unknown")
    tag = session.scalars(select(Tag).where(Tag.name == finding.tag)).one_or_none() if finding.tag else None
    if finding.tag and tag is None:
        raise DecodeError(f"finding {finding.key}: tag {finding.tag} is unknown")
    fold(session, condition_of(session, finding, asset, tag), now, proof_s)


def fold(session: Session, condition: Condition, now: datetime, proof_s: float) -> None:
    """Fold, pursue, and bring the asset's states up to date."""
    folded = conditions.fold(session, condition, now)
    if folded is None:
        return
    if condition.edge != "close":
        pursue(session, folded, condition, now, proof_s)
    assets.follow(session, condition.asset_id, SYSTEM.name, now)


def condition_of(session: Session, finding: Finding, asset: Asset, tag: Tag | None) -> Condition:
    """The finding with the words and limits that people read."""
    return Condition(
        key=finding.key,
        edge=finding.edge,
        site_id=asset.site_id,
        asset_id=asset.id,
        tag_id=tag.id if tag else None,
        subject=Subject(
            type=finding.type,
            code=finding.code,
            asset=asset.code,
            tag=finding.tag,
            label=(tag.label or tag.name) if tag else "",
            unit=tag.unit if tag else "",
            decimals=tag.decimals if tag else 2,
            value=finding.value,
            limit=_crossed(session, finding, tag) if tag else None,
        ),
        detector=finding.detector,
        severity=finding.severity,
        t=finding.t,
        t_onset=finding.t_onset,
        score=finding.score,
        limit=finding.limit,
        because=[{"tag": share.tag, "share": round(share.share, 4)} for share in finding.because],
        provisional=finding.provisional,
        data={"model_version": finding.model_version} if finding.model_version is not None else {},
    )


def _crossed(session: Session, finding: Finding, tag: Tag) -> float | None:
    """The limit in engineering units that the value crossed; None where the finding is not about one."""
    if finding.type is AlertType.INSTRUMENT_FAULT:
        return {"over_range": tag.range_high, "under_range": tag.range_low}.get(finding.code or "")
    if finding.type is not AlertType.RULE_VIOLATION:
        return None
    side = finding.code if finding.code in SIDES else "low" if "low" in (finding.code or "") else "high"
    limits = session.scalars(select(TagLimit).where(TagLimit.tag_id == tag.id, TagLimit.side == side)).all()
    of_severity = [limit.value for limit in limits if limit.severity == finding.severity]
    values = of_severity or [limit.value for limit in limits]
    return (max(values) if side == "low" else min(values)) if values else None


@dataclass(frozen=True, slots=True)
class Fault:
    """A machine's fault code with its meaning; `words` is what the alert carries of the fault-code table."""

    code: str
    text: str = ""
    severity: Severity = Severity.CRITICAL
    words: Mapping[str, Any] = field(default_factory=dict)


def fold_machine_fault(session: Session, asset: Asset, fault: Fault | None, t: int, now: datetime, proof_s: float) -> None:
    """The fault of a machine while it shows one; its other codes return."""
    code = fault.code if fault else None
    for active in conditions.active_of_type(session, asset.id, AlertType.MACHINE_FAULT, detector="plc"):
        old = active.key.rsplit(":", 1)[1]
        if old != code:
            fold(session, _machine_fault(asset, Fault(old), "close", t), now, proof_s)
    if fault is not None:
        fold(session, _machine_fault(asset, fault, "open", t), now, proof_s)


def _machine_fault(asset: Asset, fault: Fault, edge: Any, t: int) -> Condition:
    subject = Subject(type=AlertType.MACHINE_FAULT, code=fault.code, asset=asset.code, text=fault.text)
    return Condition(
        key=f"plc:{asset.id}:{fault.code}",
        edge=edge,
        site_id=asset.site_id,
        asset_id=asset.id,
        subject=subject,
        detector="plc",
        severity=fault.severity,
        t=t,
        t_onset=t,
        data=dict(fault.words),
    )
