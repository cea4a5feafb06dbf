"""Sparkplug B's host rules, message by message: births, aliases, order, deaths, history, quality."""

from __future__ import annotations

import math

import pytest

from plc.connectors.sparkplug_host import COMM, CONFIG, NULL, STALE
from plc.connectors.sparkplug_node import HOLD_S, REBIRTH_EVERY_S
from realtime.events import Quality, Reason, quality_byte
from tests.plc.edge_node import metric
from tests.plc.sparkplug_stage import DEVICE, NOW, OWN, TAGS, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def born(stage: Stage) -> Stage:
    stage.birth()
    stage.live()
    assert not stage.notes.reasons
    return stage


def test_a_birth_tells_every_value_and_data_by_alias_alone_is_understood(stage: Stage) -> None:
    stage.birth()
    assert sorted(stage.live()) == [("CPU", NOW, 3.0, 0), ("PT", NOW, 5.0, 0), ("RECIPE", NOW, "a", 0), ("TT", NOW, 20.0, 0)]

    stage.say("DDATA", [metric(value=5.5, alias=2, timestamp=NOW + 7), metric(value=-3, kind="", alias=3)], 2)
    stage.say("NDATA", [metric(value=4.0, alias=1)], 3, t=NOW + 9)

    assert stage.live() == [("PT", NOW + 7, 5.5, 0), ("TT", NOW, -3.0, 0), ("CPU", NOW + 9, 4.0, 0)]
    assert not stage.notes.reasons


def test_nodes_of_our_tags_are_asked_for_a_birth_and_none_more_than_once_in_ten_seconds(stage: Stage) -> None:
    assert stage.host.due_rebirths(stage.now) == [("G", "N")]
    for seq in range(5):
        stage.say("DDATA", [metric(value=1.0, alias=2)], seq)
        assert stage.host.due_rebirths(stage.now + seq) == []
    assert stage.host.due_rebirths(stage.now + REBIRTH_EVERY_S) == [("G", "N")]
    stage.birth()
    assert stage.host.due_rebirths(stage.now + 100) == []
    assert stage.notes.reasons == {"no_birth": 5}


def test_seq_wraps_from_255_to_0(born: Stage) -> None:
    for number in range(2, 600):
        born.say("DDATA", [metric(value=float(number), alias=2)], number % 256, t=NOW + number)

    assert [value for _, _, value, _ in born.live()] == [float(n) for n in range(2, 600)]
    assert not born.notes.reasons


def test_a_message_that_comes_too_early_waits_for_the_one_before(born: Stage) -> None:
    born.say("DDATA", [metric(value=3.0, alias=2)], 3, t=NOW + 3)
    assert born.live() == []
    born.later(HOLD_S / 2)
    born.say("DDATA", [metric(value=2.0, alias=2)], 2, t=NOW + 2)

    assert [value for _, _, value, _ in born.live()] == [2.0, 3.0]
    assert not born.notes.reasons


def test_a_hole_makes_the_node_uncertain_until_its_birth(born: Stage) -> None:
    born.say("DDATA", [metric(value=6.0, alias=2)], 3, t=NOW + 3)
    born.later(HOLD_S)

    told = born.live()
    assert {row for row in told if row[3]} == {
        ("PT", NOW + 2000, 5.0, STALE),
        ("TT", NOW + 2000, 20.0, STALE),
        ("CPU", NOW + 2000, 3.0, STALE),
        ("RECIPE", NOW + 2000, "a", STALE),
    }
    assert ("PT", NOW + 3, 6.0, 0) in told
    assert born.notes.reasons == {"seq_hole": 1}
    assert born.host.due_rebirths(born.now) == [("G", "N")]

    born.say("DDATA", [metric(value=6.5, alias=2)], 9, t=NOW + 4)  # taken as it comes, and no second wait
    assert born.live() == [("PT", NOW + 4, 6.5, 0)]
    born.birth()
    newest = {name: (t, quality) for name, t, _, quality in born.live()}
    assert all(quality == 0 and t > NOW + 2000 for t, quality in newest.values())


