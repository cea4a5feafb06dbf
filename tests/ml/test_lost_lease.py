"""A monitor that slept longer than its leases lasts: what it then tells, saves and takes up again. Its rounds are run here, by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ml import monitor as monitor_module
from ml.monitor import Monitor
from ml.shards import Shards
from realtime.bus import READINGS, Bus, Entry, now_ms
from realtime.settings import Settings
from realtime.snapshot import Limit
from tests.ml.plant import snapshot, tag
from tests.ml.program import feed, findings
from tests.waiting import wait_for

HIGH = Limit(side="high", value=80.0, severity="critical", deadband=2.0)
PLANT = snapshot(tag(11, limits=[HIGH], stuck_s=100_000.0), tag(12, stuck_s=100_000.0))


def awake(settings: Settings, bus: Bus, name: str) -> Monitor:
    """A monitor that holds every shard."""
    made = Monitor(settings, bus, threading.Event())
    made.shards = Shards(bus, name)
    rounds(made, lambda: len(made.desks) == 8, "every shard")
    return made


def rounds(one: Monitor, until: Callable[[], object], what: str) -> None:
    def again() -> object:
        one._round()
        return until()

    wait_for(again, what=what)


def falls_asleep(one: Monitor, bus: Bus) -> None:
    """Its leases run out."""
    one.shards._renewed = float("-inf")
    one.shards._ticked = float("-inf")
    bus.client.delete(*(bus.key(f"lease.shard.{shard}") for shard in range(8)))
    bus.client.zrem(bus.key("monitors"), one.shards.holder)


def drained(one: Monitor, bus: Bus) -> bool:
    """It has judged the newest entry and saved that."""
    (newest, _), *_ = bus.client.xrevrange(bus.key(READINGS[1]), count=1)
    return f"{one.desks[1].saved_id[0]}-{one.desks[1].saved_id[1]}".encode() == newest


def taken_over(settings: Settings, bus: Bus, start: int) -> tuple[Monitor, Monitor]:
    """One that fell asleep after twenty readings, saved, and another that then took its shards over."""
    one = awake(settings, bus, "one")
    feed(bus, [11], lambda i: 50.0, range(20), origin=start)
    rounds(one, lambda: drained(one, bus), "the state to be saved")
    falls_asleep(one, bus)
    return one, awake(settings, bus, "other")


def save_at_once(one: Monitor) -> None:
    one._saved = float("-inf")


def test_what_it_had_judged_before_its_leases_ran_out_it_does_not_save(
    bus: Bus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.publish_config(PLANT)
    one = awake(settings, bus, "one")
    start = now_ms() - 60_000
    feed(bus, [11], lambda i: 50.0, range(20), origin=start)
    rounds(one, lambda: drained(one, bus), "the state to be saved")
    saved, one._saved = one.desks[1].saved_id, float("inf")
    feed(bus, [11], lambda i: 90.0, range(20, 40), origin=start)
    rounds(one, lambda: findings(bus, "open"), "the finding")
    feed(bus, [11], lambda i: 50.0, range(40, 60), origin=start)
    assert one.consumer is not None
    read = one.consumer.read

    def slowly(count: int, block_ms: int) -> list[Entry]:
        found = read(count, block_ms)
        falls_asleep(one, bus)
        return found

    monkeypatch.setattr(one.consumer, "read", slowly)
    save_at_once(one)
    one._round()

    assert one.desks[1].saved_id == saved
    assert bus.client.xpending(bus.key(READINGS[1]), "monitor")["pending"] == 40
    assert not findings(bus, "close")
    rounds(one, lambda: findings(bus, "close"), "what it had in hand to be judged after all")


def test_a_finding_that_another_opened_meanwhile_is_closed_by_the_one_that_comes_back(bus: Bus, settings: Settings) -> None:
    bus.publish_config(PLANT)
    start = now_ms() - 120_000
    one, other = taken_over(settings, bus, start)
    feed(bus, [11], lambda i: 90.0, range(20, 40), origin=start)
    rounds(other, lambda: findings(bus, "open") and drained(other, bus), "the finding")
    other._leave()

    feed(bus, [11], lambda i: 50.0, range(40, 60), origin=start)
    rounds(one, lambda: findings(bus, "close"), "the close")

    assert [f.key for f in findings(bus, "close")] == [f.key for f in findings(bus, "open")]


def test_entries_that_another_had_read_and_not_judged_are_judged(bus: Bus, settings: Settings) -> None:
    bus.publish_config(PLANT)
    start = now_ms() - 120_000
    one, other = taken_over(settings, bus, start)
    feed(bus, [11], lambda i: 90.0, range(20, 40), origin=start)
    assert other.consumer is not None
    assert other.consumer.read(200, 200)
    falls_asleep(other, bus)  # and dies

    rounds(one, lambda: findings(bus, "open"), "the finding")


def test_nothing_is_silent_because_nobody_listened(bus: Bus, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    bus.publish_config(PLANT)
    one = awake(settings, bus, "one")
    monkeypatch.setattr(monitor_module, "now_ms", lambda: now_ms() + 40_000)  # it has listened for long enough
    feed(bus, [11, 12], lambda i: 50.0, range(20), origin=now_ms() - 20_000)
    rounds(one, lambda: drained(one, bus), "the state to be saved")
    for desk in one.desks.values():
        desk.engine.start_listening(now_ms() - 120_000)
    one.desks[1].drained = True
    falls_asleep(one, bus)
    monkeypatch.setattr(monitor_module, "now_ms", lambda: now_ms() + 80_000)
    one._timed = float("-inf")

    one._round()
    one._timed = float("-inf")
    one._round()

    assert not findings(bus)


def test_entries_that_wait_for_the_database_are_kept_without_their_readings(
    bus: Bus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.publish_config(PLANT)
    one = awake(settings, bus, "one")
    monkeypatch.setattr(one.records, "save", lambda desk: False)
    feed(bus, [11], lambda i: 50.0, range(20), origin=now_ms() - 60_000)
    rounds(one, lambda: len(one.desks[1].unsaved) == 20, "the entries")

    assert not any(entry.fields for entry in one.desks[1].unsaved)

    monkeypatch.undo()
    save_at_once(one)
    rounds(one, lambda: not bus.client.xpending(bus.key(READINGS[1]), "monitor")["pending"], "every entry to be acknowledged")
