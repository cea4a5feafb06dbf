"""What-if replay: the engine as it is and as proposed over stored readings; what each raises, and that nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg2
import pytest

from ml.alert_runs import Ledger
from ml.kept import only_asset
from ml.proposal import BadProposal, read_proposal
from ml.replay import HOLE_MS, SLICE_MS, WARM_UP_MS, Run, feed, replay, replay_asset, slices
from realtime import settings as settings_module
from realtime.bus import Bus
from realtime.codec import decode_signal
from realtime.history_writer import write_batches
from realtime.settings import Settings
from realtime.snapshot import Limit, Snapshot
from tests.ml.plant import T0, batch, engine, quiet_settings, snapshot, tag

MINUTE = 60_000
HIGH = Limit(side="high", value=60.0, severity="warning", deadband=1.0)
SPAN = (T0, T0 + 40 * MINUTE)
PEAKS = {300: 62.0, 900: 66.0, 1500: 71.0}  # second: height of an excursion of twenty seconds


@pytest.fixture
def conn(postgres_url: str) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(postgres_url)
    yield connection
    connection.close()


def plant(number: int, *limits: Limit) -> Snapshot:
    return snapshot(
        tag(number, asset=number, shard=number % 8, limits=list(limits)), tag(number + 1, asset=number, shard=number % 8), tag(7, asset=7)
    )


def values() -> np.ndarray:
    """Forty minutes at 50 with three excursions, one reading a second."""
    rng = np.random.default_rng(4)
    made = 50.0 + rng.normal(0, 0.1, 2400)
    for second, height in PEAKS.items():
        made[second : second + 20] = height
    return np.round(made, 2)


def store(conn: psycopg2.extensions.connection, snap: Snapshot) -> None:
    own = [one for one in snap.tags if one.asset != 7]
    write_batches(
        conn,
        [batch([one.id for one in own], [v, 20.0 + i % 3], T0 + i * 1000, shard=own[0].shard) for i, v in enumerate(values().tolist())],
    )
    conn.commit()


def proposed(number: int, *limits: dict[str, Any]) -> Any:
    return read_proposal({"tag": number, "fields": {"limits": list(limits)}})


def rules(alerts: list[dict[str, Any]]) -> list[int]:
    """Seconds after T0 of the alerts of limits."""
    return [(one["start"] - T0) // 1000 for one in alerts if one["detector"] == "limits"]


def test_a_higher_limit_takes_away_the_alerts_between_and_keeps_the_others(conn: psycopg2.extensions.connection) -> None:
    snap = plant(310, HIGH)
    store(conn, snap)
    wanted = proposed(310, {"side": "high", "value": 65.0, "severity": "warning", "deadband": 1.0})

    answer = replay(conn, only_asset(snap, 310), SPAN, wanted, quiet_settings())

    assert (answer["now"], answer["proposed"], answer["counts"]) == (3, 2, {"added": 0, "removed": 1, "kept": 2})
    assert rules(answer["removed"]) == [300]
    assert rules(answer["kept"]) == [900, 1500]
    assert (answer["readings"], answer["covered_s"]) == (4800, 2399)
    assert answer["learned"] == {"now": False, "proposed": False}


def test_a_lower_limit_adds_alerts_and_a_delay_takes_the_short_ones_away(conn: psycopg2.extensions.connection) -> None:
    snap = plant(320, Limit(side="high", value=68.0, severity="warning"))
    store(conn, snap)
    own = only_asset(snap, 320)

    lower = replay(conn, own, SPAN, proposed(320, {"side": "high", "value": 60.0, "severity": "warning"}), quiet_settings())
    late = {"side": "high", "value": 68.0, "severity": "warning", "on_delay_s": 30.0}
    delayed = replay(conn, own, SPAN, proposed(320, late), quiet_settings())
    same = replay(conn, own, SPAN, read_proposal({}), quiet_settings())

    assert (rules(lower["added"]), rules(lower["kept"])) == ([300, 900], [1500])
    assert (rules(delayed["removed"]), delayed["proposed"]) == ([1500], 0)
    assert same["counts"] == {"added": 0, "removed": 0, "kept": 1}


def test_a_proposed_limit_of_change_is_replayed_like_any_other(conn: psycopg2.extensions.connection) -> None:
    snap = plant(350, HIGH)
    store(conn, snap)
    wanted = [
        {"side": "high", "value": 60.0, "severity": "warning", "deadband": 1.0},
        {"side": "rising", "value": 14.0, "severity": "warning"},
    ]

    answer = replay(conn, only_asset(snap, 350), SPAN, proposed(350, *wanted), quiet_settings())

    assert rules(answer["kept"]) == [300, 900, 1500]
    assert (rules(answer["added"]), [one["code"] for one in answer["added"]]) == ([900, 1500], ["rising", "rising"])


def test_what_is_not_there_is_refused_with_its_name(conn: psycopg2.extensions.connection) -> None:
    own = only_asset(plant(330, HIGH), 330)

    with pytest.raises(BadProposal, match="tag 7 "):
        replay(conn, own, SPAN, proposed(7), quiet_settings())
    with pytest.raises(BadProposal, match="model 9 of asset A330"):
        replay(conn, own, SPAN, read_proposal({"model": 9}), quiet_settings())
    with pytest.raises(BadProposal, match="colour"):
        read_proposal({"tag": 1, "fields": {"colour": "red"}})
    with pytest.raises(BadProposal, match="unreadable"):
        read_proposal({"tag": 1, "fields": {"limits": [{"side": "up", "value": 1}]}})


def test_a_hole_in_the_history_is_not_silence_but_a_short_one_is() -> None:
    snap = snapshot(tag(1), tag(2))
    run = Run(engine(snap), Ledger())
    short, long_ = 120, HOLE_MS // 1000 + 60
    at = [*range(300), *range(300 + long_, 600 + long_)]
    silent = range(200 + 300 + long_, 200 + 300 + long_ + short)

    seen = feed([run], (batch([1] if i in silent else [1, 2], [50.0 + i % 3] * (1 if i in silent else 2), T0 + i * 1000) for i in at))

    assert [(one.tag, one.code) for one in run.ledger.raised] == [("T-2", "silence")]
    assert seen.covered_ms == 598_000


def test_pages_hold_every_reading_once_in_order_of_time(conn: psycopg2.extensions.connection) -> None:
    snap = plant(340, HIGH)
    store(conn, snap)
    told: list[int] = []

    cut = list(slices(conn, only_asset(snap, 340).tags, T0 + 500, T0 + 20 * MINUTE, told.append))

    t = np.concatenate([one.t for one in cut])
    assert len(t) == 2 * (20 * 60 - 1)
    assert (np.diff(t) >= 0).all()
    assert max(int(one.t[-1] - one.t[0]) for one in cut) < SLICE_MS
    assert told == [T0 + 500, T0 + 500 + 10 * MINUTE]


def test_job_reports_progress_and_its_answer_and_leaves_the_plant_alone(
    conn: psycopg2.extensions.connection, bus: Bus, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    snap = plant(350, HIGH)
    store(conn, snap)
    bus.publish_config(snap)
    loaded = settings_module.load(environment, None)
    monkeypatch.setattr(settings_module, "load", lambda: loaded)
    change = {"tag": 350, "fields": {"limits": []}}

    answer = replay_asset(350, *SPAN, change, 41)
    refused = [replay_asset(351, *SPAN, change), replay_asset(350, SPAN[1], SPAN[0], change), replay_asset(350, *SPAN, {"model": 3})]

    assert answer["counts"] == {"added": 0, "removed": 3, "kept": 0}
    assert bus.config() == snap
    signals = [decode_signal(fields) for _, fields in bus.client.xrange(bus.key("signals"))]
    told = [one.data for one in signals if one.data["job"] == 41]
    assert (told[0]["done"], told[0]["message"], told[-1]["done"], told[-1]["replay"]["now"]) == (0, "replaying", 100, 3)
    assert [one["refused"].split(" ")[0] for one in refused] == ["asset", "the", "model"]
    assert WARM_UP_MS > 0
