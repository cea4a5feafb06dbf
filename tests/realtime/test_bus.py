"""The bus loses nothing that a registered group has not acknowledged, and says so where something was taken from it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from realtime.bus import DEAD, FINDINGS, GROUPS, LIVE, READINGS, SIGNALS, Bus, Entry, connect, unpack_live
from realtime.codec import decode_batch, decode_signal
from realtime.consumer import MAX_DELIVERIES, Consumer
from realtime.embedded.home import Home
from realtime.embedded.valkey import EmbeddedValkey
from realtime.errors import BusFull, BusUnavailable, DecodeError
from realtime.events import Signal, SignalName
from realtime.lease import Lease
from realtime.snapshot import Snapshot
from tests.realtime.batches import T0, series
from tests.waiting import wait_for


def consumer_of(bus: Bus, group: str, name: str = "one", streams: tuple[str, ...] = READINGS[:1], claim_idle_ms: int = 30_000) -> Consumer:
    consumer = Consumer(bus, streams, group, name, claim_idle_ms)
    consumer.ensure_groups()
    return consumer


def values_of(entries: list[Entry]) -> list[list[float]]:
    return [decode_batch(entry.fields).numbers().tolist() for entry in entries]


def length(bus: Bus, stream: str = READINGS[0]) -> int:
    return int(bus.client.xlen(bus.key(stream)))


def test_a_batch_is_on_its_shard_and_on_the_live_channel(bus: Bus) -> None:
    listener = bus.client.pubsub()
    listener.subscribe(bus.key(LIVE))
    listener.get_message(timeout=2)

    bus.add_batches([series(1, [1.5])])

    heard = wait_for(lambda: listener.get_message(timeout=0.1), what="the live message")
    listener.close()
    entries = consumer_of(bus, "history").read(block_ms=10)
    assert [entry.stream for entry in entries] == ["readings.0"]
    assert values_of(entries) == [[1.5]]
    np.testing.assert_array_equal(decode_batch(unpack_live(heard["data"])).numbers(), [1.5])


def test_every_group_gets_every_entry_in_order(bus: Bus) -> None:
    bus.add_batches([series(1, [float(i)]) for i in range(5)])

    for group in ("history", "monitor"):
        assert values_of(consumer_of(bus, group).read(block_ms=10)) == [[0.0], [1.0], [2.0], [3.0], [4.0]]


def test_members_of_one_group_share_the_entries(bus: Bus) -> None:
    one, other = consumer_of(bus, "history", "one"), consumer_of(bus, "history", "other")
    bus.add_batches([series(1, [float(i)]) for i in range(4)])

    assert values_of(one.read(count=2, block_ms=10)) == [[0.0], [1.0]]
    assert values_of(other.read(block_ms=10)) == [[2.0], [3.0]]


def test_nothing_is_trimmed_before_every_group_has_acknowledged_it(bus: Bus) -> None:
    history, monitor = consumer_of(bus, "history"), consumer_of(bus, "monitor")
    bus.add_batches([series(1, [float(i)]) for i in range(10)])
    taken = history.read(block_ms=10)
    seen = monitor.read(block_ms=10)

    history.ack(taken)
    monitor.ack(seen[:3])
    bus.trim(READINGS[0])
    assert length(bus) == 7

    monitor.ack(seen[3:5] + seen[6:])
    bus.trim(READINGS[0])
    assert length(bus) == 5  # the sixth is still pending, and with it what follows

    monitor.ack(seen)
    assert bus.trim(READINGS[0]) == 5
    assert length(bus) == 0


def test_an_absent_group_blocks_trimming(bus: Bus) -> None:
    history = consumer_of(bus, "history")
    bus.add_batches([series(1, [1.0])])
    history.ack(history.read(block_ms=10))

    assert bus.trim(READINGS[0]) == 0
    assert length(bus) == 1


def test_a_group_that_has_read_nothing_keeps_everything(bus: Bus) -> None:
    history = consumer_of(bus, "history")
    consumer_of(bus, "monitor")
    bus.add_batches([series(1, [1.0])])
    history.ack(history.read(block_ms=10))

    assert bus.trim(READINGS[0]) == 0
    assert [bus.trim(stream) for stream in GROUPS] == [0] * len(GROUPS)


def test_a_restarted_consumer_reads_its_own_pending_first(bus: Bus) -> None:
    bus.add_batches([series(1, [1.0]), series(1, [2.0])])
    first = consumer_of(bus, "history")
    first.read(count=1, block_ms=10)

    again = consumer_of(bus, "history")

    assert values_of(again.read(block_ms=10)) == [[1.0]]
    assert values_of(again.read(block_ms=10)) == [[2.0]]
    assert again.read(block_ms=10) == []


def test_a_rewound_consumer_reads_what_it_had_dropped(bus: Bus) -> None:
    bus.add_batches([series(1, [1.0])])
    consumer = consumer_of(bus, "history")
    dropped = consumer.read(block_ms=10)
    assert consumer.read(block_ms=10) == []

    consumer.rewind()

    assert [entry.id for entry in consumer.read(block_ms=10)] == [entry.id for entry in dropped]


def test_entries_of_a_dead_consumer_are_taken_over(bus: Bus) -> None:
    bus.add_batches([series(1, [1.0]), series(1, [2.0])])
    consumer_of(bus, "history", "dead").read(block_ms=10)
    heir = consumer_of(bus, "history", "heir", claim_idle_ms=50)

    entries = wait_for(lambda: heir.read(block_ms=10), what="the dead one's entries")

    assert values_of(entries) == [[1.0], [2.0]]
    assert entries[0].deliveries == 2


def test_an_entry_delivered_five_times_goes_to_the_dead_letters_with_its_reason(bus: Bus) -> None:
    bus.add_batches([series(1, [6.5])])
    for _ in range(MAX_DELIVERIES):
        assert len(consumer_of(bus, "history").read(block_ms=10)) == 1

    assert consumer_of(bus, "history").read(block_ms=10) == []

    (_, dead), *others = bus.client.xrange(bus.key(DEAD))
    assert not others
    assert dead[b"stream"] == b"readings.0"
    assert dead[b"group"] == b"history"
    assert b"delivered 6 times" in dead[b"reason"]
    body = decode_batch({key[2:]: value for key, value in dead.items() if key.startswith(b"f.")})
    assert body.numbers().tolist() == [6.5]
    assert bus.client.xpending(bus.key(READINGS[0]), "history")["pending"] == 0


def test_a_poison_entry_does_not_keep_the_good_ones_from_being_read(bus: Bus) -> None:
    bus.client.xadd(bus.key(READINGS[0]), {"h": "not ours"})
    bus.add_batches([series(1, [1.0])])
    consumer = consumer_of(bus, "history")

    poison, good = consumer.read(block_ms=10)
    with pytest.raises(DecodeError) as refused:
        decode_batch(poison.fields)
    consumer.reject(poison, refused.value.reason)
    consumer.ack([good])

    assert bus.client.xpending(bus.key(READINGS[0]), "history")["pending"] == 0
    assert length(bus, DEAD) == 1


def test_a_vanished_group_is_reported_once_and_read_from_the_start(bus: Bus) -> None:
    consumer = consumer_of(bus, "history", streams=READINGS[:2])
    bus.add_batches([series(1, [1.0])])
    consumer.ack(consumer.read(block_ms=10))
    bus.client.xgroup_destroy(bus.key(READINGS[0]), "history")

    assert consumer.read(block_ms=10) == []

    assert consumer.lost_groups == [READINGS[0]]
    assert values_of(wait_for(lambda: consumer.read(block_ms=10), what="the stream from its start")) == [[1.0]]
    assert consumer.lost_groups == [READINGS[0]]


def test_a_deleted_stream_is_a_vanished_group(bus: Bus) -> None:
    consumer = consumer_of(bus, "history")
    bus.client.delete(bus.key(READINGS[0]))

    consumer.read(block_ms=10)

    assert consumer.lost_groups == [READINGS[0]]


def test_a_lease_has_one_holder_until_it_ends(bus: Bus) -> None:
    one, other = Lease(bus, "janitor", "one"), Lease(bus, "janitor", "other")

    assert one.hold()
    assert not other.hold()
    assert one.hold()
    other.release()
    assert not other.hold()
    one.release()
    assert other.hold()


def test_a_lease_that_is_not_renewed_passes_on(bus: Bus) -> None:
    assert Lease(bus, "janitor", "one", ttl_ms=50).hold()
    other = Lease(bus, "janitor", "other")

    wait_for(other.hold, what="the lease to expire")

    assert not Lease(bus, "janitor", "one").hold()


def test_a_full_bus_takes_no_more_readings(bus: Bus) -> None:
    bus.max_mb = 1
    for _ in range(30):
        bus.client.xadd(bus.key(READINGS[0]), {"x": os.urandom(64 * 1024)})
    assert bus.measure_fill() > 1.0

    with pytest.raises(BusFull, match="1 MB"):
        bus.add_batches([series(1, [1.0])])


def test_fill_is_measured_where_no_janitor_lives(bus: Bus) -> None:
    bus.max_mb = 1
    bus.client.xadd(bus.key(READINGS[0]), {"x": os.urandom(256 * 1024)})

    assert 0.2 < bus.fill() < 0.6
    assert float(bus.client.get(bus.key("fill"))) == pytest.approx(bus.fill(), abs=1e-6)


def test_signals_come_in_order(bus: Bus) -> None:
    signals = [Signal(SignalName.SOURCE_LOST, T0 + i, {"source": "s", "reason": "comm", "detail": "", "tags": ["A"]}) for i in range(3)]
    bus.add_signals(signals)

    entries = consumer_of(bus, "worker", streams=(SIGNALS, FINDINGS)).read(block_ms=10)

    assert [decode_signal(entry.fields) for entry in entries] == signals


def test_the_snapshot_is_published_with_its_version(bus: Bus) -> None:
    assert bus.config() is None
    assert bus.config_version() is None

    bus.publish_config(Snapshot(version=7))

    assert bus.config_version() == 7
    assert bus.config() == Snapshot(version=7)


def test_every_method_says_that_the_bus_is_away(tmp_path: Path) -> None:
    away = Bus(connect(f"unix://{tmp_path}/nothing"), "t")
    consumer = Consumer(away, READINGS, "history")

    for act in (
        lambda: away.add_batches([series(1, [1.0])]),
        lambda: away.add_signals([Signal(SignalName.JOB_PROGRESS, T0, {})]),
        lambda: away.trim(READINGS[0]),
        away.config,
        away.config_version,
        away.fill,
        consumer.ensure_groups,
        consumer.read,
        lambda: consumer.ack([Entry(READINGS[0], b"1-1", {})]),
        Lease(away, "janitor").hold,
    ):
        with pytest.raises(BusUnavailable):
            act()
    assert not away.ping()


@pytest.fixture
def own_bus(tmp_path: Path) -> Bus:
    """On a server that this test may flush."""
    (tmp_path / "d").mkdir()
    server = EmbeddedValkey(Home(data=tmp_path / "d", sockets=tmp_path, uid=None))
    server.start()
    server.wait_ready()
    bus = Bus(connect(server.url), "t")
    yield bus
    bus.client.close()
    server.stop()


@pytest.mark.owns_services
def test_a_flushed_server_reports_every_group_and_goes_on(own_bus: Bus) -> None:
    consumer = consumer_of(own_bus, "history", streams=READINGS)
    own_bus.add_batches([series(1, [1.0])])
    own_bus.client.flushall()

    assert consumer.read(block_ms=10) == []
    assert consumer.lost_groups == list(READINGS)

    own_bus.add_batches([series(1, [2.0])])
    assert values_of(wait_for(lambda: consumer.read(block_ms=10), what="readings after the flush")) == [[2.0]]
