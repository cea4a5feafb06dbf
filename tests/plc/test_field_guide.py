"""The field guide's payload, tag and table of currents, through the collector's own parsing and scaling."""

from __future__ import annotations

import json
import re

import pytest

from plc.addressing.tagmap import parse
from plc.connectors.mqtt_batch import Message, Parser
from plc.scaling import BAD_DEVICE, BAD_RANGE, TagColumns
from realtime.snapshot import Tag
from tests.plc.harness import ROOT, tag
from tests.plc.sparkplug_stage import Notes

GUIDE = (ROOT / "docs" / "field-guide.md").read_text("utf-8")


def example(language: str) -> str:
    """The page's example in a language."""
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def level() -> Tag:
    """The tag of the page."""
    plan = parse(example("yaml"))
    found = plan.tags[0]
    assert plan.config["namur"] is True
    return tag(1, found.name, plan.source, found.address, unit=found.unit, scale_raw=found.scale_raw, scale_eng=found.scale_eng)


def scaled(level: Tag, counts: float) -> tuple[float, int]:
    """Value and quality of what the device says."""
    said = json.loads(example("json")) | {"value": counts}
    notes = Notes()
    message = Message(f"readings/{level.name}", json.dumps(said).encode(), 1, 1, retain=False)
    part = Parser([level], "", notes).parse([message], said["timestamp"])[0]
    assert not notes.reasons
    columns = TagColumns([level], is_namur=True)
    assert not isinstance(part.values, list)
    values, quality = columns.scale(columns.places(part.ids), part.values, part.quality)
    return float(values[0]), int(quality[0])


@pytest.mark.parametrize(("milliamperes", "metres"), [(4, 0.0), (12, 4.0), (20, 8.0)])
def test_a_current_is_the_level_that_the_page_says(level: Tag, milliamperes: float, metres: float) -> None:
    value, quality = scaled(level, milliamperes * 1200)

    assert (round(value, 9), quality) == (metres, 0)


@pytest.mark.parametrize(
    ("milliamperes", "quality"), [(0, BAD_DEVICE), (3.5, BAD_DEVICE), (3.7, BAD_RANGE), (20.6, BAD_RANGE), (21.1, BAD_DEVICE)]
)
def test_a_broken_wire_and_saturation_are_bad(level: Tag, milliamperes: float, quality: int) -> None:
    assert scaled(level, round(milliamperes * 1200))[1] == quality


def test_the_table_is_the_arithmetic() -> None:
    rows = re.findall(r"^\| ([0-9.]+)[^|]*\| (\d+) \|", GUIDE, re.MULTILINE)

    assert len(rows) == 7
    assert all(round(float(milliamperes) * 1200) == int(counts) for milliamperes, counts in rows)


def test_the_sketch_says_the_payload_of_the_page() -> None:
    said = re.search(r'"\{(.*)\}",', example("cpp"))

    assert said is not None
    assert set(json.loads(example("json"))) == set(re.findall(r'\\"(\w+)\\":', said[1]))
