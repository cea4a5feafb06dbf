"""From raw to engineering units and the quality that follows, for whole columns at once. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Tag

BAD_RANGE = quality_byte(Quality.BAD, Reason.RANGE)
OVERFLOW, UNDERFLOW = 32767.0, -32768.0  # what S7 analogue modules give for a broken or over-driven input

Floats = npt.NDArray[np.float64]


class TagColumns:
    """Shard, scale and range of every tag of a source, indexed by the place of the tag id in `ids` (ascending)."""

    def __init__(self, tags: Sequence[Tag]) -> None:
        ordered = sorted(tags, key=lambda tag: tag.id)
        self.ids = np.array([tag.id for tag in ordered], "u4")
        self.shards = np.array([tag.shard for tag in ordered], "u1")
        lines = [_line(tag) for tag in ordered]
        self.slope = np.array([slope for slope, _ in lines], "f8")
        self.intercept = np.array([intercept for _, intercept in lines], "f8")
        self.scaled = np.array([tag.scale_raw is not None and tag.scale_eng is not None for tag in ordered], bool)
        self.any_scaled = bool(self.scaled.any())

    def places(self, ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp]:
        """Index of each id; every id must be one of ours."""
        return np.searchsorted(self.ids, ids)

    def scale(self, places: npt.NDArray[np.intp], values: Floats, quality: npt.NDArray[np.uint8]) -> tuple[Floats, npt.NDArray[np.uint8]]:
        """Engineering values and quality: a non-finite value, or a scaled raw at the end of its range, is bad (RANGE).

        values: float64 (n,) raw; a value that turns bad is NaN. Samples that came bad stay as they came.
        """
        wrong = ~np.isfinite(values)
        if self.any_scaled:
            scaled = self.scaled[places]
            wrong |= scaled & ((values >= OVERFLOW) | (values <= UNDERFLOW))
            values = np.where(scaled, values * self.slope[places] + self.intercept[places], values)
        if not wrong.any():
            return values, quality
        newly = wrong & (quality & 3 != Quality.BAD)
        return np.where(wrong, np.nan, values), np.where(newly, np.uint8(BAD_RANGE), quality)


def _line(tag: Tag) -> tuple[float, float]:
    """Slope and intercept of raw -> engineering; (1, 0) without a scale or with a raw span of nothing."""
    if tag.scale_raw is None or tag.scale_eng is None or tag.scale_raw[0] == tag.scale_raw[1]:
        return 1.0, 0.0
    (raw_low, raw_high), (eng_low, eng_high) = tag.scale_raw, tag.scale_eng
    slope = (eng_high - eng_low) / (raw_high - raw_low)
    return slope, eng_low - slope * raw_low
