"""What came of guarded writes, folded into their rows; where the PLC may hold what nobody meant to leave there, it is an alarm."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType, Severity, Signal
from realtime.plc_writes import result_of
from server.folding import fold
from server.models.plant import Asset, Tag
from server.models.plc_commands import PlcCommand
from server.rules.wording import Subject
from server.store import plc_commands
from server.store.conditions import Condition
from server.timestamps import to_ms

EDGES: tuple[Literal["open"], Literal["close"]] = ("open", "close")


def fold_write(session: Session, signal: Signal, now: datetime, proof_s: float) -> None:
    """One result from plc/commands.py; raises TypeError where it is none."""
    result = result_of(signal.data)
    row = plc_commands.fold_result(session, result, now)
    if row is not None and result.alarm:
        _alarm(session, row, signal.t, now, proof_s)


def run_out(session: Session, now: datetime, proof_s: float) -> None:
    """Requests that nobody confirmed are over; an order that nobody answered is unknown, and an alarm."""
    for row in plc_commands.run_out(session, now):
        _alarm(session, row, to_ms(now), now, proof_s)


def _alarm(session: Session, row: PlcCommand, t: int, now: datetime, proof_s: float) -> None:
    """An event, not a state: it stays until somebody has looked at the machine, acknowledged and resolved it."""
    asset = session.get_one(Asset, row.asset_id)
    tag = session.scalars(select(Tag).where(Tag.name == row.tag)).one_or_none()
    for edge in EDGES:
        condition = Condition(
            key=f"plc_write:{row.id}",
            edge=edge,
            site_id=row.site_id,
            asset_id=row.asset_id,
            subject=Subject(type=AlertType.INSTRUMENT_FAULT, code="plc_write", asset=asset.code, tag=row.tag),
            detector="plc",
            severity=Severity.CRITICAL,
            t=t,
            t_onset=t,
            tag_id=tag.id if tag else None,
            data={"command": row.id, "detail": row.detail, "wanted": row.value, "old": row.old, "new": row.new},
        )
        fold(session, condition, now, proof_s)
