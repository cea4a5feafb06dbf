"""What plc and ml observed beside readings: lost sources, machine states, unknown tags, job progress, a bus that lost entries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.errors import DecodeError
from realtime.events import AlertType, Edge, FactName, Severity, Signal, SignalName
from server.folding import Fault, fold, fold_machine_fault
from server.models.jobs import BackgroundJob
from server.models.plant import Asset, Source, Tag
from server.rules.asset import Operating
from server.rules.wording import Subject
from server.store import assets, background, baselines, discovered, fault_codes, lives, model_states, replays, training, tuning
from server.store.actor import SYSTEM
from server.store.conditions import Condition
from server.store.outbox import Draft, emit
from server.timestamps import from_ms, rfc3339
from server.write_results import fold_write

NO_FAULT = {None, "", "0"}


def fold_signal(session: Session, signal: Signal, now: datetime, proof_s: float) -> None:
    """One signal; raises DecodeError where it cannot be understood."""
    try:
        _FOLDS[signal.name](session, signal, now, proof_s)
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"signal {signal.name}: {type(error).__name__}: {error}") from error


def _source(session: Session, signal: Signal) -> Source:
    name = str(signal.data["source"])
    source = session.scalars(select(Source).where(Source.name == name).with_for_update()).one_or_none()
    if source is None:
        raise DecodeError(f"signal {signal.name}: source {name} is unknown")
    return source


def _lost(session: Session, signal: Signal, now: datetime, proof_s: float) -> None:
    source = _source(session, signal)
    if not _moves(source, "lost", signal):
        return
    source.detail = str(signal.data.get("detail") or signal.data.get("reason") or "")[:500]
    _tell_source(session, source, signal, FactName.SOURCE_LOST, now)
    concerned = _assets_on(session, source)
    fold(session, _source_condition(source, concerned, signal, "open"), now, proof_s)
    for asset in concerned:
        if assets.set_operating(session, asset, Operating.UNKNOWN, None, from_ms(signal.t)):
            assets.refresh_health(session, asset, now)
            assets.announce(session, asset, SYSTEM.name, now)


def _recovered(session: Session, signal: Signal, now: datetime, proof_s: float) -> None:
    source = _source(session, signal)
    if not _moves(source, "live", signal):
        return
    source.detail = ""
    _tell_source(session, source, signal, FactName.SOURCE_RECOVERED, now)
    concerned = _assets_on(session, source)
    fold(session, _source_condition(source, concerned, signal, "close"), now, proof_s)
    observed = select(Tag.asset_id).where(Tag.role.is_not(None), Tag.deleted_at.is_(None))
    says_its_state = set(session.scalars(observed))
    for asset in concerned:
        # what has no run bit counts as running while its data are good; the others say it themselves
        if asset.id in says_its_state or not assets.set_operating(session, asset, Operating.RUNNING, None, from_ms(signal.t)):
            continue
        assets.refresh_health(session, asset, now)
        assets.announce(session, asset, SYSTEM.name, now)


def _moves(source: Source, state: str, signal: Signal) -> bool:
    at = from_ms(signal.t)
    if source.state == state or (source.state_since is not None and at <= source.state_since):
        return False
    source.state, source.state_since = state, at
    return True


def _tell_source(session: Session, source: Source, signal: Signal, name: FactName, now: datetime) -> None:
    data = {
        "id": source.id,
        "source": source.name,
        "site": source.site_id,
        "kind": source.kind,
        "state": source.state,
        "since": rfc3339(source.state_since),
        "reason": signal.data.get("reason"),
        "detail": source.detail,
        "tags": [str(tag) for tag in signal.data.get("tags", [])],
    }
    emit(session, Draft(name, source.id, 1, SYSTEM.name, source.site_id, data), now)


def _assets_on(session: Session, source: Source) -> list[Asset]:
    ids = select(Tag.asset_id).where(Tag.source_id == source.id, Tag.deleted_at.is_(None))
    return list(
        session.scalars(
            select(Asset).where(Asset.id.in_(ids), Asset.deleted_at.is_(None)).order_by(Asset.id).with_for_update(key_share=True)
        )
    )


def _source_condition(source: Source, concerned: list[Asset], signal: Signal, edge: Edge) -> Condition:
    """One condition a source: of its asset where it feeds only one, else of none, with all that it concerns in the data."""
    tags = [str(tag) for tag in signal.data.get("tags", [])]
    return Condition(
        key=f"source:{source.id}",
        edge=edge,
        site_id=source.site_id,
        asset_id=concerned[0].id if len(concerned) == 1 else None,
        subject=Subject(type=AlertType.SOURCE_LOST, code=source.name, asset=source.name),
        detector="plc",
        severity=Severity.WARNING,
        t=signal.t,
        t_onset=signal.t,
        data={
            "source": source.name,
            "tags": tags,
            "assets": [asset.id for asset in concerned],
            "detail": source.detail,
            "cause": signal.data.get("reason"),
        },
    )


def _observed(session: Session, signal: Signal, now: datetime, proof_s: float) -> None:
    asset = assets.lock_asset(session, int(signal.data["asset"]))
    if asset is None:
        raise DecodeError(f"signal {signal.name}: asset {signal.data['asset']} is unknown")
    operating = Operating(signal.data["operating"])
    raw = signal.data.get("fault_code")
    code = None if raw in NO_FAULT else str(raw)
    changed = assets.set_operating(session, asset, operating, code, from_ms(signal.t))
    fault = _fault(session, asset, code) if code else None
    if operating is not Operating.UNKNOWN:  # a lost link says nothing about the machine's fault
        fold_machine_fault(session, asset, fault, signal.t, now, proof_s)
    if changed:
        assets.refresh_health(session, asset, now)
        assets.announce(session, asset, SYSTEM.name, now)


def _fault(session: Session, asset: Asset, code: str) -> Fault:
    row = fault_codes.of_asset(session, asset, code)
    text, severity = (row.text, Severity(row.severity)) if row else ("not in the fault-code table", Severity.CRITICAL)
    return Fault(code, text, severity, fault_codes.words(row))


def _discovered(session: Session, signal: Signal, _now: datetime, _proof_s: float) -> None:
    discovered.note(session, str(signal.data["source"]), str(signal.data["tag"]), signal.data.get("value"), from_ms(signal.t))


# what a job's last word carries, and who ends the job with it
_FINISHES: dict[str, Callable[[Session, BackgroundJob, dict[str, Any], datetime], None]] = {
    "model": training.finish,
    "baseline": baselines.finish,
    "replay": replays.finish,
    "tuning": tuning.finish,
    "lives": lives.finish,
}


def _progress(session: Session, signal: Signal, _now: datetime, _proof_s: float) -> None:
    if not signal.data["job"]:
        return  # nobody asked for it by a row
    job = session.get(BackgroundJob, int(signal.data["job"]), with_for_update=True)
    if job is None:
        raise DecodeError(f"job {signal.data['job']} is unknown")
    if job.state not in background.OPEN:
        return  # told again
    at = from_ms(signal.t)
    job.state, job.started_at = "running", job.started_at or at
    job.done, job.total = int(signal.data.get("done", job.done)), int(signal.data.get("total", job.total))
    job.message = str(signal.data.get("message", job.message))
    for name, finish in _FINISHES.items():
        if name in signal.data:
            finish(session, job, signal.data[name], at)


def _model_state(session: Session, signal: Signal, now: datetime, proof_s: float) -> None:
    """A damaged model is an alert until a whole one is in force; an outdated one is trained anew."""
    asset = model_states.asset_of(session, signal)
    if signal.data["state"] == "outdated":
        model_states.outdated(session, asset, signal)
        return
    model_states.mark(session, asset, signal)
    fold(session, model_states.condition(asset, signal), now, proof_s)


def _group_lost(session: Session, signal: Signal, now: datetime, proof_s: float) -> None:
    """An event, not a state: raised and returned at once, it stays until somebody acknowledges and resolves it."""
    stream, group = str(signal.data["stream"]), str(signal.data["group"])
    words = f"The bus lost entries of {stream} that {group} had not read"
    for edge in ("open", "close"):
        condition = Condition(
            key=f"bus:{stream}:{group}",
            edge=edge,
            site_id=None,
            asset_id=None,
            subject=Subject(type=AlertType.DATA_GAP, code="bus_group_lost", asset="bus", text=words),
            detector="system",
            severity=Severity.CRITICAL,
            t=signal.t,
            t_onset=signal.t,
            data={"stream": stream, "group": group},
        )
        fold(session, condition, now, proof_s)


_SPOOL = {
    "thinning": ("Readings waiting for {source} outgrow their disk: the oldest are thinned", Severity.WARNING),
    "dropping": ("Readings waiting for {source} outgrow their disk: the oldest are lost", Severity.CRITICAL),
    "damaged": ("The file of waiting readings of {source} was damaged and set aside", Severity.CRITICAL),
}


def _spool(session: Session, signal: Signal, now: datetime, proof_s: float) -> None:
    """What waits at a collector: thinned and dropped are states that end; a damaged file is an event, returned at once."""
    source, state = _source(session, signal), str(signal.data["state"])
    if state == "damaged":
        steps: list[tuple[str, Edge]] = [(state, "open"), (state, "close")]
    else:
        steps = [(name, "open" if name == state else "close") for name in ("thinning", "dropping")]
    for name, edge in steps:
        words, severity = _SPOOL[name]
        condition = Condition(
            key=f"spool:{source.id}:{name}",
            edge=edge,
            site_id=source.site_id,
            asset_id=None,
            subject=Subject(
                type=AlertType.DATA_GAP, code=f"spool_{name}:{source.name}", asset=source.name, text=words.format(source=source.name)
            ),
            detector="plc",
            severity=severity,
            t=signal.t,
            t_onset=signal.t,
            data={"source": source.name, "detail": str(signal.data.get("detail", ""))[:500]},
        )
        fold(session, condition, now, proof_s)


_FOLDS: dict[SignalName, Callable[[Session, Signal, datetime, float], Any]] = {
    SignalName.SOURCE_LOST: _lost,
    SignalName.SOURCE_RECOVERED: _recovered,
    SignalName.STATE_OBSERVED: _observed,
    SignalName.TAG_DISCOVERED: _discovered,
    SignalName.JOB_PROGRESS: _progress,
    SignalName.BUS_GROUP_LOST: _group_lost,
    SignalName.PLC_WRITE: fold_write,
    SignalName.SPOOL: _spool,
    SignalName.MODEL_STATE: _model_state,
}
