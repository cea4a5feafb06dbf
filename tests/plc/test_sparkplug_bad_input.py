"""Bad Sparkplug input (PROTOCOLS.md 8): counted by reason, never stored as good, stopping nothing beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plc.connectors.sparkplug_host import CONFIG, NULL
from plc.connectors.sparkplug_node import REBIRTH_EVERY_S
from realtime.bus import Bus
from realtime.snapshot import Source
from tests.plc.edge_node import EdgeNode, encoded, metric
from tests.plc.harness import Tap, collecting, tag
from tests.plc.sparkplug_stage import DEVICE, NOW, Stage
from tests.waiting import wait_for


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def born(stage: Stage) -> Stage:
    stage.birth()
    stage.live()
    assert not stage.notes.reasons
    return stage


@pytest.mark.parametrize("kind", ["DataSet", "Template", "Bytes", "File", "Int32Array"])
def test_what_is_no_number_or_text_is_refused_by_name(stage: Stage, kind: str) -> None:
    stage.birth(device=[metric("PT", b"\x00\x01", kind), *DEVICE[1:]])

    told = {name: quality for name, _, _, quality in stage.live()}
    assert told == {"PT": CONFIG, "TT": 0, "CPU": 0, "RECIPE": 0}
    assert stage.notes.reasons == {"datatype": 1}


def test_an_alias_that_two_metrics_have_means_neither(stage: Stage) -> None:
    stage.birth(device=[metric("PT", 5.0, alias=2), metric("TT", 20, "Int32", alias=2), DEVICE[2]])
    stage.live()
    stage.say("DDATA", [metric(value=9.0, alias=2), metric("Recipe", "b", "String")], 2)

    assert stage.live() == [("RECIPE", NOW, "b", 0)]
    assert stage.notes.reasons == {"alias": 2}


def test_an_alias_of_another_device_or_of_nobody_is_refused_and_asks_for_a_birth(born: Stage) -> None:
    born.say("DDATA", [metric(value=9.0, alias=1), metric(value=9.0, alias=77), metric(value=6.0, alias=2)], 2)

    assert born.live() == [("PT", NOW, 6.0, 0)]
    assert born.notes.reasons == {"alias": 2}
    assert born.host.due_rebirths(born.now + REBIRTH_EVERY_S) == [("G", "N")]


def test_a_birth_gives_aliases_new_meanings(born: Stage) -> None:
    born.birth(device=[metric("PT", 5.0, alias=3), metric("TT", 20, "Int32", alias=2), DEVICE[2]])
    born.live()
    born.say("DDATA", [metric(value=7, kind="Int32", alias=2), metric(value=8.0, alias=3)], 2)

    assert sorted((name, value) for name, _, value, _ in born.live()) == [("PT", 8.0), ("TT", 7.0)]


def test_two_nodes_with_one_id_are_noticed_and_bounded(born: Stage) -> None:
    for number in range(200):
        born.say("DDATA", [metric(value=1.0, alias=2)], (2 + number) % 256)
        born.say("DDATA", [metric(value=2.0, alias=2)], (130 + number) % 256)
        born.later(0.1)

    assert born.notes.reasons["seq_hole"] >= 1
    assert len(born.live()) >= 350
    assert len(born.host.due_rebirths(born.now)) == 1


def test_ten_thousand_metrics_are_born(stage: Stage) -> None:
    stage.birth(device=[*DEVICE, *(metric(f"M{n}", float(n), alias=10 + n) for n in range(10_000))])

    assert {name for name, *_ in stage.live()} == {"PT", "TT", "CPU", "RECIPE"}
    assert len(stage.notes.found) == 10_000
    assert stage.notes.found[0] == "G/N/D:M0"


BYTES = [
    ("not_protobuf", b"hello"),
    ("not_protobuf", b"\xff\xff\xff"),
    ("not_protobuf", encoded(DEVICE, seq=2)[:-3]),
    ("too_large", b"\x00" * 4_000_001),
    ("compressed", b"\x22\x12SPBV1.0_COMPRESSED"),
    ("seq", encoded([metric("PT", 1.0)], seq=None)),
    ("seq", encoded([metric("PT", 1.0)], seq=256)),
]


@pytest.mark.parametrize(("reason", "body"), BYTES, ids=[f"{reason}-{i}" for i, (reason, _) in enumerate(BYTES)])
def test_bytes_that_are_no_message_are_counted_and_the_next_is_taken(born: Stage, reason: str, body: bytes) -> None:
    born.host.handle("spBv1.0/G/DDATA/N/D", body, NOW, born.now)
    born.say("DDATA", [metric(value=6.0, alias=2)], 2)

    assert born.notes.reasons == {reason: 1}
    assert born.live() == [("PT", NOW, 6.0, 0)]


@pytest.mark.parametrize("topic", ["spBv1.0/G", "spBv1.0/G/NDATA/N/D", "spBv1.0/G/DDATA/N", "spBv1.0/G/XDATA/N", "spAv1.0/G/NDATA/N"])
def test_topics_of_no_node_are_counted(born: Stage, topic: str) -> None:
    born.host.handle(topic, b"", NOW, born.now)

    assert born.notes.reasons == {"topic": 1}


@given(st.binary(max_size=200))
def test_no_bytes_raise(body: bytes) -> None:
    stage = Stage()
    stage.birth()

    for kind in ("NBIRTH", "NDATA", "NDEATH"):
        stage.host.handle(f"spBv1.0/G/{kind}/N", body, NOW, stage.now)


def test_the_program_counts_each_case_and_the_good_beside_it_arrive(
    mqtt_url: str, bus: Bus, tap: Tap, plc_environment: dict[str, str], bus_prefix: str
) -> None:
    source = Source(id=1, name="nodes", kind="sparkplug")
    tags = [tag(1, "PT", "nodes", f"{bus_prefix}/N/D:PT"), tag(2, "TT", "nodes", f"{bus_prefix}/N/D:TT")]
    bad = [(reason, body) for reason, body in BYTES if reason != "too_large"]  # a broker refuses those before we do
    bad += [("alias", []), ("unknown_metric", []), ("value_type", []), ("datatype", []), ("no_value", []), ("not_utf8", [])]
    wrong = {
        "alias": metric(value=1.0, alias=999),
        "unknown_metric": metric("Nobody", 1.0),
        "value_type": metric("TT", "hot", "String"),
        "datatype": metric("TT", b"\x00", "Bytes"),
        "no_value": metric("TT", ..., "Double"),
        "not_utf8": metric("TT", b"\xff", "String"),
    }
    expected: dict[str, int] = {}
    with collecting(plc_environment, bus, [source], tags) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        node = EdgeNode(mqtt_url, bus_prefix, "N", {"D": [metric("PT", -1.0, alias=1), metric("TT", 20.0, alias=2)]})
        wait_for(lambda: tap.good(2), what="the birth")
        for number, (reason, body) in enumerate(bad):
            expected[reason] = expected.get(reason, 0) + 1
            if isinstance(body, bytes):
                node.raw("DDATA", body, "D")
            else:
                node.say("DDATA", [wrong[reason], metric("TT")], "D")
            node.say("DDATA", [metric(value=float(number), alias=1)], "D")
        wait_for(lambda: {s.value for s in tap.good(1)} >= set(map(float, range(len(bad)))), what="every good value")
        wait_for(lambda: sum(tap.drops().values()) >= len(bad), what="the counts")
        counted = tap.drops()
        node.close()

    assert counted == expected
    assert {sample.quality for sample in tap.samples(2)} >= {0, NULL}
