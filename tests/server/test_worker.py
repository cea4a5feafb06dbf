"""The worker as a program: findings in, facts out, each effect once, also when it is killed between or runs twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select

from realtime.bus import DEAD, FACTS, FINDINGS, SIGNALS, Bus
from realtime.codec import decode_fact
from realtime.events import Fact, Signal, SignalName
from realtime.settings import Settings
from realtime.supervise import heartbeats
from server import audit_check, audit_files
from server.database import Database
from server.models.alerts import AlertRecord
from server.models.outbox import Outbox
from server.models.work import WorkOrder
from server.store import snapshot_version
from tests.server.small_plant import NOW, NOW_MS, SmallPlant, finding
from tests.waiting import wait_for

Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Starts workers; ends them all."""
    running: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        running.append(subprocess.Popen([sys.executable, "-m", "server.worker"], env=environment))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def facts_on(bus: Bus) -> list[Fact]:
    return [decode_fact(fields) for _, fields in bus.client.xrange(bus.key(FACTS))]  # type: ignore[union-attr,arg-type]


def leads(bus: Bus, pid: int) -> bool:
    return any(beat["pid"] == pid and beat["leader"] for beat in heartbeats(bus) if beat["program"] == "worker")


def is_folded(bus: Bus, entries: int) -> bool:
    groups = [*bus.client.xinfo_groups(bus.key(FINDINGS)), *bus.client.xinfo_groups(bus.key(SIGNALS))]  # type: ignore[misc]
    return all(group["pending"] == 0 and not group["lag"] for group in groups) and sum(g["entries-read"] or 0 for g in groups) >= entries


def everything_is_told(database: Database, bus: Bus) -> bool:
    with database.transaction() as session:
        written = session.scalar(select(func.count(Outbox.id)))
    return written == len(facts_on(bus)) and bool(written)


def test_a_finding_becomes_facts_on_the_bus_once_even_when_delivered_twice(
    database: Database, plant: SmallPlant, bus: Bus, start: Start
) -> None:
    bus.add_findings([finding(plant), finding(plant)])
    start()
    wait_for(lambda: bus.client.exists(bus.key(FINDINGS)) and everything_is_told(database, bus), 30, "the facts")
    bus.add_findings([finding(plant), finding(plant, "close", NOW_MS + 5000)])
    wait_for(lambda: "alert.returned" in [fact.name for fact in facts_on(bus)], 15, "the return")

    told = facts_on(bus)

    assert [fact.seq for fact in told] == list(range(1, len(told) + 1))
    assert [fact.name for fact in told].count("alert.raised") == 1
    assert [fact.name for fact in told].count("work_order.opened") == 1
    opened = next(fact for fact in told if fact.name == "work_order.opened")
    assert (opened.data["title"], opened.by) == ("Find and remove vibration", "system")


@pytest.mark.owns_services
def test_killed_at_any_moment_nothing_is_lost_or_doubled(database: Database, plant: SmallPlant, bus: Bus, start: Start) -> None:
    tags = ["M2.vibration", "M2.temperature", "PL-1.pressure"]
    asset_of = {"M2.vibration": plant.pump, "M2.temperature": plant.pump, "PL-1.pressure": plant.press}
    sent = [
        finding(plant, edge, NOW_MS + n * 1000 + place, key=f"{tag}:{n}", tag=tag, asset=asset_of[tag])  # type: ignore[arg-type]
        for n in range(20)
        for tag in tags
        for place, edge in enumerate(("open", "close"))
    ]
    worker = start()
    for first in range(0, len(sent), 30):
        bus.add_findings(sent[first : first + 30])
        wait_for(lambda worker=worker: leads(bus, worker.pid), 30, "a leader")
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        worker = start()

    wait_for(lambda: is_folded(bus, len(sent)), 40, "everything folded")
    wait_for(lambda: everything_is_told(database, bus), 30, "everything told")

    told = facts_on(bus)
    assert [fact.seq for fact in told] == list(range(1, len(told) + 1))
    with database.transaction() as session:
        assert session.scalar(select(func.count(AlertRecord.id))) == 3
        assert session.scalars(select(AlertRecord.occurrences)).all() == [20, 20, 20]
        assert session.scalar(select(func.count(WorkOrder.id))) == 1  # the other two have no confirmed limit or no policy
    assert [fact.name for fact in told].count("alert.raised") == 60


