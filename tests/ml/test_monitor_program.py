"""The monitor as a program, on the real bus and database."""

from __future__ import annotations

import psycopg2

from realtime.bus import DEAD, READINGS, Bus, now_ms
from realtime.snapshot import Limit
from tests.ml.plant import batch, snapshot, tag
from tests.ml.program import feed, findings, health, kill, monitor, shards, stop, wait_for_shards
from tests.waiting import wait_for

HIGH = Limit(side="high", value=80.0, severity="critical", deadband=2.0)
PLANT = snapshot(tag(11, limits=[HIGH], stuck_s=100_000.0))


def saved_id(postgres_url: str, shard: int = 1) -> tuple[int, int]:
    connection = psycopg2.connect(postgres_url)
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT last_ms, last_seq FROM ml_detector_state WHERE shard = %s", (shard,))
        row = cursor.fetchone()
        return (0, 0) if row is None else (row[0], row[1])
    finally:
        connection.close()


def newest_id(bus: Bus, shard: int = 1) -> tuple[int, int]:
    (entry_id, _), *_ = bus.client.xrevrange(bus.key(READINGS[shard]), count=1)
    ms, _, number = entry_id.partition(b"-")
    return int(ms), int(number)


def pending(bus: Bus, shard: int = 1) -> int:
    return int(bus.client.xpending(bus.key(READINGS[shard]), "monitor")["pending"])


def test_limit_crossed_is_found_and_closed_once(bus: Bus, environment: dict[str, str]) -> None:
    bus.publish_config(PLANT)
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        feed(bus, [11], lambda i: 90.0 if 20 <= i < 40 else 50.0, range(60), origin=now_ms() - 60_000)
        wait_for(lambda: findings(bus, "close"), what="the close")

        assert stop(process) == 0

    opened, closed = findings(bus, "open"), findings(bus, "close")
    assert [(f.type, f.code, f.tag, f.severity) for f in opened] == [("rule_violation", "high", "T-11", "critical")]
    assert [f.key for f in closed] == [f.key for f in opened]
    assert opened[0].score >= opened[0].limit
    assert closed[0].score < closed[0].limit


def test_kill_and_restart_neither_forgets_nor_raises_twice(bus: Bus, environment: dict[str, str], postgres_url: str) -> None:
    bus.publish_config(PLANT)
    start = now_ms() - 120_000
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        feed(bus, [11], lambda i: 90.0 if i >= 20 else 50.0, range(30), origin=start)
        wait_for(lambda: saved_id(postgres_url) == newest_id(bus), 15, "the state to be saved")
        kill(process)
    feed(bus, [11], lambda i: 90.0, range(30, 45), origin=start)
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        feed(bus, [11], lambda i: 50.0, range(45, 60), origin=start)
        wait_for(lambda: findings(bus, "close"), what="the close")
        wait_for(lambda: not pending(bus), 15, "every entry to be acknowledged")

    assert len(findings(bus, "open")) == 1
    assert {f.key for f in findings(bus)} == {findings(bus, "open")[0].key}
    assert len(findings(bus, "close")) == 1


def test_kill_before_the_state_is_saved_repeats_the_finding_with_the_same_key(bus: Bus, environment: dict[str, str]) -> None:
    bus.publish_config(PLANT)
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        feed(bus, [11], lambda i: 90.0 if i >= 20 else 50.0, range(30), origin=now_ms() - 60_000)
        wait_for(lambda: findings(bus, "open"), what="the finding")
        kill(process)
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        wait_for(lambda: not pending(bus), 15, "every entry to be acknowledged")

    assert len({f.key for f in findings(bus)}) == 1


def test_two_monitors_share_the_shards_and_one_takes_over_from_the_other(bus: Bus, environment: dict[str, str]) -> None:
    bus.publish_config(PLANT)
    with monitor(environment) as first, monitor(environment) as second:
        wait_for_shards(bus, first, 4)
        wait_for_shards(bus, second, 4)
        held = [beat["shards"] for beat in health(bus)]
        assert sorted(held[0] + held[1]) == list(range(8))

        kill(first)
        wait_for_shards(bus, second, 8)
        feed(bus, [11], lambda i: 90.0 if i >= 20 else 50.0, range(40), origin=now_ms() - 60_000)
        wait_for(lambda: findings(bus, "open"), what="the finding")

    assert len(findings(bus, "open")) == 1


