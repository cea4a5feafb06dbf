"""Tag maps: YAML and JSON in, sources and tags out, mistakes named by field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plc.addressing import tagmap
from plc.addressing.tagmap import TagMapError

ROOT = Path(__file__).parents[2]
PRESS = """
machine: PRESS-01
source: {driver: s7, host: 10.0.0.5, rack: 0, slot: 1, pdu: 960, timeout_s: 2, max_jobs: 1}
groups: {fast: 200ms, normal: 1s, slow: 60s}
tags:
 - {name: PT-101, addr: "DB1,REAL8", unit: bar, group: normal, scale: {raw: [0, 27648], eng: [0, 10]}, deadband: 0.01, range: [0, 10]}
 - {name: PRESS-01.fault_code, addr: "DB1.DBW18:INT", group: fast, role: fault_code}
 - {name: PRESS-01.batch, addr: "DB1,S20.20"}
"""


def test_the_map_of_the_guide() -> None:
    read = tagmap.parse(PRESS)

    assert (read.source, read.kind, read.asset) == ("PRESS-01-s7", "s7", "PRESS-01")
    assert read.config == {"host": "10.0.0.5", "rack": 0, "slot": 1, "pdu": 960, "timeout_s": 2, "max_jobs": 1}
    assert read.groups == {"fast": 0.2, "normal": 1.0, "slow": 60.0}
    pressure, code, batch = read.tags
    assert (pressure.address, pressure.scale_raw, pressure.scale_eng, pressure.range_high) == ("DB1.DBD8:REAL", (0, 27648), (0, 10), 10)
    assert (code.address, code.group, code.role) == ("DB1.DBW18:INT", "fast", "fault_code")
    assert (batch.address, batch.kind) == ("DB1.DBB20:STRING[20]", "text")


def test_json_is_read_too() -> None:
    document = {"source": {"name": "b", "kind": "mqtt", "topics": ["x/#"]}, "tags": [{"name": "A", "addr": "x/a#v"}, {"name": "B"}]}

    read = tagmap.parse(json.dumps(document))

    assert (read.source, read.kind, read.config) == ("b", "mqtt", {"topics": ["x/#"]})
    assert [tag.address for tag in read.tags] == ["x/a#v", ""]


REPORTED = """
source: {name: s, driver: s7, host: h}
tags:
 - {name: A, addr: "DB1.DBW0:INT", deadband: 1%, max_interval: 5min, wire_break: ">27648", average: 10s,
    keep: {raw: 30d, 1m: 400}, enabled: false}
 - {name: B, addr: "DB1.DBW2:INT", deadband: 0.5, period: 3s, write: {allow: true}}
