"""Looks at devices before they are configured: connect, browse, preview; diagnosed, bounded, and never where they may not."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plc import import_check
from plc.connector import LinkError
from plc.interpretations import interpretations, word_addresses
from plc.probe import check_target, probe
from plc.probe_desk import ask as run_probe
from realtime import probes
from realtime import settings as settings_module
from realtime.bus import Bus
from realtime.probes import NoCollector, ProbeBusy
from realtime.settings import Settings
from realtime.snapshot import Snapshot, Source
from tests.plc.harness import Plc, Program, Publisher, free_port
from tests.plc.modbus_device import ModbusDevice
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
MAPS = Path(__file__).with_name("tagmaps")


@pytest.fixture
def settings(plc_environment: dict[str, str]) -> Settings:
    return settings_module.load(plc_environment | {"PROBE_LOCAL": "1"}, None)


def s7(plc: Plc, action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "kind": "s7", "config": dict(plc.source().config), **more}


def test_a_test_tells_that_it_connects_and_what_the_device_grants(plc: Plc, settings: Settings) -> None:
    answer = probe(s7(plc, "test"), settings)

    assert answer["ok"], answer
    assert answer["limits"]["pdu"] >= 240
    assert answer["connect_ms"] > 0


def test_a_device_that_is_not_there_is_diagnosed_with_the_remedy(settings: Settings) -> None:
    answer = probe({"action": "test", "kind": "s7", "config": {"host": "127.0.0.1", "port": free_port()}}, settings)

    assert (answer["ok"], answer["reason"]) == (False, "refused")
    assert answer["remedy"]


@pytest.mark.parametrize(("unit", "ok"), [(1, True), (7, False)])
def test_a_gateway_whose_unit_does_not_answer_is_not_connected(settings: Settings, unit: int, ok: bool) -> None:
    device = ModbusDevice().start()
    device.holes = {0}  # an exception for a register is an answer

    answer = probe({"action": "test", "kind": "modbus", "config": {**device.source().config, "unit": unit}}, settings)
    device.stop()

    assert answer["ok"] is ok, answer
    assert ok or (answer["reason"] == "silent" and "unit 7" in answer["detail"] and answer["remedy"])


def test_a_preview_shows_value_raw_quality_and_round_trip(plc: Plc, settings: Settings) -> None:
    plc.write(1, 8, ">h", 13824)
    tag = {"name": "t", "unit": "bar", "address": "DB1.DBW8:INT", "scale_raw": [0, 27648], "scale_eng": [0, 10]}

    answer = probe(s7(plc, "preview", tag=tag), settings)

    assert (answer["ok"], answer["value"], answer["raw"], answer["quality"], answer["unit"]) == (True, 5.0, 13824.0, "good", "bar")
    assert answer["round_trip_ms"] > 0
    assert {"type": "uint16", "order": "AB", "value": 13824, "text": "13824"} in answer["interpretations"]


def test_a_preview_of_a_broken_wire_is_not_good(plc: Plc, settings: Settings) -> None:
    plc.write(1, 8, ">h", 32767)
    tag = {"name": "t", "unit": "bar", "address": "DB1.DBW8:INT", "scale_raw": [0, 27648], "scale_eng": [0, 10]}

    answer = probe(s7(plc, "preview", tag=tag), settings)

    assert (answer["ok"], answer["value"], answer["quality"], answer["reason"]) == (True, None, "bad", "range")


def test_a_preview_of_an_address_that_is_not_there_is_never_good(plc: Plc, settings: Settings) -> None:
    answer = probe(s7(plc, "preview", tag={"name": "t", "unit": "", "address": "DB77.DBW0:INT"}), settings)

    assert not answer["ok"] or answer["quality"] == "bad", answer


def test_a_preview_of_a_topic(settings: Settings, publisher: Publisher) -> None:
    sent = {"tag": "x", "timestamp": 1, "value": 4.5}
    publisher.send("hall/mixer", json.dumps(sent | {"timestamp": 1_900_000_000})).wait_for_publish(5)
    stop = threading.Event()

    def speak() -> None:
        while not stop.wait(0.1):
            publisher.send("hall/mixer", "21.5")

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        request = {"action": "preview", "kind": "mqtt", "config": {"topics": ["hall/#"], "time": "receipt"}}
        answer = probe({**request, "tag": {"name": "hall", "unit": "°C", "address": "hall/mixer"}}, settings)
    finally:
        stop.set()
        thread.join()

    assert (answer["ok"], answer["value"], answer["quality"]) == (True, 21.5, "good"), answer


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "169.254.169.254", "::ffff:127.0.0.1"])
def test_this_machine_and_link_local_addresses_are_not_tried(host: str, plc_settings: Settings) -> None:
    with pytest.raises(LinkError) as caught:
        check_target(Source(id=1, name="x", kind="s7", config={"host": host}), plc_settings)

    assert caught.value.reason == "config"


def test_a_url_is_judged_by_its_host(plc_settings: Settings) -> None:
    with pytest.raises(LinkError):
        check_target(Source(id=1, name="x", kind="opcua", config={"url": "opc.tcp://user@127.0.0.1:4840/"}), plc_settings)

    check_target(Source(id=1, name="x", kind="s7", config={"host": "10.9.0.5"}), plc_settings)


def test_registers_under_every_type_and_order() -> None:
    high, low = struct.unpack(">HH", struct.pack(">f", 21.5))

    found = {(row["type"], row["order"]): row["value"] for row in interpretations([low, high])}

    assert found["float32", "CDAB"] == 21.5
    assert found["uint16", "AB"] == low
    assert interpretations([]) == []
    assert word_addresses("s7", "DB1.DBD8:REAL") == ["DB1.DBW8:WORD", "DB1.DBW10:WORD", "DB1.DBW12:WORD", "DB1.DBW14:WORD"]
    assert word_addresses("modbus", "holding:8:float32")[:2] == ["holding:8:uint16:ABCD", "holding:9:uint16:ABCD"]
    assert word_addresses("mqtt", "a/b") == word_addresses("s7", "M0.0") == word_addresses("s7", "nonsense") == []


@pytest.fixture
def desk(plc_environment: dict[str, str], bus: Bus) -> Iterator[Program]:
    bus.publish_config(Snapshot(version=1))
    program = Program(plc_environment | {"PROBE_LOCAL": "1"})
    yield program
    program.stop()
    sys.stderr.write(program.said)


@pytest.mark.usefixtures("desk")
def test_the_program_answers_over_the_bus(bus: Bus, plc: Plc) -> None:
    answer = probes.ask(bus, s7(plc, "test"), 30.0)

    assert answer["ok"], answer
    wait_for(lambda: not bus.client.keys(bus.key("probe*")), what="nothing left on the bus")


def test_without_a_collector_nobody_answers_and_nothing_stays(bus: Bus) -> None:
    with pytest.raises(NoCollector):
        probes.ask(bus, {"action": "test", "kind": "s7", "config": {"password": "hush"}}, 0.3)

    assert bus.client.keys(bus.key("probe*")) == []


def test_more_looks_than_may_wait_are_refused(bus: Bus) -> None:
    bus.client.rpush(bus.key(probes.REQUESTS), "a", "b")

    with pytest.raises(ProbeBusy):
        probes.ask(bus, {"action": "test"}, 0.3)


def test_a_device_that_hangs_costs_only_its_time(plc_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in (plc_environment | {"PROBE_LOCAL": "1"}).items():
        monkeypatch.setenv(key, value)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        request = {"action": "test", "kind": "s7", "config": {"host": "127.0.0.1", "port": silent.getsockname()[1], "timeout_s": 60}}

        answer = json.loads(run_probe(json.dumps(request).encode(), 3.0))

    assert (answer["ok"], answer["reason"]) == (False, "timeout")


def test_a_request_that_is_nonsense_is_answered(plc_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "plc", "probe"], input=b"{", capture_output=True, env=plc_environment, cwd=ROOT, check=False, timeout=60
    )

    assert done.returncode == 0
    assert json.loads(done.stdout)["ok"] is False
    assert os.fspath(ROOT).encode() not in done.stdout


def test_the_command_line_points_at_the_wrong_character(capsys: pytest.CaptureFixture[str]) -> None:
    assert import_check.main([str(MAPS / "press_bad.csv"), "--list"]) == 1

    told = capsys.readouterr()
    assert "    DB10,X0.9\n           ^\n" in told.err
    assert "PRESS-09.good\tDB10.DBD0:REAL\tbar" in told.out
    assert "csv: 5 tags, 3 cannot be taken" in told.out


def test_the_command_line_says_when_all_is_right(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert import_check.main([str(MAPS / "press.yaml")]) == 0
    assert "press-09 (s7): 5 tags" in capsys.readouterr().out
    assert import_check.main([str(tmp_path / "none.csv")]) == 2
