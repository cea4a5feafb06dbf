"""Reading the history: pages, trends that keep peaks and read few rows, gaps, pictures, coverage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection

from realtime import historian
from realtime.events import Batch, Frame, Reason
from realtime.history_writer import write_batches
from realtime.partitions import HOUR_MS
from realtime.rollups import MINUTE_MS
from realtime.trends import Stats
from tests.realtime.batches import COMM, GOOD, T0, UNCERTAIN, batch_of, pictures, series

HOUR = T0 // HOUR_MS * HOUR_MS
DAY_S = 86_400
WAVE = 50 + 10 * np.sin(np.arange(2 * DAY_S) / 5000) + np.random.default_rng(7).normal(0, 0.1, 2 * DAY_S)
PEAK_AT = 70_003
A_FEW = 60  # rows that say which tier it is: chunks and hours of the span, or where a tier begins
LONG, SPARSE = 1, 2  # tags: two days at 1 Hz; a reading every ten minutes


@pytest.fixture(scope="module")
def conn(postgres_url: str) -> Iterator[connection]:
    """A history of two days at 1 Hz with one peak of a single second, and one of a slow tag."""
    conn = psycopg2.connect(postgres_url)
    values = WAVE.copy()
    values[PEAK_AT] = 500.0
    write_batches(conn, [series(LONG, values.tolist(), HOUR)])
    write_batches(conn, [series(SPARSE, WAVE[:288].tolist(), HOUR, 600_000)])
    with conn.cursor() as cur:
        cur.execute("ANALYZE raw_readings, rollup_1m, rollup_1h")  # the server does it by itself within a minute
    conn.commit()
    yield conn
    conn.close()


def ms(seconds: float) -> int:
    return HOUR + int(seconds * 1000)


def test_pages_follow_each_other_without_loss_or_repeat(conn: connection) -> None:
    write_batches(conn, [batch_of([(3, T0 + i // 3, float(i), GOOD, i) for i in range(50)])])

    pages, after = [], None
    while page := historian.readings(conn, 3, T0, T0 + 1000, after, 7):
        pages.append(page)
        after = page[-1][0]

    assert sorted(v for page in pages for _, v, _ in page) == [float(i) for i in range(50)]
    assert all(len(page) <= 7 + 2 for page in pages)
    assert [t for page in pages for t, _, _ in page] == sorted(t for page in pages for t, _, _ in page)


def test_a_span_holds_its_start_and_not_its_end(conn: connection) -> None:
    assert [t for t, _, _ in historian.readings(conn, LONG, ms(10), ms(13), None, 99)] == [ms(10), ms(11), ms(12)]
    assert historian.readings(conn, LONG, ms(13), ms(13), None, 99) == []


@pytest.mark.parametrize(
    ("seconds", "points", "tier"),
    [
        (60, 1000, "raw"),
        (1800, 1000, "raw"),
        (3600, 1000, "1m"),
        (3600, 100, "1m"),
        (DAY_S, 1000, "1m"),
        (2 * DAY_S, 1000, "1h"),
        (2 * DAY_S, 5000, "1m"),
        (2 * DAY_S, 15, "1d"),
    ],
)
def test_a_trend_takes_the_tier_that_fills_the_screen(conn: connection, seconds: int, points: int, tier: str) -> None:
    answer = historian.trend(conn, LONG, HOUR, ms(seconds), points)

    assert answer.tier == tier
    assert 0 < len(answer.points) <= points
    assert [point[0] for point in answer.points] == sorted({point[0] for point in answer.points})
    assert sum(point[4] for point in answer.points) == seconds
    assert answer.stats.n == seconds


def test_a_slow_tag_is_drawn_from_its_readings_over_a_day(conn: connection) -> None:
    answer = historian.trend(conn, SPARSE, HOUR, ms(DAY_S), 1000)

    assert answer.tier == "raw"
    assert answer.points == [(ms(600 * i), WAVE[i], WAVE[i], WAVE[i], 1) for i in range(144)]


@pytest.mark.parametrize(("start", "end", "points"), [(PEAK_AT - 1800, PEAK_AT + 1800, 1000), (0, DAY_S, 1000), (0, 2 * DAY_S, 500)])
def test_a_peak_of_one_second_survives_every_tier(conn: connection, start: int, end: int, points: int) -> None:
    answer = historian.trend(conn, LONG, ms(start), ms(end), points)

    (hit,) = [point for point in answer.points if point[3] == 500.0]
    assert hit[0] <= ms(PEAK_AT)
    assert answer.stats.max == 500.0


@pytest.mark.parametrize(("seconds", "points"), [(1800, 1000), (3600, 60), (DAY_S, 1000), (2 * DAY_S, 400)])
def test_the_statistics_are_those_of_the_readings_whatever_the_tier(conn: connection, seconds: int, points: int) -> None:
    values = WAVE[:seconds].copy()
    if seconds > PEAK_AT:
        values[PEAK_AT] = 500.0

    stats = historian.trend(conn, LONG, HOUR, ms(seconds), points).stats

    assert (stats.n, stats.min, stats.max) == (seconds, values.min(), values.max())
    assert (stats.avg, stats.std) == pytest.approx((values.mean(), values.std()), rel=1e-9)


def test_a_rolled_up_trend_begins_with_the_whole_minute_its_start_falls_in(conn: connection) -> None:
    answer = historian.trend(conn, LONG, ms(90), ms(90 + 7200), 200)

    assert answer.tier == "1m"
    assert answer.points[0][0] == ms(60)
    assert answer.points[0][4] == 60


@pytest.mark.parametrize("points", [1, 10, 1000])
def test_a_trend_of_nothing_is_empty(conn: connection, points: int) -> None:
    for tag in (99, LONG):
        answer = historian.trend(conn, tag, HOUR - 20 * DAY_S * 1000, HOUR - 10 * DAY_S * 1000, points)
        assert answer.points == []
        assert answer.stats == Stats(0)


@pytest.mark.parametrize("seconds", [1200, 3600, DAY_S, 2 * DAY_S])
@pytest.mark.parametrize("points", [100, 1000])
def test_a_trend_reads_two_rows_a_point_at_most(conn: connection, seconds: int, points: int) -> None:
    before = rows_read(conn)
    historian.trend(conn, LONG, HOUR, ms(seconds), points)

    assert rows_read(conn) - before <= 2 * points + A_FEW


def rows_read(conn: connection, tables: str = "raw_readings|late_readings|reading_chunks|rollup|history_state") -> int:
    """Index entries and rows that this session has read of the history so far."""
    with conn.cursor() as cur:
        cur.execute("SELECT pg_stat_force_next_flush()")
        conn.commit()
        query = "SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read) FROM pg_stat_user_tables WHERE relname ~ %s"
        cur.execute(query, (f"^({tables})",))
        return int(cur.fetchone()[0] or 0)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2 * DAY_S - 1), st.integers(1, 2 * DAY_S), st.integers(1, 1500))
def test_a_trend_of_any_span_counts_every_reading_once(conn: connection, start: int, length: int, points: int) -> None:
    end = min(start + length, 2 * DAY_S)
    answer = historian.trend(conn, LONG, ms(start), ms(end), points)

    width = {"raw": 1, "1m": 60, "1h": 3600, "1d": 86_400}[answer.tier]
    first, last = start // width * width, min(-(-end // width) * width, 2 * DAY_S)
    assert len(answer.points) <= points
    assert sum(point[4] for point in answer.points) == last - first
    assert all(low <= mean <= high for _, low, mean, high, _ in rounded(answer.points))
    values = WAVE.copy()
    values[PEAK_AT] = 500.0
    assert answer.stats.max == values[first:last].max()
    assert max(point[3] for point in answer.points) == answer.stats.max


def rounded(points: list[tuple[int, float, float, float, int]]) -> list[tuple[float, ...]]:
    """Means of equal values may differ from them in the last digit."""
    return [tuple(round(number, 9) for number in point) for point in points]


def test_the_latest_of_many_tags_leaves_out_those_that_have_none(conn: connection) -> None:
    write_batches(conn, [batch_of([(4, T0, 1.0, GOOD, 0), (4, T0 + 5, float("nan"), COMM, 0)])])

    assert historian.latest(conn, [LONG, 4, 99]) == {
        LONG: (ms(2 * DAY_S - 1), pytest.approx(WAVE[-1]), GOOD),
        4: (T0 + 5, None, COMM),
    }
    assert historian.latest(conn, []) == {}


def test_the_last_good_value_is_found_behind_the_bad_ones(conn: connection) -> None:
    write_batches(conn, [batch_of([(14, T0, 1.0, GOOD, 0), (14, T0 + 5, float("nan"), COMM, 0), (15, T0, float("nan"), COMM, 0)])])

    assert historian.last_good(conn, [14, 15, 99]) == {14: (T0, 1.0)}


def test_gaps_that_touch_the_span_are_listed(conn: connection) -> None:
    write_batches(conn, [batch_of([(5, T0 + s * 1000, 0.0, q, 0) for s, q in ((0, COMM), (10, GOOD), (20, COMM))])])

    first, second = (5, T0, T0 + 10_000, Reason.COMM), (5, T0 + 20_000, None, Reason.COMM)
    assert historian.gaps(conn, [5], T0 - 9, T0 + 10**6) == [first, second]
    assert historian.gaps(conn, [5, 6], T0 + 5000, T0 + 6000) == [first]
    assert historian.gaps(conn, [5], T0 + 11_000, T0 + 19_000) == []
    assert historian.gaps(conn, [5], T0 + 10**9, T0 + 10**9 + 1) == [second]
    assert historian.gaps(conn, [], T0, T0 + 10**6) == []


def test_the_picture_of_a_time_is_the_one_taken_last_before_it(conn: connection) -> None:
    shots = [Frame((1, 2), "i2", 1.0, 0.0, "°C", np.array([n, n + 2], "<i2").tobytes()) for n in range(5)]
    write_batches(conn, [pictures(6, shots)])

    assert historian.frame_at(conn, 6, T0 - 1) is None
    taken, frame = historian.frame_at(conn, 6, T0 + 2999) or pytest.fail("no picture")
    assert (taken, frame.array().tolist()) == (T0 + 2000, [[2.0, 4.0]])
    assert historian.frames(conn, 6, T0, T0 + 4000, 2) == [(T0 + 2000, 2.0, 4.0, 3.0, 1.0), (T0 + 3000, 3.0, 5.0, 4.0, 1.0)]


def coverage(conn: connection, batch: Batch, start_s: float, end_s: float) -> historian.Coverage:
    write_batches(conn, [batch])
    answer = historian.span_stats(conn, int(batch.ids[0]), T0 + int(start_s * 1000), T0 + int(end_s * 1000))
    conn.rollback()
    return answer


def test_steady_good_readings_cover_their_whole_span(conn: connection) -> None:
    assert coverage(conn, series(7, [1.0, 2.0, 3.0] * 20), 0, 60) == historian.Coverage(60, 0, 1.0, 2.0, 3.0, 60.0)


def test_silence_covers_at_most_three_intervals(conn: connection) -> None:
    assert coverage(conn, series(7, [1.0] * 10), 0, 60).seconds_covered == 9 + 3


def test_bad_and_uncertain_samples_end_what_the_good_one_before_covers(conn: connection) -> None:
    marks = {4: COMM, 5: COMM, 8: UNCERTAIN}
    batch = batch_of([(7, T0 + s * 1000, 9.0 if s in marks else 1.0, marks.get(s, GOOD), 0) for s in range(10)])

    assert coverage(conn, batch, 0, 10) == historian.Coverage(7, 2, 1.0, 1.0, 1.0, 7.0)


def test_a_slow_tag_is_judged_by_its_own_pace(conn: connection) -> None:
    assert coverage(conn, series(7, [1.0] * 6, step_ms=60_000), 0, 360).seconds_covered == 360


def test_no_readings_cover_nothing(conn: connection) -> None:
    assert historian.span_stats(conn, 99, T0, T0 + MINUTE_MS) == historian.Coverage(0, 0, None, None, None, 0.0)


def test_a_trend_draws_good_values_only(conn: connection) -> None:
    write_batches(
        conn,
        [batch_of([(8, T0 + i, v, q, 0) for i, (v, q) in enumerate([(1.0, GOOD), (99.0, UNCERTAIN), (float("nan"), COMM), (3.0, GOOD)])])],
    )

    answer = historian.trend(conn, 8, T0, T0 + 10, 100)

    assert answer.points == [(T0, 1.0, 1.0, 1.0, 1), (T0 + 3, 3.0, 3.0, 3.0, 1)]
    assert answer.stats == Stats(2, 1.0, 2.0, 3.0, 1.0)
