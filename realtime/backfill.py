"""`python -m realtime.backfill`: writes batches from standard input into the history through the recorder's own code.

For simulated or imported history, which the bus would only carry around. It exits 1 and names the reason when the input or the
database fails; what was committed by then stays, and running it again writes nothing twice.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator
from itertools import chain

import psycopg2
from psycopg2.extensions import connection

from realtime import settings as settings_module
from realtime.batch_pipe import read_batches
from realtime.bus import now_ms
from realtime.closed_hours import closable, close
from realtime.compaction import compact, fold_late
from realtime.errors import DecodeError, SettingsError
from realtime.events import Batch
from realtime.history_rows import Written
from realtime.history_writer import check, write_batches
from realtime.partitions import HOUR_MS, partitions
from realtime.supervise import configure_logging

READINGS_A_COMMIT = 50_000
HOURS_AT_ONCE = 100
LATE_AT_ONCE = 500_000  # readings
log = logging.getLogger("backfill")


def backfill(conn: connection, batches: Iterable[Batch], origin: str, *, simulated: bool) -> Written:
    """Write all batches, a commit for every READINGS_A_COMMIT, and note the import; raises DecodeError and psycopg2.Error."""
    total = Written()
    first: int | None = None
    last = 0
    for group in _groups(batches):
        with conn:
            total += write_batches(conn, group)
        _compact_behind(conn, int(group[-1].t.min()))
        first = min(chain([] if first is None else [first], (int(batch.t.min()) for batch in group)))
        last = max(last, *(int(batch.t.max()) for batch in group))
    if first is not None:
        with conn, conn.cursor() as cur:
            cur.execute(
                "INSERT INTO history_imports (origin, simulated, started, ended, readings) VALUES (%s, %s, %s, %s, %s)",
                (origin, simulated, first, last, total.stored),
            )
            cur.execute("ANALYZE raw_readings, rollup_1m, rollup_1h, rollup_1d")  # at once: the first trends must not wait for autovacuum
    return total


def _compact_behind(conn: connection, reached: int) -> None:
    """A long past would leave a partition for every hour of it: what an import in order of time has passed is compacted on the way."""
    with conn, conn.cursor() as cur:
        hours = len(partitions(cur, "raw_readings"))
        cur.execute("SELECT count(*) >= %s FROM (SELECT 1 FROM late_readings LIMIT %s) AS late", (LATE_AT_ONCE, LATE_AT_ONCE))
        (many_late,) = cur.fetchone() or (False,)
    if hours > HOURS_AT_ONCE:
        close(conn, min(closable(now_ms()), reached // HOUR_MS * HOUR_MS - HOUR_MS))
        compact(conn)
    if many_late:
        fold_late(conn)


def _groups(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    group: list[Batch] = []
    for batch in batches:
        check(batch)
        if len(batch):
            group.append(batch)
        if sum(map(len, group)) >= READINGS_A_COMMIT:
            yield group
            group = []
    if group:
        yield group


def main() -> int:
    """Exit status of the program."""
    parser = argparse.ArgumentParser(prog="python -m realtime.backfill", description=__doc__)
    parser.add_argument("--origin", default="simulator", help="who made the readings, kept in history_imports")
    parser.add_argument("--measured", action="store_true", help="the readings are real; without it they are marked simulated")
    arguments = parser.parse_args()
    configure_logging()
    try:
        settings = settings_module.load()
        settings_module.require(settings, "database_url")
        conn = psycopg2.connect(settings.database_url)
    except (SettingsError, psycopg2.OperationalError) as error:
        log.critical("cannot start: %s", error)
        return 1
    try:
        written = backfill(conn, read_batches(sys.stdin.buffer), arguments.origin, simulated=not arguments.measured)
    except (DecodeError, psycopg2.Error) as error:
        log.critical("stopped: %s", error)
        return 1
    finally:
        conn.close()
    log.info("%d readings stored, %d were there already, %d conflicts", written.stored, written.duplicate, written.conflict)
    return 0


if __name__ == "__main__":
    sys.exit(main())
