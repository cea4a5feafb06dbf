"""Small batches for the tests of the bus, the recorder and the history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from realtime.events import Batch, Frame, Quality, Reason, quality_byte

T0 = 1_763_600_040_000  # the start of a minute, not of an hour
GOOD = quality_byte(Quality.GOOD)
UNCERTAIN = quality_byte(Quality.UNCERTAIN)
COMM = quality_byte(Quality.BAD, Reason.COMM)

Row = tuple[int, int, float, int, int]  # tag, t, value, quality byte, seq


def batch_of(rows: Sequence[Row], shard: int = 0, received_ms: int = T0) -> Batch:
    """A batch of numbers."""
    tag, t, v, q, seq = zip(*rows, strict=True) if rows else ((),) * 5
    return Batch(
        shard,
        received_ms,
        "test",
        np.array(tag, np.uint32),
        np.array(t, np.int64),
        np.array(q, np.uint8),
        np.array(seq, np.uint32),
        np.array(v, np.float64),
    )


def series(tag: int, values: Sequence[float], start: int = T0, step_ms: int = 1000, quality: int = GOOD) -> Batch:
    """Readings of one tag at a steady pace."""
    return batch_of([(tag, start + i * step_ms, value, quality, 0) for i, value in enumerate(values)])


def texts(tag: int, values: Sequence[str], start: int = T0, quality: int = GOOD) -> Batch:
    """Text readings a second apart."""
    numbers = series(tag, [0.0] * len(values), start, quality=quality)
    return Batch(0, T0, "test", numbers.ids, numbers.t, numbers.quality, numbers.seq, list(values), kind="text")


def pictures(tag: int, frames: Sequence[Frame], start: int = T0) -> Batch:
    """Pictures a second apart."""
    numbers = series(tag, [0.0] * len(frames), start)
    return Batch(0, T0, "test", numbers.ids, numbers.t, numbers.quality, numbers.seq, list(frames), kind="frame")
