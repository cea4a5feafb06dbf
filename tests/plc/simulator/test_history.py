"""The plant's past: healthy, marked, on the live grids, and quick to write."""

import io
import re
from pathlib import Path

import numpy as np
import pytest

from plc.simulator.history import batches, write
from plc.simulator.signals import PRESS_STATE, healthy, plant_signals
from realtime.batch_pipe import read_batches
from realtime.events import Batch
from realtime.snapshot import Snapshot, Tag

END = 1_795_190_400_000
HOUR = 3_600_000
FULL = END - 2 * HOUR


def tag(id_: int, name: str, period_s: float = 1.0) -> Tag:
    return Tag(id=id_, name=name, asset=1, shard=1, unit="", source="x", period_s=period_s)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    names = [*plant_signals(), *PRESS_STATE, "DMLS-1.plate", *(f"DMLS-1.plate.{s}" for s in ("min", "max", "mean", "std"))]
    return Snapshot(version=1, tags=[tag(i, name, 3.0 if re.match(r"M\d", name) else 1.0) for i, name in enumerate(names, 1)])


@pytest.fixture(scope="module")
def written(snapshot: Snapshot) -> list[Batch]:
    out = io.BytesIO()
    rows = write(batches(snapshot, 6, END), out)
    found = list(read_batches(io.BytesIO(out.getvalue())))
    assert sum(map(len, found)) == rows
    return found


def test_every_tag_has_a_past_and_all_of_it_is_marked(snapshot: Snapshot, written: list[Batch]) -> None:
    assert {int(i) for b in written for i in b.ids} == {t.id for t in snapshot.tags}
    assert all(b.flags == {"replay"} and not b.quality.any() for b in written)


def test_past_is_coarse_first_and_at_the_live_rate_in_the_last_two_hours(snapshot: Snapshot, written: list[Batch]) -> None:
    for name, period_ms in (("PT-101", 1_000), ("M1.vibration", 3_000), ("DMLS-1.plate.max", 1_000)):
        id_ = snapshot.tag_by_name()[name].id
        t = np.concatenate([b.t for b in written if b.ids[0] == id_])
        steps = np.diff(t)
        assert (steps > 0).all()
        assert set(np.unique(steps[t[1:] > FULL + 30_000]).tolist()) == {period_ms}
        assert set(np.unique(steps[t[1:] < FULL]).tolist()) == {30_000}
        assert END - 6 * HOUR <= t[0] < END - 6 * HOUR + 60_000
        assert t[-1] >= END - period_ms


def test_past_is_what_the_live_plant_would_have_said(snapshot: Snapshot, written: list[Batch]) -> None:
    signal = plant_signals()["M2.current"]
    id_ = snapshot.tag_by_name()[signal.name].id

    for batch in written:
        if batch.ids[0] == id_:
            assert np.array_equal(batch.numbers(), healthy(signal, batch.t))


def test_pictures_are_one_a_minute_at_the_end(snapshot: Snapshot, written: list[Batch]) -> None:
    frames = [b for b in written if b.kind == "frame"]
    t = np.concatenate([b.t for b in frames])

    assert (t >= FULL).sum() == 120
    assert frames[0].frames()[0].array().shape == (100, 100)


def test_nothing_outside_the_simulator_reads_fault_state() -> None:
    root = Path(__file__).parents[3]
    readers = []
    for folder in ("plc", "ml", "realtime", "server", "web", "ar_feed"):
        for path in (root / folder).rglob("*.py"):
            inside = path.is_relative_to(root / "plc" / "simulator")
            source = path.read_text("utf-8")
            shows = path.is_relative_to(root / "server" / "api")  # GET /api/simulator shows the list to people, no more
            if not inside and re.search(r"(from|import) plc\.simulator|from plc import .*simulator", source):
                readers.append(f"{path}: imports")
            if not inside and not shows and "simulator.faults" in source:
                readers.append(f"{path}: reads the key")

    assert readers == []