@pytest.mark.owns_services
def test_a_second_worker_stands_by_and_takes_over(database: Database, plant: SmallPlant, bus: Bus, start: Start) -> None:
    first = start()
    wait_for(lambda: leads(bus, first.pid), 30, "the first leading")
    second = start()
    wait_for(lambda: any(beat["pid"] == second.pid for beat in heartbeats(bus)), 30, "the second's heartbeat")
    assert not leads(bus, second.pid)

    os.kill(first.pid, signal.SIGKILL)
    bus.add_findings([finding(plant)])

    wait_for(lambda: leads(bus, second.pid), 30, "the second leading")
    wait_for(lambda: "work_order.assigned" in [fact.name for fact in facts_on(bus)], 30, "the order")


def test_what_cannot_be_folded_goes_to_the_dead_letters_and_stops_nothing(
    database: Database, plant: SmallPlant, bus: Bus, start: Start
) -> None:
    bus.client.xadd(bus.key(FINDINGS), {"j": b"{not json"})
    bus.add_findings([finding(plant, asset=999_999, key="unknown"), finding(plant)])
    start()

    wait_for(lambda: "alert.raised" in [fact.name for fact in facts_on(bus)], 30, "the good one")

    reasons = [fields[b"reason"].decode() for _, fields in bus.client.xrange(bus.key(DEAD))]  # type: ignore[union-attr,index]
    assert len(reasons) == 2
    assert "asset 999999 is unknown" in reasons[1]


def test_the_snapshot_is_published_restored_and_follows_changes(database: Database, plant: SmallPlant, bus: Bus, start: Start) -> None:
    with database.transaction() as session:
        version = snapshot_version.bump(session, NOW)
    start()
    wait_for(lambda: bus.config_version() == version, 30, "the snapshot")
    bus.client.delete(bus.key("config"), bus.key("config_version"))
    wait_for(lambda: bus.config_version() == version, 10, "the snapshot again")

    with database.transaction() as session:
        changed = snapshot_version.bump(session, NOW)
    wait_for(lambda: bus.config_version() == changed, 2, "the change")

    config = bus.config()
    assert config is not None
    assert {tag.name for tag in config.tags} >= {"M2.vibration", "PL-1.running"}
    assert config.assets[1].fault_codes[0].text == "Hydraulic pressure low"


def test_the_chain_is_sealed_and_the_program_stops_at_once(
    database: Database, plant: SmallPlant, bus: Bus, settings: Settings, start: Start
) -> None:
    worker = start()
    bus.add_findings([finding(plant)])
    wait_for(lambda: audit_files.read_head(audit_files.head_path(settings)), 30, "a seal")
    wait_for(lambda: everything_is_told(database, bus), 10, "the facts")

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=30) == 0
    with database.transaction() as session:
        head = audit_files.read_head(audit_files.head_path(settings))
        assert not audit_check.verify(session, audit_files.audit_key(settings), head).problems


def test_a_vanished_group_is_an_alarm(database: Database, plant: SmallPlant, bus: Bus, start: Start) -> None:
    worker = start()
    wait_for(lambda: leads(bus, worker.pid), 30, "a leader")

    bus.client.xgroup_destroy(bus.key(SIGNALS), "worker")
    wait_for(lambda: "alert.raised" in [fact.name for fact in facts_on(bus)], 20, "the alarm")
    bus.add_signals([Signal(SignalName.STATE_OBSERVED, NOW_MS, {"asset": plant.press, "operating": "running", "fault_code": None})])
    wait_for(lambda: "asset.state_changed" in [fact.name for fact in facts_on(bus)], 20, "work going on")

    with database.transaction() as session:
        assert session.scalars(select(AlertRecord.code)).one() == "bus_group_lost"
