"""Every detector has its pictures, they show what their headings say, and the documentation shows them with words beside."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import life_pictures, pictures
from bench.drawing import MOST_TICKS, Lane
from bench.scenes import SCENES
from ml.detector import DETECTORS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
MOST_BYTES = 20_000


def test_every_detector_of_the_table_has_its_two_stories() -> None:
    assert set(SCENES) == set(DETECTORS)


@pytest.mark.parametrize("story", [0, 1], ids=pictures.KINDS)
@pytest.mark.parametrize("name", sorted(SCENES))
def test_a_story_shows_what_its_heading_says(name: str, story: int) -> None:
    scene = SCENES[name][story]

    alarm = pictures.played(name, story).alarm

    assert not alarm[: scene.mark[0]].any()
    assert alarm.any() == scene.alarms


def test_time_to_limit_holds_what_goes_on_and_misses_what_goes_faster() -> None:
    for faster, holds in ((0.0, True), (life_pictures.FASTER, False)):
        level = life_pictures.levels(life_pictures.SLOPE if holds else life_pictures.SLOPE / 2, faster)
        _, found = life_pictures.looked_ahead(level)
        assert found.earliest is not None
        assert found.latest is not None
        reached = life_pictures.T0 + int((level >= life_pictures.LIMIT).argmax()) * life_pictures.HOUR_MS
        assert (found.earliest <= reached <= found.latest) == holds
        assert found.latest < life_pictures.T0 + life_pictures.DAYS * 24 * life_pictures.HOUR_MS  # all of the band is in the picture


@pytest.mark.parametrize("low", [-0.013, 0.0, 49.3])
@pytest.mark.parametrize("span", [0.00071, 0.9, 1.0, 2.7, 48.0, 99_000.0])
def test_a_scale_has_two_to_four_round_numbers_within_what_is_drawn(low: float, span: float) -> None:
    ticks = Lane("", (), low=low, high=low + span, unit="bar").ticks()

    assert 2 <= len(ticks) <= MOST_TICKS
    assert low - 1e-9 <= ticks[0] < ticks[-1] <= low + span + 1e-9


def test_wear_and_no_wear_stand_on_one_scale() -> None:
    numbers = re.findall(r">([\d.]+ mm/s)<", life_pictures.remaining_life())

    assert numbers == ["0 mm/s", "1 mm/s", "2 mm/s"] * 2


def test_a_shift_within_the_range_is_seen_against_the_whole_range() -> None:
    svg = pictures.of_detector("range")

    assert svg.count(">0 bar<") == svg.count(">50 bar<") == svg.count(">100 bar<") == 2


def test_the_command_draws_all_of_them_small_and_well_formed(tmp_path: Path) -> None:
    assert pictures.main([str(tmp_path)]) == 0

    for name in pictures.PICTURES:
        text = (tmp_path / f"{name}.svg").read_text("utf-8")
        assert len(text) < MOST_BYTES
        assert ET.fromstring(text).tag.endswith("svg")


@pytest.mark.parametrize("name", sorted(pictures.PICTURES))
def test_the_documentation_shows_it_with_what_it_is_good_and_bad_at(name: str) -> None:
    section = re.search(rf"^##+ {name.replace('-', ' ')}\b.*?(?=^##)", PAGE, re.M | re.S | re.I)

    assert section is not None
    assert f"](pictures/monitoring/{name}.svg)" in section[0]
    assert "**Good at**" in section[0]
    assert "**Bad at**" in section[0]
    assert (ROOT / "docs" / "pictures" / "monitoring" / f"{name}.svg").stat().st_size < MOST_BYTES
