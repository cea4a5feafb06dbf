"""MQTT input that is right but hard, and mapped input that is wrong (PROTOCOLS.md 8): bursts, repeats, disorder, other people's shapes."""

from __future__ import annotations

import json
import random
import time

from realtime.bus import Bus
from realtime.snapshot import Source
from tests.plc.harness import Publisher, Tap, collecting, tag
from tests.waiting import wait_for

NOW = int(time.time() * 1000) - 60_000
SOURCE = Source(
    id=1,
    name="broker",
    kind="mqtt",
    config={
        "mappings": [
            {"topic": "line/{machine}/data", "values": {"t": "/t", "p": "/p"}, "tag": "{machine}.{name}", "time": "/ts", "unit": "/u"},
            {"topic": "cols/{machine}", "columns": True, "values": {"t": "/t"}, "tag": "{machine}.{name}", "time": "/ts"},
            {"topic": "plain/{machine}", "payload": "text", "values": "", "tag": "{machine}.t", "time": "receipt"},
        ]
    },
)
TAGS = [tag(1, "M1.t", "broker", unit="°C"), tag(2, "M1.p", "broker"), tag(3, "PT-101", "broker")]

MAPPED_BAD: list[tuple[str, str, bytes]] = [
    ("not_json", "line/M1/data", b"hello"),
    ("not_json", "line/M1/data", b'{"t":5'),
    ("empty", "line/M1/data", b""),
    ("not_utf8", "line/M1/data", '{"t":5}'.encode("utf-16")),
    ("not_an_object", "line/M1/data", b"[1,2]"),
    ("not_an_object", "line/M1/data", b"5.3"),
    ("not_an_object", "line/M1/data", b"null"),
    ("not_json", "line/M1/data", b'{"t":NaN,"ts":1}'),
    ("not_finite", "line/M1/data", b'{"t":1e400,"ts":1}'),
    ("value_type", "line/M1/data", b'{"t":"5,3","ts":%d}' % NOW),
    ("value_type", "line/M1/data", b'{"t":true,"ts":%d}' % NOW),
    ("nested", "line/M1/data", b'{"t":{"v":1},"ts":%d}' % NOW),
    ("null", "line/M1/data", b'{"t":null,"ts":%d}' % NOW),
    ("duplicate_key", "line/M1/data", b'{"t":1,"t":2,"ts":%d}' % NOW),
    ("too_large", "line/M1/data", b"[" * 256_100),
    ("too_deep", "line/M1/data", b"[" * 2000),
    ("unit", "line/M1/data", b'{"t":1,"u":"psi","ts":%d}' % NOW),
    ("no_time", "line/M1/data", b'{"t":1}'),
    ("time", "line/M1/data", b'{"t":1,"ts":"yesterday"}'),
    ("time", "line/M1/data", b'{"t":1,"ts":%d000}' % NOW),
    ("time_zone", "line/M1/data", b'{"t":1,"ts":"2026-03-29T02:30:00"}'),
    ("clock", "line/M1/data", b'{"t":1,"ts":0}'),
    ("clock", "line/M1/data", b'{"t":1,"ts":%d}' % (NOW + 86_400_000)),
    ("no_value", "line/M1/data", b'{"ts":%d}' % NOW),
    ("unknown_tag", "line/M2/data", b'{"t":1,"ts":%d}' % NOW),
    ("tag_name", "line/<script>/data", b'{"t":1,"ts":%d}' % NOW),
    ("tag_name", "line/" + "x" * 5000 + "/data", b'{"t":1,"ts":%d}' % NOW),
    ("shape", "cols/M1", b'{"t":[1,2],"ts":[%d]}' % NOW),
    ("shape", "cols/M1", b'{"t":1,"ts":%d}' % NOW),
    ("value_type", "plain/M1", b"5,3"),
    ("value_type", "plain/M1", b"NaN"),
    ("not_utf8", "plain/M1", b"\xff\xfe"),
    ("empty", "plain/M1", b" "),
]


def reading(number: int) -> dict[str, object]:
    return {"tag": "PT-101", "timestamp": NOW + number, "value": float(number), "seq": number}


def test_mapped_payloads_are_refused_by_the_same_reasons_and_the_good_beside_them_arrive(
    publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    expected: dict[str, int] = {}
    with collecting(plc_environment, bus, [SOURCE], TAGS) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        for number, (reason, topic, payload) in enumerate(MAPPED_BAD):
            expected[reason] = expected.get(reason, 0) + 1
            publisher.send(topic, payload)
            publisher.send("line/M1/data", json.dumps({"t": number, "p": number / 2, "ts": NOW + number}))
        wait_for(lambda: len(tap.good(1)) == len(tap.good(2)) == len(MAPPED_BAD), timeout_s=20, what="every good reading")
        wait_for(lambda: sum(tap.drops().values()) >= len(MAPPED_BAD), timeout_s=10, what="the counts")
        counted = tap.drops()

    assert counted == expected
    assert [(s.t, s.value) for s in tap.good(1)] == [(NOW + n, float(n)) for n in range(len(MAPPED_BAD))]
    assert [s.value for s in tap.good(2)] == [n / 2 for n in range(len(MAPPED_BAD))]
    assert tap.signals("tag.discovered")[0].data["tag"] == "M2.t"


def test_ten_thousand_new_names_in_a_burst_are_bounded_and_stop_nothing(
    publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    with collecting(plc_environment, bus, [SOURCE], TAGS) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        for hundred in range(100):
            rows = [{"tag": f"N{hundred}-{n}", "timestamp": NOW, "value": n} for n in range(100)]
            publisher.send(f"readings/gateway-{hundred}", json.dumps(rows))
            publisher.send("readings/PT-101", reading(hundred))
        wait_for(lambda: len(tap.good(3)) == 100, timeout_s=20, what="the readings beside them")
        wait_for(lambda: tap.drops() == {"unknown_tag": 10_000}, timeout_s=20, what="the count")

    assert len(tap.signals("tag.discovered")) <= 500


def test_a_burst_of_ten_thousand_configured_tags_arrives_whole(
    publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    tags = [tag(n + 1, f"B{n}", "broker") for n in range(10_000)]
    with collecting(plc_environment, bus, [SOURCE], tags) as program:
        wait_for(lambda: "subscribed" in program.said, timeout_s=20, what="the subscription")
        for start in range(0, 10_000, 500):
            rows = [{"tag": f"B{n}", "timestamp": NOW, "value": n} for n in range(start, start + 500)]
            publisher.send("readings/gateway", json.dumps(rows))
        wait_for(lambda: sum(map(len, tap.batches())) >= 10_000, timeout_s=20, what="every reading")

    assert {(s.tag, s.value) for s in tap.samples()} == {(n + 1, float(n)) for n in range(10_000)}


def test_repeats_and_disorder_keep_their_identity(publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    numbers = [*range(300), *range(0, 300, 3)]
    random.Random(7).shuffle(numbers)
    with collecting(plc_environment, bus, [SOURCE], TAGS) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        for number in numbers:
            publisher.send("readings/PT-101", reading(number))
        wait_for(lambda: len(tap.good(3)) >= len(numbers), what="every message")

    assert {(s.t, s.value, s.seq) for s in tap.good(3)} == {(NOW + n, float(n), n) for n in range(300)}
    assert tap.drops() == {}
