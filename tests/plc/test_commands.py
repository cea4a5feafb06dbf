"""The program that writes to PLCs refuses all but a signed, fresh, listed, permitted order; each case with the writes that arrived."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from snap7.server import CPUState

from plc.addressing.write_list import parse
from plc.commands import Desk
from plc.write_act import Refusal
from plc.write_checks import Rate
from realtime.bus import Bus, now_ms
from realtime.guarded_file import Unguarded, read_guarded
from realtime.plc_writes import STOPPED, STREAM, WriteResult, result_of, stop_file
from realtime.settings import Settings
from realtime.supervise import heartbeats
from tests.plc.harness import ROOT, Tap, free_port
from tests.plc.write_bench import Orders, Plc, listed, put, snapshot
from tests.waiting import wait_for

NOBODY = 65534


@pytest.fixture(scope="module")
def machine() -> Iterator[Plc]:
    made = Plc()
    yield made
    made.stop()


@pytest.fixture
def plc(machine: Plc) -> Plc:
    machine.db[:] = machine.bits[:] = bytes(64)
    machine.cpu.writes.clear()
    machine.cpu.lose.clear()
    machine.cpu.cpu_state = CPUState.RUN
    return machine


@pytest.fixture
def settings(settings: Settings, plc: Plc, tmp_path: Path) -> Settings:
    path = tmp_path / "plc-writes.yaml"
    put(path, listed(plc.port))
    return replace(settings, plc_writes=True, plc_write_list=path)


@pytest.fixture
def desk(settings: Settings, bus: Bus) -> Iterator[Desk]:
    bus.publish_config(snapshot())
    made = Desk(settings, bus)
    made.turn()
    assert made.holds
    yield made
    made.close()


@pytest.fixture
def orders(settings: Settings, bus: Bus) -> Orders:
    assert settings.plc_write_list is not None
    return Orders(settings, bus, parse(settings.plc_write_list.read_text("utf-8")).digest)


def done(desk: Desk, orders: Orders, name: str, value: float = 1.0, **more: Any) -> WriteResult:
    """What comes of one order; the rate is another test's."""
    desk._rate = Rate()
    return desk.judge(orders.fields(orders.order(name, value, **more)))


# --- the one legal path ---


def test_a_bit_is_written_once_and_read_back(desk: Desk, orders: Orders, plc: Plc) -> None:
    plc.bits[20] = 0b00010001

    result = done(desk, orders, "set")

    assert (result.outcome, result.old, result.new, result.alarm) == ("written", 0.0, 1.0, False)
    assert plc.cpu.writes == [(20, 7, b"\x01")]
    assert plc.bits[20] == 0b10010001


def test_a_number_is_written_with_its_type(desk: Desk, orders: Orders, plc: Plc) -> None:
    result = done(desk, orders, "speed", 12.3)

    assert (result.outcome, result.old) == ("written", 0.0)
    assert result.new == pytest.approx(12.3, rel=1e-6)
    assert len(plc.cpu.writes) == 1


def test_a_pulse_goes_back_by_itself(desk: Desk, orders: Orders, plc: Plc, settings: Settings) -> None:
    result = done(desk, orders, "pulse")

    assert (result.outcome, result.new) == ("written", 1.0)
    assert plc.cpu.writes == [(20, 7, b"\x01"), (20, 7, b"\x00")]
    assert not (settings.data_dir / "plc" / "pulse.json").exists()


def test_an_order_on_the_stream_is_carried_out_and_told_to_the_worker(desk: Desk, orders: Orders, plc: Plc, bus: Bus) -> None:
    order = orders.send(orders.order("set"))

    desk.turn()

    (told,) = Tap(bus).signals("plc.write")
    assert result_of(told.data).id == order.id
    assert told.data["outcome"] == "written"
    assert plc.requested == 1


# --- refused before anything is sent ---


@pytest.mark.parametrize(
    ("name", "value", "more", "reason"),
    [
        ("unknown", 1, {}, "not_listed"),
        ("set", 2, {}, "not_listed"),
        ("speed", 100.1, {}, "not_listed"),
        ("speed", float("nan"), {}, "forged"),  # JSON has none
        ("pulse", 0, {}, "not_listed"),
        ("set", 1, {"digest": "another list"}, "list_changed"),
        ("set", 1, {"expires_ms": 1}, "expired"),
        ("set", 1, {"issued_ms": 1}, "expired"),
        ("set", 1, {"issued_ms": 2**45, "expires_ms": 2**46}, "clock"),
    ],
)
def test_what_is_not_listed_or_not_fresh_is_refused(
    desk: Desk, orders: Orders, plc: Plc, name: str, value: float, more: dict[str, Any], reason: str
) -> None:
    assert done(desk, orders, name, value, **more).reason == reason
    assert plc.cpu.writes == []


