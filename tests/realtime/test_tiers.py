"""What is old enough goes, tier by tier, but for what a tag, an alert or a calibration keeps; trends take what is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import psycopg2
import pytest
from psycopg2.extensions import connection

from realtime import historian
from realtime.bus import Bus, now_ms
from realtime.closed_hours import close
from realtime.compaction import compact, fold_late
from realtime.events import Frame
from realtime.history_rows import Written
from realtime.history_upkeep import HistoryUpkeep
from realtime.history_writer import write_batches
from realtime.keep_spans import Keep, keep
from realtime.partitions import DAY_MS, HOUR_MS, partitions
from realtime.retention import retain
from realtime.rollups import MINUTE_MS
from realtime.snapshot import Snapshot, Tag
from tests.realtime.batches import GOOD, T0, Row, batch_of, pictures, series
from tests.realtime.test_compaction import empty
from tests.realtime.test_historian import rows_read
from tests.realtime.test_history_writer import rows

NOW = T0 // DAY_MS * DAY_MS + 20 * HOUR_MS
DAYS = 1000
PROBES = 60  # rows that only say which tier it is


@pytest.fixture(scope="module")
def module_conn(postgres_url: str) -> Iterator[connection]:
    conn = psycopg2.connect(postgres_url)
    yield conn
    conn.close()


@pytest.fixture
def conn(module_conn: connection) -> connection:
    empty(module_conn)
    rows(module_conn, "TRUNCATE history_keeps")
    module_conn.commit()
    return module_conn


def past(days: int, tags: tuple[int, ...] = (1,), step_ms: int = 12 * HOUR_MS) -> list[Row]:
    """Readings of tags up to NOW; the value is the number of the reading."""
    times = range(NOW - days * DAY_MS, NOW, step_ms)
    return [(tag, t, float(i), GOOD, 0) for tag in tags for i, t in enumerate(times)]


def store(conn: connection, readings: list[Row]) -> None:
    """Write them and compact every hour but the last two."""
    write_batches(conn, [batch_of(readings)])
    conn.commit()
    close(conn, NOW - 2 * HOUR_MS)
    compact(conn)
    fold_late(conn)


def days_held(conn: connection, tag: int, table: str) -> float:
    """How far back a table goes for a tag, in days."""
    (oldest,) = rows(conn, f"SELECT min(t) FROM {table} WHERE tag = %s", tag)[0]
    return float((NOW - oldest) / DAY_MS)


def test_each_tier_keeps_its_days_by_dropping_partitions(conn: connection) -> None:
    readings = [(1, NOW - int(days * DAY_MS), 1.0, GOOD, 0) for days in (0.01, 1, 3, 6, 8, 20, 60, 120, 400, 900)]
    store(conn, readings)

    assert retain(conn, {}, NOW) > 0

    assert days_held(conn, 1, "reading_chunks") <= 7
    assert 60 <= days_held(conn, 1, "rollup_1m") <= 90 + 7
    assert 400 <= days_held(conn, 1, "rollup_1h") <= 730 + 90
    assert days_held(conn, 1, "rollup_1d") >= 900
    with conn.cursor() as cur:
        assert all(part.end > NOW - 8 * DAY_MS for part in partitions(cur, "reading_chunks"))
        assert all(part.end > NOW - 91 * DAY_MS for part in partitions(cur, "rollup_1m"))
    assert retain(conn, {}, NOW) == 0


def test_a_tag_has_its_own_days(conn: connection) -> None:
    store(conn, past(30, (1, 2, 3)))

    retain(conn, {2: {"raw": 20, "1m": 5}, 3: {"raw": 2}}, NOW)

    held = {tag: round(days_held(conn, tag, "reading_chunks")) for tag in (1, 2, 3)}
    assert (held[1], held[2]) == (7, 20)
    assert held[3] <= 3
    assert (round(days_held(conn, 1, "rollup_1m")), days_held(conn, 2, "rollup_1m") < 13) == (30, True)


def test_readings_around_an_alert_stay(conn: connection) -> None:
    raised = NOW - 12 * DAY_MS
    store(conn, [(tag, raised + n * HOUR_MS // 4, 1.0, GOOD, 0) for tag in (1, 2) for n in range(-16, 24)] + past(3, (1, 2)))
    with conn:
        assert keep(conn, [Keep(1, raised - HOUR_MS, raised + HOUR_MS, "alert 1")]) == 1
        assert keep(conn, [Keep(1, raised - HOUR_MS, raised + HOUR_MS, "alert 1")]) == 0
        assert keep(conn, [Keep(1, raised, raised + 2 * HOUR_MS, "alert 1")]) == 1

    retain(conn, {}, NOW)

    around = historian.readings(conn, 1, raised - DAY_MS, raised + DAY_MS, None, 1000)
    assert [around[0][0], around[-1][0]] == [raised - HOUR_MS, raised + 2 * HOUR_MS - HOUR_MS // 4]
    assert historian.readings(conn, 2, raised - DAY_MS, raised + DAY_MS, None, 1000) == []
    assert historian.trend(conn, 1, raised, raised + HOUR_MS, 100).tier == "raw"
    assert historian.trend(conn, 1, raised - 3 * HOUR_MS, raised + HOUR_MS, 300).tier == "1m"


def test_the_last_word_of_a_silent_tag_stays(conn: connection) -> None:
    store(conn, [*past(30), (2, NOW - 20 * DAY_MS, 4.0, GOOD, 0), (2, NOW - 21 * DAY_MS, 3.0, GOOD, 0)])

    retain(conn, {}, NOW)

    assert historian.latest(conn, [2]) == {2: (NOW - 20 * DAY_MS, 4.0, GOOD)}
    assert rows(conn, "SELECT count(*) FROM reading_chunks WHERE tag = 2") == [(1,)]


def test_what_comes_again_after_its_readings_are_dropped_is_not_counted_twice(conn: connection) -> None:
    readings = past(10)
    store(conn, readings)
    retain(conn, {}, NOW)
    before = rows(conn, "SELECT sum(n) FROM rollup_1h")

    again = write_batches(conn, [batch_of(readings[:5])])
    other = write_batches(conn, [batch_of([(9, t, v, q, seq) for _, t, v, q, seq in readings[:5]])])

    assert again == Written(expired=5)
    assert other == Written(stored=5)
    assert rows(conn, "SELECT sum(n) FROM rollup_1h WHERE tag = 1") == before
    conn.rollback()


def test_pictures_are_thinned_to_one_a_minute_but_around_alerts(conn: connection) -> None:
    frame = Frame((1, 2), "i2", 1.0, 0.0, "°C", bytes(4))
    old = NOW // DAY_MS * DAY_MS - 2 * DAY_MS
    write_batches(conn, [pictures(5, [frame] * 300, old), pictures(5, [frame] * 300, NOW - 600_000)])
    with conn:
        keep(conn, [Keep(5, old + 2 * MINUTE_MS, old + 3 * MINUTE_MS, "alert 2")])

    retain(conn, {}, NOW)

    taken = [t for t, *_ in historian.frames(conn, 5, old, old + DAY_MS, 5000)]
    assert taken == [old, old + MINUTE_MS, *range(old + 2 * MINUTE_MS, old + 3 * MINUTE_MS, 1000), old + 3 * MINUTE_MS, old + 4 * MINUTE_MS]
    assert len(historian.frames(conn, 5, NOW - DAY_MS // 2, NOW, 5000)) == 300
    assert retain(conn, {}, NOW) == 0


def test_a_late_reading_finds_its_replaced_partition(conn: connection) -> None:
    store(conn, past(12, (1, 2)))
    retain(conn, {2: {"raw": 365, "1m": 365, "1h": 3650}}, NOW)

    written = write_batches(conn, [batch_of([(2, NOW - 11 * DAY_MS + 5, 1.0, GOOD, 0), (2, NOW - 11 * DAY_MS, 0.5, GOOD, 0)])])
    conn.commit()
    fold_late(conn)

    assert written == Written(stored=1, conflict=1)
    assert len(historian.readings(conn, 2, NOW - 11 * DAY_MS, NOW - 11 * DAY_MS + HOUR_MS, None, 9)) == 2


@pytest.fixture(scope="module")
def long_past(module_conn: connection) -> connection:
    """Tag 1: readings for 1,000 days, every ten minutes of the last ten, compacted and retained; tag 2: a day at 1 Hz before NOW."""
    empty(module_conn)
    rows(module_conn, "TRUNCATE history_keeps")
    close(module_conn, NOW - 2 * HOUR_MS)
    for first, last, step in ((DAYS, 100, 10 * DAY_MS), (100, 10, 12 * HOUR_MS), (10, 0, 600_000)):
        t = range(NOW - first * DAY_MS, NOW - last * DAY_MS, step)
        write_batches(module_conn, [batch_of([(1, one, 20.0 + (one // DAY_MS) % 7, GOOD, 0) for one in t])])
        module_conn.commit()
    write_batches(module_conn, [series(2, np.round(np.sin(np.arange(86_400) / 900), 2).tolist(), NOW - DAY_MS)])
    write_batches(module_conn, [batch_of([(1, NOW - 300 * DAY_MS + 7, 999.0, GOOD, 0)])])
    module_conn.commit()
    compact(module_conn)
    fold_late(module_conn)
    retain(module_conn, {}, NOW)
    rows(module_conn, "ANALYZE")
    module_conn.commit()
    return module_conn


@pytest.mark.parametrize(
    ("tag", "days", "ended_days_ago", "points", "tier"),
    [
        (2, 1 / 24, 0.5, 1000, "raw"),
        (2, 5 / 24, 0.5, 1000, "raw"),
        (2, 1, 0, 1000, "1m"),
        (1, 5, 1, 1000, "raw"),
        (1, 20, 0, 1000, "1h"),
        (1, 365, 0, 1000, "1d"),
        (1, 365, 0, 5000, "1h"),
        (1, 1, 50, 1000, "1m"),
        (1, 1, 199.5, 1000, "1h"),
        (1, 2, 899, 1000, "1d"),
        (1, 1000, 0, 1000, "1d"),
    ],
)
def test_a_trend_of_any_span_reads_two_rows_a_point_at_most(
    long_past: connection, tag: int, days: float, ended_days_ago: float, points: int, tier: str
) -> None:
    end = NOW - int(ended_days_ago * DAY_MS)
    before = rows_read(long_past)
    answer = historian.trend(long_past, tag, end - int(days * DAY_MS), end, points)

    assert answer.tier == tier
    assert 0 < len(answer.points) <= points
    assert rows_read(long_past) - before <= 2 * points + PROBES


def test_a_year_keeps_its_peak_and_never_reads_a_reading(long_past: connection) -> None:
    before = rows_read(long_past, "raw_readings|late_readings|reading_chunks")
    answer = historian.trend(long_past, 1, NOW - 365 * DAY_MS, NOW, 1000)

    assert rows_read(long_past, "raw_readings|late_readings|reading_chunks") == before
    assert max(point[3] for point in answer.points) == answer.stats.max == 999.0
    assert answer.stats.n > 10 * 144


def test_a_round_of_upkeep_does_all_of_it(conn: connection, postgres_url: str, bus: Bus) -> None:
    now = now_ms()
    start = now // HOUR_MS * HOUR_MS - 9 * DAY_MS
    write_batches(conn, [series(tag, list(range(9)), start, DAY_MS) for tag in (1, 2)])
    conn.commit()
    upkeep = HistoryUpkeep(bus, postgres_url, lambda: True)

    upkeep.round(threading.Event())
    assert (upkeep.compacted, upkeep.dropped) == (2 * 9, 0)  # nothing is published yet: which tags stay is not known

    bus.publish_config(Snapshot(version=1, tags=[Tag(id=2, name="T2", asset=1, shard=1, unit="", keep={"raw": 30})]))
    upkeep.round(threading.Event())

    assert upkeep.dropped > 0
    assert len(historian.readings(conn, 2, start, now, None, 1000)) == 9
    assert len(historian.readings(conn, 1, start, now, None, 1000)) <= 8
    conn.rollback()
