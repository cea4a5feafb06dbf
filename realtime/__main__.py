"""`python -m realtime`: the recorder program, with the janitor, the upkeep of the history and the heartbeat beside it."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import cast

import redis

from realtime import settings as settings_module
from realtime.bus import DEAD, READINGS, Bus, connect
from realtime.errors import SettingsError
from realtime.history_upkeep import HistoryUpkeep
from realtime.janitor import Janitor
from realtime.recorder import GROUP, Recorder
from realtime.supervise import Heartbeat, configure_logging, stop_event

BEAT_EVERY_S = 2.0
log = logging.getLogger("recorder")


def beat(bus: Bus, recorder: Recorder, janitor: Janitor, upkeep: HistoryUpkeep, stop: threading.Event) -> None:
    """Tell what the recorder does every 2 s until stopped."""
    heartbeat = Heartbeat(bus, "recorder")
    stored, since = 0, time.monotonic()
    while True:
        counters = recorder.counters
        now = time.monotonic()
        rate = (counters.written.stored - stored) / max(now - since, 1e-9)
        stored, since = counters.written.stored, now
        heartbeat.beat(
            stored=stored,
            duplicate=counters.written.duplicate,
            conflict=counters.written.conflict,
            expired=counters.written.expired,
            rejected=counters.rejected,
            commits=counters.commits,
            rate=round(rate, 1),
            lag_ms=counters.lag_ms,
            bus_fill=round(janitor.fill, 4),
            bus_warning=janitor.warns,
            janitor=janitor.holds_lease,
            trimmed=janitor.trimmed,
            compacted=upkeep.compacted,
            folded=upkeep.folded,
            dropped=upkeep.dropped,
            **backlog(bus),
        )
        if stop.wait(BEAT_EVERY_S):
            return


def backlog(bus: Bus) -> dict[str, int]:
    """Entries delivered but not acknowledged by the group, entries not delivered yet, and dead letters; {} while Redis is away."""
    pending = waiting = 0
    try:
        for stream in READINGS:
            if bus.client.exists(bus.key(stream)):
                for group in bus.client.xinfo_groups(bus.key(stream)):
                    if group["name"] == GROUP.encode():
                        pending += int(group["pending"])
                        waiting += int(group["lag"] or 0)
        return {"pending": pending, "waiting": waiting, "dead": bus.client.xlen(bus.key(DEAD))}
    except redis.RedisError:
        return {}


def until_stopped(stop: threading.Event, duty: Callable[[], None]) -> None:
    """Do a duty; if it ends before it should, the program ends too and is restarted whole."""
    try:
        duty()
    finally:
        stop.set()


def main() -> int:
    """Exit status of the program."""
    configure_logging()
    try:
        settings = settings_module.load()
        settings_module.require(settings, "database_url", "redis_url")
    except SettingsError as error:
        log.critical("cannot start: %s", error)
        return 2
    stop = stop_event()
    database_url = cast("str", settings.database_url)
    bus = Bus(connect(cast("str", settings.redis_url)), settings.bus_prefix, settings.bus_max_mb)
    recorder = Recorder(bus, database_url, stop)
    janitor = Janitor(bus, database_url)
    upkeep = HistoryUpkeep(bus, database_url, lambda: janitor.holds_lease)
    duties = (lambda: janitor.run(stop), lambda: upkeep.run(stop), lambda: beat(bus, recorder, janitor, upkeep, stop))
    beside = [threading.Thread(target=until_stopped, args=(stop, duty)) for duty in duties]
    for thread in beside:
        thread.start()
    log.info("recorder started")
    try:
        recorder.run()
    finally:
        stop.set()
        for thread in beside:
            thread.join()
        recorder.close()
    log.info("recorder stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
