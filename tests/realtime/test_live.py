"""Conflation and pacing: newest value per tag, what changed since when."""

from __future__ import annotations

import math

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from realtime.events import Batch, Frame, Quality, Reason, quality_byte
from realtime.live import LiveTable, pause_after


def batch(rows: list[tuple[int, int, float, int]], received_ms: int = 10_000) -> Batch:
    ids, t, v, q = zip(*rows, strict=True)
    n = len(rows)
    return Batch(
        0,
        received_ms,
        "test",
        np.array(ids, np.uint32),
        np.array(t, np.int64),
        np.array(q, np.uint8),
        np.zeros(n, np.uint32),
        np.array(v, np.float64),
    )


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint32)


def test_newest_of_a_batch_wins_whatever_its_order() -> None:
    table = LiveTable()

    table.apply(batch([(1, 30, 3.0, 0), (1, 10, 1.0, 0), (2, 5, 9.0, 0), (1, 20, 2.0, 0)]))

    columns = table.since(ids(1, 2), 0)
    assert columns.v.tolist() == [3.0, 9.0]
    assert columns.t.tolist() == [30, 5]


def test_older_value_changes_nothing() -> None:
    table = LiveTable()
    table.apply(batch([(1, 30, 3.0, 0)]))
    version = table.version

    table.apply(batch([(1, 20, 2.0, 0)]))

    assert len(table.since(ids(1), version)) == 0
    assert table.since(ids(1), 0).v.tolist() == [3.0]


def test_value_from_the_future_does_not_hold_the_display() -> None:
    table = LiveTable()
    table.apply(batch([(1, 200_000, 3.0, 0)], received_ms=10_000))

    table.apply(batch([(1, 11_000, 4.0, 0)], received_ms=11_000))

    assert table.since(ids(1), 0).v.tolist() == [4.0]


def test_skipped_client_gets_latest_value_of_everything_it_missed() -> None:
    table = LiveTable()
    table.apply(batch([(1, 1, 1.0, 0), (2, 1, 1.0, 0)]))
    seen = table.version
    table.apply(batch([(1, 2, 2.0, 0)]))
    table.apply(batch([(2, 2, 5.0, 0)]))
    table.apply(batch([(1, 3, 3.0, 0)]))

    columns = table.since(ids(1, 2), seen)

    assert dict(zip(columns.id.tolist(), columns.v.tolist(), strict=True)) == {1: 3.0, 2: 5.0}


def test_body_leaves_quality_out_when_all_good_and_writes_nan_as_null() -> None:
    table = LiveTable()
    table.apply(batch([(1, 1, 5.02, 0)]))
    good = orjson.loads(table.since(ids(1), 0).body())
    table.apply(batch([(2, 2, math.nan, quality_byte(Quality.BAD, Reason.COMM))]))

    both = orjson.loads(table.since(ids(1, 2), 0).body())

    assert good == {"id": [1], "t": [1], "v": [5.02]}
    assert both == {"id": [1, 2], "t": [1, 2], "v": [5.02, None], "q": [0, 2]}


def test_text_tag_sends_its_words() -> None:
    table = LiveTable()
    columns = batch([(4, 1, 0.0, 0)])
    table.apply(Batch(0, 1, "test", columns.ids, columns.t, columns.quality, columns.seq, ["Ready"], kind="text"))
    table.apply(batch([(5, 1, math.nan, 2)]))

    assert orjson.loads(table.since(ids(4, 5), 0).body())["v"] == ["Ready", None]


def test_frame_is_kept_newest_only() -> None:
    table = LiveTable()
    columns = batch([(4, 1, 0.0, 0), (4, 2, 0.0, 0)])
    frames = [Frame((1, 2), "u1", 1.0, 0.0, "°C", bytes([n, n])) for n in (1, 2)]

    table.apply(Batch(0, 1, "test", columns.ids, columns.t, columns.quality, columns.seq, frames, kind="frame"))

    assert table.frames_since([4], 0) == [(4, 2, frames[1], 0)]
    assert table.frames_since([4], table.version) == []


def test_history_fills_only_what_is_unknown_or_older() -> None:
    table = LiveTable()
    table.apply(batch([(1, 50, 5.0, 0)]))

    assert table.unknown(ids(1, 2)).tolist() == [2]
    table.fill({1: (40, 4.0, 0), 2: (40, 4.0, 1)})

    columns = table.since(ids(1, 2), 0)
    assert columns.v.tolist() == [5.0, 4.0]
    assert columns.q.tolist() == [0, 1]


def test_a_tag_that_turned_bad_keeps_its_last_good_value_and_asks_history_once() -> None:
    table = LiveTable()
    lost = quality_byte(Quality.BAD, Reason.COMM)
    table.apply(batch([(1, 60, math.nan, lost), (1, 50, 5.0, 0), (2, 60, math.nan, lost), (3, 60, math.nan, lost), (4, 60, 4.0, 0)]))

    assert table.without_good(ids(1, 2, 3, 4)).tolist() == [2, 3]
    table.fill_good(ids(2, 3), {2: (40, 2.5)})
    assert table.without_good(ids(1, 2, 3, 4)).tolist() == []

    good = table.last_good(ids(1, 2, 3, 4))
    assert {name: column.tolist() for name, column in good.items()} == {"id": [1, 2], "t": [50, 40], "v": [5.0, 2.5]}
    table.apply(batch([(1, 70, 6.0, 0)]))
    assert table.last_good(ids(1))["id"].tolist() == []


def test_ids_beyond_the_capacity_grow_the_table() -> None:
    table = LiveTable(capacity=4)

    table.apply(batch([(90_000, 1, 1.0, 0)]))

    assert table.since(ids(3, 90_000, 200_000), 0).id.tolist() == [90_000]


def test_pause_follows_cost_between_two_milliseconds_and_a_quarter_second() -> None:
    assert pause_after(0.0) == 0.002
    assert pause_after(0.01) == 0.03
    assert pause_after(3.0) == 0.25


reading = st.tuples(st.integers(1, 6), st.integers(0, 50), st.floats(-5, 5), st.sampled_from([0, 1, 2]))


@given(st.lists(st.lists(reading, min_size=1, max_size=8), max_size=12), st.lists(st.booleans(), min_size=12, max_size=12))
def test_client_that_is_told_whenever_it_can_ends_with_the_newest_values(
    batches: list[list[tuple[int, int, float, int]]], told: list[bool]
) -> None:
    table = LiveTable()
    everything = ids(1, 2, 3, 4, 5, 6)
    shown: dict[int, tuple[int, float]] = {}
    newest: dict[int, tuple[int, float]] = {}
    seen = 0

    def tell() -> int:
        columns = table.since(everything, seen)
        shown.update({int(i): (int(t), float(v)) for i, t, v in zip(columns.id, columns.t, columns.v, strict=True)})
        return table.version

    for rows, tells in zip(batches, told, strict=False):
        table.apply(batch(rows, received_ms=100))
        for tag, t, v, _q in sorted(rows, key=lambda row: row[1]):
            if tag not in newest or t >= newest[tag][0]:
                newest[tag] = (t, v)
        if tells:
            seen = tell()
    seen = tell()

    assert shown == newest
