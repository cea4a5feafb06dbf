"""The thread that gets models goes on for every asset, whatever the history of one of them holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg2
import pytest

from ml.engine import AssetModel
from ml.keeper import Keeper
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


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # squares of 1e200, which a program tells on stderr
def test_a_history_that_cannot_be_learned_stops_no_other_assets_models(
    conn: psycopg2.extensions.connection, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    start, values = now_ms() - SECONDS * 1000, wander(SECONDS, channels=2)
    for asset in (ODD, SOUND):
        rows = values.copy()
        if asset == ODD:
            rows[1000] = 1e200  # good by its quality: what an LREAL holds that nobody wrote
        write_batches(conn, [batch([10 * asset, 10 * asset + 1], row, start + i * 1000, shard=asset % 8) for i, row in enumerate(rows)])
    conn.commit()
    keeper = Keeper(settings, threading.Event())
    keeper.want(plant(), frozenset(range(8)), frozenset())

    keeper._serve_all()

    assert [one.asset for one in keeper.take() if isinstance(one, AssetModel)] == [SOUND]
    assert "asset 61 cannot be learned" in caplog.text
    assert [asset for asset, _ in keeper._due()[1]] == []
