"""Closed hours become chunks and nothing is lost or doubled: late, repeated, killed, beside writers and readers."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg2
import psycopg2.errors
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection

from realtime import historian
from realtime.closed_hours import close
from realtime.compaction import compact, fold_late
from realtime.history_rows import Written
from realtime.history_writer import write_batches
from realtime.partitions import DAY_MS, HOUR_MS, Partition, attach, partitions
from tests.realtime.batches import COMM, GOOD, T0, UNCERTAIN, Row, batch_of, series
from tests.realtime.test_history_writer import assert_gaps, assert_rollups, rows
from tests.waiting import wait_for

TABLES = "raw_readings, late_readings, reading_chunks, text_readings, frames, rollup_1m, rollup_1h, rollup_1d, reading_gaps"
HOUR = T0 // HOUR_MS * HOUR_MS
END = HOUR + 30 * HOUR_MS


@pytest.fixture(scope="module")
def module_conn(postgres_url: str) -> Iterator[connection]:
    conn = psycopg2.connect(postgres_url)
    yield conn
    conn.close()


def empty(conn: connection) -> None:
    conn.rollback()
    rows(conn, f"TRUNCATE {TABLES}")
    rows(conn, "UPDATE history_state SET closed_until = 0, chunked_until = 0, dropped_until = 0")
    conn.commit()


@pytest.fixture
def conn(module_conn: connection) -> connection:
    """A connection to an empty history that nothing was closed in."""
    empty(module_conn)
    return module_conn


def counts(conn: connection) -> tuple[int, int, int]:
    """Rows in the hot table, late rows, readings in chunks."""
    return rows(
        conn,
        "SELECT (SELECT count(*) FROM raw_readings), (SELECT count(*) FROM late_readings), "
        "(SELECT coalesce(sum(n), 0) FROM reading_chunks)",
    )[0]


def everything(conn: connection, tag: int) -> list[tuple[int, float | None, int]]:
    return historian.readings(conn, tag, 0, 2**62, None, 10**6)


def test_a_closed_hour_becomes_one_chunk_a_tag_and_its_partition_goes(conn: connection) -> None:
    values = np.round(np.linspace(1, 9, 7200), 2).tolist()
    write_batches(conn, [series(1, values, HOUR), series(2, values, HOUR)])
    conn.commit()
    before = everything(conn, 1)

    close(conn, HOUR + HOUR_MS)
    assert compact(conn) == 2 * 3600

    assert counts(conn) == (2 * 3600, 0, 2 * 3600)
    assert rows(conn, "SELECT tag, t, n FROM reading_chunks ORDER BY tag") == [(1, HOUR, 3600), (2, HOUR, 3600)]
    with conn.cursor() as cur:
        assert min(part.start for part in partitions(cur, "raw_readings")) == HOUR + HOUR_MS
    assert everything(conn, 1) == before


def test_pages_over_chunks_late_and_hot_rows_follow_each_other(conn: connection) -> None:
    write_batches(conn, [series(1, list(range(400)), HOUR, 30_000)])
    close(conn, HOUR + 2 * HOUR_MS)
    compact(conn)
    write_batches(conn, [series(1, [-1.0] * 50, HOUR + 15_000, 60_000)])
    conn.commit()

    pages, after = [], None
    while page := historian.readings(conn, 1, HOUR + 30_000, END, after, 37):
        pages += page
        after = page[-1][0]

    assert len(pages) == len({t for t, _, _ in pages}) == 399 + 49
    assert [t for t, _, _ in pages] == sorted(t for t, _, _ in pages)


@pytest.mark.parametrize("folded", [False, True])
def test_a_late_reading_is_checked_against_its_chunk(conn: connection, folded: bool) -> None:
    write_batches(conn, [series(1, [1.0, 2.0, 3.0], HOUR)])
    close(conn, HOUR + HOUR_MS)
    compact(conn)

    late = [(1, HOUR, 1.0, GOOD, 0), (1, HOUR + 1000, 9.0, GOOD, 0), (1, HOUR + 1500, 5.0, GOOD, 0), (1, HOUR, 4.0, GOOD, 7)]
    written = write_batches(conn, [batch_of(late)])
    conn.commit()
    if folded:
        assert fold_late(conn) == 2
    written += write_batches(conn, [batch_of(late)])
    conn.commit()

    assert written == Written(stored=2, duplicate=1 + 3, conflict=2)
    assert [v for _, v, _ in everything(conn, 1)] == [1.0, 4.0, 2.0, 5.0, 3.0]
    assert rows(conn, "SELECT n, sum FROM rollup_1h") == [(5, 15.0)]
    assert counts(conn) == ((0, 0, 5) if folded else (0, 2, 3))


def test_a_late_reading_of_an_hour_that_is_closed_but_not_compacted_is_checked_too(conn: connection) -> None:
    write_batches(conn, [series(1, [1.0, 2.0], HOUR)])
    close(conn, HOUR + HOUR_MS)

    written = write_batches(conn, [series(1, [1.0, 7.0, 3.0], HOUR)])
    conn.commit()
    compact(conn)
    fold_late(conn)

    assert written == Written(1, 1, 1)
    assert [v for _, v, _ in everything(conn, 1)] == [1.0, 2.0, 3.0]
    assert counts(conn) == (0, 0, 3)


def test_days_of_an_older_release_are_compacted_whole(conn: connection) -> None:
    day = HOUR // DAY_MS * DAY_MS + 40 * DAY_MS
    with conn.cursor() as cur:
        attach(cur, "raw_readings", Partition("raw_readings_old", day, day + DAY_MS))
    write_batches(conn, [series(1, list(range(48)), day, 1_800_000)])
    close(conn, day + 5 * HOUR_MS)
    assert compact(conn) == 0

    close(conn, day + DAY_MS)
    assert compact(conn) == 48

    assert counts(conn) == (0, 0, 48)
    assert [v for _, v, _ in everything(conn, 1)] == list(range(48))


def test_the_newest_values_are_found_in_chunks(conn: connection) -> None:
    write_batches(conn, [series(1, [1.0, 2.0], HOUR), series(2, [5.0], HOUR), series(2, [float("nan")], HOUR + 5000, quality=COMM)])
    close(conn, HOUR + HOUR_MS)
    compact(conn)
    write_batches(conn, [batch_of([(1, HOUR + 500, 9.0, GOOD, 0)])])

    assert historian.latest(conn, [1, 2, 3]) == {1: (HOUR + 1000, 2.0, GOOD), 2: (HOUR + 5000, None, COMM)}
    assert historian.last_good(conn, [2, 3]) == {2: (HOUR, 5.0)}
    assert historian.span_stats(conn, 1, HOUR, HOUR + 3000).n_good == 3
    conn.rollback()


def test_a_long_reader_puts_a_compaction_off_and_nothing_has_changed(conn: connection, postgres_url: str) -> None:
    write_batches(conn, [series(1, [1.0], HOUR)])
    close(conn, HOUR + HOUR_MS)
    reader = psycopg2.connect(postgres_url)
    rows(reader, "SELECT count(*) FROM raw_readings")

    with pytest.raises(psycopg2.errors.LockNotAvailable):
        compact(conn)
    assert counts(conn) == (1, 0, 0)
    conn.rollback()
    reader.close()

    assert compact(conn) == 1


def test_writers_and_readers_beside_upkeep_lose_and_double_nothing(conn: connection, postgres_url: str) -> None:
    done = threading.Event()
    wrong: list[Any] = []
    write_batches(conn, [series(1, [0.0] * 100, HOUR, 36_000)])
    conn.commit()

    def write() -> None:
        own = psycopg2.connect(postgres_url)
        for i in range(60):  # each twice, over four hours that are being closed
            batch = batch_of([(2, HOUR + (i * 7 + n) % 240 * 60_000, float(n), GOOD, i) for n in range(40)])
            for _ in range(2):
                with own:
                    write_batches(own, [batch])
        own.close()
        done.set()

    def read() -> None:
        own = psycopg2.connect(postgres_url)
        own.autocommit = True
        while not done.is_set():
            if len(found := historian.readings(own, 1, HOUR, END, None, 1000)) != 100:
                wrong.append(len(found))
        own.close()

    beside = [threading.Thread(target=write), threading.Thread(target=read)]
    for thread in beside:
        thread.start()
    hours = 0
    while not done.is_set():
        hours = min(hours + 1, 4)
        close(conn, HOUR + hours * HOUR_MS)
        try:
            compact(conn)
            fold_late(conn)
        except psycopg2.errors.LockNotAvailable:
            conn.rollback()
    for thread in beside:
        thread.join(30)
    close(conn, HOUR + 5 * HOUR_MS)
    compact(conn)
    fold_late(conn)

    assert wrong == []
    assert counts(conn) == (0, 0, 100 + 60 * 40)
    assert rows(conn, "SELECT sum(n) FROM rollup_1h WHERE tag = 2") == [(60 * 40,)]


WAITING = "SELECT 1 FROM pg_stat_activity WHERE query LIKE %s AND wait_event_type = 'Lock' AND datname = current_database()"
KEEPER = """
import sys, psycopg2
from realtime.closed_hours import close
from realtime.compaction import compact, fold_late
conn = psycopg2.connect(sys.argv[1])
close(conn, int(sys.argv[2]))
compact(conn)
fold_late(conn)
"""


def test_kill_9_between_the_chunks_and_the_drop_loses_and_doubles_nothing(conn: connection, postgres_url: str) -> None:
    write_batches(conn, [series(tag, list(range(600)), HOUR, 6000) for tag in range(1, 6)])
    conn.commit()
    before = [everything(conn, tag) for tag in range(1, 6)]
    conn.commit()
    watch, blocker, reader = (psycopg2.connect(postgres_url) for _ in range(3))
    watch.autocommit = True
    rows(blocker, "LOCK TABLE reading_chunks IN SHARE MODE")  # the keeper waits here until the reader is in its way
    keeper = subprocess.Popen([sys.executable, "-c", KEEPER, postgres_url, str(HOUR + HOUR_MS)], stderr=subprocess.DEVNULL)
    wait_for(lambda: rows(watch, WAITING, "COPY%"), what="the chunks to be written")
    rows(reader, "SELECT 1 FROM raw_readings LIMIT 1")
    blocker.rollback()
    wait_for(lambda: rows(watch, WAITING, "DROP%"), what="the drop to wait")
    keeper.send_signal(signal.SIGKILL)
    keeper.wait()
    for one in (reader, blocker):
        one.close()
    wait_for(lambda: not rows(watch, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"), what="the killed one's transaction to end")

    assert [everything(conn, tag) for tag in range(1, 6)] == before
    conn.commit()
    subprocess.run([sys.executable, "-c", KEEPER, postgres_url, str(HOUR + HOUR_MS)], check=True, stdout=subprocess.DEVNULL)

    assert [everything(conn, tag) for tag in range(1, 6)] == before
    assert counts(conn) == (0, 0, 3000)
    watch.close()


# ---- the property: whenever hours are closed, compacted and folded, any delivery ends in the same history

sample = st.tuples(
    st.integers(1, 2),
    st.sampled_from([T0 + s * 1000 for s in (0, 1, 2, 3, 59, 61, 3600, 3601, 7200, 9000, 86_400)]),
    st.sampled_from([-1.0, -0.0, 2.5, 1e6 + 0.25]),
    st.sampled_from([GOOD, GOOD, UNCERTAIN, COMM]),
    st.just(0),
)
deeds = st.one_of(
    st.lists(st.lists(sample, max_size=6), min_size=1, max_size=3),
    st.integers(0, 27).map(lambda h: HOUR + h * HOUR_MS),
    st.just("fold"),
    st.just("compact"),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(deeds, min_size=1, max_size=10))
def test_any_delivery_across_upkeep_ends_in_the_first_of_each_reading(conn: connection, deeds: list[Any]) -> None:
    empty(conn)
    written, offered = Written(), 0
    expected: dict[tuple[int, int], tuple[float, int]] = {}
    conflicts = 0
    for deed in deeds:
        if isinstance(deed, int):
            close(conn, deed)
        elif deed == "fold":
            fold_late(conn)
        elif deed == "compact":
            compact(conn)
        else:
            written += write_batches(conn, [batch_of(one) for one in deed])
            conn.commit()
            for tag, t, v, q, _ in (row for one in deed for row in one):
                offered += 1
                conflicts += expected.setdefault((tag, t), (v, q)) != (v, q)

    assert written == Written(len(expected), offered - len(expected) - conflicts, conflicts)
    for tag in (1, 2):
        assert everything(conn, tag) == [(t, *expected[which, t]) for which, t in sorted(expected) if which == tag]
    assert_rollups(conn, expected)
    assert_gaps(conn, expected)


def test_rows_of_a_batch(conn: connection) -> None:
    row: Row = (1, HOUR, 1.0, GOOD, 0)
    close(conn, HOUR + HOUR_MS)

    assert write_batches(conn, [batch_of([row, row])]) == Written(1, 1, 0)
    conn.rollback()
