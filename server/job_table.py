"""Every background job by name: its queue and the dotted function that a worker calls with its arguments and the job's id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobRow:
    """queue: `server` (python -m server.jobs) or `ml` (python -m ml.jobs); takes: arguments the function gets before the job's id."""

    queue: str
    function: str
    takes: tuple[str, ...] = ()


TRAIN = "ml.train"
CHECK_BASELINE = "ml.check_baseline"
REPLAY = "ml.replay"
TUNE = "ml.tune"
LIVES = "ml.lives"

JOBS: dict[str, JobRow] = {
    "report.run": JobRow("server", "server.reports.jobs.run"),
    "report.work_orders": JobRow("server", "server.reports.order_job.work_orders"),
    "audit.verify": JobRow("server", "server.audit_watch.run_job"),
    "tag.read": JobRow("server", "server.read_now.run_job", ("tag",)),
    "readings.export": JobRow("server", "server.reports.reading_job.run"),
    "backup.make": JobRow("server", "server.backup.runs.run_job"),
    CHECK_BASELINE: JobRow("ml", "ml.baseline_check.check_baseline", ("asset", "baseline", "start", "end")),
    TRAIN: JobRow("ml", "ml.training.train_asset", ("asset", "version")),
    REPLAY: JobRow("ml", "ml.replay.replay_asset", ("asset", "start", "end", "proposal")),
    LIVES: JobRow("ml", "ml.lives.tell_lives", ("asset", "lives", "machines", "model")),
    TUNE: JobRow("ml", "ml.tuning.tune_tag", ("asset", "tag", "code", "target", "cases")),
}

SERVER_FUNCTIONS = frozenset(row.function for row in JOBS.values() if row.queue == "server")
