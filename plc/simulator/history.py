"""History of the demo plant before it was switched on: 48 healthy hours, coarse, and the last two at the live rate.

Writes Batches marked `replay` to a pipe; `python -m realtime.backfill` puts them into the history with the recorder's own code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

from plc.simulator.noise import Floats, Times
from plc.simulator.plate import plate, statistics
from plc.simulator.signals import PLATE, healthy, plant_signals, press_state
from realtime.batch_pipe import write_batch
from realtime.events import Batch, Frame
from realtime.snapshot import Snapshot, Tag

COARSE_MS = 30_000
FULL_MS = 2 * 3_600_000
FULL_FRAME_MS = 60_000  # pictures: one a minute in the fine part, one each half hour before
COARSE_FRAME_MS = 1_800_000
ROWS = 5_000
HOUR_MS = 3_600_000
FRAME_SCALE = 0.01  # °C a step, as the collector stores plates


def times(start: int, end: int, period_ms: int, full_ms: int = FULL_MS) -> Times:
    """int64 ms UTC on the grids that the live plant uses: COARSE_MS apart, then `period_ms` in the last `full_ms`."""
    turn = max(start, end - full_ms)
    turn -= turn % COARSE_MS
    first = start - start % COARSE_MS + COARSE_MS
    fine = turn - turn % period_ms + period_ms
    return np.concatenate([np.arange(first, turn + 1, COARSE_MS), np.arange(fine, end, period_ms)]).astype(np.int64)


def batches(snapshot: Snapshot, hours: float, end: int) -> Iterator[Batch]:
    """The history of every tag of the snapshot that this plant has, ordered by time within a tag."""
    start = end - round(hours * HOUR_MS)
    tags = snapshot.tag_by_name()
    machines = sum(1 for name in tags if name.endswith(".rpm"))
    for name, signal in plant_signals(machines).items():
        if name in tags:
            at = times(start, end, live_period_ms(tags[name]))
            yield from _numbers(tags[name], at, healthy(signal, at))
    seconds = times(start, end, 1_000)
    for name, column in press_state(seconds).items():
        if name in tags:
            yield from _numbers(tags[name], seconds, column)
    if PLATE in tags:
        yield from _plate_history(tags, start, end)


def live_period_ms(tag: Tag) -> int:
    """How often the tag speaks in life; the plant computes no faster than once a second."""
    return max(1_000, round(tag.period_s * 1000))


def _numbers(tag: Tag, at: Times, values: Floats) -> Iterator[Batch]:
    for low in range(0, len(at), ROWS):
        part = slice(low, low + ROWS)
        yield _batch(tag, at[part], values[part], "f64")


def _batch(tag: Tag, at: Times, values: Floats | list[Frame], kind: str) -> Batch:
    n = len(at)
    return Batch(
        shard=tag.shard,
        received_ms=int(at[-1]),
        source=tag.source or "simulated",
        ids=np.full(n, tag.id, np.uint32),
        t=at,
        quality=np.zeros(n, np.uint8),
        seq=np.zeros(n, np.uint32),
        values=values,
        kind="frame" if kind == "frame" else "f64",
        flags=frozenset({"replay"}),
    )


def _plate_history(tags: dict[str, Tag], start: int, end: int) -> Iterator[Batch]:
    at = times(start, end, 1_000)
    columns: dict[str, list[float]] = {"min": [], "max": [], "mean": [], "std": []}
    pictures: list[tuple[int, Floats]] = []
    for t in at.tolist():
        picture = plate(t)
        for name, value in statistics(picture).items():
            columns[name].append(value)
        if t % (FULL_FRAME_MS if t > end - FULL_MS else COARSE_FRAME_MS) == 0:
            pictures.append((t, picture))
    for name, values in columns.items():
        if f"{PLATE}.{name}" in tags:
            yield from _numbers(tags[f"{PLATE}.{name}"], at, np.array(values))
    for low in range(0, len(pictures), 50):
        part = pictures[low : low + 50]
        yield _batch(tags[PLATE], np.array([t for t, _ in part], np.int64), [framed(p) for _, p in part], "frame")


def framed(picture: Floats) -> Frame:
    """A plate as int16 steps of FRAME_SCALE °C."""
    raw = np.clip(np.round(picture / FRAME_SCALE), -32768, 32767).astype("<i2")
    return Frame((picture.shape[0], picture.shape[1]), "i2", FRAME_SCALE, 0.0, "°C", raw.tobytes())


def write(found: Iterable[Batch], out: BinaryIO) -> int:
    """Write batches to the pipe; returns the number of readings."""
    rows = 0
    for batch in found:
        write_batch(out, batch)
        rows += len(batch)
    out.flush()
    return rows
