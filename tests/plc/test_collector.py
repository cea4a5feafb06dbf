"""The collector program end to end: real devices in, batches on the bus out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plc.collector import Collector
from plc.connector import KINDS
from realtime import settings as settings_module
from realtime.bus import Bus, connect, now_ms
from realtime.embedded.home import Home
from realtime.embedded.mqtt_broker import EmbeddedBroker, find_mosquitto
from realtime.events import Quality, Reason, SignalName, quality_byte
from realtime.snapshot import Snapshot, Source
from tests.plc.harness import ROOT, Plc, Program, Publisher, RogueS7, Tap, collecting, environment_of, free_port, is_nan, read_reply, tag
from tests.waiting import wait_for

COMM = quality_byte(Quality.BAD, Reason.COMM)
CONFIG = quality_byte(Quality.BAD, Reason.CONFIG)
STALE = quality_byte(Quality.UNCERTAIN, Reason.STALE)
MQTT = Source(id=2, name="broker", kind="mqtt")


def test_s7_and_mqtt_readings_arrive_on_their_shards(
    plc: Plc, publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    plc.write(1, 4, ">f", 5.5)
    tags = [tag(11, "P", "plc", "DB1.DBD4:REAL"), tag(12, "PT-101", "broker", unit="bar")]

    with collecting(plc_environment, bus, [plc.source(), MQTT], tags):
        wait_for(lambda: tap.good(11), what="an S7 reading")
        wait_for(lambda: _state(tap, "broker") == "live", what="the subscription")
        at = now_ms()
        publisher.send("readings/PT-101", {"tag": "PT-101", "timestamp": at, "value": 5.02, "unit": "bar", "seq": 17})
        arrived = wait_for(lambda: tap.good(12), what="an MQTT reading")

    assert arrived[0][:5] == (12, at, 5.02, 0, 17)
    assert {sample.value for sample in tap.good(11)} == {5.5}
    assert {batch.shard for batch in tap.batches() if 11 in batch.ids} == {11 % 8}


def test_lost_source_is_bad_once_told_once_and_recovers_by_itself(bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    plc = Plc().start()
    tags = [tag(1, "A", "plc", "DB1.DBD0:REAL"), tag(2, "B", "plc", "DB1.DBW8:INT", group="fast")]
    with collecting(plc_environment, bus, [plc.source()], tags):
        wait_for(lambda: tap.good(1) and tap.good(2), what="good readings")

        plc.stop()
        wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=8, what="source.lost")
        bad = [sample for sample in tap.samples() if sample.quality == COMM]
        again = Plc(port=plc.port).start()
        wait_for(lambda: tap.signals(SignalName.SOURCE_RECOVERED), timeout_s=20, what="source.recovered")
        since = now_ms()
        wait_for(lambda: [s for s in tap.good(1) if s.t >= since], what="good readings again")
        again.stop()

    assert sorted(sample.tag for sample in bad) == [1, 2]
    assert all(is_nan(sample.value) for sample in bad)
    lost = tap.signals(SignalName.SOURCE_LOST)
    assert len(lost) == 1
    assert lost[0].data["source"] == "plc"
    assert lost[0].data["tags"] == ["A", "B"]
    assert len([sample for sample in tap.samples() if sample.quality == COMM]) == 2


def test_source_that_was_never_there_is_lost_too(bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    plc = Plc()

    with collecting(plc_environment, bus, [plc.source()], [tag(1, "A", "plc", "DB1.DBD0:REAL")]):
        lost = wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=20, what="source.lost")

    assert lost[0].data["reason"] == "refused"
    assert [sample.quality for sample in tap.samples(1)] == [COMM]


def test_a_wrong_address_is_bad_and_stops_no_other(plc: Plc, bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    tags = [
        tag(1, "good", "plc", "DB1.DBD0:REAL"),
        tag(2, "nonsense", "plc", "DB1,X0.9"),
        tag(3, "beyond", "plc", "DB1.DBD5000:REAL"),
        tag(4, "missing", "plc", "DB99.DBD0:REAL"),
    ]

    with collecting(plc_environment, bus, [plc.source()], tags):
        wait_for(lambda: len(tap.good(1)) > 3, what="readings of the good tag")
        told = wait_for(lambda: [shown for body in tap.health() if (shown := body["sources"]["plc"]["troubles"])], what="health")

    assert {name: said.split(":")[0] for name, said in told[0].items()} == {"beyond": "out_of_range", "missing": "db_missing"}
    assert {number: {s.quality for s in tap.samples(number)} for number in (1, 2, 3, 4)} == {1: {0}, 2: {CONFIG}, 3: {CONFIG}, 4: {CONFIG}}
    assert tap.signals(SignalName.SOURCE_LOST) == []


def test_configuration_is_followed_without_dropping_the_unchanged_link(
    plc: Plc, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    first, second = tag(1, "A", "plc", "DB1.DBD0:REAL"), tag(2, "B", "plc", "DB1.DBD4:REAL")
    with collecting(plc_environment, bus, [plc.source()], [first]) as program:
        wait_for(lambda: tap.good(1), what="the first tag")

        bus.publish_config(Snapshot(version=2, sources=[plc.source()], tags=[first, second]))
        wait_for(lambda: tap.good(2), timeout_s=4, what="the second tag")

        assert program.said.count("connected to") == 1


def test_state_of_a_machine_is_observed_once_a_change(plc: Plc, bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    tags = [
        tag(1, "PL.running", "plc", "DB1.DBX0.0", role="running", group="fast", asset=7),
        tag(2, "PL.fault_code", "plc", "DB1.DBW4:INT", role="fault_code", group="fast", asset=7),
    ]

    def states() -> list[tuple[str, str | None]]:
        return [(s.data["operating"], s.data["fault_code"]) for s in tap.signals(SignalName.STATE_OBSERVED)]

    with collecting(plc_environment, bus, [plc.source()], tags):
        wait_for(lambda: states() == [("stopped", None)], what="stopped")
        plc.write(1, 0, ">B", 1)
        wait_for(lambda: states()[1:] == [("running", None)], what="running")
        plc.write(1, 4, ">h", 17)
        wait_for(lambda: states()[2:] == [("fault", "17")], what="the fault")


def test_second_collector_stands_by_and_takes_over(plc: Plc, bus: Bus, tap: Tap, plc_environment: dict[str, str], tmp_path: object) -> None:
    with collecting(plc_environment, bus, [plc.source()], [tag(1, "A", "plc", "DB1.DBD0:REAL")]) as first:
        wait_for(lambda: tap.good(1), what="readings")
        second = Program({**plc_environment, "DATA_DIR": f"{tmp_path}/second"})
        try:
            wait_for(lambda: "standing by" in second.said, what="the second to stand by")
            child = next(body["pid"] for body in tap.health() if "plc" in body.get("sources", {}))
            os.kill(child, signal.SIGSTOP)  # it shall give nothing back, as a machine that loses its power
            first.kill()
            os.kill(child, signal.SIGKILL)
            wait_for(lambda: "collecting 1 tags" in second.said, timeout_s=10, what="the second to take over")
            gap = wait_for(lambda: [s for s in tap.samples() if s.quality == COMM], what="the gap")
            again = wait_for(lambda: [s for s in tap.good(1) if s.t > gap[0].t], what="readings again")
        finally:
            second.stop()

    last = max(s.t for s in tap.good(1) if s.t < gap[0].t)
    assert [s.flags for s in gap] == [{"replay"}]
    assert last < gap[0].t <= last + 1000 + 1000  # a period, and how often the first told that it read
    assert again[0].t - last > 3000  # its lease had to run out


def test_a_loss_told_by_one_collector_is_taken_back_by_another(bus: Bus, tap: Tap, plc_environment: dict[str, str], tmp_path: Path) -> None:
    plc = Plc().start()
    with collecting(plc_environment, bus, [plc.source()], [tag(1, "A", "plc", "DB1.DBD0:REAL")]):
        wait_for(lambda: tap.good(1), what="readings")
        plc.stop()
        wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=15, what="source.lost")
        wait_for(lambda: b"true" in (bus.client.hget(bus.key("links"), "plc") or b""), what="what the first leaves to its successor")
    again = Plc(port=plc.port).start()

    second = Program({**plc_environment, "DATA_DIR": f"{tmp_path}/second"})
    try:
        wait_for(lambda: tap.signals(SignalName.SOURCE_RECOVERED), timeout_s=20, what="source.recovered")
    finally:
        second.stop()
        again.stop()
        sys.stderr.write(second.said)


def test_collector_killed_hard_leaves_no_child_and_takes_its_lease_back_at_once(
    plc: Plc, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    with collecting(plc_environment, bus, [plc.source()], [tag(1, "A", "plc", "DB1.DBD0:REAL")]) as first:
        wait_for(lambda: tap.good(1), what="readings")
        child = wait_for(lambda: [body["pid"] for body in tap.health()], what="the child's health")[0]
        first.kill()
        wait_for(lambda: not _is_alive(child), what="the child's end")

        since = now_ms()
        again = Program(plc_environment)
        try:
            wait_for(lambda: [s for s in tap.good(1) if s.t > since], timeout_s=4.5, what="readings again")
        finally:
            again.stop()


def test_a_killed_child_is_started_again(plc: Plc, bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    with collecting(plc_environment, bus, [plc.source()], [tag(1, "A", "plc", "DB1.DBD0:REAL")]):
        child = wait_for(lambda: [body["pid"] for body in tap.health()], what="the child's health")[0]
        wait_for(lambda: tap.good(1), what="readings")
        os.kill(child, signal.SIGKILL)
        since = now_ms()

        wait_for(lambda: [s for s in tap.good(1) if s.t > since], what="readings again")


@pytest.mark.parametrize("kind", ["s7", "mqtt", "opcua"])
def test_a_collector_process_carries_no_server_library(kind: str) -> None:
    forbidden = ["flask", "sqlalchemy", "psycopg2", "eventlet", "server", "ml", "web", "ar_feed"]
    others = {"s7": ["asyncua", "paho"], "mqtt": ["asyncua", "snap7"], "opcua": ["paho", "snap7"]}[kind]
    code = (
        "import sys, plc.__main__, plc.connector\n"
        f"plc.connector.KINDS[{kind!r}].load()\n"
        f"print([m for m in {forbidden + others} if m in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout

    assert said.strip() == "[]"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _state(tap: Tap, source: str) -> str | None:
    for body in tap.health():
        if source in body["sources"]:
            return str(body["sources"][source]["state"])
    return None


def test_a_plc_that_hangs_is_lost_and_its_late_answer_is_never_a_value(bus: Bus, tap: Tap, plc_environment: dict[str, str]) -> None:
    silent: list[bool] = []
    rogue = RogueS7(lambda sequence, _: b"" if silent else read_reply(sequence, [bytes(4)]))
    source = Source(id=1, name="plc", kind="s7", config={"host": "127.0.0.1", "port": rogue.port, "timeout_s": 0.5}, groups={"normal": 0.2})
    with collecting(plc_environment, bus, [source], [tag(1, "A", "plc", "DB1.DBD0:REAL")]):
        wait_for(lambda: tap.good(1), what="good readings")
        silent.append(True)
        lost = wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=10, what="source.lost")
        silent.clear()
        wait_for(lambda: tap.signals(SignalName.SOURCE_RECOVERED), timeout_s=20, what="source.recovered")
    rogue.close()

    assert lost[0].data["reason"] == "timeout"
    assert [sample.quality for sample in tap.samples(1) if sample.quality] == [STALE, COMM]


def test_lost_broker_is_told_once_and_the_session_goes_on(
    services_home: Home, bus: Bus, tap: Tap, plc_environment: dict[str, str], mqtt_prefix: str
) -> None:
    home = Home(data=services_home.data / "own-broker", sockets=services_home.sockets, uid=services_home.uid)
    home.data.mkdir()
    broker = EmbeddedBroker(home, program="mosquitto" if find_mosquitto() else "amqtt")
    broker.start()
    broker.wait_ready()
    url = broker.url()
    with collecting({**plc_environment, "MQTT_URL": url}, bus, [MQTT], [tag(12, "PT-101", "broker", unit="bar")]):
        wait_for(lambda: _state(tap, "broker") == "live", what="the subscription")
        broker.stop()
        wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=10, what="source.lost")
        broker.start()
        broker.wait_ready()
        wait_for(lambda: tap.signals(SignalName.SOURCE_RECOVERED), timeout_s=30, what="source.recovered")
        again = Publisher(broker.url(), mqtt_prefix)
        again.send("readings/PT-101", {"tag": "PT-101", "timestamp": now_ms(), "value": 5.02})
        wait_for(lambda: tap.good(12), what="a good reading")
        again.close()
    broker.stop()

    assert broker.url() == url
    assert len(tap.signals(SignalName.SOURCE_LOST)) == 1
    assert [sample.quality for sample in tap.samples(12)] == [COMM, 0]


def test_a_source_that_falls_silent_behind_a_living_broker_is_one_loss_and_recovers_with_its_first_word(
    publisher: Publisher, bus: Bus, tap: Tap, plc_environment: dict[str, str]
) -> None:
    tags = [tag(12, "PT-101", "broker", unit="bar"), tag(13, "TT-201", "broker")]
    with collecting(plc_environment, bus, [MQTT], tags):
        wait_for(lambda: _state(tap, "broker") == "live", what="the subscription")
        publisher.send("readings/PT-101", {"tag": "PT-101", "timestamp": now_ms(), "value": 1.0})
        lost = wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=15, what="source.lost")
        publisher.send("readings/PT-101", {"tag": "PT-101", "timestamp": now_ms(), "value": 2.0})
        wait_for(lambda: tap.signals(SignalName.SOURCE_RECOVERED), what="source.recovered")
        wait_for(lambda: len(tap.good(12)) == 2, what="the second reading")

    assert lost[0].data["reason"] == "silent"
    assert lost[0].data["tags"] == ["PT-101", "TT-201"]
    assert [s.quality for s in tap.samples(12)] == [0, COMM, 0]
    assert [s.quality for s in tap.samples(13)] == [COMM]
    assert len(tap.signals(SignalName.SOURCE_LOST)) == 1


@pytest.mark.parametrize(("kind", "stands_by", "starts"), [("s7", False, True), ("s7", True, False), ("mqtt", False, False)])
def test_with_the_bus_away_only_what_can_spool_begins_and_no_standby_takes_over(
    tmp_path: Path, kind: str, stands_by: bool, starts: bool
) -> None:
    settings = settings_module.load(environment_of(DATA_DIR=str(tmp_path)), None)
    source = Source(id=1, name="x", kind=kind, config={"host": "127.0.0.1", "port": free_port()})
    collector = Collector(KINDS[kind], settings, Bus(connect("redis://127.0.0.1:1/0"), "away"))
    if stands_by:
        collector._standby.add("x")

    collector._keep(source, [])
    running = list(collector.runners)
    collector.close()

    assert running == (["x"] if starts else [])
