"""What meters have counted: run hours and starts from operating periods, pulses from a counter's history; each exactly once.

A meter's `total` holds what can never change any more; what is still going on is added when it is read. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime import historian
from realtime.events import Quality, split_quality
from server.models.meters import Meter, MeterReading
from server.models.plant import OperatingPeriod
from server.rules.asset import Operating
from server.rules.forecast_usage import Usage, usage
from server.rules.meters import pulses, run_hours
from server.store.run_states import run_states
from server.timestamps import from_ms, to_ms

STATE, STARTS, COUNTER, MANUAL = "state", "starts", "counter", "manual"
KEEP_EVERY = timedelta(hours=12)
WINDOW = timedelta(days=28)  # of use that a forecast looks at
PAGE, PAGES = 5_000, 20


def totals(session: Session, meters: Collection[Meter], at: datetime) -> dict[int, float]:
    """What each meter says at a time, by id: of run hours to the moment, of the others as last counted."""
    found = {meter.id: meter.total for meter in meters}
    by_state = [meter for meter in meters if meter.source == STATE]
    if by_state:
        since = min(at, *(meter.counted_to for meter in by_state))
        until = max(at, *(meter.counted_to for meter in by_state))
        states = run_states(session, {meter.asset_id for meter in by_state}, since, until)
        for meter in by_state:
            state = states[meter.asset_id]
            start, end = sorted((meter.counted_to, at))
            hours = run_hours(state.running, state.parents_down, start, end)
            found[meter.id] += hours if at >= meter.counted_to else -hours
    return found


def count(session: Session, now: datetime) -> int:
    """Bring every meter up to date; the number of meters. For the leader's clock."""
    query = select(Meter).where(Meter.deleted_at.is_(None), Meter.source != MANUAL).order_by(Meter.id)
    meters = session.scalars(query.with_for_update(key_share=True, skip_locked=True)).all()
    by_state = [meter for meter in meters if meter.source == STATE]
    if by_state:
        _count_hours(session, by_state, now)
    for meter in meters:
        if meter.source == STARTS:
            _count_starts(session, meter, now)
        elif meter.source == COUNTER:
            _count_pulses(session, meter, now)
    _keep(session, meters, now)
    return len(meters)


def _count_hours(session: Session, meters: Sequence[Meter], now: datetime) -> None:
    states = run_states(session, {meter.asset_id for meter in meters}, min(meter.counted_to for meter in meters), now)
    for meter in meters:
        state = states[meter.asset_id]
        to = min(state.settled, now)
        if to > meter.counted_to:
            meter.total += run_hours(state.running, state.parents_down, meter.counted_to, to)
            meter.counted_to = to


def _count_starts(session: Session, meter: Meter, now: datetime) -> None:
    query = select(OperatingPeriod.id, OperatingPeriod.operating).where(OperatingPeriod.asset_id == meter.asset_id)
    before: str | None = None
    for id_, operating in session.execute(query.where(OperatingPeriod.id >= (meter.counted_mark or 0)).order_by(OperatingPeriod.id)):
        if id_ > (meter.counted_mark or 0):
            meter.total += operating == Operating.RUNNING and before != Operating.RUNNING
            meter.counted_mark, meter.counted_to = id_, now
        before = operating


def _count_pulses(session: Session, meter: Meter, now: datetime) -> None:
    assert meter.tag_id is not None
    connection = session.connection().connection
    for _ in range(PAGES):
        rows = historian.readings(connection, meter.tag_id, (meter.counted_mark or 0) + 1, to_ms(now) + 1, None, PAGE)
        good = [value for _, value, quality in rows if value is not None and split_quality(quality)[0] is Quality.GOOD]
        growth, meter.last_raw = pulses(good, meter.last_raw, meter.rollover)
        meter.total += growth
        if rows:
            meter.counted_mark, meter.counted_to = rows[-1][0], from_ms(rows[-1][0])
        if len(rows) < PAGE:
            return


def _keep(session: Session, meters: Sequence[Meter], now: datetime) -> None:
    """Twice a day a reading of each, from which its use is reckoned."""
    newest = select(MeterReading.meter_id, func.max(MeterReading.at)).where(MeterReading.meter_id.in_([meter.id for meter in meters]))
    last = {row[0]: row[1] for row in session.execute(newest.group_by(MeterReading.meter_id))}
    due = [meter for meter in meters if meter.id not in last or now - last[meter.id] >= KEEP_EVERY]
    said = totals(session, due, now)
    for meter in due:
        total = said[meter.id]
        value = total - meter.shown_from
        session.add(MeterReading(meter_id=meter.id, at=now, value=value, total=total, kind="counted", by="system"))
    session.flush()


def uses(session: Session, meters: Collection[Meter], now: datetime) -> dict[int, Usage | None]:
    """How fast each meter grew lately, by id; None where too little is known."""
    query = select(MeterReading.meter_id, MeterReading.at, MeterReading.total).where(MeterReading.meter_id.in_([m.id for m in meters]))
    samples: dict[int, list[tuple[datetime, float]]] = {}
    for row in session.execute(
        query.where(MeterReading.at > now - WINDOW, MeterReading.at <= now).order_by(MeterReading.at, MeterReading.id)
    ):
        samples.setdefault(row.meter_id, []).append((row.at, row.total))
    said = totals(session, [meter for meter in meters if meter.source != MANUAL], now)
    for id_, total in said.items():
        samples.setdefault(id_, []).append((now, total))
    return {meter.id: usage(samples.get(meter.id, []), now, WINDOW) for meter in meters}
