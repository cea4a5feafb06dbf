"""The rq worker of queue `ml` as a program: runs what stands in its table, refuses the rest, stops when told."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from realtime.bus import Bus
from realtime.job_worker import queue_name
from tests.ml.plant import snapshot, tag
from tests.waiting import wait_for


@pytest.fixture
def worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "ml.jobs"], env=environment)
    yield process
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


def outcome(job: Job) -> str:
    return str(job.get_status(refresh=True).value)


def test_worker_runs_listed_jobs_and_refuses_others(bus: Bus, worker: subprocess.Popen[bytes]) -> None:
    assert worker.poll() is None
    bus.publish_config(snapshot(tag(11)))
    queue = Queue(queue_name(bus.prefix, "ml"), connection=bus.client, serializer=JSONSerializer)

    refused = queue.enqueue("os.getpid")
    unknown_asset = queue.enqueue("ml.training.train_asset", 99, 1)
    wait_for(lambda: outcome(unknown_asset) == "finished", 60, "the listed job")

    assert outcome(refused) == "failed"
    assert "not in the published plant snapshot" in unknown_asset.latest_result().return_value["refused"]
