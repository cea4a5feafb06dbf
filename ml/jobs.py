"""`python -m ml.jobs`: runs what stands in JOBS for the queue `ml`: trainings, replays and what else a person asked for."""

from __future__ import annotations

import logging
import sys

from realtime import settings as settings_module
from realtime.errors import SettingsError
from realtime.job_worker import serve
from realtime.supervise import configure_logging

QUEUE = "ml"
# What may run here, by dotted name: whoever reaches Redis could queue any name.
JOBS = frozenset(
    {
        "ml.training.train_asset",
        "ml.baseline_check.check_baseline",
        "ml.replay.replay_asset",
        "ml.tuning.tune_tag",
        "ml.lives.tell_lives",
    }
)

log = logging.getLogger("ml.jobs")


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    configure_logging()
    try:
        settings = settings_module.load()
        settings_module.require(settings, "redis_url", "database_url")
    except SettingsError as error:
        log.error("%s", error)  # noqa: TRY400 - the reason is the message
        return 2
    serve(settings, "ml.jobs", QUEUE, JOBS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
