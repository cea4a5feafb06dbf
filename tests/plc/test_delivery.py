"""Delivery: source times, shards, the spool while the bus is away, order kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plc.connector import numbers, texts
from plc.delivery import NEWEST_MS, OLDEST_MS, Delivery
from plc.grid import Grid, periods_of
from plc.ledger import Ledger
from plc.spool import Spool
from realtime.bus import Bus, connect, now_ms
from realtime.errors import BusUnavailable
from realtime.snapshot import Source
from tests.plc.harness import Tap, tag

SOURCE = Source(id=1, name="plc", kind="s7")
TAGS = [tag(1, "A", "plc"), tag(2, "B", "plc"), tag(9, "C", "plc")]


def delivery(bus: Bus, spool: Spool | None = None) -> Delivery:
    made = Delivery(bus, SOURCE, Ledger(bus, "plc"), spool)
    made.configure(SOURCE, TAGS)
    return made


def test_readings_are_cut_by_shard(bus: Bus, tap: Tap) -> None:
    made = delivery(bus)

    batches = made.batches([numbers([1, 2, 9], [now_ms()] * 3, [1.0, 2.0, 3.0], [7, 8, 9])])
    made.deliver(batches)

    assert [(batch.shard, batch.ids.tolist(), batch.numbers().tolist(), batch.seq.tolist()) for batch in batches] == [
        (1, [1, 9], [1.0, 3.0], [7, 9]),
        (2, [2], [2.0], [8]),
    ]
    assert len(tap.samples()) == 3


def test_source_time_out_of_the_window_is_quarantined_and_replays_may_be_old(bus: Bus, tap: Tap) -> None:
    made = delivery(bus)
    now = now_ms()
    old, new = now - OLDEST_MS - 60_000, now + NEWEST_MS + 60_000

    live = made.batches([numbers([1, 1, 1], [old, now, new], [1.0, 2.0, 3.0])])
    replay = made.batches([numbers([1, 1, 1], [old, now, new], [1.0, 2.0, 3.0], replay=True)])

    assert [b.numbers().tolist() for b in live] == [[2.0]]
    assert [b.numbers().tolist() for b in replay] == [[1.0, 2.0]]
    assert made.ledger.drops == {"clock": 3}
    assert tap.quarantine()[0]["reason"] == "clock"


def test_text_keeps_its_place_when_some_are_refused(bus: Bus) -> None:
    now = now_ms()

    (batch,) = delivery(bus).batches([texts([1, 1, 9], [now, 0, now], ["a", "b", "c"])])

    assert (batch.ids.tolist(), batch.texts()) == ([1, 9], ["a", "c"])


def away() -> Bus:
    return Bus(connect("redis://127.0.0.1:1/0"), "away")


def test_without_a_spool_an_absent_bus_is_an_error_so_that_nothing_is_acknowledged() -> None:
    made = delivery(away())

    with pytest.raises(BusUnavailable):
        made.deliver(made.batches([numbers([1], [now_ms()], [1.0])]))


def test_spool_keeps_readings_while_the_bus_is_away_and_gives_them_back_in_order(bus: Bus, tap: Tap, tmp_path: Path) -> None:
    now = now_ms()
    spool = Spool(tmp_path / "plc.sqlite")
    offline = delivery(away(), spool)
    for step in range(5):
        offline.deliver(offline.batches([numbers([1], [now + step], [float(step)])]))
    spool.close()

    reopened = Spool(tmp_path / "plc.sqlite")
    online = delivery(bus, reopened)
    online.deliver(online.batches([numbers([1], [now + 5], [5.0])]))

    assert [(s.value, "late" in s.flags) for s in tap.samples(1)] == [*((float(n), True) for n in range(5)), (5.0, False)]
    assert reopened.waiting == 0
    reopened.close()


def test_spool_over_its_quota_gives_up_the_oldest_and_counts(bus: Bus, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "plc.sqlite", max_mb=0.002)
    made = delivery(bus)
    for step in range(20):
        spool.put(made.batches([numbers([1], [now_ms()], [float(step)])]))

    _, kept = spool.oldest()

    assert spool.dropped + spool.thinned + sum(map(len, kept)) == 20
    assert float(kept[-1].numbers()[-1]) == 19.0
    spool.close()


def test_grid_keeps_its_points_and_skips_what_it_missed() -> None:
    grid = Grid({"slow": 1.0, "fast": 0.25}, start=100.0)

    assert grid.next_due() == ("fast", 100.0)
    grid.done("fast", 100.01)
    assert grid.next_due() == ("slow", 100.0)
    grid.done("slow", 100.6)
    assert grid.next_due() == ("fast", 100.25)
    grid.done("fast", 100.6)

    assert grid.next_due() == ("fast", 100.75)
    assert grid.overruns == 1


def test_periods_are_those_of_groups_else_of_tags() -> None:
    source = Source(id=1, name="s", kind="s7", groups={"fast": 0.2})
    tags = [
        tag(1, "a", "s", group="fast"),
        tag(2, "b", "s", period_s=5.0),
        tag(3, "c", "s", period_s=2.0),
        tag(4, "d", "s", group="x", period_s=0),
    ]

    assert periods_of(source, tags) == {"fast": 0.2, "normal": 2.0, "x": 0.05}


def test_columns_of_large_batches_stay_arrays(bus: Bus) -> None:
    now = now_ms()
    ids = np.tile([1, 2, 9], 1000).tolist()

    batches = delivery(bus).batches([numbers(ids, [now] * 3000, [1.0] * 3000)])

    assert sum(len(batch) for batch in batches) == 3000
