"""What storing costs beside a plain COPY of the same rows, and whether a trend stays as fast when the table grows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import psycopg2
from psycopg2.extensions import connection

from bench.house import cpu_s, house, machine
from realtime import historian, rollups
from realtime.compaction import merge
from realtime.events import Batch
from realtime.history_rows import Rows
from realtime.history_writer import write_batches
from realtime.pgcopy import copy_rows

T0 = 1_763_596_800_000
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
YEAR, DAY = 1, 2  # tags
SPANS = ((DAY, 1 / 24), (DAY, 0.25), (DAY, 1.0), (YEAR, 30.0), (YEAR, 365.0))
NAMES = ("1 h", "6 h", "1 day", "30 days", "1 year")
SIZES = """
SELECT (SELECT sum(n) FROM reading_chunks),
    (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'reading_chunks'::regclass),
    (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent IN ('rollup_1m'::regclass, 'rollup_1h'::regclass))
"""
GROWN = """
SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0) + pg_total_relation_size('rollup_1d') FROM pg_inherits
WHERE inhparent IN ('reading_chunks'::regclass, 'rollup_1m'::regclass, 'rollup_1h'::regclass)
"""
ROUNDS = 20
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
        tiers(conn)
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
    print("history: storing, rows/s and us of CPU a row (client + server backend); every row with roll-ups and gaps")
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
        cur.execute("TRUNCATE raw_readings, rollup_1m, rollup_1h, rollup_1d, reading_gaps, bare, keyed")

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


def fill(conn: connection, rows: int) -> int:
    """A history of about so many readings in chunks, up to T0, through the product's own compaction code; returns how many.

    Tag YEAR has a reading every 10 s of a year, the others one a second of the days before T0; a random walk with 2 decimals.
    """
    empty(conn)
    rng = np.random.default_rng(1)
    year = np.arange(T0 - 365 * DAY_MS, T0, 10_000 if rows > 10**6 else 1_000_000)
    stored = add(conn, YEAR, year, rng)
    days = max(1, min(7, (rows - stored) // 86_400))
    tag = YEAR
    while stored < rows:
        tag += 1
        step = 1000 if rows > 10**6 else 10_000
        stored += add(conn, tag, np.arange(T0 - days * DAY_MS, T0, step), rng)
    with conn, conn.cursor() as cur:
        cur.execute("UPDATE history_state SET closed_until = %s, chunked_until = %s", (T0, T0))
    conn.autocommit = True
    with conn.cursor() as cur:
        cur.execute("VACUUM ANALYZE reading_chunks, rollup_1m, rollup_1h, rollup_1d")
    conn.autocommit = False
    return stored


def add(conn: connection, tag: int, t: npt.NDArray[np.int64], rng: np.random.Generator) -> int:
    """Readings of a tag, compacted and rolled up."""
    n = len(t)
    v = np.round(50 + np.cumsum(rng.normal(0, 0.05, n)), 2)
    rows = Rows(t, v, np.zeros(n, np.int64), np.full(n, tag, np.int32), np.zeros(n, np.int16))
    with conn, conn.cursor() as cur:
        rollups.ensure_partitions(cur, t)
        merge(cur, rows)
        rollups.add(cur, rows.tag, t, v)
    return n


def empty(conn: connection) -> None:
    """Take all history away."""
    with conn, conn.cursor() as cur:
        cur.execute("TRUNCATE raw_readings, late_readings, reading_chunks, rollup_1m, rollup_1h, rollup_1d, reading_gaps")
        cur.execute("UPDATE history_state SET closed_until = 0, chunked_until = 0, dropped_until = 0")


def tiers(conn: connection) -> None:
    """Bytes a reading, and the same trends over 10^5 and 10^7 readings, beside SQL over as many raw rows."""
    print("history: bytes a reading in chunks, and a trend of one tag at 1,000 points, ms (median of 20)")
    found: dict[int, list[float]] = {}
    for goal in (100_000, 10_000_000):
        began = time.perf_counter()
        rows = fill(conn, goal)
        took = time.perf_counter() - began
        cells = [measured_trend(conn, tag, T0 - int(days * DAY_MS), T0) for tag, days in SPANS]
        found[goal] = [ms for ms, _ in cells]
        shown = " | ".join(f"{name} {ms:6.2f} ({tier})" for (ms, tier), name in zip(cells, NAMES, strict=True))
        print(f"{rows:>12,} readings, made in {took:.0f} s ({rows / took:,.0f}/s): {shown}")
    ratios = [large / small for small, large in zip(*found.values(), strict=True)]
    print(
        "  ratio 10^7 to 10^5: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in zip(NAMES, ratios, strict=True)) + "; goal 2 at most"
    )
    with conn, conn.cursor() as cur:
        cur.execute(SIZES)
        n, size, rolled = cur.fetchone()
    print(f"  {size / n:.2f} bytes a reading after compaction with its index (goal 4 at most); its roll-ups {rolled / n:.2f} beside")
    growth(conn)
    raw_sql(conn)
    print(f"  {machine()}; warm cache")


def growth(conn: connection) -> None:
    """Whether a quarter of a day predicts what the whole day takes: 30 tags at one reading a second, told for 3,000."""
    rng = np.random.default_rng(2)
    sizes: list[float] = []
    for first, last in ((0, 0), (0, 6), (6, 24)):
        if not last:
            empty(conn)
        for tag in range(1, 31 if last else 1):
            add(conn, tag, np.arange(T0 + first * HOUR_MS, T0 + last * HOUR_MS, 1000), rng)
        with conn, conn.cursor() as cur:
            cur.execute(GROWN)
            sizes.append(float(cur.fetchone()[0]))
    predicted, grown = 4 * (sizes[1] - sizes[0]), sizes[2] - sizes[0]
    told = f"predicted {predicted * 100 / 1e6:,.0f} MB, grown {grown * 100 / 1e6:,.0f} MB ({grown / (30 * 86_400):.2f} bytes a reading)"
    print(
        f"  a day of 3,000 tags at 1 reading/s, chunks and roll-ups, from 30 tags: {told}; {predicted / grown - 1:+.1%}, goal within 10 %"
    )


def raw_sql(conn: connection) -> None:
    """What the day costs where its 86,400 rows are read by SQL."""
    empty(conn)
    with conn, conn.cursor() as cur:
        n = 86_400 * 5
        index = np.arange(n)
        columns = (T0 - DAY_MS + index // 5 * 1000, np.sin(index / 999.0), np.zeros(n, np.int64), index % 5 + 1, np.zeros(n, np.int16))
        cur.execute("TRUNCATE keyed")
        types = (np.int64, np.float64, np.int64, np.int32, np.int16)
        copy_rows(cur, "keyed", ("t", "v", "seq", "tag", "q"), [c.astype(kind) for c, kind in zip(columns, types, strict=True)])
        cur.execute("ANALYZE keyed")
        spent = []
        for _ in range(5):
            began = time.perf_counter()
            cur.execute("SELECT t / 86400, min(v), avg(v), max(v), count(*) FROM keyed WHERE tag = 3 GROUP BY 1 ORDER BY 1")
            cur.fetchall()
            spent.append((time.perf_counter() - began) * 1000)
        cur.execute("SELECT pg_total_relation_size('keyed')::float / count(*) FROM keyed")
        size = cur.fetchone()[0]
    print(
        f"  beside: the same day by SQL over its 86,400 raw rows {statistics.median(spent):.1f} ms; {size:.0f} bytes a row with its index"
    )


def measured_trend(conn: connection, tag: int, start: int, end: int) -> tuple[float, str]:
    """Milliseconds, median of 20, and the tier it took."""
    spent = []
    for _ in range(20):
        began = time.perf_counter()
        answer = historian.trend(conn, tag, start, end, 1000)
        spent.append((time.perf_counter() - began) * 1000)
    conn.rollback()
    return statistics.median(spent), answer.tier


if __name__ == "__main__":
    main()
