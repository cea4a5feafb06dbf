"""Thresholds proposed from verdicts: what would have kept the false alerts away and the true ones, proved on the stored readings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg2
import pytest

from ml.kept import only_asset
from ml.tuning import Case, Question, tune, tune_tag
from realtime import settings as settings_module
from realtime.bus import Bus
from realtime.codec import decode_signal
from realtime.history_writer import write_batches
from realtime.snapshot import Limit, Snapshot
from tests.ml.plant import T0, batch, quiet_settings, snapshot, tag

HIGH = Limit(side="high", value=60.0, severity="warning", deadband=1.0, on_delay_s=2.0)


@pytest.fixture
def conn(postgres_url: str) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(postgres_url)
    yield connection
    connection.close()


def stored(conn: psycopg2.extensions.connection, number: int, peaks: dict[int, tuple[int, float]]) -> Snapshot:
    """Half an hour at 50, one reading a second, with excursions {second: (seconds, height)}."""
    values = 50.0 + np.arange(1800) % 3
    for second, (length, height) in peaks.items():
        values[second : second + length] = height
    snap = snapshot(tag(number, asset=number, shard=number % 8, limits=[HIGH], low=20.0, high=60.0, stuck_s=60.0))
    write_batches(conn, [batch([number], [v], T0 + i * 1000, shard=number % 8) for i, v in enumerate(values.tolist())])
    conn.commit()
    return snap


def case(second: int, length: int, *, true: bool) -> Case:
    return Case(T0 + (second + 2) * 1000, T0 + (second + length) * 1000, true)


def proposed(conn: psycopg2.extensions.connection, snap: Snapshot, cases: list[Case], code: str = "high") -> dict[str, Any]:
    own = only_asset(snap, snap.tags[0].asset)
    return tune(conn, own, Question(own.tags[0], code, 0 if code == "high" else None), cases, quiet_settings())


def test_short_low_false_peaks_ask_for_a_delay_or_a_higher_limit(conn: psycopg2.extensions.connection) -> None:
    snap = stored(conn, 410, {200: (8, 62.0), 500: (12, 63.0), 900: (60, 70.0)})

    answer = proposed(conn, snap, [case(200, 8, true=False), case(500, 12, true=False), case(900, 60, true=True)])

    assert answer["reproduced"] == {"true": 1, "false": 2}
    assert answer["candidates"] == [{"field": "on_delay_s", "from": 2.0, "to": 15.0}, {"field": "value", "from": 60.0, "to": 63.4}]


def test_what_would_lose_a_true_alert_is_not_proposed(conn: psycopg2.extensions.connection) -> None:
    snap = stored(conn, 420, {300: (100, 62.0), 900: (20, 66.0)})

    answer = proposed(conn, snap, [case(300, 100, true=False), case(900, 20, true=True)])
    hopeless = proposed(conn, snap, [case(900, 20, true=False), case(300, 100, true=True)])

    assert [one["field"] for one in answer["candidates"]] == ["value"]
    assert [one["field"] for one in hopeless["candidates"]] == ["on_delay_s"]


def test_where_nothing_separates_or_the_readings_are_gone_it_says_so(conn: psycopg2.extensions.connection) -> None:
    snap = stored(conn, 430, {300: (20, 62.0), 900: (20, 62.0)})

    same = proposed(conn, snap, [case(300, 20, true=False), case(900, 20, true=True)])
    gone = proposed(conn, snap, [Case(T0 - 10**9, T0 - 10**9 + 60_000, true=False)])

    assert (same["candidates"], same["why"]) == ([], "nothing keeps the false alerts away without losing a true one")
    assert (gone["candidates"], gone["reproduced"]) == ([], {"true": 0, "false": 0})


def test_a_false_standstill_asks_for_a_longer_stuck_time(conn: psycopg2.extensions.connection) -> None:
    snap = stored(conn, 440, {300: (80, 51.0), 900: (300, 51.0)})

    answer = proposed(conn, snap, [case(358, 22, true=False), case(958, 240, true=True)], "stuck")

    assert answer["candidates"] == [{"field": "stuck_s", "from": 60.0, "to": 90}]


def test_job_answers_and_refuses_a_limit_that_was_changed(
    conn: psycopg2.extensions.connection, bus: Bus, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    snap = stored(conn, 450, {200: (8, 62.0)})
    bus.publish_config(snap)
    loaded = settings_module.load(environment, None)
    monkeypatch.setattr(settings_module, "load", lambda: loaded)
    target = {"side": "high", "value": 60.0, "severity": "warning"}
    cases = [[T0 + 202_000, T0 + 208_000, False]]

    answer = tune_tag(450, 450, "high", target, cases, 77)
    changed = tune_tag(450, 450, "high", {**target, "value": 61.0}, cases)
    unknown = tune_tag(450, 451, "high", target, cases)

    assert [one["field"] for one in answer["candidates"]] == ["on_delay_s", "value"]
    assert (changed, unknown["refused"].split(" ")[0]) == ({"refused": "the limit was changed since"}, "tag")
    signals = [decode_signal(fields) for _, fields in bus.client.xrange(bus.key("signals"))]
    assert [one.data.get("tuning") for one in signals if one.data["job"] == 77] == [None, answer]
