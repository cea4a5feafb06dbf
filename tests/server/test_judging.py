"""Proof endings on real history: verified by the signal, reopened by a finding, a person asked where data are missing."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import psycopg2
import pytest
from sqlalchemy import select

from realtime.events import Batch
from realtime.historian import write_batches
from server.database import Database
from server.judging import judge_window
from server.models.alerts import AlertRecord
from server.models.notifications import Notification
from server.models.plant import Asset, OperatingPeriod
from server.models.work import ProofWindow, WorkOrder
from server.rules.proof import ProofState
from server.store import orders
from server.timestamps import to_ms
from tests.server.small_plant import NOW, NOW_MS, SmallPlant, finding
from tests.server.store.story import completed, fact_names, fold, raised_order

DONE = NOW + timedelta(minutes=30)  # when `completed` closes the order
SETTLED = DONE + timedelta(seconds=10)


def repaired(database: Database, plant: SmallPlant, *, returned: bool = True) -> int:
    """A repaired pump; the id of its proof window."""
    with database.transaction() as session:
        order = raised_order(session, plant)
        if returned:
            fold(session, finding(plant, "close", NOW_MS + 60_000))
        completed(session, plant, order)
        return session.scalars(select(ProofWindow.id)).one()


def runs(database: Database, plant: SmallPlant, seconds: int, value: float = 3.0, quality: int = 0) -> None:
    """History of the pump's vibration from the settle phase on, one sample a second."""
    t = to_ms(SETTLED) + np.arange(0, seconds * 1000 + 1, 1000, dtype=np.int64)
    batch = Batch(
        shard=plant.pump % 8,
        received_ms=int(t[-1]),
        source="test",
        ids=np.full(len(t), plant.vibration, np.uint32),
        t=t,
        quality=np.full(len(t), quality, np.uint8),
        seq=np.zeros(len(t), np.uint32),
        values=np.full(len(t), value),
    )
    connection = psycopg2.connect(database.url)
    write_batches(connection, [batch])
    connection.commit()
    connection.close()


def judged(database: Database, window: int, at: datetime, *, monitor_lives: bool = True) -> ProofState | None:
    with database.transaction() as session:
        return judge_window(session, window, at, monitor_lives=monitor_lives)


def test_the_signal_proves_the_repair_and_keeps_the_evidence(database: Database, plant: SmallPlant) -> None:
    window = repaired(database, plant)
    runs(database, plant, 70)

    states = [judged(database, window, DONE + timedelta(seconds=s)) for s in (5, 11, 40, 71)]

    assert states == [ProofState.SETTLING, ProofState.RUNNING, ProofState.RUNNING, ProofState.PROVED]
    with database.transaction() as session:
        order = session.scalars(select(WorkOrder)).one()
        row = session.scalars(select(ProofWindow)).one()
        assert (order.state, order.verified_by) == ("verified", "signal")
        assert (row.good_s, row.evidence["tags"][0]["greatest"], row.evidence["tags"][0]["high"]) == (60, 3.0, 7.1)
        assert session.scalars(select(AlertRecord.resolved_by)).one() == "signal"
        assert session.get_one(Asset, plant.pump).maintenance == "ok"
        assert [name for name in fact_names(session) if name.startswith("work_order")][-1] == "work_order.verified"
    assert judged(database, window, DONE + timedelta(seconds=80)) is None


def test_a_condition_that_is_still_there_reopens_at_the_end_of_the_settle_phase(database: Database, plant: SmallPlant) -> None:
    window = repaired(database, plant, returned=False)

    states = [judged(database, window, DONE + timedelta(seconds=s)) for s in (9, 10)]

    assert states == [ProofState.SETTLING, ProofState.REOPENED]
    with database.transaction() as session:
        order = session.scalars(select(WorkOrder)).one()
        assert (order.state, order.reopen_reason) == ("reopened", "Vibration (M2.vibration) is still at 9.42 mm/s, limit 7.10 mm/s")
        told = session.scalars(select(Notification).where(Notification.kind == "order_reopened")).one()
        assert told.user_id == order.assignee_id
        assert session.get_one(Asset, plant.pump).maintenance == "faulty"


