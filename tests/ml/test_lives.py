"""Remaining life from lives in the records and hours in the history: with a band, or a word where nobody can say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import psycopg2
import pytest

from ml import lives
from ml.artefacts import Damaged, signing_key
from ml.rul import TooFewLives
from ml.store import load_model
from realtime.bus import Bus
from realtime.codec import decode_signal
from realtime.events import Batch, SignalName
from realtime.history_writer import write_batches
from realtime.settings import Settings
from realtime.snapshot import Asset, Snapshot
from tests.ml.plant import snapshot, tag

HOUR = 3_600_000
END = 1_767_600_000_000 // HOUR * HOUR
MACHINES = (1, 2, 3, 4)
ROUNDS = 30

Connection = psycopg2.extensions.connection


def plant() -> Snapshot:
    tags = []
    for asset in MACHINES:
        shared = {"asset": asset, "shard": asset}
        tags += [tag(10 * asset + i, name=f"P{asset}.{name}", **shared) for i, name in enumerate(("vibration", "heat", "load"))]
        tags.append(tag(10 * asset + 5, name=f"P{asset}.on", role="running", **shared))
    return snapshot(*tags, assets=[Asset(id=asset, code=f"P{asset}", name="A pump") for asset in MACHINES])


def worn(run_hours: int, rng: np.random.Generator, until: int | None = None) -> np.ndarray:
    """float64 (n, 3): vibration and heat tell of wear, load does not; the first `until` of `run_hours`."""
    wear = (np.arange(run_hours) / run_hours) ** 2
    values = np.stack([2 + 3 * wear, 60 + 20 * wear, np.full(run_hours, 50.0)], axis=1)
    found: np.ndarray = (values + rng.normal(0, [0.1, 1.0, 5.0], values.shape))[:until]
    return found


def keep(conn: Connection, asset: int, began: int, values: np.ndarray) -> int:
    """A reading an hour while it runs, eight hours of every ten; returns when it stopped."""
    of = np.arange(len(values)) + 2 * (np.arange(len(values)) // 8)
    last = int(of[-1]) + 1
    batches = []
    t = began + of * HOUR + 60_000
    for i in range(values.shape[1]):
        batches.append(_batch(asset, 10 * asset + i, t, values[:, i]))
    hours = np.arange(last)
    batches.append(_batch(asset, 10 * asset + 5, began + hours * HOUR + 60_000, np.isin(hours, of).astype(np.float64)))
    write_batches(conn, batches)
    return began + last * HOUR


def _batch(shard: int, tag_id: int, t: np.ndarray, values: np.ndarray) -> Batch:
    n = len(t)
    ids, zeros = np.full(n, tag_id, np.uint32), np.zeros(n, np.uint32)
    return Batch(shard, int(t[-1]), "test", ids, t.astype(np.int64), zeros.astype(np.uint8), zeros, values)


@pytest.fixture(scope="module")
def conn(postgres_url: str) -> Iterator[Connection]:
    connection = psycopg2.connect(postgres_url)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def whole(conn: Connection) -> list[lives.Life]:
    """Three lives of each machine, one after the other."""
    rng = np.random.default_rng(3)
    found = []
    for asset in MACHINES:
        at = END - 2000 * HOUR
        for _ in range(3):
            ended = keep(conn, asset, at, worn(int(rng.integers(120, 240)), rng))
            found.append((asset, at, ended))
            at = ended + 24 * HOUR
    conn.commit()
    return found


@pytest.fixture(scope="module")
def kind(conn: Connection, whole: list[lives.Life]) -> lives.Kind:
    """What those lives teach."""
    return lives.learn(conn, plant(), whole, rounds=ROUNDS)


def present(conn: Connection, asset: int, began: int, values: np.ndarray) -> int:
    ended = keep(conn, asset, began, values)
    conn.commit()
    return ended


def test_what_is_left_is_told_in_run_hours_and_shrinks_with_wear(conn: Connection, kind: lives.Kind) -> None:
    rng = np.random.default_rng(11)
    told = []
    for asset, until in ((1, 90), (2, 170)):
        now = present(conn, asset, END, worn(190, rng, until))
        told.append(lives.tell(conn, plant(), kind, asset, END, now))

    early, late = told
    assert (kind.names, kind.hours, kind.lives) == ((".heat", ".load", ".vibration"), 1, 12)
    assert late["state"] == "expected"
    assert late["low_h"] <= 20 <= late["high_h"]
    assert late["left_h"] < 45
    assert early["state"] == "long" or early["left_h"] > late["left_h"]
    assert late["hours_a_day"] == pytest.approx(24 * 0.8, abs=1.0)


def test_a_machine_that_is_not_as_those_were_gets_a_word(conn: Connection, kind: lives.Kind) -> None:
    rng = np.random.default_rng(12)
    began = END + 500 * HOUR
    other = present(conn, 3, began, worn(190, rng, 60) + np.array([0.0, 40.0, 0.0]))
    young = present(conn, 4, began, worn(190, rng, 3))

    said = [lives.tell(conn, plant(), kind, asset, since, now)["state"] for asset, since, now in (
        (3, began, other), (4, began, young), (4, None, young), (4, END - 4000 * HOUR, young), (99, began, young),
    )]  # fmt: skip

    assert said == ["unlike", "new", "too_little", "too_little", "too_little"]


def test_lives_whose_signals_do_not_show_their_end_teach_nothing(conn: Connection, kind: lives.Kind) -> None:
    model = kind.life
    blind = lives.Kind(kind.names, 1, kind.seen, kind.longest, 12, type(model)(model.wear, model.trees, model.low, model.high, np.ones(2)))

    assert lives.tell(conn, plant(), blind, 1, END, END + 100 * HOUR) == {"state": "no_wear"}


def test_fewer_than_ten_lives_with_readings_are_refused_with_the_number(conn: Connection, whole: list[lives.Life]) -> None:
    unseen = [(asset, began - 3000 * HOUR, ended) for asset, began, ended in whole[:4]]  # their readings begin far too late

    with pytest.raises(TooFewLives, match="8 of 12 lives have readings from beginning to end"):
        lives.learn(conn, plant(), [*unseen, *whole[4:]])


def test_hours_in_which_it_did_not_run_throughout_do_not_count(conn: Connection, whole: list[lives.Life]) -> None:
    asset, began, ended = whole[0]

    t, means = lives.running_hours(conn, plant(), asset, (".heat",), (began, ended))

    assert len(t) == len(means)
    assert len(t) / ((ended - began) / HOUR) == pytest.approx(0.8, abs=0.02)
    assert np.isfinite(means).all()


def test_a_missing_value_is_the_one_before_and_half_a_row_is_none() -> None:
    means = np.array([[np.nan], [1.0], [3.0], [np.nan], [np.nan], [np.nan], [9.0]])

    assert lives.rows_of(means, 2).tolist() == [[1.0], [3.0], [3.0]]


def test_the_kept_model_says_the_same_and_a_damaged_one_nothing(conn: Connection, kind: lives.Kind, settings: Settings) -> None:
    key = signing_key(settings)
    _, raw = lives.sealed(kind, key)

    again = lives.unsealed(raw, key)

    history = np.column_stack([np.linspace(60, 70, 80), np.full(80, 50.0), np.linspace(2, 4, 80)])
    assert again.life.predict(history) == kind.life.predict(history)
    assert (again.names, again.hours, again.longest, again.lives) == (kind.names, kind.hours, kind.longest, kind.lives)
    with pytest.raises(Damaged):
        lives.unsealed(raw[:-9] + bytes(9), key)


def test_the_job_learns_keeps_and_is_told_again_by_the_kept_model(
    conn: Connection, whole: list[lives.Life], settings: Settings, bus: Bus, environment: dict[str, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    bus.publish_config(msgspec.structs.replace(plant(), version=1))

    first = lives.tell_lives(1, [list(life) for life in whole], {"1": END}, None, 7)
    again = lives.tell_lives(1, [], {"1": END}, [1, 7], 8)
    gone = lives.tell_lives(1, [], {"1": END}, [1, 6], 9)

    assert first["model"] == again["model"] == [1, 7]
    assert first["lives"] == 12
    assert first["machines"]["1"]["state"] in {"expected", "long", "unlike", "too_little"}
    assert first["machines"] == again["machines"]
    assert load_model(conn, 1, -7) is not None
    assert "learn it anew" in gone["refused"]
    heard = [decode_signal(entry) for entry in _signals(bus)]
    assert [one.name for one in heard] == [SignalName.JOB_PROGRESS] * len(heard)
    assert [one.data["lives"] for one in heard if "lives" in one.data] == [first, again, gone]


def _signals(bus: Bus) -> list[dict[bytes, bytes]]:
    return [fields for _, fields in bus.client.xrange(bus.key("signals"))]
