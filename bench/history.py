"""What storing costs beside a plain COPY of the same rows, and whether a trend stays as fast when the table grows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import psycopg2
from psycopg2.extensions import connection

from bench.house import cpu_s, house, machine
from realtime import historian
from realtime.events import Batch
from realtime.history_writer import write_batches
from realtime.pgcopy import copy_rows

T0 = 1_763_596_800_000
ROUNDS = 40
REPEATS = 3
BARE = "CREATE TABLE bare (t bigint, v double precision, seq bigint, tag integer, q smallint)"
KEYED = "CREATE TABLE keyed (t bigint, v double precision, seq bigint, tag integer, q smallint, PRIMARY KEY (tag, t, seq))"


def main() -> None:
    """Print both tables."""
    with house() as services:
        conn = psycopg2.connect(services.database_url)
        with conn, conn.cursor() as cur:
            cur.execute("SET client_min_messages = warning")
            cur.execute(BARE)
            cur.execute(KEYED)
        storing(conn)
        trends(conn)
        conn.close()


def batch_of(number: int, size: int, tags: int) -> Batch:
    """Readings of all tags in turn, a second apart."""
    index = np.arange(size) + number * size
    values = 50 + np.sin(index / 999.0)
    ids = (index % tags + 1).astype(np.uint32)
    zeros = np.zeros(size, np.uint32)
    return Batch(0, T0, "bench", ids, T0 + index // tags * 1000, zeros.astype(np.uint8), zeros, values)


def storing(conn: connection) -> None:
    """Rows a second and microseconds of processor a row, client and server."""
    print("history: storing, rows/s and us of CPU a row (client + server backend); every row with roll-ups 1 min and 1 h and gaps")
    heads = (f"{'rows/commit':>12} {'tags':>6} {'redelivered':>12}", f"{'write_batches':>26}", f"{'COPY, bare table':>26}")
    print(" | ".join((*heads, f"{'COPY, keyed':>12}", "ratio to bare, keyed")))
    for size, tags, again in ((1_000, 1_000, 0.0), (10_000, 1_000, 0.0), (10_000, 5_000, 0.0), (10_000, 1_000, 0.05)):
        runs = [one_run(conn, size, tags, again) for _ in range(REPEATS)]
        ours, bare, keyed = (min(run[i] for run in runs) for i in range(3))
        print(
            f"{size:>12} {tags:>6} {again:>12.0%} | {1e6 / ours[0]:>10,.0f}/s {ours[1]:>5.2f} + {ours[2]:>4.2f} | "
            f"{1e6 / bare[0]:>10,.0f}/s {bare[1]:>5.2f} + {bare[2]:>4.2f} | {1e6 / keyed[0]:>10,.0f}/s | "
            f"{bare[0] / ours[0]:.2f} {keyed[0] / ours[0]:.2f}"
        )
    print(f"  {machine()}; best of {REPEATS} interleaved runs of {ROUNDS} commits\n")


def one_run(conn: connection, size: int, tags: int, again: float) -> list[tuple[float, float, float]]:
    """Microseconds a row: (elapsed, client CPU, server CPU) of ours, of COPY into a bare and into a keyed table."""
    batches = [batch_of(number, size, tags) for number in range(ROUNDS)]
    with conn, conn.cursor() as cur:
        cur.execute("TRUNCATE raw_readings, rollup_1m, rollup_1h, reading_gaps, bare, keyed")

    def ours(number: int) -> None:
        offered = [batches[number]]
        if again and number:
            offered.append(tail(batches[number - 1], int(size * again)))
        write_batches(conn, offered)

    def plain(table: str) -> Callable[[int], None]:
        def copy(number: int) -> None:
            batch = batches[number]
            columns = (batch.t, batch.numbers(), batch.seq.astype(np.int64), batch.ids.astype(np.int32), batch.quality.astype(np.int16))
            with conn.cursor() as cur:
                copy_rows(cur, table, ("t", "v", "seq", "tag", "q"), columns)

        return copy

    return [timed(conn, size, write) for write in (ours, plain("bare"), plain("keyed"))]


def tail(batch: Batch, n: int) -> Batch:
    """The last n readings of a batch, delivered once more."""
    return Batch(0, T0, "bench", batch.ids[-n:], batch.t[-n:], batch.quality[-n:], batch.seq[-n:], batch.numbers()[-n:])


def timed(conn: connection, size: int, write: Callable[[int], None]) -> tuple[float, float, float]:
    """Write ROUNDS batches, a commit each."""
    backend = conn.info.backend_pid
    started, client, server = time.perf_counter(), time.process_time(), cpu_s([backend])
    for number in range(ROUNDS):
        with conn:
            write(number)
    rows = size * ROUNDS
    return tuple(spent / rows * 1e6 for spent in (time.perf_counter() - started, time.process_time() - client, cpu_s([backend]) - server))


def trends(conn: connection) -> None:
    """The same trends over a table of 10^5 and of 10^6 rows."""
    print("history: a trend of one tag at 1,000 points, ms (median of 20)")
    tags = 10
    spans = {"10 min": 600, "1 h": 3600, "2.7 h": 10_000, "27 h": 100_000}
    print(f"{'rows':>12} | " + " | ".join(f"{name:>14}" for name in spans))
    with conn, conn.cursor() as cur:
        cur.execute("TRUNCATE raw_readings, rollup_1m, rollup_1h, reading_gaps")
    rows = 0
    for goal in (100_000, 1_000_000):
        while rows < goal:
            with conn:
                write_batches(conn, [batch_of(rows // 50_000, 50_000, tags)])
            rows += 50_000
        with conn, conn.cursor() as cur:
            cur.execute("ANALYZE raw_readings, rollup_1m, rollup_1h")
        cells = []
        for seconds in spans.values():
            if seconds * tags > rows:
                cells.append(f"{'-':>14}")
                continue
            answers = [measured_trend(conn, T0, T0 + seconds * 1000) for _ in range(20)]
            cells.append(f"{statistics.median(ms for ms, _ in answers):>9.2f} ({answers[0][1]})".rjust(14))
        print(f"{rows:>12,} | " + " | ".join(cells))
    with conn, conn.cursor() as cur:
        cur.execute("SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'raw_readings'::regclass")
        print(f"  {int(cur.fetchone()[0]) / rows:.0f} bytes a raw reading with its index, before any compaction")
    print(f"  {machine()}; {tags} tags, warm cache")


def measured_trend(conn: connection, start: int, end: int) -> tuple[float, str]:
    """Milliseconds and the tier it took."""
    began = time.perf_counter()
    answer = historian.trend(conn, 3, start, end, 1000)
    return (time.perf_counter() - began) * 1000, answer.tier


if __name__ == "__main__":
    main()
