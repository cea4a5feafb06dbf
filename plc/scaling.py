"""Raw values to engineering units, and the quality that follows from the value alone. Pure, columnar.

What no sensor can say becomes bad (RANGE): not a number, infinite, or the end of the raw range where a scale is set. A raw value
that means a broken wire (`Tag.wire_break`) is bad (DEVICE). A source with `namur: true` in its configuration reads 4..20 mA
cards by NE 43: beyond 3.6 or 21 mA is a failed sensor (DEVICE), between that and 3.8 or 20.5 mA the value is saturated (RANGE).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Tag

BAD_RANGE = quality_byte(Quality.BAD, Reason.RANGE)
BAD_DEVICE = quality_byte(Quality.BAD, Reason.DEVICE)
OVERFLOW, UNDERFLOW = 32767.0, -32768.0  # what S7 analogue modules give for a broken or over-driven input
SATURATED = (-0.2 / 16, 0.5 / 16)  # share of the raw span below 4 mA and above 20 mA: 3.8 and 20.5 mA
FAILED = (-0.4 / 16, 1.0 / 16)  # 3.6 and 21 mA
_BREAK = re.compile(r"\s*(<=|>=|<|>|==?)\s*(-?[0-9]+(?:\.[0-9]+)?)\s*")

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]


class TagColumns:
    """Shard, scale and bounds of every tag of a source, indexed by the place of the tag id in `ids` (ascending)."""

    def __init__(self, tags: Sequence[Tag], *, is_namur: bool = False) -> None:
        self.tags = ordered = sorted(tags, key=lambda tag: tag.id)
        self.ids = np.array([tag.id for tag in ordered], "u4")
        self.shards = np.array([tag.shard for tag in ordered], "u1")
        lines = [_line(tag) for tag in ordered]
        self.slope = np.array([slope for slope, _ in lines], "f8")
        self.intercept = np.array([intercept for _, intercept in lines], "f8")
        self.scaled = np.array([tag.scale_raw is not None and tag.scale_eng is not None for tag in ordered], bool)
        self.any_scaled = bool(self.scaled.any())
        self._broken = _intervals([broken_wire(tag.wire_break) for tag in ordered])
        self._saturated = _intervals([_namur(tag, SATURATED) if is_namur else NOWHERE for tag in ordered])
        self._failed = _intervals([_namur(tag, FAILED) if is_namur else NOWHERE for tag in ordered])
        self._is_namur = is_namur
        self._any_broken = any(tag.wire_break for tag in ordered)

    def places(self, ids: npt.NDArray[np.uint32]) -> Places:
        """Index of each id; every id must be one of ours."""
        return np.searchsorted(self.ids, ids)

    def scale(self, places: Places, values: Floats, quality: npt.NDArray[np.uint8]) -> tuple[Floats, npt.NDArray[np.uint8]]:
        """Engineering values and quality of raw values: float64 (n,), uint8 (n,).

        A value that turns bad is NaN. Samples that came bad stay as they came.
        """
        broken = self._is_broken(places, values)
        wrong = ~np.isfinite(values)
        if self.any_scaled:
            scaled = self.scaled[places]
            wrong |= scaled & ((values >= OVERFLOW) | (values <= UNDERFLOW))
            if self._is_namur:
                wrong |= scaled & _outside(self._saturated[places], values)
            values = np.where(scaled, values * self.slope[places] + self.intercept[places], values)
        if broken is not None:
            wrong |= broken
        if not wrong.any():
            return values, quality
        newly = wrong & (quality & 3 != Quality.BAD)
        reason = np.uint8(BAD_RANGE) if broken is None else np.where(broken, np.uint8(BAD_DEVICE), np.uint8(BAD_RANGE))
        return np.where(wrong, np.nan, values), np.where(newly, reason, quality)

    def _is_broken(self, places: Places, values: Floats) -> Flags | None:
        """Where a raw value means a failed sensor; None where no tag says how to tell."""
        if not (self._any_broken or self._is_namur):
            return None
        low, high = self._broken[places].T
        broken: Flags = ((values >= low) & (values <= high)) | _outside(self._failed[places], values)
        return broken & np.isfinite(values)


NOWHERE = (np.inf, -np.inf)  # an interval that holds no value


def broken_wire(expression: str | None) -> tuple[float, float]:
    """Closed interval of raw values that mean a broken wire, from such as ">27648"; raises ValueError."""
    if not expression:
        return NOWHERE
    match = _BREAK.fullmatch(expression)
    if match is None:
        raise ValueError(f"wire break {expression!r} is not a comparison such as '>27648'")
    sign, limit = match[1], float(match[2])
    above = {">": (np.nextafter(limit, np.inf), np.inf), ">=": (limit, np.inf)}
    below = {"<": (-np.inf, np.nextafter(limit, -np.inf)), "<=": (-np.inf, limit)}
    return (above | below).get(sign, (limit, limit))


def readable(tags: Sequence[Tag]) -> tuple[list[Tag], list[tuple[Tag, str]]]:
    """The tags, and those whose wire break cannot be understood, with the reason; these go on without it."""
    wrong: list[tuple[Tag, str]] = []
    readable: list[Tag] = []
    for tag in tags:
        try:
            broken_wire(tag.wire_break)
        except ValueError as error:
            wrong.append((tag, str(error)))
            readable.append(msgspec.structs.replace(tag, wire_break=None))
        else:
            readable.append(tag)
    return readable, wrong


def _namur(tag: Tag, margin: tuple[float, float]) -> tuple[float, float]:
    """Raw values within the margin of the signal range; NOWHERE without a scale."""
    if tag.scale_raw is None or tag.scale_eng is None:
        return NOWHERE
    low, high = sorted(tag.scale_raw)
    span = high - low
    return low + margin[0] * span, high + margin[1] * span


def _intervals(found: Sequence[tuple[float, float]]) -> Floats:
    return np.array(found, "f8").reshape(len(found), 2)


def _outside(intervals: Floats, values: Floats) -> Flags:
    """Where a value lies outside its interval; nothing lies outside NOWHERE."""
    low, high = intervals.T
    outside: Flags = (low <= high) & ((values < low) | (values > high))
    return outside


def _line(tag: Tag) -> tuple[float, float]:
    """Slope and intercept of raw -> engineering; (1, 0) without a scale or with a raw span of nothing."""
    if tag.scale_raw is None or tag.scale_eng is None or tag.scale_raw[0] == tag.scale_raw[1]:
        return 1.0, 0.0
    (raw_low, raw_high), (eng_low, eng_high) = tag.scale_raw, tag.scale_eng
    slope = (eng_high - eng_low) / (raw_high - raw_low)
    return slope, eng_low - slope * raw_low
