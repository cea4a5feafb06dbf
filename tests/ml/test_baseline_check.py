"""Which marked intervals may be a baseline: what is refused, with which words, and what is never refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg2
import pytest

from ml.baseline_check import Levels, check, check_baseline, reasons_against
from ml.regimes import Spans, spans
from ml.training import basis_of, read_history
from realtime import settings as settings_module
from realtime.bus import Bus
from realtime.codec import decode_signal
from realtime.events import Quality, Reason, quality_byte
from realtime.history_writer import write_batches
from realtime.settings import Settings
from realtime.snapshot import Asset, Baseline, Snapshot, Work
from tests.ml.demo import SEED_END, SIGNALS, TAGS, healthy
from tests.ml.plant import T0, batch, quiet_settings, snapshot, tag, wander

HOUR = 3600
NOTHING = spans([])
BAD = quality_byte(Quality.BAD, Reason.DEVICE)


def minutes(values: np.ndarray, start: int = T0, step: int = 10, **fields: Any) -> Levels:
    """Readings once a second as stretches of `step` seconds."""
    rows = values[: len(values) // step * step].reshape(-1, step)
    t = start + np.arange(len(rows), dtype=np.int64) * step * 1000
    return Levels(tag(11, **fields), t, rows.min(1), rows.mean(1), rows.max(1), np.full(len(rows), float(step)))


def against(values: np.ndarray, closed: Spans = NOTHING, **fields: Any) -> list[str]:
    return reasons_against(minutes(values, **fields), (T0, T0 + len(values) * 1000), closed, quiet_settings())


@pytest.mark.parametrize("seed", range(20))
def test_healthy_wander_is_accepted(seed: int) -> None:
    assert against(wander(2 * HOUR, seed=seed)[:, 0]) == []


@pytest.mark.parametrize("seed", range(20))
def test_white_noise_and_slow_coloured_noise_are_accepted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    white = rng.normal(50, 1, 2 * HOUR)
    coloured = np.convolve(rng.normal(0, 1, 2 * HOUR + 300), np.ones(300) / 300, "valid")[: 2 * HOUR] + 50

    assert against(white) == []
    assert against(coloured) == []


@pytest.mark.parametrize("where", [0.25, 0.5, 0.8])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_level_that_changes_within_it_is_refused_with_both_levels(where: float, side: int) -> None:
    values = wander(2 * HOUR)[:, 0]
    values[round(where * len(values)) :] += side * 5.0

    (words,) = against(values)

    assert words.startswith("T-11 changes within it: from ")
    assert "bar, in the other half " in words
    assert "Mark a stretch without that change" in words


def test_a_slow_drift_over_all_of_it_is_refused() -> None:
    values = wander(4 * HOUR)[:, 0] + np.linspace(0, 6, 4 * HOUR)

    assert "changes within it" in against(values)[0]


def test_a_standstill_is_refused_and_a_coarse_tag_is_not() -> None:
    values = wander(2 * HOUR)[:, 0]
    coarse = np.round(values * 2) / 2
    values[5000:6500] = values[5000]

    assert "stands still from" in against(values)[0]
    assert against(coarse) == []
    assert "in all of it" in against(np.full(2 * HOUR, 7.0))[0]
    assert against(np.full(2 * HOUR, 7.0), stuck_s=None) == []  # a set point


def test_a_gap_is_refused_unless_it_is_left_out_anyway() -> None:
    whole = minutes(wander(2 * HOUR)[:, 0])
    out = (whole.t < T0 + 3_000_000) | (whole.t >= T0 + 3_600_000)
    holed = Levels(whole.tag, *(column[out] for column in (whole.t, whole.low, whole.mean, whole.high, whole.n)))
    span = (T0, T0 + 2 * HOUR * 1000)

    refused = reasons_against(holed, span, NOTHING, quiet_settings())

    assert len(refused) == 1
    assert re.search(r"no good reading from \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ to ", refused[0])
    assert reasons_against(holed, span, spans([(T0 + 3_000_000, T0 + 3_600_000)]), quiet_settings()) == []


def test_every_signal_of_the_demo_makes_a_baseline() -> None:
    for one in (signal for signal in TAGS if signal.name in SIGNALS):
        t = np.arange(SEED_END - 2 * HOUR * 1000, SEED_END, round(one.period_s * 1000), dtype=np.int64)
        values = healthy(SIGNALS[one.name], t)
        n = 10 if one.period_s == 1 else 4
        rows = values[: len(values) // n * n].reshape(-1, n)
        series = Levels(one, t[: len(rows) * n : n], rows.min(1), rows.mean(1), rows.max(1), np.full(len(rows), float(n)))
        assert reasons_against(series, (int(t[0]), int(t[-1])), NOTHING, quiet_settings()) == [], one.name


@pytest.fixture
def conn(postgres_url: str) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(postgres_url)
    yield connection
    connection.close()


START, END = T0, T0 + HOUR * 1000
STOP, GO = T0 + 1_200_000, T0 + 1_500_000
WORK = Work(start=T0 + 2_400_000, end=T0 + 2_700_000)


def machine(asset: int, **fields: Any) -> Snapshot:
    """Two tags and a run bit; a confirmed hour."""
    tags = [tag(10 * asset + i, asset=asset, shard=asset % 8) for i in range(2)]
    bit = tag(10 * asset + 5, asset=asset, shard=asset % 8, role="running")
    spans_ = [Baseline(start=START, end=END, confirmed=True)]
    return snapshot(
        *tags, bit, assets=[Asset(id=asset, code=f"A{asset}", name="x", baselines=spans_, start_up_s=60.0, work=[WORK], **fields)]
    )


def an_hour(conn: psycopg2.extensions.connection, snap: Snapshot, *, running: bool = True) -> None:
    """Healthy at 50; 90 while stopped, 60 s after the start and under work; 500 where the quality is bad."""
    first, second, bit = (one.id for one in snap.tags)
    values = wander(HOUR, channels=2)
    batches = []
    for i in range(HOUR):
        t = START + i * 1000
        stands = STOP <= t < GO
        odd = STOP <= t < GO + 60_000 or WORK.start <= t < WORK.end
        row = [90.0, 90.0] if odd else values[i].tolist()
        shard = snap.tags[0].shard
        bad = i % 100 == 50
        batches.append(batch([first, second], [500.0, 500.0] if bad else row, t, shard=shard, quality=BAD if bad else 0))
        if running and i % 10 == 0:
            batches.append(batch([bit], [0.0 if stands else 1.0], t, shard=shard))
    write_batches(conn, batches)
    conn.commit()


def test_standstill_start_up_work_and_bad_quality_neither_refuse_a_baseline_nor_enter_it(
    conn: psycopg2.extensions.connection, settings: Settings
) -> None:
    snap = machine(41)
    an_hour(conn, snap)

    answer = check(conn, snap, 41, (START, END), settings)
    history = read_history(conn, snap, 41, basis_of(snap.assets[0], END), settings)

    assert answer["reasons"] == []
    assert answer["left_out_s"] == 300 + 60 + 300
    for series in history.series:
        assert len(series.v) == pytest.approx(0.99 * (HOUR - 660), abs=5)
        for values in (series.v, series.levels):
            assert (values.min() > 47, values.max() < 53) == (True, True)


def test_the_same_hour_without_its_state_is_refused(conn: psycopg2.extensions.connection, settings: Settings) -> None:
    snap = machine(42, runs_by="always")
    an_hour(conn, snap)

    reasons = check(conn, snap, 42, (START, END), settings)["reasons"]

    assert {words.split()[0] for words in reasons} == {"T-420", "T-421"}


def test_a_stretch_in_which_the_machine_hardly_ran_is_refused_with_what_is_left(
    conn: psycopg2.extensions.connection, settings: Settings
) -> None:
    snap = machine(43)
    an_hour(conn, snap)

    (words,) = check(conn, snap, 43, (STOP - 240_000, GO + 120_000), settings)["reasons"]

    assert words == "Only 5 min are left after 6 min under work, not running or starting up; 10 min are needed."


def test_job_reports_its_verdict(
    conn: psycopg2.extensions.connection, bus: Bus, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    snap = machine(44)
    an_hour(conn, snap)
    bus.publish_config(snap)
    loaded = settings_module.load(environment, None)
    monkeypatch.setattr(settings_module, "load", lambda: loaded)

    check_baseline(44, 9, START, END, 3)
    unknown = check_baseline(45, 9, START, END)

    assert unknown["reasons"] == ["Asset 45 is not in the published plant."]
    first, last = [decode_signal(fields).data for _, fields in bus.client.xrange(bus.key("signals"))][:2]
    assert (first["job"], first["done"], last["done"], last["message"]) == (3, 0, 1, "accepted")
    assert (last["baseline"]["id"], last["baseline"]["reasons"]) == (9, [])
