"""A slow group of a PLC is read job by job between the cycles of a fast one, and is whole in the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from plc.connectors.s7 import S7Connector
from plc.grid import Grid
from realtime import settings as settings_module
from tests.plc.harness import Plc, tag
from tests.plc.test_s7_connector import Refusals

AT_ONCE = 1e-9  # seconds: a faster group is due already
SLOW = [tag(100 + n, f"S{n}", "plc", f"DB1.DBD{200 * n}:REAL", group="slow") for n in range(100)]  # 20 items a job: five jobs
ROW = tag(300, "row", "plc", "DB1.DBD0:REAL[300]", group="slow", kind="frame")  # longer than the PDU: three jobs that are one value
WRONG = tag(301, "wrong", "plc", "DB9.DBD0:REAL", group="slow")
FAST = [tag(1, "F", "plc", "DB1.DBD4:REAL", group="fast")]


@pytest.fixture
def plc() -> Iterator[Plc]:
    server = Plc({1: 20_400}).start()
    yield server
    server.stop()


def connected(plc: Plc, tags: list[Any]) -> tuple[S7Connector, Refusals]:
    report = Refusals()
    made = S7Connector(plc.source(), settings_module.load({}, None), report)
    made.plan(tags)
    made.connect()
    return made, report


def ids(parts: list[Any]) -> list[int]:
    return [int(i) for part in parts for i in part.ids]


def test_a_slow_group_makes_way_after_each_job_and_every_tag_comes_once(plc: Plc) -> None:
    made, report = connected(plc, [*SLOW, ROW, WRONG, *FAST])
    seen: list[list[int]] = []

    while not seen or made.is_unfinished("slow"):
        seen.append(ids(made.read("slow", AT_ONCE)))
        assert ids(made.read("fast", 0)) == [1]
    whole = ids(made.read("slow", 0))
    made.close()

    assert len(seen) >= 5
    assert sorted(number for part in seen for number in part) == sorted([*range(100, 200), 300, 301])
    assert report.reasons == ["db_missing"]
    assert sorted(whole) == sorted([*range(100, 200), 300])
    assert not made.is_unfinished("slow")


def test_a_new_link_or_plan_begins_a_cut_cycle_anew(plc: Plc) -> None:
    made, _ = connected(plc, [*SLOW, *FAST])
    made.read("slow", AT_ONCE)
    assert made.is_unfinished("slow")

    made.close()
    made.connect()
    assert not made.is_unfinished("slow")
    made.read("slow", AT_ONCE)
    made.plan([*SLOW, *FAST])

    assert not made.is_unfinished("slow")
    assert len(ids(made.read("slow", 0))) == 100
    made.close()


def test_on_the_grid_a_fast_group_keeps_its_rate_beside_a_slow_one_of_many_jobs() -> None:
    grid = Grid({"fast": 0.2, "slow": 10.0}, start=0.0)
    now, left, polls, done = 0.0, 0, 0, 0

    while now < 20.0:
        group, due = grid.next_due(now) or ("", 0.0)
        began = now = max(now, due)
        if group == "fast":
            polls, now = polls + 1, now + 0.01
            grid.done("fast", now, began)
            continue
        left = left or 60  # jobs of 50 ms: three seconds without a pause
        room = grid.room_s("slow", now)
        while left and (now == began or now < began + room):
            left, now = left - 1, now + 0.05
        (grid.partly if left else grid.done)("slow", began=began, now=now)
        done += not left

    assert polls == 101  # 0.0, 0.2, ... 20.0: none left out
    assert (done, grid.overruns) == (2, 0)
    assert grid.took_ms["slow"] == 3000.0
    assert grid.room_s("fast", now) == 0.0