@pytest.mark.parametrize(
    ("returning", "why"),
    [
        ({"key": "limits:1:high:2"}, "Vibration (M2.vibration) is back at 9.42 mm/s, limit 7.10 mm/s"),
        # another limit of the same machine
        ({"key": "limits:9:low:1", "code": "low"}, "Again: Vibration below its limit (M2.vibration 9.42 mm/s)"),
    ],
)
def test_any_finding_reopens_with_the_reason(database: Database, plant: SmallPlant, returning: dict[str, str], why: str) -> None:
    window = repaired(database, plant)
    runs(database, plant, 70)
    with database.transaction() as session:
        fold(session, finding(plant, "open", to_ms(SETTLED) + 30_000, **returning))
        fold(session, finding(plant, "close", to_ms(SETTLED) + 40_000, **returning))

    assert judged(database, window, DONE + timedelta(seconds=71)) is ProofState.REOPENED

    with database.transaction() as session:
        reason = session.scalars(select(WorkOrder.reopen_reason)).one()
        assert reason == why


def test_what_was_found_while_settling_does_not_count(database: Database, plant: SmallPlant) -> None:
    window = repaired(database, plant)
    runs(database, plant, 70)
    with database.transaction() as session:
        fold(session, finding(plant, "open", to_ms(DONE) + 2000, key="limits:1:high:2"))
        fold(session, finding(plant, "close", to_ms(DONE) + 8000, key="limits:1:high:2"))

    assert judged(database, window, DONE + timedelta(seconds=71)) is ProofState.PROVED


@pytest.mark.parametrize(("seconds", "quality", "value"), [(30, 0, 3.0), (200, 2, 3.0), (0, 0, 3.0)])
def test_without_enough_good_data_a_named_person_decides(
    database: Database, plant: SmallPlant, seconds: int, quality: int, value: float
) -> None:
    window = repaired(database, plant)
    runs(database, plant, seconds, value, quality)

    states = [judged(database, window, SETTLED + timedelta(seconds=s)) for s in (179, 180)]

    assert states == [ProofState.RUNNING, ProofState.DECISION]
    with database.transaction() as session:
        order = session.scalars(select(WorkOrder)).one()
        told = session.scalars(select(Notification.user_id).where(Notification.kind == "decision_needed")).all()
        assert (order.state, told) == ("completed", [plant["manager"].id])
        orders.act(session, order.id, "verify", plant["manager"], SETTLED + timedelta(hours=1), notes="ran it by hand")
        assert (order.state, order.verified_by) == ("verified", "L.Fontaine")


def test_a_value_outside_the_limits_is_never_proved(database: Database, plant: SmallPlant) -> None:
    window = repaired(database, plant)
    runs(database, plant, 70, value=7.3)

    assert judged(database, window, DONE + timedelta(seconds=71)) is ProofState.DECISION


def test_while_no_monitor_looks_no_news_is_not_good_news(database: Database, plant: SmallPlant) -> None:
    window = repaired(database, plant)
    runs(database, plant, 70)

    assert judged(database, window, DONE + timedelta(seconds=71), monitor_lives=False) is ProofState.RUNNING
    assert judged(database, window, DONE + timedelta(seconds=72)) is ProofState.PROVED


def test_only_running_time_counts(database: Database, plant: SmallPlant) -> None:
    window = repaired(database, plant)
    runs(database, plant, 100)
    with database.transaction() as session:
        stop, go = SETTLED + timedelta(seconds=20), SETTLED + timedelta(seconds=50)
        for operating, start, end in (("running", NOW, stop), ("stopped", stop, go), ("running", go, None)):
            session.add(OperatingPeriod(asset_id=plant.pump, operating=operating, started_at=start, ended_at=end))

    states = [judged(database, window, SETTLED + timedelta(seconds=s)) for s in (85, 91)]

    assert states == [ProofState.RUNNING, ProofState.PROVED]
