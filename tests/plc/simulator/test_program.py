"""The demo plant as a program: three real protocols, faults by command, devices that really stop and come back."""

import asyncio
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from asyncua import Client as OpcuaClient
from asyncua import ua
from paho.mqtt.enums import CallbackAPIVersion
from snap7.client import Client as S7Client

from realtime.bus import Bus, now_ms
from realtime.events import Command
from tests.waiting import wait_for

ROOT = Path(__file__).parents[3]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def ports(environment: dict[str, str]) -> dict[str, int]:
    run = Path(environment["DATA_DIR"]) / "run"
    run.mkdir(parents=True)
    chosen = {"s7_port": free_port(), "opcua_port": free_port()}
    (run / "simulator.json").write_text(json.dumps(chosen))
    return chosen


@pytest.fixture
def simulator(environment: dict[str, str], ports: dict[str, int]) -> Iterator[subprocess.Popen[bytes]]:
    program = subprocess.Popen([sys.executable, "-m", "plc.simulator"], env={**environment, "INTERVAL_SECONDS": "1"}, cwd=ROOT)
    wait_for(lambda: accepts(ports["s7_port"]) and accepts(ports["opcua_port"]), 30, "both servers to listen")
    yield program
    if program.poll() is None:
        program.terminate()
    assert program.wait(10) == 0


@pytest.fixture
def heard(environment: dict[str, str]) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    messages: list[tuple[str, dict[str, Any]]] = []
    url, prefix = urlsplit(environment["MQTT_URL"]), environment["MQTT_PREFIX"]
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    if url.username:
        client.username_pw_set(url.username, url.password)
    client.on_message = lambda _c, _d, message: messages.append((message.topic.removeprefix(prefix), json.loads(message.payload)))
    client.on_connect = lambda c, *_: c.subscribe(prefix + "#", qos=1)
    client.connect(url.hostname or "", url.port or 1883)
    client.loop_start()
    yield messages
    client.disconnect()
    client.loop_stop()


def read_press(port: int) -> tuple[Any, ...]:
    client = S7Client()
    client.connect("127.0.0.1", 0, 1, port)
    try:
        return struct.unpack(">Bxhhifffh", bytes(client.db_read(10, 0, 24)))
    finally:
        client.disconnect()


def inject(bus: Bus, id_: str, target: str, kind: str, **more: Any) -> None:
    bus.add_commands([Command(id_, "simulator.fault", now_ms(), {"id": id_, "target": target, "kind": kind, **more})])


def listed(bus: Bus) -> list[dict[str, Any]]:
    return json.loads(bus.client.get(bus.key("simulator.faults")) or b"[]")


def test_three_protocols_speak_and_faults_are_obeyed(
    simulator: subprocess.Popen[bytes], ports: dict[str, int], heard: list[tuple[str, dict[str, Any]]], bus: Bus
) -> None:
    running, status, code, cycles, pressure, oil, current, stroke = read_press(ports["s7_port"])
    assert (running, status, code) == (1, 1, 0)
    assert 170 < pressure < 195
    assert 40 < oil < 52
    assert 55 < current < 67
    assert 249 < stroke / 27648 * 400 < 251
    assert cycles > 1_000_000

    shape = asyncio.run(read_plate(ports["opcua_port"]))
    assert shape == [100, 100]

    wait_for(lambda: {t for t, _ in heard} >= {"readings/PT-101", "readings/LT-401", "machines/M1", "machines/M3"}, 15, "all topics")
    body = next(b for t, b in heard if t == "readings/PT-101")
    assert body["tag"] == "PT-101"
    assert body["unit"] == "bar"
    assert 4.5 < body["value"] < 5.5
    assert set(next(b for t, b in heard if t == "machines/M1")) > {"machine_id", "temperature", "vibration", "current", "pressure", "rpm"}

    inject(bus, "a", "PL-1", "fault_code", magnitude=21)
    wait_for(lambda: read_press(ports["s7_port"])[:3] == (0, 3, 21), 10, "the fault code in DB10")
    inject(bus, "b", "M1.rpm", "silence")
    wait_for(lambda: "rpm" not in [b for t, b in heard if t == "machines/M1"][-1], 10, "M1 without rpm")
    wait_for(lambda: [f["id"] for f in listed(bus)] == ["a", "b"], 5, "the list of faults")

    bus.add_commands([Command(id_, "simulator.clear", now_ms(), {"id": id_}) for id_ in "ab"])
    wait_for(lambda: read_press(ports["s7_port"])[:3] == (1, 1, 0), 10, "the press to run again")
    wait_for(lambda: listed(bus) == [], 5, "an empty list")


def test_source_off_closes_the_port_and_clear_opens_the_same_again(
    simulator: subprocess.Popen[bytes], ports: dict[str, int], heard: list[tuple[str, dict[str, Any]]], bus: Bus
) -> None:
    for id_, source in enumerate(["press-s7", "dmls-opcua"]):
        inject(bus, str(id_), source, "source_off")
    wait_for(lambda: not accepts(ports["s7_port"]) and not accepts(ports["opcua_port"]), 15, "both ports closed")
    assert any(t == "readings/TT-201" for t, _ in heard) or wait_for(lambda: heard, 10, "MQTT goes on")

    bus.add_commands([Command("c", "simulator.clear", now_ms(), {"id": id_}) for id_ in ("0", "1")])

    wait_for(lambda: accepts(ports["s7_port"]) and accepts(ports["opcua_port"]), 15, "both ports open")
    assert read_press(ports["s7_port"])[0] == 1


def test_faults_survive_a_killed_simulator(environment: dict[str, str], ports: dict[str, int], bus: Bus) -> None:
    command = [sys.executable, "-m", "plc.simulator"]
    first = subprocess.Popen(command, env=environment, cwd=ROOT)
    wait_for(lambda: accepts(ports["s7_port"]), 30, "the S7 server")
    inject(bus, "a", "PL-1", "fault_code")
    wait_for(lambda: [f["id"] for f in listed(bus)] == ["a"], 10, "the fault to be listed")
    first.kill()
    first.wait()

    second = subprocess.Popen(command, env=environment, cwd=ROOT)
    wait_for(lambda: accepts(ports["s7_port"]), 30, "the S7 server again")

    wait_for(lambda: read_press(ports["s7_port"])[2] == 12, 10, "the fault code again")
    second.terminate()
    assert second.wait(10) == 0


def test_without_ports_it_does_not_start_and_says_why(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "plc.simulator"], check=False, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=30
    )

    assert done.returncode == 2
    assert "simulator.json" in done.stderr


async def read_plate(port: int) -> list[int]:
    async with OpcuaClient(f"opc.tcp://127.0.0.1:{port}/") as client:
        index = await client.get_namespace_index("urn:sightline:demo:dmls")
        found = await client.get_node(ua.NodeId("DMLS-1.plate", index)).read_data_value()
        assert found.Value is not None
        assert found.SourceTimestamp is not None
        assert 15.0 < min(map(min, found.Value.Value)) < max(map(max, found.Value.Value)) < 80.0
        return [len(found.Value.Value), len(found.Value.Value[0])]