def test_an_order_that_the_server_did_not_sign_is_refused(desk: Desk, orders: Orders, plc: Plc, bus: Bus) -> None:
    fields = orders.fields(orders.order("set"))
    changed = {**fields, b"j": fields[b"j"].replace(b'"value":1.0', b'"value":0.0')}
    for forged in (changed, {**fields, b"s": b""}, {b"j": fields[b"j"]}, {}):
        assert desk.judge(forged).outcome == "forged"
    bus.client.xadd(bus.key(STREAM), {"j": b"{}", "s": b"x"})
    desk.turn()

    assert [one.data["outcome"] for one in Tap(bus).signals("plc.write")] == ["forged"]
    assert plc.cpu.writes == []


def test_the_same_order_twice_is_written_once(desk: Desk, orders: Orders, plc: Plc) -> None:
    fields = orders.fields(orders.order("set"))

    first, second = desk.judge(fields), desk.judge(fields)

    assert (first.outcome, second.outcome) == ("written", "replayed")
    assert len(plc.cpu.writes) == 1


def test_a_disabled_source_is_refused(desk: Desk, orders: Orders, plc: Plc, settings: Settings) -> None:
    assert settings.plc_write_list is not None
    put(settings.plc_write_list, listed(plc.port, enabled=False))
    orders.digest = parse(settings.plc_write_list.read_text("utf-8")).digest

    assert done(desk, orders, "set").reason == "source_off"
    assert plc.cpu.writes == []


def test_a_condition_is_read_from_the_plc_itself(desk: Desk, orders: Orders, plc: Plc) -> None:
    plc.db[0] = 1
    running = done(desk, orders, "guarded")
    plc.db[0:4] = b"\x00\x00\x00\x11"
    at_fault = done(desk, orders, "guarded")
    plc.db[0:4] = bytes(4)
    free = done(desk, orders, "guarded")

    assert (running.reason, at_fault.reason, free.outcome) == ("condition", "condition", "written")
    assert "PRESS.running == 0; it is 1" in running.detail
    assert len(plc.cpu.writes) == 1


def test_a_condition_that_cannot_be_read_refuses(desk: Desk, orders: Orders, plc: Plc, settings: Settings) -> None:
    assert settings.plc_write_list is not None
    put(settings.plc_write_list, listed(plc.port, reads={"PRESS.running": "DB9.DBX0.0", "PRESS.fault": "DB1.DBW2:INT"}))
    orders.digest = parse(settings.plc_write_list.read_text("utf-8")).digest

    assert done(desk, orders, "guarded").reason == "no_good_value"
    assert plc.cpu.writes == []


def test_a_plc_in_stop_is_not_written_to(desk: Desk, orders: Orders, plc: Plc) -> None:
    plc.cpu.cpu_state = CPUState.STOP

    assert done(desk, orders, "set").reason == "not_in_run"
    assert plc.cpu.writes == []


@pytest.mark.parametrize(
    ("in_work", "refused"), [((1,), True), ((2,), True), ((3,), True), ((4,), False)], ids=["above", "own", "below", "other"]
)
def test_maintenance_mode_anywhere_in_the_family_refuses(
    desk: Desk, orders: Orders, plc: Plc, bus: Bus, in_work: tuple[int, ...], refused: bool
) -> None:
    bus.publish_config(snapshot(*in_work))
    desk.turn()

    result = done(desk, orders, "set")

    assert (result.reason == "in_work", len(plc.cpu.writes)) == (refused, 0 if refused else 1)


@pytest.mark.parametrize("how", ["file", "page"])
def test_a_stop_refuses_and_lets_go_again(desk: Desk, orders: Orders, plc: Plc, bus: Bus, settings: Settings, how: str) -> None:
    if how == "file":
        stop_file(settings).touch()
    else:
        bus.client.set(bus.key(STOPPED), 1)
    stopped = done(desk, orders, "set")
    stop_file(settings).unlink(missing_ok=True)
    bus.client.delete(bus.key(STOPPED))

    assert (stopped.reason, plc.cpu.writes) == ("stopped", [])
    assert done(desk, orders, "set").outcome == "written"


def test_one_a_second_and_ten_a_minute() -> None:
    now = 100.0
    rate = Rate(lambda: now)
    for number in range(10):
        rate.take("a")
        with pytest.raises(Refusal, match="a second"):
            rate.take("a")
        if number == 0:
            now += 0.5
            rate.take("b")  # another source has a second of its own
            now += 0.5
        now += 1.0
        if number == 8:
            break
    with pytest.raises(Refusal, match="a minute"):
        rate.take("a")
    now = 161.0
    rate.take("a")


