"""The jobs program: `python -m server.jobs` runs what stands in server/job_table.py for the queue `server`."""

from __future__ import annotations

from realtime import settings as settings_module
from realtime.job_worker import serve
from realtime.supervise import configure_logging
from server.job_table import SERVER_FUNCTIONS


def main() -> None:
    """Until SIGTERM or SIGINT."""
    configure_logging()
    settings = settings_module.load()
    settings_module.require(settings, "database_url", "redis_url")
    serve(settings, "jobs", "server", SERVER_FUNCTIONS)


if __name__ == "__main__":
    main()