"""


def test_how_a_tag_is_reported_and_kept() -> None:
    a, b = tagmap.parse(REPORTED).tags

    assert (a.deadband, a.deadband_pct, a.max_interval_s, a.wire_break, a.average_s) == (0.0, 1.0, 300.0, ">27648", 10.0)
    assert (a.keep, a.enabled) == ({"raw": 30.0, "1m": 400.0}, False)
    assert (b.deadband, b.deadband_pct, b.period_s, b.max_interval_s) == (0.5, 0.0, 3.0, 60.0)
    assert "average_s" in a.given
    assert "average_s" not in b.given


def test_a_tag_map_never_allows_a_write() -> None:
    warnings = tagmap.parse(REPORTED).warnings

    assert warnings == ["tags[1].write: not taken from a tag map; the allow-list file of the writing program decides"]


def test_bytes_read_as_two_types_are_told_and_bits_of_a_word_are_not() -> None:
    rows = [
        "{name: a, addr: 'DB1.DBD0:REAL'}",
        "{name: b, addr: 'DB1.DBW2:INT'}",
        "{name: c, addr: 'DB1.DBW10:WORD'}",
        "{name: d, addr: DB1.DBX10.3}",
    ]

    read = tagmap.parse(HEAD + "tags: [" + ", ".join(rows) + "]")

    assert read.warnings == ["tags[1].addr: DB1.DBW2:INT overlaps a (DB1.DBD0:REAL), which has another type"]


def test_a_wrong_address_says_which_character() -> None:
    with pytest.raises(TagMapError) as caught:
        tagmap.parse(HEAD + "tags: [{name: a, addr: 'DB1,X0.9'}]")

    assert (caught.value.text, caught.value.position) == ("DB1,X0.9", 6)


HEAD = "source: {name: s, driver: s7, host: h}\n"
WRONG = {
    "tags: ]": "line 1",
    "- 1": "document",
    "5": "document",
    "tags: []": "source",
    "source: {driver: s7}\ntags: []": "source.name",
    "source: {name: s, driver: knx}\ntags: [{name: a, addr: x}]": "source.driver",
    HEAD: "tags",
    HEAD + "tags: {a: 1}": "tags",
    HEAD + "tags: [7]": "tags[0]",
    HEAD + "tags: [{addr: M0.0}]": "tags[0].name",
    HEAD + "tags: [{name: a}]": "tags[0].addr",
    HEAD + "tags: [{name: a, addr: 'DB1,X0.9'}]": "tags[0].addr",
    HEAD + "tags: [{name: a, addr: M0.0}, {name: a, addr: M0.1}]": "tags[1].name",
    HEAD + "tags: [{name: a, addr: M0.0, colour: red}]": "tags[0].colour",
    HEAD + "tags: [{name: a, addr: M0.0, group: quick}]": "tags[0].group",
    HEAD + "tags: [{name: a, addr: M0.0, role: king}]": "tags[0].role",
    HEAD + "tags: [{name: a, addr: M0.0, range: 5}]": "tags[0].range",
    HEAD + "tags: [{name: a, addr: M0.0, scale: {raw: [1, 1], eng: [0, 1]}}]": "tags[0].scale.raw",
    HEAD + "tags: [{name: a, addr: M0.0, deadband: much}]": "tags[0].deadband",
    HEAD + "tags: [{name: a, addr: M0.0, deadband: 101%}]": "tags[0].deadband",
    HEAD + "tags: [{name: a, addr: M0.0, deadband: -1}]": "tags[0].deadband",
    HEAD + "tags: [{name: a, addr: M0.0, wire_break: broken}]": "tags[0].wire_break",
    HEAD + "tags: [{name: a, addr: M0.0, average: 1ms}]": "tags[0].average",
    HEAD + "tags: [{name: a, addr: M0.0, max_interval: never}]": "tags[0].max_interval",
    HEAD + "tags: [{name: a, addr: M0.0, keep: {weekly: 1d}}]": "tags[0].keep.weekly",
    HEAD + "tags: [{name: a, addr: M0.0, keep: {raw: 1h}}]": "tags[0].keep.raw",
    HEAD + "tags: [{name: a, addr: M0.0, enabled: 1}]": "tags[0].enabled",
    HEAD + "groups: {fast: soon}\ntags: []": "groups.fast",
    HEAD + "groups: {fast: 1ms}\ntags: []": "groups.fast",
    "a: &x [1, 2]\nb: [*x, *x]": "document",
    "!!python/object/apply:os.system ['true']": "line 1",
    "[" * 100_000: "document",
    "{a: " * 100_000: "document",
    "- " * 100_000: "document",
    "-\n" * 100_000: "document",
    "? " * 100_000: "document",
    "".join(" " * n + "a:\n" for n in range(2000)): "document",
    "x" * 4_000_001: "document",
}


@pytest.mark.parametrize("text", WRONG, ids=[text[:50] for text in WRONG])
def test_a_mistake_is_named_by_its_field(text: str) -> None:
    with pytest.raises(TagMapError) as caught:
        tagmap.parse(text)

    assert caught.value.field == WRONG[text]
    assert caught.value.detail


def test_twenty_thousand_tags_are_read() -> None:
    rows = [f' - {{name: T{n}, addr: "DB1.DBD{n % 16000 * 4}:REAL", unit: bar}}' for n in range(20_000)]

    assert len(tagmap.parse(HEAD + "tags:\n" + "\n".join(rows)).tags) == 20_000


def test_an_array_of_numbers_is_a_frame_and_nothing_else() -> None:
    read = tagmap.parse('source: {driver: s7, name: x}\ntags:\n - {name: A, addr: "DB1,REAL4.10"}\n - {name: B, addr: "DB1,CHAR80.10"}')

    assert [(tag.address, tag.kind) for tag in read.tags] == [("DB1.DBD4:REAL[10]", "frame"), ("DB1.DBB80:CHAR[10]", "text")]
    for wrong in ('{name: A, addr: "DB1,REAL4.10", kind: f64}', '{name: A, addr: "DB1,REAL4", kind: frame}'):
        with pytest.raises(TagMapError, match=r"tags\[0\].kind"):
            tagmap.parse(f"source: {{driver: s7, name: x}}\ntags:\n - {wrong}")


def test_the_sample_of_an_s7_source_is_taken_as_it_is() -> None:
    read = tagmap.parse((ROOT / "deploy" / "samples" / "s7.yaml").read_text("utf-8"))

    assert (read.kind, read.warnings) == ("s7", [])
    assert [tag.kind for tag in read.tags] == ["f64"] * 6 + ["text", "frame"]
    assert read.config["consistent"] == ["fast"]
