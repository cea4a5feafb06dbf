"""Scaling and the quality that follows from a raw value."""

from __future__ import annotations

import numpy as np
import pytest

from plc.scaling import TagColumns
from realtime.events import Quality, Reason, quality_byte
from tests.plc.harness import tag

BAD_RANGE = quality_byte(Quality.BAD, Reason.RANGE)
BAD_COMM = quality_byte(Quality.BAD, Reason.COMM)
BAD_DEVICE = quality_byte(Quality.BAD, Reason.DEVICE)
CARD = {"scale_raw": (0.0, 27648.0), "scale_eng": (0.0, 10.0)}


def scaled(columns: TagColumns, ids: list[int], values: list[float], quality: list[int]) -> tuple[list[float], list[int]]:
    found, qualities = columns.scale(columns.places(np.array(ids, "u4")), np.array(values, "f8"), np.array(quality, "u1"))
    return found.tolist(), qualities.tolist()


def test_raw_becomes_engineering_units_only_where_a_scale_is_set() -> None:
    columns = TagColumns([tag(7, "B", "s", **CARD), tag(3, "A", "s")])

    assert scaled(columns, [7, 3, 7], [13824.0, 13824.0, 27648.0], [0, 0, 0]) == ([5.0, 13824.0, 10.0], [0, 0, 0])


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), float("-inf"), 32767.0, -32768.0])
def test_what_no_sensor_can_say_is_bad_range_and_no_number(raw: float) -> None:
    values, quality = scaled(TagColumns([tag(1, "A", "s", **CARD)]), [1, 1], [raw, 0.0], [0, 0])

    assert np.isnan(values[0])
    assert (values[1], quality) == (0.0, [BAD_RANGE, 0])


def test_the_ends_of_an_int_are_values_where_no_card_is_scaled() -> None:
    assert scaled(TagColumns([tag(1, "A", "s")]), [1, 1], [32767.0, -32768.0], [0, 0]) == ([32767.0, -32768.0], [0, 0])


def test_a_bad_sample_keeps_its_reason() -> None:
    assert scaled(TagColumns([tag(1, "A", "s")]), [1], [float("nan")], [BAD_COMM])[1] == [BAD_COMM]


@pytest.mark.parametrize(
    ("expression", "raw"), [(">27648", 27649.0), (">=27648", 27648.0), ("<-100.5", -101.0), ("<= -100", -100.0), ("=27700", 27700.0)]
)
def test_a_raw_value_that_means_a_broken_wire_is_bad_device_and_the_limit_itself_is_not(expression: str, raw: float) -> None:
    columns = TagColumns([tag(1, "A", "s", wire_break=expression, **CARD), tag(2, "B", "s", **CARD)])

    values, quality = scaled(columns, [1, 1, 2], [raw, 13824.0, 13824.0], [0, 0, 0])

    assert np.isnan(values[0])
    assert (values[1:], quality) == ([5.0, 5.0], [BAD_DEVICE, 0, 0])


def test_the_limit_of_a_wire_break_is_still_a_value() -> None:
    assert scaled(TagColumns([tag(1, "A", "s", wire_break=">27648", **CARD)]), [1], [27648.0], [0]) == ([10.0], [0])


def test_a_wire_break_that_is_no_comparison_is_refused() -> None:
    with pytest.raises(ValueError, match="'>27648'"):
        TagColumns([tag(1, "A", "s", wire_break="broken")])


@pytest.mark.parametrize(
    ("milliampere", "byte"),
    [(3.5, BAD_DEVICE), (3.7, BAD_RANGE), (3.9, 0), (4.0, 0), (20.0, 0), (20.4, 0), (20.8, BAD_RANGE), (21.5, BAD_DEVICE)],
)
def test_a_card_read_by_ne_43_tells_a_failed_sensor_from_a_saturated_one(milliampere: float, byte: int) -> None:
    raw = (milliampere - 4) / 16 * 27648

    assert scaled(TagColumns([tag(1, "A", "s", **CARD)], is_namur=True), [1], [raw], [0])[1] == [byte]
    assert scaled(TagColumns([tag(1, "A", "s")], is_namur=True), [1], [raw], [0])[1] == [0]
