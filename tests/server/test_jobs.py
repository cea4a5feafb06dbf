"""Background jobs: asked for in the database, handed out once, run by the jobs program, nothing else runs there."""

from __future__ import annotations

import csv
import io
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from realtime.bus import Bus
from realtime.job_worker import enqueue
from server.database import Database
from server.errors import Invalid, NotFound
from server.models.jobs import BackgroundJob
from server.store import background, orders
from server.store.orders import NewOrder
from tests.server.small_plant import NOW, SmallPlant
from tests.waiting import wait_for


@pytest.fixture
def jobs_program(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "server.jobs"], env=environment)
    yield process
    process.kill()
    process.wait()


def job_row(database: Database, job_id: int) -> BackgroundJob:
    with database.transaction() as session:
        return session.get_one(BackgroundJob, job_id)


def test_a_report_is_asked_for_run_and_fetched(
    database: Database, plant: SmallPlant, bus: Bus, jobs_program: subprocess.Popen[bytes]
) -> None:
    with database.transaction() as session:
        orders.create_order(session, NewOrder(title="=cmd|'/c calc'!A0", asset_id=plant.pump), plant["manager"], NOW)
        job = background.ask(session, "report.work_orders", {}, plant["manager"], NOW)
    with database.transaction() as session:
        background.hand_out(session, bus)
        background.hand_out(session, bus)

    wait_for(lambda: job_row(database, job.id).state == "done", 40, "the report")

    row = job_row(database, job.id)
    lines = list(csv.DictReader(io.StringIO(row.result["content"])))
    assert [(line["title"], line["asset"], line["status"]) for line in lines] == [("'=cmd|'/c calc'!A0", "M2", "open")]
    assert (row.done, row.total) == (1, 1)
    jobs_program.send_signal(signal.SIGTERM)
    assert jobs_program.wait(timeout=30) == 0


def test_a_function_that_is_not_listed_does_not_run(bus: Bus, jobs_program: subprocess.Popen[bytes], tmp_path: object) -> None:
    enqueue(bus, "server", "os.mkdir", f"{bus.prefix}-evil", f"{tmp_path}/made")

    def failed() -> bool:
        return bool(Job.fetch(f"{bus.prefix}-evil", connection=bus.client, serializer=JSONSerializer).is_failed)

    wait_for(failed, 40, "the refusal")

    assert list(tmp_path.iterdir()) in ([], [tmp_path / "var"])  # type: ignore[attr-defined,operator]


def test_only_listed_jobs_can_be_asked_for_and_only_ones_own_site_sees_them(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        with pytest.raises(Invalid):
            background.ask(session, "rm -rf", {}, plant["manager"], NOW)
        job = background.ask(session, "report.work_orders", {}, plant["manager"], NOW)
        with pytest.raises(NotFound):
            background.get_job(session, job.id, plant["stranger"])
