"""Texts are read back in pages, all for a week, then their changes; the newest and what is noted stay."""

from __future__ import annotations

import psycopg2
import pytest
from psycopg2.extensions import connection

from realtime import text_history
from realtime.history_writer import write_batches
from realtime.keep_spans import Keep, keep
from realtime.partitions import DAY_MS
from tests.realtime.batches import COMM, GOOD, T0, texts
from tests.realtime.test_compaction import empty
from tests.realtime.test_history_writer import rows

NOW = T0 + 1000 * DAY_MS
OLD = NOW - 30 * DAY_MS
LOTS = ["A", "A", "A", "B", "B", "A", "A"]


@pytest.fixture
def conn(postgres_url: str) -> connection:
    conn = psycopg2.connect(postgres_url)
    empty(conn)
    rows(conn, "TRUNCATE history_keeps")
    conn.commit()
    yield conn
    conn.close()


def stored(conn: connection, tag: int) -> list[tuple[int, str | None]]:
    return [(t, text) for t, text, _quality in text_history.readings(conn, tag, 0, 2**52, None, 1000)]


def test_pages_never_end_within_a_millisecond_and_a_bad_text_is_none(conn: connection) -> None:
    write_batches(conn, [texts(1, ["A", "B"], OLD), texts(1, [""], OLD + 5000, COMM)])

    first = text_history.readings(conn, 1, OLD, NOW, None, 1)
    rest = text_history.readings(conn, 1, OLD, NOW, first[-1][0], 10)

    assert first + rest == [(OLD, "A", GOOD), (OLD + 1000, "B", GOOD), (OLD + 5000, None, COMM)]
    assert text_history.latest(conn, [1, 2]) == {1: (OLD + 5000, None, COMM)}
    assert text_history.count(conn, [1], OLD, OLD + 5000) == 2


def test_what_is_old_keeps_its_changes_and_the_newest(conn: connection) -> None:
    write_batches(conn, [texts(1, LOTS, OLD), texts(2, LOTS, NOW - 1_000_000)])
    conn.commit()

    gone = text_history.thin(conn, {}, NOW)

    assert stored(conn, 1) == [(OLD, "A"), (OLD + 3000, "B"), (OLD + 5000, "A"), (OLD + 6000, "A")]
    assert len(stored(conn, 2)) == len(LOTS)
    assert (gone, text_history.thin(conn, {}, NOW)) == (3, 0)


def test_changes_go_after_two_years_and_the_newest_of_a_silent_tag_never(conn: connection) -> None:
    write_batches(conn, [texts(1, LOTS, NOW - 800 * DAY_MS)])
    conn.commit()

    text_history.thin(conn, {}, NOW)

    assert stored(conn, 1) == [(NOW - 800 * DAY_MS + 6000, "A")]


def test_a_tag_has_its_own_days_and_what_is_noted_stays_whole(conn: connection) -> None:
    write_batches(conn, [texts(1, LOTS, OLD), texts(2, LOTS, OLD), texts(3, LOTS, OLD)])
    keep(conn, [Keep(2, OLD, OLD + 2000, "alert 1")])
    conn.commit()

    text_history.thin(conn, {1: {"raw": 60}, 3: {"raw": 1, "1h": 2}}, NOW)

    assert [len(stored(conn, tag)) for tag in (1, 2, 3)] == [7, 5, 1]
