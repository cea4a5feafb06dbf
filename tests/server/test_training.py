"""Training as a job: asked for in the database, run by `python -m ml.jobs`, ended by the worker with a version or a reason."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import psycopg2
import pytest
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy import func, select

from ml.jobs import JOBS as ML_FUNCTIONS
from realtime.bus import SIGNALS, Bus, now_ms
from realtime.events import Batch, Signal, SignalName
from realtime.history_writer import write_batches
from server.database import Database
from server.errors import Forbidden
from server.job_table import JOBS, TRAIN
from server.models.audit import AuditLog
from server.models.jobs import BackgroundJob
from server.models.ml import Baseline, MLModelVersion
from server.models.plant import Asset, Tag
from server.signals import fold_signal
from server.store import background, snapshot, training
from server.timestamps import from_ms, utc_now
from tests.server.small_plant import NOW, NOW_MS, SmallPlant
from tests.waiting import wait_for

DESCRIPTION = {
    "feature_set": "ten-1",
    "windows": 120,
    "contamination": 0.05,
    "limit": float("nan"),
    "detectors": ["drift", "forest"],
    "left_out_alarm_rate": 0.01,
}


def ask(database: Database, plant: SmallPlant, who: str = "manager", at: datetime = NOW) -> BackgroundJob:
    with database.transaction() as session:
        return training.ask(session, session.get_one(Asset, plant.pump), plant[who], at)


def tell(database: Database, job: BackgroundJob, t: int = NOW_MS, **data: Any) -> None:
    report = {"job": job.id, "total": 1, "asset": job.args["asset"], "version": job.args["version"], **data}
    with database.transaction() as session:
        fold_signal(session, Signal(SignalName.JOB_PROGRESS, t, report), NOW, 60.0)


def state_of(database: Database, job: BackgroundJob) -> tuple[str, str]:
    with database.transaction() as session:
        row = session.get_one(BackgroundJob, job.id)
        return row.state, row.message


def versions(database: Database) -> list[MLModelVersion]:
    with database.transaction() as session:
        return list(session.scalars(select(MLModelVersion).order_by(MLModelVersion.version)))


def test_every_job_of_queue_ml_is_one_that_its_worker_runs() -> None:
    assert {row.function for row in JOBS.values() if row.queue == "ml"} == ML_FUNCTIONS


def test_a_finished_training_is_one_audited_version_however_often_it_is_told(database: Database, plant: SmallPlant) -> None:
    job = ask(database, plant)
    tell(database, job, done=0, message="training")
    assert state_of(database, job) == ("running", "training")

    for _ in range(2):
        tell(database, job, NOW_MS + 5000, done=1, message="trained", model=DESCRIPTION)
    tell(database, job, done=0, message="training")  # redelivered late

    assert state_of(database, job) == ("done", "trained")
    (version,) = versions(database)
    assert (version.asset_id, version.version, version.trained_by) == (plant.pump, 1, plant["manager"].name)
    assert (version.trained_at, version.windows, version.contamination) == (from_ms(NOW_MS + 5000), 120, 0.05)
    assert (version.feature_set, version.detector, version.active) == ("ten-1", "drift+forest", False)
    assert version.metrics == {"detectors": ["drift", "forest"], "limit": None, "left_out_alarm_rate": 0.01}
    with database.transaction() as session:
        (entry,) = session.scalars(select(AuditLog).where(AuditLog.thing == "ml_model_version"))
        assert (entry.action, entry.thing_id, entry.new["by"]) == ("train", version.id, plant["manager"].name)


def test_a_refused_training_fails_with_the_reason_and_leaves_no_version(database: Database, plant: SmallPlant) -> None:
    job = ask(database, plant)

    tell(database, job, done=1, message="too little", model={"refused": "12 readings of the least-read tag; 30 are needed"})

    assert state_of(database, job) == ("failed", "12 readings of the least-read tag; 30 are needed")
    assert versions(database) == []


def test_one_training_of_an_asset_is_under_way_at_a_time_and_each_has_its_own_version(database: Database, plant: SmallPlant) -> None:
    first, same = ask(database, plant), ask(database, plant)
    tell(database, first, done=1, message="trained", model=DESCRIPTION)
    second = ask(database, plant)
    tell(database, second, done=1, message="trained", model=DESCRIPTION)

    assert (first.id, first.args["version"], second.args["version"]) == (same.id, 1, 2)
    assert [row.version for row in versions(database)] == [1, 2]
    with pytest.raises(Forbidden):
        ask(database, plant, "viewer")


def test_a_training_whose_end_was_lost_holds_up_no_other(database: Database, plant: SmallPlant) -> None:
    lost = ask(database, plant)

    again = ask(database, plant, at=NOW + timedelta(hours=23))
    other = ask(database, plant, at=NOW + timedelta(hours=25))

    assert (again.id, other.args["version"]) == (lost.id, 2)


def test_a_waiting_training_is_in_queue_ml_once_and_does_not_wait_behind_another_queue(
    database: Database, plant: SmallPlant, bus: Bus
) -> None:
    with database.transaction() as session:
        for _ in range(60):
            background.ask(session, "report.work_orders", {}, plant["manager"], NOW)
    job = ask(database, plant)

    for _ in range(2):
        with database.transaction() as session:
            background.hand_out(session, bus)

    (call_id,) = bus.client.lrange(f"rq:queue:{bus.prefix}.ml", 0, -1)  # type: ignore[misc]
    call = Job.fetch(call_id.decode(), connection=bus.client, serializer=JSONSerializer)
    assert (call.func_name, list(call.args)) == (JOBS[TRAIN].function, [plant.pump, 1, job.id])


@pytest.fixture
def programs(environment: dict[str, str]) -> Iterator[None]:
    modules = ("server.worker", "ml.jobs")
    running = [subprocess.Popen([sys.executable, "-m", module], env=environment) for module in modules]
    yield
    for process in running:
        process.terminate()
    for process in running:
        process.wait(15)


def with_a_past(database: Database, plant: SmallPlant) -> None:
    """An hour of healthy readings of the pump, confirmed as its baseline."""
    end = now_ms() - 60_000
    t = np.arange(end - 3_600_000, end, 1000, dtype=np.int64)
    noise = np.random.default_rng(3)
    connection = psycopg2.connect(database.url)
    with database.transaction() as session:
        tags = list(session.scalars(select(Tag.id).where(Tag.asset_id == plant.pump)))
        session.add(
            Baseline(
                asset_id=plant.pump,
                starts_at=from_ms(end) - timedelta(hours=1),
                ends_at=from_ms(end),
                confirmed=True,
                confirmed_by="test",
                confirmed_at=NOW,
            )
        )
    for tag in tags:
        ids, seq, quality = np.full(len(t), tag, np.uint32), np.zeros(len(t), np.uint32), np.zeros(len(t), np.uint8)
        values = 3.0 + noise.normal(0, 0.1, len(t))
        write_batches(connection, [Batch(plant.pump % 8, end, "test", ids, t, quality, seq, values)])
    connection.commit()
    connection.close()


def publish(database: Database, bus: Bus) -> None:
    with database.transaction() as session:
        snapshot.bump(session, utc_now())
    with database.transaction() as session:
        bus.publish_config(snapshot.build(session, utc_now()))


def test_training_that_a_person_asked_for_ends_with_a_kept_model(database: Database, plant: SmallPlant, bus: Bus, programs: None) -> None:
    with_a_past(database, plant)
    publish(database, bus)

    job = ask(database, plant)
    wait_for(lambda: state_of(database, job)[0] in {"done", "failed"}, 90, "the training")

    assert state_of(database, job) == ("done", "trained")
    (version,) = versions(database)
    assert version.windows > 30
    assert (version.contamination, version.active, version.metrics["provisional"]) == (0.05, False, False)
    connection = psycopg2.connect(database.url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM ml_model_artefacts WHERE asset = %s", (plant.pump,))
        assert cursor.fetchall() == [(1,)]
    connection.close()

    told = list(bus.client.xrange(bus.key(SIGNALS)))  # type: ignore[arg-type]
    last = [bus.client.xadd(bus.key(SIGNALS), fields) for _, fields in told][-1]
    wait_for(lambda: is_folded(bus, last), 20, "the second delivery")
    assert [row.id for row in versions(database)] == [version.id]
    with database.transaction() as session:
        assert session.scalar(select(func.count(AuditLog.id)).where(AuditLog.thing == "ml_model_version")) == 1


def is_folded(bus: Bus, entry: bytes) -> bool:
    (group,) = bus.client.xinfo_groups(bus.key(SIGNALS))  # type: ignore[misc]
    return bool(group["pending"] == 0 and group["last-delivered-id"] == entry)


def test_training_without_history_fails_with_the_number_and_a_crashed_one_with_its_error(
    database: Database, plant: SmallPlant, bus: Bus, programs: None
) -> None:
    publish(database, bus)
    job = ask(database, plant)
    with database.transaction() as session:
        crash = background.ask(session, TRAIN, {"asset": [plant.pump], "version": 1}, plant["manager"], NOW)

    wait_for(lambda: {state_of(database, one)[0] for one in (job, crash)} == {"failed"}, 90, "both failures")

    assert "are needed" in state_of(database, job)[1]
    assert state_of(database, crash)[1] == "TypeError: unhashable type: 'list'"
    assert versions(database) == []