def test_an_open_finding_goes_with_its_shard_from_monitor_to_monitor_and_closes_once(
    bus: Bus, environment: dict[str, str], postgres_url: str
) -> None:
    bus.publish_config(PLANT)
    start = now_ms() - 120_000
    with monitor(environment) as first, monitor(environment) as second:
        wait_for_shards(bus, first, 4)
        wait_for_shards(bus, second, 4)
        holder, other = (first, second) if 1 in shards(bus, first) else (second, first)
        feed(bus, [11], lambda i: 90.0 if i >= 20 else 50.0, range(30), origin=start)
        wait_for(lambda: saved_id(postgres_url) == newest_id(bus), 15, "the state to be saved")
        kill(holder)
        feed(bus, [11], lambda i: 90.0, range(30, 45), origin=start)
        wait_for_shards(bus, other, 8)
        with monitor(environment) as third:
            wait_for_shards(bus, third, 4)  # handed over in peace this time
            feed(bus, [11], lambda i: 50.0, range(45, 60), origin=start)
            wait_for(lambda: findings(bus, "close"), 20, "the close")

    assert (len(findings(bus, "open")), len(findings(bus, "close"))) == (1, 1)
    assert len({f.key for f in findings(bus)}) == 1


def test_changed_limit_is_in_force_without_a_restart_and_other_tags_keep_their_state(bus: Bus, environment: dict[str, str]) -> None:
    other = tag(12, limits=[HIGH], stuck_s=100_000.0)
    bus.publish_config(snapshot(PLANT.tags[0], other))
    start = now_ms() - 120_000
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        feed(bus, [11, 12], lambda i: 90.0 if i >= 20 else 50.0, range(30), origin=start)
        wait_for(lambda: len(findings(bus, "open")) == 2, what="both findings")

        raised = tag(11, limits=[Limit(side="high", value=95.0, severity="critical")], stuck_s=100_000.0)
        bus.publish_config(snapshot(raised, other, version=2))
        wait_for(lambda: findings(bus, "close"), what="the close of the limit that is gone")
        feed(bus, [11, 12], lambda i: 90.0, range(30, 50), origin=start)
        wait_for(lambda: any(f.tag == "T-12" and f.config_version == 2 for f in findings(bus, "update")), what="an update of the other")

    assert [f.tag for f in findings(bus, "close")] == ["T-11"]
    assert len(findings(bus, "open")) == 2


def test_unreadable_entry_goes_to_the_dead_letters_and_the_good_ones_beside_it_are_judged(bus: Bus, environment: dict[str, str]) -> None:
    bus.publish_config(PLANT)
    bus.client.xadd(bus.key(READINGS[1]), {"h": b"not json"})
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        feed(bus, [11], lambda i: 90.0 if i >= 20 else 50.0, range(30), origin=now_ms() - 60_000)
        wait_for(lambda: findings(bus, "open"), what="the finding")

    assert bus.client.xlen(bus.key(DEAD)) == 1


def test_replayed_readings_raise_nothing(bus: Bus, environment: dict[str, str]) -> None:
    bus.publish_config(PLANT)
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        start = now_ms() - 60_000
        bus.add_batches([batch([11], [90.0], start + i * 1000, flags=frozenset({"replay"})) for i in range(30)])
        wait_for(lambda: any(beat["drops"]["replayed"] == 30 for beat in health(bus)), what="the replay to be read")

    assert not findings(bus)


def test_flushed_bus_is_reported_and_the_monitor_goes_on(bus: Bus, environment: dict[str, str]) -> None:
    bus.publish_config(PLANT)
    with monitor(environment) as process:
        wait_for_shards(bus, process)
        stream = bus.key(READINGS[1])
        wait_for(lambda: bus.client.exists(stream) and bus.client.xinfo_consumers(stream, "monitor"), what="the monitor to read the stream")
        bus.client.delete(stream)  # what FLUSHALL does to a stream, without the other tests' keys
        wait_for(lambda: bus.client.xlen(bus.key("signals")), what="the signal")
        feed(bus, [11], lambda i: 90.0 if i >= 20 else 50.0, range(30), origin=now_ms() - 60_000)
        wait_for(lambda: findings(bus, "open"), what="the finding")
