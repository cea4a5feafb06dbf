"""`python -m ml`: the monitor. Start as many as you like; they share the shards."""

from __future__ import annotations

import logging
import sys

from ml.monitor import Monitor
from realtime import settings as settings_module
from realtime.bus import Bus, connect
from realtime.errors import SettingsError
from realtime.supervise import configure_logging, stop_event


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    configure_logging()
    stop = stop_event()
    try:
        settings = settings_module.load()
        settings_module.require(settings, "redis_url", "database_url")
        bus = Bus(connect(str(settings.redis_url)), settings.bus_prefix, settings.bus_max_mb)
        monitor = Monitor(settings, bus, stop)
    except SettingsError as error:
        logging.getLogger("ml").error("%s", error)  # noqa: TRY400 - the reason is the message
        return 2
    monitor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
