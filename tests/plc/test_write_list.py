"""The allow-list of guarded writes: one wrong word anywhere and nothing may be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from plc.addressing.write_list import WriteListError, parse

SAMPLE = (Path(__file__).parents[2] / "deploy" / "samples" / "plc-writes.yaml").read_text("utf-8")


def changed(where: str, value: Any) -> str:
    """The sample with one key of its only source or write changed; None takes the key out."""
    body = yaml.safe_load(SAMPLE)
    part, key = where.split(".")
    thing = body["sources"]["press-s7"] if part == "source" else body["writes"][0]
    thing[key] = value
    if value is None:
        del thing[key]
    return yaml.safe_dump(body)


def test_the_sample_is_read_and_off() -> None:
    found = parse(SAMPLE)

    entry = found.entries["press-maintenance-request"]
    source = found.sources["press-s7"]
    assert (entry.address, entry.mode, entry.pulse_ms, entry.is_critical) == ("M20.7:BOOL", "pulse", 500, False)
    assert [str(one) for one in entry.conditions] == ["PL-1.fault_code == 0"]
    assert (source.enabled, source.require_run, source.connection["port"]) == (False, True, 102)
    assert entry.allows(1)
    assert not entry.allows(0)
    assert found.digest != parse(SAMPLE + "\n").digest


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("write.address", "Q0.0"),  # an output
        ("write.address", "I0.0"),
        ("write.address", "DB1.DBB0:STRING[20]"),
        ("write.address", "DB1.DBW0:INT[4]"),
        ("write.address", "M20.9"),
        ("write.address", "DB10"),
        ("write.address", 20.7),
        ("write.address", None),
        ("write.values", [2]),
        ("write.values", []),
        ("write.values", "true"),
        ("write.values", [True, False]),  # a pulse has one direction
        ("write.range", [0, 1]),  # both
        ("write.mode", "toggle"),
        ("write.ms", 10_000),
        ("write.ms", True),
        ("write.ms", None),
        ("write.class", "harmless"),
        ("write.only_if", "PL-1.fault_code = 0"),
        ("write.only_if", "__import__('os')"),
        ("write.only_if", "PL-1.fault_code == 0 or 1 == 1"),
        ("write.only_if", "PL-1.pressure > 3"),  # has no address
        ("write.only_if", True),
        ("write.label", ""),
        ("write.effect", None),
        ("write.source", "another"),
        ("write.force", True),  # unknown key
        ("source.kind", "mqtt"),
        ("source.enabled", "yes please"),
        ("source.host", None),
        ("source.port", "102"),
        ("source.reads", {"PL-1.fault_code": "nonsense"}),
        ("source.password", "x"),
    ],
)
def test_one_wrong_word_refuses_the_whole_list(where: str, value: Any) -> None:
    with pytest.raises(WriteListError):
        parse(changed(where, value))


@pytest.mark.parametrize(
    "text", ["", "[]", "sources: {}", "sources: {}\nwrites: {}", "{", "x" * 300_000, SAMPLE + SAMPLE.split("writes:")[1]]
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(WriteListError):
        parse(text)


@pytest.mark.parametrize(
    ("kind", "allowed", "refused"),
    [
        ("DB1.DBW0:INT", (-5, 0, 10), (-6, 11, 2.5, float("nan"), float("inf"))),
        ("DB1.DBD0:REAL", (-5, 2.5, 10), (-5.01, 10.01, float("nan"))),
    ],
)
def test_a_range_holds_its_ends_and_nothing_else(kind: str, allowed: tuple[float, ...], refused: tuple[float, ...]) -> None:
    body = yaml.safe_load(SAMPLE)
    body["writes"][0] |= {"address": kind, "mode": "set", "range": [-5, 10]}
    del body["writes"][0]["values"]
    entry = parse(yaml.safe_dump(body)).entries["press-maintenance-request"]

    assert [value for value in allowed if not entry.allows(value)] == []
    assert [value for value in refused if entry.allows(value)] == []


@pytest.mark.parametrize(("text", "holds", "fails"), [("a == false", 0, 1), ("a != 2", 1, 2), ("a >= -1.5", -1.5, -2), ("a < 3", 2, 3)])
def test_a_condition_compares(text: str, holds: float, fails: float) -> None:
    body = yaml.safe_load(SAMPLE)
    body["sources"]["press-s7"]["reads"]["a"] = "DB1.DBW0:INT"
    body["writes"][0]["only_if"] = text
    (condition,) = parse(yaml.safe_dump(body)).entries["press-maintenance-request"].conditions

    assert condition.holds(holds)
    assert not condition.holds(fails)
    assert not condition.holds(float("nan"))