def test_a_repeated_message_holds_nothing_up(born: Stage) -> None:
    born.say("DDATA", [metric(value=1.0, alias=2)], 2)
    born.say("DDATA", [metric(value=1.0, alias=2)], 2)
    born.say("DDATA", [metric(value=2.0, alias=2)], 3)

    assert [value for _, _, value, _ in born.live()] == [1.0, 1.0, 2.0]  # identity tells them apart in history


def test_death_of_a_node_is_bad_at_once_and_of_an_older_birth_does_not_count(born: Stage) -> None:
    born.say("NDEATH", [metric("bdSeq", 7, "UInt64")], None)
    assert born.live() == []
    assert born.notes.reasons == {"bdseq": 1}

    born.say("NDEATH", [metric("bdSeq", 0, "UInt64")], None, t=NOW - 86_400_000)

    told = born.live()
    assert {(name, t, quality) for name, t, _, quality in told} == {(one.name, NOW + 50, COMM) for one in TAGS}
    assert all(value == "" or math.isnan(value) for _, _, value, _ in told)


def test_death_of_a_device_leaves_the_node_alone(born: Stage) -> None:
    born.say("DDEATH", [], 2, t=NOW + 5)
    born.say("NDATA", [metric(value=9.0, alias=1)], 3, t=NOW + 6)
    born.say("DDATA", [metric("PT", 9.0)], 4)

    told = born.live()
    assert {(name, t, quality) for name, t, _, quality in told if quality} == {(n, NOW + 5, COMM) for n in ("PT", "TT", "RECIPE")}
    assert ("CPU", NOW + 6, 9.0, 0) in told
    assert born.notes.reasons == {"no_birth": 1}


def test_after_a_death_the_birth_is_news_even_with_old_metric_times(born: Stage) -> None:
    born.say("NDEATH", [metric("bdSeq", 0, "UInt64")], None)
    born.live()

    born.say("NBIRTH", OWN, 0, t=NOW + 5000)
    born.say("DBIRTH", [metric("PT", 5.0, timestamp=NOW - 9000), *DEVICE[1:]], 1, t=NOW + 5000)

    pressure = [(t, quality) for name, t, _, quality in born.live() if name == "PT"]
    assert pressure == [(NOW - 9000, 0), (NOW + 5000, 0)]


def test_historical_metrics_are_replays(born: Stage) -> None:
    born.say("DDATA", [metric(value=1.5, alias=2, timestamp=NOW - 60_000, is_historical=True), metric(value=7, alias=3)], 2)

    parts = born.host.take()
    assert [(part.replay, list(part.ids), list(part.t)) for part in parts] == [(False, [2], [NOW]), (True, [1], [NOW - 60_000])]


def test_times_are_the_metrics_then_the_payloads_and_1970_is_none(born: Stage) -> None:
    born.say("DDATA", [metric("PT", 1.0, timestamp=0), metric("TT", 2, "Int32", timestamp=NOW - 3)], 2, t=NOW - 5)
    born.say("DDATA", [metric("PT", 3.0)], 3, t=0)

    assert born.live() == [("PT", NOW - 5, 1.0, 0), ("TT", NOW - 3, 2.0, 0), ("PT", NOW + 50, 3.0, 0)]


def test_null_and_the_property_quality_are_obeyed(born: Stage) -> None:
    born.say("DDATA", [metric("PT"), metric("TT", 5, "Int32", quality=500), metric("Recipe", "b", "String", quality=0)], 2)
    born.say("NDATA", [metric("CPU", 8.0, quality=192)], 3)

    told = {name: (value, quality) for name, _, value, quality in born.live()}
    assert math.isnan(told["PT"][0])
    assert told["PT"][1] == NULL == quality_byte(Quality.BAD, Reason.DEVICE)
    assert told["TT"] == (5.0, STALE)
    assert told["Recipe".upper()] == ("", NULL)
    assert told["CPU"] == (8.0, 0)


def test_a_metric_the_birth_leaves_out_or_of_another_type_is_bad_and_the_others_are_good(stage: Stage) -> None:
    stage.birth(device=[metric("PT", "five", "String"), metric("Recipe", "a", "String")])

    told = {name: quality for name, _, _, quality in stage.live()}
    assert told == {"PT": CONFIG, "TT": CONFIG, "CPU": 0, "RECIPE": 0}
    assert stage.notes.reasons == {"value_type": 1, "unknown_metric": 1}
