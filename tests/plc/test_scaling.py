"""Scaling and the quality that follows from a raw value."""

from __future__ import annotations

import numpy as np
import pytest

from plc.scaling import TagColumns
from realtime.events import Quality, Reason, quality_byte
from tests.plc.harness import tag

BAD_RANGE = quality_byte(Quality.BAD, Reason.RANGE)
BAD_COMM = quality_byte(Quality.BAD, Reason.COMM)
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