def test_the_eleventh_in_a_minute_does_not_reach_the_plc(desk: Desk, orders: Orders, plc: Plc) -> None:
    now = 0.0
    desk._rate = Rate(lambda: now)
    outcomes = []
    for _ in range(12):
        now += 1.1
        outcomes.append(desk.judge(orders.fields(orders.order("set"))).outcome)

    assert outcomes == ["written"] * 10 + ["refused"] * 2
    assert len(plc.cpu.writes) == 10


# --- the link fails ---


def test_a_plc_that_is_away_is_refused(desk: Desk, orders: Orders, plc: Plc, settings: Settings) -> None:
    assert settings.plc_write_list is not None
    put(settings.plc_write_list, listed(free_port()))
    orders.digest = parse(settings.plc_write_list.read_text("utf-8")).digest

    assert done(desk, orders, "set").reason == "no_link"
    assert plc.cpu.writes == []


def test_a_lost_answer_is_read_back_and_never_sent_again(desk: Desk, orders: Orders, plc: Plc) -> None:
    plc.cpu.lose[:] = ["answer"]

    result = done(desk, orders, "set")

    assert (result.outcome, result.new, result.alarm) == ("written", 1.0, False)
    assert "answer was lost" in result.detail
    assert len(plc.cpu.writes) == 1


def test_a_request_that_got_lost_is_unknown_and_never_sent_again(desk: Desk, orders: Orders, plc: Plc) -> None:
    plc.cpu.lose[:] = ["all"]

    result = done(desk, orders, "set")

    assert (result.outcome, result.reason, result.new, result.alarm) == ("unknown", "no_answer", 0.0, True)
    assert plc.cpu.writes == []


def test_a_pulse_whose_way_back_is_lost_is_taken_back_again(desk: Desk, orders: Orders, plc: Plc) -> None:
    plc.cpu.lose[:] = ["", "all"]

    result = done(desk, orders, "pulse")

    assert result.outcome == "written"
    assert plc.cpu.writes == [(20, 7, b"\x01"), (20, 7, b"\x00")]
    assert plc.requested == 0


