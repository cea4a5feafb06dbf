"""Mappings of JSON shapes that are not ours: what is taken, and that a wrong mapping or payload is refused where it is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plc.addressing.mqtt_mapping import MappingError, covers, outermost, parse, parse_all
from plc.connectors.mqtt_json import Refused, Row, Unknown
from plc.connectors.mqtt_mapping import mapped_rows
from realtime.snapshot import Tag
from tests.plc.harness import tag

NOW = 1_763_700_000_000
TAGS: dict[str, Tag] = {
    t.name: t
    for t in (
        tag(1, "M1.temperature", "b", unit="°C"),
        tag(2, "M1.pressure", "b", unit="bar"),
        tag(3, "PT-101", "b", unit="bar"),
        tag(4, "NOTE", "b", kind="text"),
    )
}
LINE: dict[str, Any] = {
    "topic": "line/{machine}/data",
    "values": {"temperature": "/t", "pressure": "p.bar"},
    "tag": "{machine}.{name}",
    "time": {"path": "/ts", "format": "ms"},
}
ONE: dict[str, Any] = {"topic": "x", "tag": "PT-101", "time": "receipt"}


def told(config: dict[str, Any], topic: str, payload: Any, *, no_time: bool = False) -> list[tuple[Any, ...]]:
    """(tag, t, value, seq) of each reading, ("reason",) of each refusal."""
    rule = parse(config)
    captures = rule.pattern.match(topic)
    assert captures is not None
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    outcomes = mapped_rows(rule, captures, body, TAGS, NOW, no_time=no_time)
    return [(o.tag.name, o.t, o.value, o.seq) if isinstance(o, Row) else (o.reason,) for o in outcomes]


SHAPES: list[tuple[str, dict[str, Any], str, Any, list[tuple[Any, ...]]]] = [
    (
        "object with nested values",
        LINE,
        "line/M1/data",
        {"t": 65.2, "p": {"bar": 5}, "ts": NOW - 5},
        [("M1.temperature", NOW - 5, 65.2, 0), ("M1.pressure", NOW - 5, 5.0, 0)],
    ),
    ("some of the values", LINE, "line/M1/data", {"t": 65.2, "ts": NOW}, [("M1.temperature", NOW, 65.2, 0)]),
    (
        "array of rows, time outside, number inside",
        {**LINE, "each": "/rows", "time": {"path": "$/at", "format": "s"}, "seq": "/n"},
        "line/M1/data",
        {"at": 1763700000.25, "rows": [{"t": 1, "n": 7}, {"t": 2, "n": 8}]},
        [("M1.temperature", NOW + 250, 1.0, 7), ("M1.temperature", NOW + 250, 2.0, 8)],
    ),
    (
        "rows that name their tag",
        {"topic": "gw/#", "each": "/values", "values": "/v", "tag": "{/id}", "time": {"path": "/t", "format": "us"}},
        "gw/a/b",
        {"values": [{"id": "PT-101", "v": 1.5, "t": NOW * 1000 + 1499}, {"id": "NOTE", "v": "ok", "t": NOW * 1000}]},
        [("PT-101", NOW + 1, 1.5, 0), ("NOTE", NOW, "ok", 0)],
    ),
    (
        "columns",
        {**LINE, "values": {"temperature": "/t", "pressure": "/p"}, "columns": True},
        "line/M1/data",
        {"ts": [NOW, NOW + 1], "t": [1, 2], "p": [3, 4]},
        [
            ("M1.temperature", NOW, 1.0, 0),
            ("M1.pressure", NOW, 3.0, 0),
            ("M1.temperature", NOW + 1, 2.0, 0),
            ("M1.pressure", NOW + 1, 4.0, 0),
        ],
    ),
    (
        "every member of an object",
        {"topic": "line/{machine}/data", "values": "*", "tag": "{machine}.{name}", "time": "/ts", "unit": "/u"},
        "line/M1/data",
        {"ts": "2025-11-21T05:20:00+01:00", "temperature": 3, "pressure": 4, "meta": {"rssi": -70}},
        [("M1.temperature", 1763698800000, 3.0, 0), ("M1.pressure", 1763698800000, 4.0, 0)],
    ),
    ("bare number", ONE | {"values": ""}, "x", b"5.02", [("PT-101", NOW, 5.02, 0)]),
    ("number as text", ONE | {"values": "", "payload": "text"}, "x", b" 5.02\n", [("PT-101", NOW, 5.02, 0)]),
    ("decimal comma", ONE | {"values": "", "payload": "text", "decimal": ","}, "x", b"5,02", [("PT-101", NOW, 5.02, 0)]),
    (
        "text",
        {"topic": "x", "tag": "NOTE", "payload": "text", "values": "", "time": "receipt"},
        "x",
        b"door open",
        [("NOTE", NOW, "door open", 0)],
    ),
    (
        "a line of cells",
        {"topic": "x", "tag": "PT-101", "payload": "csv", "values": 1, "unit": 2, "time": {"path": 0, "format": "ms"}},
        "x",
        b"%d; 5.02 ;bar\n" % NOW,
        [("PT-101", NOW, 5.02, 0)],
    ),
    (
        "lines of cells",
        {"topic": "x", "tag": "{/0}", "payload": "csv", "separator": ",", "each": "", "values": 1, "time": {"path": 2, "format": "s"}},
        "x",
        b"PT-101,1,1763700000\nPT-101,2,1763700001.5\n",
        [("PT-101", NOW, 1.0, 0), ("PT-101", NOW + 1500, 2.0, 0)],
    ),
]


@pytest.mark.parametrize(("config", "topic", "payload", "expected"), [s[1:] for s in SHAPES], ids=[s[0] for s in SHAPES])
def test_shapes_are_taken(config: dict[str, Any], topic: str, payload: Any, expected: list[tuple[Any, ...]]) -> None:
    assert told(config, topic, payload) == expected


BAD: list[tuple[str, dict[str, Any], bytes]] = [
    ("not_json", LINE, b"hello"),
    ("empty", LINE, b" "),
    ("not_utf8", LINE, b'{"t":"\xff"}'),
    ("duplicate_key", LINE, b'{"ts":%d,"t":1,"t":2}' % NOW),
    ("too_large", LINE, b"[" * 256_100),
    ("too_deep", LINE, b"[" * 2000),
    ("not_an_object", LINE, b"7"),
    ("no_value", LINE, b'{"ts":%d}' % NOW),
    ("no_time", LINE, b'{"t":1}'),
    ("time", LINE, b'{"t":1,"ts":"yesterday"}'),
    ("time", LINE, b'{"t":1,"ts":%d000}' % NOW),
    ("time", LINE | {"time": {"path": "/ts", "format": "iso"}}, b'{"t":1,"ts":5}'),
    ("time_zone", LINE | {"time": {"path": "/ts", "format": "iso"}}, b'{"t":1,"ts":"2026-03-29T02:30:00"}'),
    ("null", LINE, b'{"t":null,"ts":%d}' % NOW),
    ("nested", LINE, b'{"t":[1],"ts":%d}' % NOW),
    ("value_type", LINE, b'{"t":"5,3","ts":%d}' % NOW),
    ("value_type", LINE, b'{"t":true,"ts":%d}' % NOW),
    ("not_finite", LINE, b'{"t":1e400,"ts":%d}' % NOW),
    ("unit", LINE | {"unit": "/u"}, b'{"t":1,"u":"K","ts":%d}' % NOW),
    ("seq", LINE | {"seq": "/n"}, b'{"t":1,"n":-1,"ts":%d}' % NOW),
    ("shape", LINE | {"each": "/rows"}, b'{"rows":5}'),
    ("shape", LINE | {"columns": True}, b'{"t":[1,2],"ts":[%d]}' % NOW),
    ("shape", LINE | {"columns": True}, b'{"t":1,"ts":[%d]}' % NOW),
    ("unknown_tag", LINE | {"tag": "X.{name}"}, b'{"t":1,"ts":%d}' % NOW),
    ("tag_name", LINE | {"tag": "{/id}.{name}"}, b'{"t":1,"id":"<script>","ts":%d}' % NOW),
    ("tag_name", LINE | {"tag": "{/id}.{name}"}, b'{"t":1,"id":{},"ts":%d}' % NOW),
    ("value_type", LINE | {"payload": "text", "values": "", "tag": "PT-101", "time": "receipt"}, b"NaN"),
    ("value_type", LINE | {"payload": "text", "values": "", "tag": "PT-101", "time": "receipt"}, b"5,3"),
    ("not_finite", LINE | {"payload": "text", "values": "", "tag": "PT-101", "time": "receipt"}, b"1e400"),
    ("not_utf8", LINE | {"payload": "text", "values": "", "tag": "PT-101", "time": "receipt"}, b"\xff\xfe5"),
    ("no_value", LINE | {"payload": "csv", "values": 4, "tag": "PT-101", "time": "receipt"}, b"1;2"),
]


@pytest.mark.parametrize(("reason", "config", "payload"), BAD)
def test_bad_payloads_are_refused_by_the_same_reasons(reason: str, config: dict[str, Any], payload: bytes) -> None:
    assert told(config, "line/M1/data", payload) == [(reason,)]


def test_a_bad_row_stops_no_other() -> None:
    rows = [{"t": 1, "ts": NOW}, {"t": "x", "ts": NOW}, 7, {"t": 2}, {"t": 3, "ts": NOW}]

    found = told(LINE | {"each": ""}, "line/M1/data", rows)

    assert found == [("M1.temperature", NOW, 1.0, 0), ("value_type",), ("not_an_object",), ("no_time",), ("M1.temperature", NOW, 3.0, 0)]


WRONG: list[tuple[str, int, Any]] = [
    ("mapping", 0, 7),
    ("mapping.topics", 0, {**LINE, "topics": "x"}),
    ("mapping.topic", 0, {**LINE, "topic": ""}),
    ("mapping.topic", 2, {**LINE, "topic": "a/#/b"}),
    ("mapping.topic", 3, {**LINE, "topic": "a/b+"}),
    ("mapping.topic", 2, {**LINE, "topic": "a/{1x}"}),
    ("mapping.topic", 6, {**LINE, "topic": "a/{m}/{m}"}),
    ("mapping.topic", 2, {**LINE, "topic": "a/{m"}),
    ("mapping.tag", 0, {**LINE, "tag": "PT-101"}),
    ("mapping.tag", 1, {**LINE, "tag": "{line}.{name}"}),
    ("mapping.tag", 0, {**LINE, "tag": None}),
    ("mapping.values.t", 1, {**LINE, "values": {"t": "a.[x]"}}),
    ("mapping.values", 0, {**LINE, "values": {}}),
    ("mapping.time.format", 0, {**LINE, "time": {"path": "/ts", "format": "minutes"}}),
    ("mapping.time", 0, {**LINE, "time": {"at": "/ts"}}),
    ("mapping.payload", 0, {**LINE, "payload": "xml"}),
    ("mapping.columns", 0, {**LINE, "columns": 1}),
    ("mapping.separator", 0, {**LINE, "separator": ";;"}),
    ("mapping.each", 0, {**LINE, "each": ["rows"]}),
]


@pytest.mark.parametrize(("field", "position", "config"), WRONG)
def test_a_wrong_mapping_says_where(field: str, position: int, config: Any) -> None:
    with pytest.raises(MappingError) as caught:
        parse(config)

    assert (caught.value.field, caught.value.position) == (field, position)
    assert str(caught.value).startswith(f"{field} at character {position + 1}: ")


def test_mappings_are_a_list_and_none_is_no_mapping() -> None:
    assert parse_all(None) == []
    assert len(parse_all([LINE, ONE])) == 2
    with pytest.raises(MappingError, match=r"mappings\[1\].topic"):
        parse_all([LINE, {**LINE, "topic": 5}])


def test_topics_match_as_a_broker_would_and_captures_are_named() -> None:
    pattern = parse({**LINE, "topic": "plant/+/m{number}-{part}/#", "tag": "{number}.{name}"}).pattern

    assert pattern.subscription == "plant/+/+/#"
    assert pattern.match("plant/a/m7-left/x/y") == {"number": "7", "part": "left"}
    assert pattern.match("plant/a/m7-left") == {"number": "7", "part": "left"}
    assert pattern.match("plant/a/b/m7-left") is None
    assert pattern.match("plant/a/n7-left/x") is None


def test_covered_topics_are_not_subscribed_twice() -> None:
    assert outermost(["readings/#", "readings/+", "a/+/c", "a/b/c", "a/#x", "readings/#"]) == ["readings/#", "a/+/c", "a/#x"]
    assert covers("a/#", "a")
    assert not covers("a/+", "a/#")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["t", "p", "ts", "bar", "rows", "id"]), inner, max_size=4),
    max_leaves=12,
)
RULES = [
    LINE,
    LINE | {"each": "/rows"},
    LINE | {"columns": True},
    LINE | {"values": "*"},
    LINE | {"tag": "{/id}.{name}"},
    LINE | {"payload": "text"},
    LINE | {"payload": "csv", "each": ""},
]


@given(st.sampled_from(RULES), json_values)
def test_no_payload_raises(config: dict[str, Any], payload: Any) -> None:
    rule = parse(config)

    for outcome in mapped_rows(rule, {"machine": "M1"}, json.dumps(payload).encode(), TAGS, NOW, no_time=False):
        assert isinstance(outcome, Row | Refused | Unknown)
