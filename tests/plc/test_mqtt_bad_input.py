"""Bad MQTT input (PROTOCOLS.md 8): through a real broker onto the bus; counted by reason, never stored as good, stopping nothing."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone

import pytest

from realtime.bus import Bus, now_ms
from realtime.events import SignalName
from realtime.snapshot import Source, Tag
from tests.plc.harness import Publisher, Tap, collecting, tag
from tests.waiting import wait_for

SOURCE = Source(id=1, name="broker", kind="mqtt", config={"topics": ["readings/#", "machines/#", "odd/#"]})
TAGS = [
    tag(1, "PT-101", "broker", unit="bar"),
    tag(2, "M1.temperature", "broker", unit="°C"),
    tag(3, "M1.vibration", "broker", unit="mm/s"),
    tag(4, "NOTE", "broker", kind="text"),
    tag(5, "STATIC", "broker", "odd/place#level"),
]
NOW = int(time.time() * 1000)
DAY = 86_400_000
STAMP = datetime.fromtimestamp(NOW / 1000 - 60, timezone(timedelta(hours=1))).isoformat(timespec="milliseconds")


def reading(**fields: object) -> bytes:
    """A reading of PT-101 with some fields other than they should be; Ellipsis leaves one out."""
    whole: dict[str, object] = {"tag": "PT-101", "timestamp": NOW, "value": 5.0, "unit": "bar", "seq": 1, **fields}
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()


ON_READING: list[tuple[str, bytes]] = [
    ("not_json", b"hello"),
    ("not_json", reading()[:-9]),
    ("empty", b""),
    ("empty", b"  \n"),
    ("not_utf8", reading().decode().encode("utf-16")),
    ("not_utf8", b'{"tag":"PT-\xff101","timestamp":1,"value":1}'),
    ("not_json", b"\xef\xbb\xbf" + reading()),
    ("not_an_object", b"5.02"),
    ("not_an_object", b'"5.02"'),
    ("not_an_object", b"null"),
    ("not_an_object", b"[1]"),
    ("not_json", b'{"tag":"PT-101","timestamp":1,"value":NaN}'),
    ("not_json", b'{"tag":"PT-101","timestamp":1,"value":Infinity}'),
    ("not_finite", b'{"tag":"PT-101","timestamp":%d,"value":1e400}' % NOW),
    ("not_finite", b'{"tag":"PT-101","timestamp":%d,"value":1%s}' % (NOW, b"0" * 400)),
    ("value_type", reading(value="5,3")),
    ("value_type", reading(value="5.3")),
    ("value_type", reading(value=True)),
    ("null", reading(value=None)),
    ("nested", reading(value={"v": 5.0})),
    ("nested", reading(value=[5.0])),
    ("no_value", reading(value=...)),
    ("duplicate_key", b'{"tag":"PT-101","timestamp":%d,"value":5.0,"value":6.0}' % NOW),
    ("duplicate_key", b'{"tag":"PT-101","timestamp":%d,"value":5.0,"val\\u0075e":6.0}' % NOW),
    ("duplicate_key", b'{"tag":"PT-101","timestamp":%d,"timestamp":%d,"value":5.0}' % (NOW - 1, NOW)),
    ("too_large", b"[" * 256_100),
    ("too_deep", b"[" * 2000),
    ("too_deep", b"[" * 20 + b"]" * 20),
    ("too_deep", reading(extra=[[[[[[[[[1]]]]]]]]])),
    ("too_large", reading(extra="x" * 256_000)),
    ("tag_name", reading(tag="x" * 5000)),
    ("tag_name", reading(tag="PT\x00101")),
    ("tag_name", reading(tag="<script>alert(1)</script>")),
    ("tag_name", reading(tag="")),
    ("tag_name", reading(tag=101)),
    ("tag_name", reading(tag="PT-10e\u0301")),
    ("topic_mismatch", reading(tag="TT-201")),
    ("topic_mismatch", reading(tag="M1.temperature")),
    ("unit", reading(unit="psi")),
    ("unit", reading(unit=5)),
    ("no_time", reading(timestamp=...)),
    ("no_time", reading(timestamp=None)),
    ("time", reading(timestamp="yesterday")),
    ("time", reading(timestamp=True)),
    ("time", reading(timestamp=NOW * 1000)),
    ("time", reading(timestamp=NOW * 1_000_000)),
    ("time", reading(timestamp=-5)),
    ("time", reading(timestamp=[NOW])),
    ("time", reading(timestamp="2026-02-30T08:00:00Z")),
    ("time_zone", reading(timestamp="2026-01-05T08:00:00.250")),
    ("time_zone", reading(timestamp="2026-03-29T02:30:00")),  # the hour that does not exist
    ("clock", reading(timestamp=NOW + 3_600_000)),
    ("clock", reading(timestamp="9999-12-31T23:59:59Z")),
    ("clock", reading(timestamp=0)),
    ("clock", reading(timestamp="1970-01-01T00:00:00Z")),
    ("clock", reading(timestamp=NOW - 8 * DAY)),
    ("seq", reading(seq=-1)),
    ("seq", reading(seq=1.5)),
    ("seq", reading(seq=2**32)),
    ("seq", reading(seq="7")),
]
ELSEWHERE: list[tuple[str, str, bytes]] = [
    ("not_an_object", "machines/M1", b"[65.2]"),
    ("topic_mismatch", "machines/M1", b'{"machine_id":"M2","timestamp":%d,"temperature":65.2}' % NOW),
    ("no_time", "machines/M1", b'{"machine_id":"M1","temperature":65.2}'),
    ("nested", "machines/M1", b'{"machine_id":"M1","timestamp":%d,"temperature":{"c":65.2}}' % NOW),
    ("value_type", "machines/M1", b'{"machine_id":"M1","timestamp":%d,"temperature":"hot"}' % NOW),
    ("value_type", "machines/M1", b'{"machine_id":"M1","timestamp":%d,"temperature":false}' % NOW),
    ("duplicate_key", "machines/M1", b'{"timestamp":%d,"temperature":1,"temperature":2}' % NOW),
    ("value_type", "readings/NOTE", b'{"tag":"NOTE","timestamp":%d,"value":5}' % NOW),
    ("value_type", "readings/NOTE", b'{"tag":"NOTE","timestamp":%d,"value":"a\\u0000b"}' % NOW),
    ("no_value", "odd/place", b'{"other":5}'),
    ("not_an_object", "odd/place", b"5"),
    ("topic", "odd/elsewhere", reading()),
    ("topic", "readings", reading()),
]
CORPUS = [(reason, "readings/PT-101", payload) for reason, payload in ON_READING] + ELSEWHERE


def test_the_corpus_is_long_enough() -> None:
    assert len(CORPUS) >= 50


def test_every_hostile_payload_is_counted_by_reason_and_the_good_beside_it_arrive(
    publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    expected: dict[str, int] = {}
    with collecting(plc_environment, bus, [SOURCE], TAGS) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        for number, (reason, topic, payload) in enumerate(CORPUS):
            expected[reason] = expected.get(reason, 0) + 1
            publisher.send(topic, payload)
            publisher.send("readings/PT-101", reading(timestamp=NOW + number, value=number + 0.5, seq=number + 2))
        good = wait_for(lambda: len(tap.good(1)) == len(CORPUS) and tap.good(1), timeout_s=20, what="every good reading")
        counted = wait_for(lambda: tap.drops() == expected and tap.drops(), timeout_s=10, what=f"the counts {expected}")

    assert [(s.t, s.value, s.seq) for s in good] == [(NOW + n, n + 0.5, n + 2) for n in range(len(CORPUS))]
    assert {sample.tag for sample in tap.samples()} == {1}
    assert {row["reason"] for row in tap.quarantine()} == set(counted)
    assert all(len(row["sample"]) <= 4 * 500 for row in tap.quarantine())


def test_shapes_that_are_right_are_taken(publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    with collecting(plc_environment, bus, [SOURCE], TAGS) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        publisher.send("readings/PT-101", reading(timestamp=(NOW // 1000) - 5, value=1.0))
        publisher.send("readings/PT-101", reading(timestamp=STAMP, value=2, unit=...), qos=0)
        publisher.send("readings/gateway-7", b"[" + reading(timestamp=NOW, value=3.0) + b"," + reading(timestamp=NOW + 1, value=4.0) + b"]")
        publisher.send("machines/M1", {"machine_id": "M1", "timestamp": NOW, "temperature": 65.2, "vibration": 2.1, "seq": 9})
        publisher.send("readings/NOTE", {"tag": "NOTE", "timestamp": NOW, "value": "filter changed"})
        publisher.send("odd/place", {"level": 71.5})
        wait_for(lambda: tap.good(5), what="the mapped reading")

    assert {s.value for s in tap.good(1)} == {1.0, 2.0, 3.0, 4.0}
    assert [(s.value, s.seq) for s in tap.good(2)] == [(65.2, 9)]
    assert [s.value for s in tap.good(3)] == [2.1]
    assert [s.value for s in tap.good(4)] == ["filter changed"]
    assert [s.value for s in tap.good(5)] == [71.5]


def test_array_keeps_its_good_readings_beside_a_bad_one(publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    with collecting(plc_environment, bus, [SOURCE], TAGS) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        entries = [reading(timestamp=NOW + 1, value=1.0), reading(value="x"), b"7", reading(timestamp=NOW + 2, value=2.0)]
        publisher.send("readings/gateway-7", b"[" + b",".join(entries) + b"]")
        wait_for(lambda: tap.drops() == {"value_type": 1, "not_an_object": 1}, what="the counts")

    assert [s.value for s in tap.good(1)] == [1.0, 2.0]


def test_unknown_tags_are_discovered_at_a_bounded_rate_and_never_stored(
    publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    with collecting(plc_environment, bus, [SOURCE], TAGS) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        for number in range(800):  # a broker with its own defaults queues 1,000 for us at most
            publisher.send(f"readings/NEW-{number}", {"tag": f"NEW-{number}", "timestamp": NOW, "value": number})
        publisher.send("machines/M9", {"machine_id": "M9", "timestamp": NOW, "temperature": 65.2})
        wait_for(lambda: tap.drops().get("unknown_tag") == 801, timeout_s=20, what="the count")

    told = tap.signals(SignalName.TAG_DISCOVERED)
    assert 1 <= len(told) <= 500
    assert told[0].data == {"source": "broker", "tag": "NEW-0", "value": 0.0}
    assert tap.samples() == []


def test_retained_message_is_a_replay(publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    publisher.send("readings/PT-101", reading(value=4.5, timestamp=NOW - 20 * DAY), retain=True).wait_for_publish(5)

    with collecting(plc_environment, bus, [SOURCE], TAGS):
        old = wait_for(lambda: tap.good(1), what="the retained reading")
    publisher.send("readings/PT-101", b"", retain=True).wait_for_publish(5)

    assert [(s.value, s.flags) for s in old] == [(4.5, {"replay"})]


def test_receipt_time_is_taken_for_devices_without_a_clock(
    publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    source = Source(id=1, name="broker", kind="mqtt", config={"time": "receipt"})
    with collecting(plc_environment, bus, [source], TAGS) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        before = now_ms()
        publisher.send("readings/PT-101", reading(timestamp=...))
        publisher.send("readings/PT-101", reading(timestamp=0))
        arrived = wait_for(lambda: len(tap.good(1)) == 2 and tap.good(1), what="both readings")

    assert all(before <= s.t <= now_ms() for s in arrived)


@pytest.mark.parametrize("tags", [TAGS[:1]])
def test_amqtt_serves_the_collector_too(
    amqtt_url: str, mqtt_prefix: str, bus: Bus, tap: Tap, plc_environment: dict[str, str], tags: list[Tag]
) -> None:
    client = Publisher(amqtt_url, mqtt_prefix)
    with collecting({**plc_environment, "MQTT_URL": amqtt_url}, bus, [SOURCE], tags) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        for number in range(50):
            client.send("readings/PT-101", reading(timestamp=NOW + number, seq=number))
        wait_for(lambda: len(tap.good(1)) == 50, what="every reading")
    client.close()
