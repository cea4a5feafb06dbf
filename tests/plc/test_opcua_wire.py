"""Changes decoded in columns against asyncua's own decoding of the same bytes, one object a change."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from asyncua.ua.uaerrors import UaError
from hypothesis import given, settings
from hypothesis import strategies as st

from plc.connector import Readings
from plc.connectors.opcua_columns import Columns
from plc.connectors.opcua_waiting import Waiting
from plc.connectors.opcua_wire import Change, Run, changes, published
from tests.plc.harness import tag
from tests.plc.test_opcua import Refusals

T0 = datetime(2026, 11, 20, 8, 0, 0, 250_400, UTC)
V = ua.VariantType
TAGS = [tag(n, f"T{n}", "s", f"i={n}", group="fast" if n % 2 else "slow", kind="text" if n == 5 else "f64") for n in range(1, 7)]
NUMBERS = [
    (V.Boolean, st.booleans()),
    (V.SByte, st.integers(-128, 127)),
    (V.Byte, st.integers(0, 255)),
    (V.Int16, st.integers(-(2**15), 2**15 - 1)),
    (V.UInt16, st.integers(0, 2**16 - 1)),
    (V.Int32, st.integers(-(2**31), 2**31 - 1)),
    (V.UInt32, st.integers(0, 2**32 - 1)),
    (V.Int64, st.integers(-(2**63), 2**63 - 1)),
    (V.UInt64, st.integers(0, 2**64 - 1)),
    (V.Float, st.floats(width=32, allow_nan=False)),
    (V.Double, st.floats(allow_nan=False)),
]
OTHERS = [
    (V.String, st.text(max_size=9)),
    (V.Null, st.none()),
    (V.DateTime, st.just(T0)),
    (V.Double, st.lists(st.floats(0, 1), max_size=3)),
]
STATUSES = (None, 0, StatusCodes.UncertainSensorNotAccurate, StatusCodes.BadSensorFailure, 0x480, StatusCodes.BadNodeIdUnknown)


def _time(at: datetime | None) -> Any:
    return at  # asyncua's own type for it is a subclass that nothing makes


@st.composite
def data_values(draw: st.DrawFn) -> ua.DataValue:
    kind, contents = draw(st.sampled_from(NUMBERS * 2 + OTHERS))
    status = draw(st.sampled_from(STATUSES))
    at = T0 + timedelta(microseconds=draw(st.integers(0, 10**9)))
    return ua.DataValue(
        ua.Variant(draw(contents), kind),
        None if status is None else ua.StatusCode(ua.UInt32(status)),
        SourceTimestamp=_time(draw(st.sampled_from([at, at, at, None, datetime(1601, 1, 1, tzinfo=UTC)]))),
        ServerTimestamp=_time(draw(st.sampled_from([at, None]))),
    )


# runs of one layout with others between, as a server of many tags sends them
notifications = st.lists(
    st.tuples(st.integers(1, 9), data_values(), st.integers(1, 20)).map(
        lambda drawn: [(drawn[0] + n % 3, drawn[1]) for n in range(drawn[2])]
    ),
    max_size=8,
).map(lambda runs: [change for run in runs for change in run])


def answer(said: Sequence[Change], sequence: int = 7) -> bytes:
    """The answer to a publish request, as asyncua writes it."""
    items = [ua.MonitoredItemNotification(number, value) for number, value in said]
    made = ua.PublishResponse()
    parts = [ua.DataChangeNotification(MonitoredItems=items)] if said else []
    made.Parameters = ua.PublishResult(3, [sequence], False, ua.NotificationMessage(sequence, T0, parts), [], [])
    return struct_to_binary(made)


def theirs(raw: bytes) -> list[Change]:
    result = struct_from_binary(ua.PublishResponse, Buffer(raw)).Parameters.NotificationMessage
    return [(item.ClientHandle, item.Value) for part in result.NotificationData for item in part.MonitoredItems]


def whole(parts: Sequence[Run | Change]) -> list[Change]:
    return [one for part in parts for one in (map(part.change, range(len(part))) if isinstance(part, Run) else [part])]


@settings(max_examples=150, deadline=None)
@given(notifications)
def test_every_change_comes_as_asyncua_takes_it_apart_and_in_its_order(said: list[Change]) -> None:
    raw = answer(said)

    made = published(Buffer(raw))

    assert (made.subscription, made.sequence, made.is_keep_alive) == (3, 7, not said)
    assert whole(made.parts) == theirs(raw)


@settings(max_examples=150, deadline=None)
@given(notifications, st.sets(st.integers(1, 6)))
def test_columns_of_runs_are_those_of_single_changes(said: list[Change], first: set[int]) -> None:
    raw = answer(said)

    in_runs, one_by_one = (_read(parts, first) for parts in (published(Buffer(raw)).parts, theirs(raw)))

    assert in_runs == one_by_one


def _read(parts: Sequence[Run | Change], first: set[int]) -> tuple[Any, ...]:
    """What a session says of these: rows by tag in their order, what it keeps, what it refused."""
    report = Refusals()
    columns = Columns(TAGS, {}, report)
    columns.opened(0, 0, again=False)
    for one in TAGS:
        columns.owns(one.id, one)
    columns._first = set(first)
    received = int(T0.timestamp() * 1000) + 500_000
    made = columns.readings(parts, received)
    rows: dict[int, list[tuple[Any, ...]]] = {one.id: [] for one in TAGS}
    for part in made:
        for row in _rows(part):
            rows[row[0]].append(row)
    return (
        rows,
        columns.newest,
        columns.codes,
        columns.untimed,
        sorted(report.reasons),
        {one.id for one in columns.vanished},
        columns._first,
    )


def _rows(part: Readings) -> list[tuple[Any, ...]]:
    return list(zip(part.ids.tolist(), part.t.tolist(), map(str, part.values), part.quality.tolist(), strict=True))


def _numbers(count: int) -> list[Change]:
    return [
        (n % len(TAGS) + 1, ua.DataValue(ua.Variant(float(n)), SourceTimestamp=_time(T0 + timedelta(milliseconds=n)))) for n in range(count)
    ]


def test_numbers_of_one_layout_are_one_run() -> None:
    (run,) = published(Buffer(answer(_numbers(1000)))).parts

    assert isinstance(run, Run)
    assert run.values.tolist() == list(range(1000))
    assert run.t.tolist() == [int(T0.timestamp() * 1000) + n for n in range(1000)]
    assert run.numbers.tolist() == [n % len(TAGS) + 1 for n in range(1000)]


def test_picoseconds_are_where_the_specification_puts_them() -> None:
    ticks = 134_000_000_000_000_000
    body = struct.pack("<i", 9) + b"".join(struct.pack("<IBBdqHqH", 4, 0x3D, 11, n / 2, ticks, 9, ticks, 9) for n in range(9))

    (run,) = changes(body)

    assert isinstance(run, Run)
    assert run.values.tolist() == [n / 2 for n in range(9)]
    assert set(run.t.tolist()) == {(ticks - 116_444_736_000_000_000) // 10_000}


@pytest.mark.parametrize("cut", [9, 20, 40, 200])
def test_an_answer_that_is_cut_off_is_an_error(cut: int) -> None:
    raw = answer(_numbers(12))

    with pytest.raises(UaError):
        published(Buffer(raw[:-cut]))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(-3, 2**31 - 1))
def test_no_bytes_at_all_do_more_than_fail(rest: bytes, count: int) -> None:
    head = struct_to_binary(ua.PublishResponse())[:28]
    for raw in (head + rest, answer(_numbers(9))[:-200] + rest, answer([])[:-12] + struct.pack("<i", count) + rest):
        try:
            published(Buffer(raw))
        except UaError:
            continue


def test_a_subscription_that_ended_says_why() -> None:
    made = ua.PublishResponse()
    ended = ua.StatusChangeNotification(ua.StatusCode(ua.UInt32(StatusCodes.BadTimeout)))
    made.Parameters = ua.PublishResult(3, [], False, ua.NotificationMessage(8, T0, [ended]), [], [])

    said = published(Buffer(struct_to_binary(made)))

    assert (said.ended, said.is_keep_alive, said.parts) == ("BadTimeout", False, [])


def test_what_waits_is_bounded_and_the_oldest_goes_first() -> None:
    report = Refusals()
    waiting = Waiting(25, report)
    for start in range(4):
        waiting.put(published(Buffer(answer([(number, value) for number, value in _numbers(10 + start)][start:]))).parts[0])

    kept = waiting.take()

    assert len(waiting) == 0
    assert [len(part) for part in kept] == [10, 10]
    assert report.reasons == ["overflow"] * 20
    assert not math.isnan(np.concatenate([part.values for part in kept if isinstance(part, Run)]).sum())
