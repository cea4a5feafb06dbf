"""A database of the release before keeps its history through the upgrade, and its days are compacted like hours."""

from __future__ import annotations

import psycopg2
from alembic import command

from realtime import historian
from realtime.closed_hours import close
from realtime.compaction import compact
from realtime.history_rows import Written
from realtime.history_writer import write_batches
from realtime.partitions import DAY_MS, partitions
from server import migrate
from tests.realtime.batches import T0, series
from tests.realtime.test_history_writer import rows

DAY = T0 // DAY_MS * DAY_MS
BEFORE = "0015"


def test_what_was_stored_before_the_tiers_stays(bare_postgres_url: str) -> None:
    config = migrate._config()
    config.attributes["url"] = bare_postgres_url
    command.upgrade(config, BEFORE)
    conn = psycopg2.connect(bare_postgres_url)
    for day, name in ((DAY, "raw_readings_20251120"), (DAY + DAY_MS, "raw_readings_20251121")):
        rows(conn, f"CREATE TABLE {name} PARTITION OF raw_readings FOR VALUES FROM ({day}) TO ({day + DAY_MS})")
    rows(conn, "INSERT INTO raw_readings (t, v, seq, tag, q) SELECT %s + i * 60000, i, 0, 1, 0 FROM generate_series(0, 599) AS i", DAY)
    for table, width in (("rollup_1m", 60_000), ("rollup_1h", 3_600_000)):
        rows(
            conn,
            f"INSERT INTO {table} (t, sum, min, max, m2, tag, n) SELECT t / {width} * {width}, sum(v), min(v), max(v), "
            f"sum(v * v) - sum(v) ^ 2 / count(*), tag, count(*) FROM raw_readings GROUP BY t / {width}, tag",
        )
    conn.commit()

    migrate.upgrade(bare_postgres_url)

    assert len(historian.readings(conn, 1, DAY, DAY + DAY_MS, None, 10_000)) == 600
    whole = historian.trend(conn, 1, DAY, DAY + DAY_MS, 12)
    assert (whole.stats.n, whole.stats.min, whole.stats.max) == (600, 0.0, 599.0)
    ((n, total, m2),) = rows(conn, "SELECT n, sum, round(m2) FROM rollup_1d")
    assert (n, total, m2) == (600, 600 * 299.5, round(600 * (600**2 - 1) / 12))
    with conn.cursor() as cur:
        assert [part.name for part in partitions(cur, "raw_readings")] == ["raw_readings_20251120"]  # the empty day is gone

    written = write_batches(
        conn, [series(1, list(range(5)), DAY, 60_000), series(1, [7.0], DAY + 700 * 60_000), series(1, [1.0], DAY + DAY_MS)]
    )
    conn.commit()
    close(conn, DAY + DAY_MS)
    compact(conn)

    assert written == Written(stored=2, duplicate=5)
    assert len(historian.readings(conn, 1, DAY, DAY + DAY_MS, None, 10_000)) == 601
    assert rows(conn, "SELECT sum(n) FROM reading_chunks") == [(601,)]
    conn.close()
