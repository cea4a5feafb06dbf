"""Whatever is delivered twice, late, unordered or contradicting: each reading is stored once and the roll-ups and gaps are right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection

from realtime import historian
from realtime.errors import DecodeError
from realtime.events import Batch, Frame, Quality, Reason, quality_byte
from realtime.history_rows import Written
from realtime.history_writer import check, write_batches
from realtime.partitions import AHEAD, DAY_MS, WIDTHS, ensure_ahead, partitions
from realtime.rollups import TIERS
from tests.realtime.batches import COMM, GOOD, T0, UNCERTAIN, Row, batch_of, pictures, series, texts

TABLES = "raw_readings, text_readings, frames, rollup_1m, rollup_1h, rollup_1d, reading_gaps"


@pytest.fixture(scope="module")
def module_conn(postgres_url: str) -> Iterator[connection]:
    conn = psycopg2.connect(postgres_url)
    yield conn
    conn.close()


@pytest.fixture
def conn(module_conn: connection) -> connection:
    """A connection to an empty history."""
    module_conn.rollback()
    rows(module_conn, f"TRUNCATE {TABLES}")
    module_conn.commit()
    return module_conn


def rows(conn: connection, query: str, *parameters: Any) -> list[Any]:
    with conn.cursor() as cur:
        cur.execute(query, parameters)
        return cur.fetchall() if cur.description else []


def gaps_of(conn: connection, tag: int = 1) -> list[tuple[int, int | None, int]]:
    """(start, end, reason), in seconds after T0."""
    return [
        ((start - T0) // 1000, None if end is None else (end - T0) // 1000, reason)
        for _, start, end, reason in historian.gaps(conn, [tag], 0, 2**62)
    ]


def test_readings_come_back_as_they_were_written(conn: connection) -> None:
    written = write_batches(conn, [series(1, [1.5, -2.5]), series(2, [1e-300])])

    assert written == Written(stored=3)
    assert historian.readings(conn, 1, T0, T0 + 10_000, None, 10) == [(T0, 1.5, GOOD), (T0 + 1000, -2.5, GOOD)]
    assert historian.readings(conn, 2, T0, T0 + 10_000, None, 10) == [(T0, 1e-300, GOOD)]


def test_a_value_that_is_unknown_comes_back_as_none_with_its_reason(conn: connection) -> None:
    write_batches(conn, [batch_of([(1, T0, float("nan"), COMM, 0)])])

    assert historian.readings(conn, 1, T0, T0 + 1, None, 10) == [(T0, None, COMM)]


@pytest.mark.parametrize("calls", ["one call", "two calls", "two transactions"])
def test_a_reading_delivered_twice_is_stored_once(conn: connection, calls: str) -> None:
    batch = series(1, [1.0, 2.0, 3.0])

    if calls == "one call":
        written = write_batches(conn, [batch, batch])
    else:
        written = write_batches(conn, [batch])
        if calls == "two transactions":
            conn.commit()
        written += write_batches(conn, [batch])

    assert written == Written(stored=3, duplicate=3)
    assert len(historian.readings(conn, 1, T0, T0 + 10_000, None, 10)) == 3
    assert rows(conn, "SELECT n, sum FROM rollup_1m") == [(3, 6.0)]


@pytest.mark.parametrize("other", [(9.0, GOOD), (1.0, UNCERTAIN), (float("nan"), COMM)])
@pytest.mark.parametrize("in_one_call", [True, False])
def test_another_value_under_the_same_identity_is_a_conflict_and_the_first_stays(
    conn: connection, other: tuple[float, int], in_one_call: bool
) -> None:
    first, second = series(1, [1.0]), batch_of([(1, T0, *other, 0)])

    written = write_batches(conn, [first, second]) if in_one_call else write_batches(conn, [first]) + write_batches(conn, [second])

    assert written == Written(stored=1, conflict=1)
    assert historian.readings(conn, 1, T0, T0 + 1, None, 10) == [(T0, 1.0, GOOD)]
    assert rows(conn, "SELECT n, sum, min, max FROM rollup_1h") == [(1, 1.0, 1.0, 1.0)]


def test_two_unknown_values_are_the_same_value(conn: connection) -> None:
    unknown = batch_of([(1, T0, float("nan"), COMM, 0)])

    assert write_batches(conn, [unknown, unknown]) + write_batches(conn, [unknown]) == Written(stored=1, duplicate=2)


def test_readings_of_the_same_millisecond_differ_by_their_number(conn: connection) -> None:
    written = write_batches(conn, [batch_of([(1, T0, 1.0, GOOD, 1), (1, T0, 2.0, GOOD, 2**32 - 1)])])

    assert written == Written(stored=2)


def test_only_good_values_enter_the_rollups(conn: connection) -> None:
    write_batches(
        conn, [batch_of([(1, T0, 1.0, GOOD, 0), (1, T0 + 1, 99.0, UNCERTAIN, 0), (1, T0 + 2, 50.0, COMM, 0), (2, T0, 7.0, COMM, 0)])]
    )

    for table, _ in TIERS:
        assert rows(conn, f"SELECT tag, n, sum, min, max, m2 FROM {table}") == [(1, 1, 1.0, 1.0, 1.0, 0.0)]


def test_late_data_of_any_day_find_a_partition(conn: connection) -> None:
    days = [T0 - n * DAY_MS for n in (0, 1, 40, 400)]

    written = write_batches(conn, [batch_of([(1, t, 1.0, GOOD, 0) for t in days])])
    conn.commit()

    assert written.stored == 4
    assert [t for t, _, _ in historian.readings(conn, 1, 0, T0 + 1, None, 10)] == sorted(days)


def test_partitions_are_made_ahead(conn: connection) -> None:
    now = 1_900_000_000_000

    ensure_ahead(conn, now)
    ensure_ahead(conn, now)

    for table, ahead in AHEAD.items():
        with conn.cursor() as cur:
            made = [part for part in partitions(cur, table) if part.end > now]
        assert [part.start for part in made] == [now // WIDTHS[table] * WIDTHS[table] + n * WIDTHS[table] for n in range(ahead + 1)]
        assert {part.end - part.start for part in made} == {WIDTHS[table]}


def test_a_gap_opens_at_a_bad_sample_and_closes_at_the_next_good_one(conn: connection) -> None:
    write_batches(conn, [series(1, [1.0, 1.0])])
    write_batches(conn, [series(1, [float("nan")], T0 + 5000, quality=COMM)])
    assert gaps_of(conn) == [(5, None, Reason.COMM)]

    write_batches(conn, [series(1, [float("nan")] * 3, T0 + 6000, quality=quality_byte(Quality.BAD, Reason.DEVICE))])
    write_batches(conn, [series(1, [1.0], T0 + 9000, quality=UNCERTAIN)])
    assert gaps_of(conn) == [(5, None, Reason.COMM)]

    write_batches(conn, [series(1, [1.0, 1.0], T0 + 10_000)])
    assert gaps_of(conn) == [(5, 10, Reason.COMM)]


def test_a_gap_within_one_batch_is_found(conn: connection) -> None:
    write_batches(conn, [batch_of([(1, T0 + i * 1000, 0.0, COMM if i in {2, 3, 6} else GOOD, 0) for i in range(8)])])

    assert gaps_of(conn) == [(2, 4, Reason.COMM), (6, 7, Reason.COMM)]


def test_a_late_good_sample_splits_a_gap(conn: connection) -> None:
    write_batches(conn, [batch_of([(1, T0 + s * 1000, 0.0, COMM, 0) for s in (1, 2, 5)]), series(1, [1.0], T0 + 9000)])
    assert gaps_of(conn) == [(1, 9, Reason.COMM)]

    write_batches(conn, [series(1, [1.0], T0 + 3000)])

    assert gaps_of(conn) == [(1, 3, Reason.COMM), (5, 9, Reason.COMM)]


def test_a_gap_of_a_picture_or_text_tag_closes_at_its_own_next_value(conn: connection) -> None:
    frame = Frame((1, 2), "i2", 0.1, 0.0, "°C", bytes(4))
    write_batches(conn, [batch_of([(5, T0, float("nan"), COMM, 0), (6, T0, float("nan"), COMM, 0)])])
    write_batches(conn, [pictures(5, [frame], T0 + 2000), texts(6, ["back"], T0 + 3000)])

    assert gaps_of(conn, 5) == [(0, 2, Reason.COMM)]
    assert gaps_of(conn, 6) == [(0, 3, Reason.COMM)]


@pytest.mark.parametrize("dtype", ["i2", "u1", "f4"])
def test_a_picture_comes_back_within_half_a_step(conn: connection, dtype: Any) -> None:
    pixels = np.linspace(20, 250, 100).reshape(10, 10)
    frame = Frame((10, 10), dtype, 1.0, 0.0, "°C", pixels.astype("<" + dtype).tobytes())

    assert write_batches(conn, [pictures(5, [frame])]) == Written(stored=1)

    taken, back = historian.frame_at(conn, 5, T0 + 500) or pytest.fail("no picture")
    assert taken == T0
    assert (back.shape, back.unit) == ((10, 10), "°C")
    np.testing.assert_allclose(back.array(), frame.array(), atol=(250 - 20) / 65534 / 2 + 1e-9)
    ((t, low, high, mean, std),) = historian.frames(conn, 5, T0, T0 + 1, 10)
    assert t == T0
    assert (low, high, mean, std) == pytest.approx((frame.array().min(), frame.array().max(), frame.array().mean(), frame.array().std()))


def test_a_plate_of_temperatures_takes_less_than_half_its_floats(conn: connection) -> None:
    y, x = np.mgrid[0:100, 0:100]
    noise = np.random.default_rng(1).normal(0, 0.3, (100, 100))
    plate = 80 + 60 * np.exp(-((x - 50) ** 2 + (y - 50) ** 2) / 800) + noise
    frame = Frame((100, 100), "i2", 0.1, 0.0, "°C", np.rint(plate * 10).astype("<i2").tobytes())

    write_batches(conn, [pictures(5, [frame])])

    ((size,),) = rows(conn, "SELECT length(body) FROM frames")
    assert size < 20_000 * 0.7


def test_pictures_and_texts_are_stored_once_and_conflicts_counted(conn: connection) -> None:
    one, two = Frame((1, 2), "i2", 1.0, 0.0, "°C", b"\1\0\2\0"), Frame((1, 2), "i2", 1.0, 0.0, "°C", b"\1\0\3\0")

    assert write_batches(conn, [pictures(5, [one]), pictures(5, [one]), pictures(5, [two])]) == Written(1, 1, 1)
    assert write_batches(conn, [texts(6, ["a"]), texts(6, ["a"]), texts(6, ["b"])]) == Written(1, 1, 1)
    assert rows(conn, "SELECT v FROM text_readings") == [("a",)]


def test_an_empty_batch_is_nothing(conn: connection) -> None:
    assert write_batches(conn, [batch_of([]), texts(1, []), pictures(1, [])]) == Written()


def test_a_rolled_back_call_leaves_nothing(conn: connection) -> None:
    write_batches(conn, [series(1, [1.0])])
    conn.rollback()

    assert historian.readings(conn, 1, T0, T0 + 1, None, 10) == []
    assert write_batches(conn, [series(1, [1.0])]) == Written(stored=1)


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        (series(1, [1.0], start=1), "2000"),
        (series(1, [1.0], start=2**62), "2000"),
        (series(2**32 - 1, [1.0]), "tag id"),
        (series(1, [1.0], quality=3), "quality"),
        (texts(1, ["a\0b"]), "NUL"),
        (pictures(1, [Frame((9, 9), "i2", 1.0, 0.0, "", b"ab")]), "shape"),
        (pictures(1, [Frame((-1, -1), "i2", 1.0, 0.0, "", b"ab")]), "shape"),
    ],
)
def test_a_batch_that_cannot_be_history_is_refused_by_name(batch: Batch, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        check(batch)


# ---- the property: any delivery of any readings ends in the same history

sample = st.tuples(
    st.integers(1, 2),
    st.sampled_from([T0 + s * 1000 for s in (0, 1, 2, 3, 59, 60, 61, 3600, 86_400)]),
    st.sampled_from([-1.0, 0.0, 2.5, 1e6 + 0.25]),
    st.sampled_from([GOOD, GOOD, UNCERTAIN, COMM]),
    st.just(0),
)
deliveries = st.lists(st.lists(st.lists(sample, max_size=6), min_size=1, max_size=3), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(deliveries)
def test_any_delivery_ends_in_the_first_of_each_reading_with_right_rollups_and_gaps(
    conn: connection, deliveries: list[list[list[Row]]]
) -> None:
    rows(conn, f"TRUNCATE {TABLES}")
    written = Written()
    expected: dict[tuple[int, int], tuple[float, int]] = {}
    total = Written()
    for call in deliveries:
        written += write_batches(conn, [batch_of(one) for one in call])
        conn.commit()
        for tag, t, v, q, _ in (row for one in call for row in one):
            kept = expected.setdefault((tag, t), (v, q))
            total += Written(0, int(kept == (v, q)), int(kept != (v, q)))

    assert written == Written(len(expected), total.duplicate - len(expected), total.conflict)
    assert {(tag, t): (v, q) for tag, t, v, q in rows(conn, "SELECT tag, t, v, q FROM raw_readings")} == expected
    assert_rollups(conn, expected)
    assert_gaps(conn, expected)


def assert_rollups(conn: connection, expected: dict[tuple[int, int], tuple[float, int]]) -> None:
    for table, width in TIERS:
        spans: dict[tuple[int, int], list[float]] = {}
        for (tag, t), (v, q) in expected.items():
            if q == GOOD:
                spans.setdefault((tag, t // width * width), []).append(v)
        found = rows(conn, f"SELECT tag, t, n, sum, min, max, m2 FROM {table}")
        assert {(tag, t) for tag, t, *_ in found} == set(spans)
        for tag, t, n, total, low, high, m2 in found:
            values = np.array(spans[tag, t])
            assert (n, low, high) == (len(values), values.min(), values.max())
            assert (total, m2) == pytest.approx((values.sum(), ((values - values.mean()) ** 2).sum()), rel=1e-9, abs=1e-6)


def assert_gaps(conn: connection, expected: dict[tuple[int, int], tuple[float, int]]) -> None:
    for tag in (1, 2):
        gaps: list[list[int | None]] = []
        for t, q in sorted((t, q) for (which, t), (_, q) in expected.items() if which == tag):
            if q == COMM and (not gaps or gaps[-1][1] is not None):
                gaps.append([t, None])
            elif q == GOOD and gaps and gaps[-1][1] is None:
                gaps[-1][1] = t
        assert [[start, end] for _, start, end, _ in historian.gaps(conn, [tag], 0, 2**62)] == gaps