def test_a_pulse_that_cannot_be_taken_back_alarms_until_it_can(
    desk: Desk, orders: Orders, plc: Plc, bus: Bus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plc.write_act.RESET_TRIES", 2)
    plc.cpu.lose[:] = ["", "all", "all"]

    result = done(desk, orders, "pulse")
    standing = plc.requested
    desk.turn()

    assert (result.outcome, result.reason, result.alarm) == ("unknown", "not_taken_back", True)
    assert (standing, plc.requested) == (1, 0)
    assert [one.data["outcome"] for one in Tap(bus).signals("plc.write")] == ["reset"]
    assert not (settings.data_dir / "plc" / "pulse.json").exists()


# --- restart, outage, two of them ---


def test_what_was_sent_before_the_start_never_fires(settings: Settings, bus: Bus, orders: Orders, plc: Plc) -> None:
    bus.publish_config(snapshot())
    orders.send(orders.order("set"))
    desk = Desk(settings, bus)
    for _ in range(3):
        desk.turn()
    late = desk.judge(orders.fields(orders.order("set", issued_ms=desk._since - 1)))
    desk.close()

    assert late.reason == "expired"
    assert plc.cpu.writes == []


def test_only_one_of_two_writes(desk: Desk, settings: Settings, bus: Bus, orders: Orders, plc: Plc) -> None:
    second = Desk(settings, bus)
    second.turn()
    orders.send(orders.order("set"))
    second.turn()
    untouched = list(plc.cpu.writes)
    desk.turn()

    second.close()

    assert (second.holds, untouched) == (False, [])
    assert len(plc.cpu.writes) == 1


def test_who_loses_the_lease_writes_nothing_more(desk: Desk, orders: Orders, plc: Plc, bus: Bus) -> None:
    bus.client.set(bus.key("lease.plc.commands"), "another process")

    result = done(desk, orders, "set")
    bus.client.delete(bus.key("lease.plc.commands"))

    assert (result.reason, plc.cpu.writes) == ("no_lease", [])


# --- the program ---


def program(environment: dict[str, str], settings: Settings, **more: str) -> subprocess.Popen[str]:
    environment = {**environment, "PLC_WRITES": "1", "PLC_WRITE_LIST": str(settings.plc_write_list), **more}
    return subprocess.Popen([sys.executable, "-m", "plc.commands"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def refusal(environment: dict[str, str], settings: Settings, **more: str) -> str:
    """What the program says when it refuses to start."""
    running = program(environment, settings, **more)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 2, said
    return said


def test_a_pulse_cut_off_by_kill_9_is_taken_back_at_the_next_start(
    environment: dict[str, str], settings: Settings, bus: Bus, orders: Orders, plc: Plc
) -> None:
    assert settings.plc_write_list is not None
    body = listed(plc.port)
    body["writes"][1]["ms"] = 3000
    put(settings.plc_write_list, body)
    orders.digest = parse(settings.plc_write_list.read_text("utf-8")).digest
    bus.publish_config(snapshot())
    first = program(environment, settings)
    wait_for(lambda: any(beat["program"] == "plc-writes" and beat["holds"] for beat in heartbeats(bus)), what="the lease")
    orders.send(orders.order("pulse"))
    wait_for(lambda: plc.requested, what="the pulse")
    first.kill()
    first.communicate()
    assert plc.requested == 1

    second = program(environment, settings)
    wait_for(lambda: not plc.requested, what="the way back", timeout_s=20)
    second.send_signal(signal.SIGTERM)
    _, said = second.communicate(timeout=30)

    assert second.returncode == 0, said
    assert [data for _, _, data in plc.cpu.writes] == [b"\x01", b"\x00"]
    assert any(one.data["outcome"] == "reset" for one in Tap(bus).signals("plc.write"))


def test_it_does_not_start_where_writing_is_off(environment: dict[str, str], settings: Settings) -> None:
    assert "guarded writes are off" in refusal(environment, settings, PLC_WRITES="0")


def test_it_does_not_start_with_a_list_that_others_may_write(environment: dict[str, str], settings: Settings) -> None:
    assert settings.plc_write_list is not None
    settings.plc_write_list.chmod(0o464)
    assert "may be written by its group" in refusal(environment, settings)


def test_check_reads_and_writes_nothing(environment: dict[str, str], settings: Settings, plc: Plc) -> None:
    environment |= {"PLC_WRITE_LIST": str(settings.plc_write_list)}
    said = subprocess.run(
        [sys.executable, "-m", "plc.commands", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )

    assert said.returncode == 0, said.stderr
    assert "guarded: RUN True, PRESS.request (M20.7:BOOL) = 0" in said.stdout
    assert plc.cpu.writes == []


# --- the file ---


def test_where_the_list_may_lie_and_who_may_write_it(tmp_path: Path) -> None:
    data = tmp_path / "var"
    data.mkdir()
    good, inside, link, folder = tmp_path / "list", data / "list", tmp_path / "link", tmp_path / "shared"
    for path in (good, inside):
        path.write_text("x")
        path.chmod(0o444)
    link.symlink_to(good)
    folder.mkdir()
    (folder / "list").write_text("x")
    (folder / "list").chmod(0o444)
    folder.chmod(0o777)

    assert read_guarded(good, data).text == "x"
    assert read_guarded(good, data).weakness  # the tests' own user owns it, or is root
    for bad in (None, inside, link, folder / "list", tmp_path / "none", tmp_path):
        with pytest.raises(Unguarded):
            read_guarded(bad, data)
    for mode in (0o464, 0o446):
        good.chmod(mode)
        with pytest.raises(Unguarded, match="chmod 0444"):
            read_guarded(good, data)


@contextmanager
def plain_user() -> Iterator[Path]:
    """A folder of root's or our own, looked at by a user who is not root."""
    folder = Path(tempfile.mkdtemp(prefix="slw-"))
    folder.chmod(0o755)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        shutil.rmtree(folder)


def test_a_list_that_the_program_may_write_is_refused(tmp_path: Path) -> None:
    is_root = os.geteuid() == 0
    with plain_user() as folder:
        path = folder / "list"
        if is_root:
            os.seteuid(0)
        path.write_text("x")
        path.chmod(0o444)
        if is_root:
            os.chown(path, NOBODY, NOBODY)
            with pytest.raises(Unguarded, match="must belong to root"):
                read_guarded(path, tmp_path)
            os.chown(path, 0, 0)
            os.seteuid(NOBODY)
        assert bool(read_guarded(path, tmp_path).weakness) is not is_root  # root's file in root's folder is as good as it gets
        if is_root:
            os.seteuid(0)
            os.chown(path, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        path.chmod(0o644)
        with pytest.raises(Unguarded, match="the user of this program may write"):
            read_guarded(path, tmp_path)


def test_the_pulse_record_says_whose_it_is(desk: Desk, orders: Orders, plc: Plc, settings: Settings) -> None:
    seen: list[dict[str, Any]] = []
    record = settings.data_dir / "plc" / "pulse.json"
    plain = plc.cpu.writes.append
    order = orders.order("pulse")

    class Writes(list[Any]):
        def append(self, one: Any) -> None:
            seen.append(json.loads(record.read_text("utf-8")))
            plain(one)

    plc.cpu.writes = Writes()
    desk._rate = Rate()
    desk.judge(orders.fields(order))
    plc.cpu.writes = []

    assert seen[0] == {"id": order.id, "entry": "pulse"}
    assert now_ms() - desk._since < 600_000
