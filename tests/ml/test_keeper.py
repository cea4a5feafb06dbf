"""The thread that gets models goes on for every asset, whatever the history of one of them holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from ml import keeper as keeper_module
from ml.engine import AssetModel
from ml.keeper import Keeper
from ml.training import train
from realtime.bus import now_ms
from realtime.history_writer import write_batches
from realtime.settings import Settings
from realtime.snapshot import Snapshot
from tests.ml.plant import batch, snapshot, tag, wander

ODD, SOUND = 61, 62
SECONDS = 1800


@pytest.fixture
def conn(postgres_url: str) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(postgres_url)
    yield connection
    connection.close()


def plant() -> Snapshot:
    """Two machines of two tags each, the odd one first."""
    return snapshot(*(tag(10 * asset + i, asset=asset, shard=asset % 8) for asset in (ODD, SOUND) for i in range(2)))


def kept(conn: psycopg2.extensions.connection, settings: Settings) -> Keeper:
    """A keeper that is asked for both, each with half an hour of history; in that of the odd one stands a number that no process has."""
    start, values = now_ms() - SECONDS * 1000, wander(SECONDS, channels=2)
    for asset in (ODD, SOUND):
        rows = values.copy()
        if asset == ODD:
            rows[1000] = 3.4e38  # good by its quality: what a REAL holds that nobody wrote
        write_batches(conn, [batch([10 * asset, 10 * asset + 1], row, start + i * 1000, shard=asset % 8) for i, row in enumerate(rows)])
    conn.commit()
    keeper = Keeper(settings, threading.Event())
    keeper.want(plant(), frozenset(range(8)), frozenset())
    return keeper


def test_a_number_that_no_process_has_is_not_learned(conn: psycopg2.extensions.connection, settings: Settings) -> None:
    keeper = kept(conn, settings)

    keeper._serve_all()

    models = {one.asset: one for one in keeper.take() if isinstance(one, AssetModel)}
    assert sorted(models) == [ODD, SOUND]
    assert all((models[asset].learned["range"]["learned_high"] < 100).all() for asset in models)


def test_a_history_that_cannot_be_learned_stops_no_other_assets_models(
    conn: psycopg2.extensions.connection, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflows(conn: Any, snapshot: Snapshot, asset_id: int, *rest: Any) -> dict[str, Any]:
        if asset_id == ODD:
            raise FloatingPointError("overflow encountered in multiply")
        return train(conn, snapshot, asset_id, *rest)

    monkeypatch.setattr(keeper_module, "train", overflows)
    keeper = kept(conn, settings)

    keeper._serve_all()

    assert [one.asset for one in keeper.take() if isinstance(one, AssetModel)] == [SOUND]
    assert "asset 61 cannot be learned" in caplog.text
    assert [asset for asset, _ in keeper._due()[1]] == []
