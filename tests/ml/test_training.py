"""Learning from baselines in the history: what counts, what is refused, what the monitor does with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import psycopg2
import pytest

from ml.artefacts import seal_model, signing_key, unseal_model
from ml.engine import AssetModel
from ml.store import load_model, save_model
from ml.training import LEARNER, STEPS, TooLittle, basis_of, fingerprint, learnable, live_part, train, train_asset
from realtime import settings as settings_module
from realtime.bus import Bus, now_ms
from realtime.codec import decode_signal
from realtime.events import SignalName
from realtime.history_writer import write_batches
from realtime.settings import Settings
from realtime.snapshot import ActiveModel, Asset, Baseline, Snapshot
from tests.ml.plant import batch, snapshot, tag, wander
from tests.ml.program import findings, health, monitor, wait_for_shards
from tests.waiting import wait_for

HOUR_MS = 3_600_000
LIVE_S = 3600


@pytest.fixture
def conn(postgres_url: str) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(postgres_url)
    yield connection
    connection.close()


def plant(asset: int, end: int, *, confirmed: bool = True, baseline: bool = True) -> Snapshot:
    tags = [tag(100 * asset + i, asset=asset, shard=asset % 8) for i in range(2)]
    spans = [Baseline(start=end - 3 * HOUR_MS, end=end, confirmed=confirmed)] if baseline else []
    return snapshot(*tags, assets=[Asset(id=asset, code=f"A{asset}", name="x", baselines=spans)])


def fill(conn: psycopg2.extensions.connection, snap: Snapshot, end: int, seconds: int = LIVE_S) -> np.ndarray:
    """Two coarse hours at 30 s, then `seconds` at the live period; returns the live part."""
    values = wander(seconds, channels=2)
    ids = [t.id for t in snap.tags]
    shard = snap.tags[0].shard
    coarse = range(end - 3 * HOUR_MS, end - seconds * 1000, 30_000)
    batches = [batch(ids, [50.0 + i % 3, 49.0 + i % 5], t, shard=shard) for i, t in enumerate(coarse)]
    batches += [batch(ids, values[i], end - (seconds - i) * 1000, shard=shard) for i in range(seconds)]
    write_batches(conn, batches)
    conn.commit()
    return values


def test_confirmed_baselines_count_before_others() -> None:
    confirmed, other = Baseline(start=0, end=10, confirmed=True), Baseline(start=20, end=30, confirmed=False)

    assert basis_of(Asset(id=1, code="A", name="A", baselines=[other, confirmed]), 99).spans == (confirmed,)
    assert basis_of(Asset(id=1, code="A", name="A", baselines=[other]), 99).provisional
    assert basis_of(Asset(id=1, code="A", name="A"), 3 * HOUR_MS).spans[0].end == 3 * HOUR_MS


def test_only_the_part_sampled_like_the_end_is_live() -> None:
    t = np.r_[np.arange(0, 3_000_000, 30_000), 3_000_000 + np.arange(0, 200_000, 1000)]

    _, kept = live_part(t, np.arange(len(t), dtype=np.float64))

    assert kept[0] >= 2_970_000
    assert len(kept) >= 200


def test_one_gap_does_not_end_the_live_part() -> None:
    t = np.r_[np.arange(0, 100_000, 1000), np.arange(400_000, 500_000, 1000)]

    assert len(live_part(t, np.zeros(len(t)))[1]) == 200


def test_model_is_learned_from_the_confirmed_baseline_and_kept_signed(conn: psycopg2.extensions.connection, settings: Settings) -> None:
    end = now_ms() - 60_000
    snap = plant(11, end)
    values = fill(conn, snap, end)

    meta = train(conn, snap, 11, 4, settings)

    raw = load_model(conn, 11, 4)
    assert raw is not None
    model = unseal_model(raw, signing_key(settings))
    assert (model.asset, model.version, model.provisional) == (11, 4, False)
    assert {"drift", "spike", "noise", "stuck", "range", "forest"} <= set(model.learned)
    assert 0.01 < model.learned["drift"]["scale"][0] < values[:, 0].std()
    assert meta["windows"] > 100
    assert meta["baseline_hash"] == model.baseline_hash


def test_a_short_interval_that_is_added_is_learned_with_the_long_one_before_it(
    conn: psycopg2.extensions.connection, settings: Settings
) -> None:
    end = now_ms() - 60_000
    snap = plant(19, end)
    fill(conn, snap, end)
    (long,) = snap.assets[0].baselines
    spans = [msgspec.structs.replace(long, end=end - 900_000), Baseline(start=end - 600_000, end=end, confirmed=True)]
    both = msgspec.structs.replace(snap, assets=[msgspec.structs.replace(snap.assets[0], baselines=spans)])

    meta = train(conn, both, 19, 1, settings)

    assert meta["readings"] == len(snap.tags) * (LIVE_S - 300)


def test_settings_of_the_earlier_systems_are_kept_with_the_model(conn: psycopg2.extensions.connection, settings: Settings) -> None:
    end = now_ms() - 60_000
    snap = plant(17, end)
    fill(conn, snap, end)

    meta = train(conn, snap, 17, 1, replace(settings, n_estimators=20, anomaly_contamination=0.1))

    model = unseal_model(load_model(conn, 17, 1) or b"", signing_key(settings))
    assert (meta["trees"], meta["contamination"]) == (20, 0.1)
    assert len(model.learned["forest"]["roots"]) == 20


def test_same_history_gives_the_same_model(conn: psycopg2.extensions.connection, settings: Settings) -> None:
    end = now_ms() - 60_000
    snap = plant(12, end)
    fill(conn, snap, end)

    models = []
    for version in (1, 2):
        train(conn, snap, 12, version, settings)
        models.append(unseal_model(load_model(conn, 12, version) or b"", signing_key(settings)))

    for name, learned in models[0].learned.items():
        for field, array in learned.items():
            assert np.array_equal(array, models[1].learned[name][field], equal_nan=array.dtype.kind == "f"), (name, field)


def test_too_little_history_is_refused_with_the_number(conn: psycopg2.extensions.connection, settings: Settings) -> None:
    with pytest.raises(TooLittle, match="30 are needed"):
        train(conn, plant(13, now_ms()), 13, 1, settings)


def test_fingerprint_asks_for_a_new_model_when_its_basis_changes(settings: Settings) -> None:
    snap = plant(14, 10 * HOUR_MS)
    asset, tags = snap.assets[0], learnable(snap, 14)
    other = plant(14, 11 * HOUR_MS).assets[0]

    assert fingerprint(asset, tags, settings) == fingerprint(asset, tags, settings)
    assert fingerprint(asset, tags, settings) != fingerprint(other, tags, settings)
    assert fingerprint(asset, tags[:1], settings) != fingerprint(asset, tags, settings)


def test_job_trains_a_version_and_reports_it(
    conn: psycopg2.extensions.connection, bus: Bus, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    end = now_ms() - 60_000
    bus.publish_config(plant(15, end))
    fill(conn, plant(15, end), end)
    loaded = settings_module.load(environment, None)
    monkeypatch.setattr(settings_module, "load", lambda: loaded)

    answer = train_asset(15, 2, "job-1")
    refused = train_asset(16, 1)

    assert answer["windows"] > 100
    assert "not in the published plant snapshot" in refused["refused"]
    assert load_model(conn, 15, 2) is not None
    signals = [decode_signal(fields) for _, fields in bus.client.xrange(bus.key("signals"))]
    told = [(s.name, s.data["done"], s.data["message"]) for s in signals if s.data["job"] == "job-1"]
    assert [(name, done) for name, done, _ in told] == [(SignalName.JOB_PROGRESS, done) for done in range(STEPS + 1)]
    assert [told[0][2], told[-1][2]] == ["reading the history", "trained"]
    assert (0 <= answer["in_sample_alarm_rate"] <= 0.05, 0 <= answer["left_out_alarm_rate"] <= 0.05) == (True, True)
    assert answer["learner"] == LEARNER


MODEL_OF_23 = AssetModel(23, (2300, 2301), {}, 1, provisional=False, baseline_hash="of another basis", learner="ten-1, older libraries")


def model_states(bus: Bus) -> list[tuple[int, int, str]]:
    signals = [decode_signal(fields) for _, fields in bus.client.xrange(bus.key("signals"))]
    return [(s.data["asset"], s.data["version"], s.data["state"]) for s in signals if s.name == SignalName.MODEL_STATE]


def models(bus: Bus) -> tuple[int, int]:
    beats = health(bus)
    return (beats[0]["models"], beats[0]["provisional"]) if beats else (0, 0)


def test_monitor_learns_by_itself_and_finds_a_drift(conn: psycopg2.extensions.connection, bus: Bus, environment: dict[str, str]) -> None:
    end = now_ms() - 300_000
    snap = plant(21, end)
    values = fill(conn, snap, end)
    bus.publish_config(snap)
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        wait_for(lambda: models(bus) == (1, 0), 30, "the confirmed model")
        rows = [values[-1] + (np.array([4.0, 0.0]) if i > 100 else 0.0) + np.random.default_rng(i).normal(0, 0.1, 2) for i in range(200)]
        bus.add_batches([batch([2100, 2101], row, end + i * 1000, shard=5) for i, row in enumerate(rows)])
        wait_for(lambda: findings(bus, "open"), what="the drift")

    first = findings(bus, "open")[0]
    assert (first.type.value, first.code, first.tag, first.provisional) == ("drift", "drift_high", "T-2100", False)
    assert first.because[0].tag == "T-2100"


def test_without_a_confirmed_baseline_findings_are_provisional(
    conn: psycopg2.extensions.connection, bus: Bus, environment: dict[str, str]
) -> None:
    end = now_ms() - 300_000
    snap = plant(22, end, baseline=False)
    fill(conn, snap, end)
    bus.publish_config(snap)
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        wait_for(lambda: models(bus) == (1, 1), 30, "the provisional model")
        bus.add_batches(
            [batch([2200, 2201], [90.0 if i > 100 else 50.0 + i % 3, 50.0 + i % 5], end + i * 1000, shard=6) for i in range(200)]
        )
        wait_for(lambda: any(f.detector == "drift" for f in findings(bus, "open")), what="the drift")

    assert all(f.provisional for f in findings(bus, "open") if f.detector in {"drift", "spike", "noise", "forest"})


def test_damaged_active_model_leaves_the_rules_in_force(
    conn: psycopg2.extensions.connection, bus: Bus, environment: dict[str, str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    end = now_ms() - 300_000
    plain = plant(23, end)
    fill(conn, plain, end)
    tags = [t.__class__(**{**{f: getattr(t, f) for f in t.__struct_fields__}, "range_high": 100.0}) for t in plain.tags]
    snap = snapshot(*tags, assets=plain.assets, active_models=[ActiveModel(asset=23, version=1)])
    save_model(conn, 23, 1, "x", {}, b"not a model at all, and long enough to be one by its size")
    conn.commit()
    bus.publish_config(snap)
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        bus.add_batches([batch([2300, 2301], [150.0 if i > 20 else 50.0 + i % 3, 50.0], end + i * 1000, shard=7) for i in range(40)])
        wait_for(lambda: findings(bus, "open"), what="the finding of a rule")
        wait_for(lambda: model_states(bus), what="the word that it is damaged")
        save_model(conn, 23, 1, "x", {}, seal_model(MODEL_OF_23, {}, signing_key(settings_module.load(environment, None))))
        conn.commit()
        bus.publish_config(msgspec.structs.replace(snap, version=2, active_models=[]))
        wait_for(lambda: models(bus)[0] == 1, what="the own model")
        bus.publish_config(msgspec.structs.replace(snap, version=3))
        wait_for(lambda: any(told[2] == "outdated" for told in model_states(bus)), what="the word that it is of another basis")

    assert findings(bus, "open")[0].code == "over_range"
    assert "is damaged" in capfd.readouterr().err
    assert model_states(bus) == [(23, 1, "damaged"), (23, 0, "whole"), (23, 1, "outdated"), (23, 1, "whole")]
