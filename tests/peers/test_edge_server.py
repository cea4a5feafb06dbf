"""The edge's OPC UA server against an independent client: node-opcua is the device that writes, the bus is where it arrives."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plc.connector import KINDS
from plc.ledger import Ledger
from plc.runner import SourceRunner
from realtime import settings as settings_module
from realtime.bus import Bus, now_ms
from realtime.events import Frame, Quality, Reason, quality_byte
from realtime.snapshot import Source
from tests.plc.harness import Tap, free_port, tag
from tests.waiting import wait_for

HERE = Path(__file__).parent
USERS = {"press-1": {"password": "right password"}}
TAGS = [
    tag(1, "DMLS-1.power", "edge", unit="kW", asset=5),
    tag(2, "DMLS-1.plate", "edge", "plate", kind="frame", unit="°C", asset=5),
    *(tag(3 + n, f"DMLS-1.plate.{stat}", "edge", unit="°C", asset=5, virtual=True) for n, stat in enumerate(("min", "max", "mean", "std"))),
    tag(7, "DMLS-1.state", "edge", kind="text", asset=5),
]

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the device and the edge keep their certificates."""
    return tmp_path_factory.mktemp("edge")


@pytest.fixture
def tap(bus: Bus) -> Tap:
    return Tap(bus)


Start = Callable[..., SourceRunner]


@pytest.fixture
def start(bus: Bus, folder: Path) -> Iterator[Start]:
    """Starts the runner of an edge server with a configuration."""
    settings = settings_module.load({"DATA_DIR": str(folder), "BUS_PREFIX": bus.prefix}, None)
    runners: list[SourceRunner] = []

    def go(**config: Any) -> SourceRunner:
        source = Source(id=9, name="edge", kind="opcua_server", config=config)
        runners.append(SourceRunner(KINDS["opcua_server"], source, TAGS, settings, bus))
        runners[-1].start()
        wait_for(lambda: runners[-1].status()["state"] == "live", timeout_s=60, what="the server")
        return runners[-1]

    yield go
    for runner in runners:
        runner.stop(10)


class Device:
    """The node process."""

    def __init__(self, port: int, folder: Path, **options: Any) -> None:
        given = {"url": f"opc.tcp://127.0.0.1:{port}/", "folder": str(folder / "device"), **options}
        command = ["node", "opcua_writer.js", json.dumps(given)]
        self.process = subprocess.Popen(
            command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.answer = self._answer()

    def write(self, name: str, value: Any, **more: Any) -> str:
        """Write and return the server's status."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"name": name, "value": value, **more}) + "\n")
        self.process.stdin.flush()
        return str(self._answer()["status"])

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        while not (line := self.process.stdout.readline()).startswith("{"):
            assert line, "the device ended"
        return json.loads(line)

    def close(self) -> None:
        """Disconnect and end."""
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait(20)


def test_a_value_a_picture_and_a_word_that_a_device_writes_arrive_on_the_bus(start: Start, tap: Tap, folder: Path) -> None:
    port = free_port()
    start(url=f"opc.tcp://127.0.0.1:{port}/")
    cells = np.arange(10_000, dtype=float).reshape(100, 100) / 100 + 20
    at = now_ms() - 250
    device = Device(port, folder)

    said = [
        device.write("DMLS-1.power", 3.75, at=at),
        device.write("plate", cells.ravel().tolist(), dimensions=[100, 100]),
        device.write("DMLS-1.state", "printing", type="String"),
        device.write("DMLS-1.power", 4, type="Int32", status="UncertainLastUsableValue"),
    ]
    wait_for(lambda: len(tap.samples(1)) >= 2 and tap.good(2) and tap.good(7) and tap.good(5), what="all of it")
    device.close()

    assert said == ["Good"] * 4
    first, second = tap.samples(1)
    assert (first.t, first.value, first.quality) == (at, 3.75, 0)
    assert (second.value, second.quality) == (4.0, quality_byte(Quality.UNCERTAIN, Reason.STALE))
    assert abs(second.t - now_ms()) < 10_000  # no time sent: ours
    frame = tap.good(2)[0].value
    assert isinstance(frame, Frame)
    assert np.abs(frame.array() - cells).max() <= 0.05 + 1e-6
    assert tap.good(5)[0].value == pytest.approx(cells.mean())
    assert tap.good(7)[0].value == "printing"


def test_unknown_nodes_and_wrong_types_are_refused_and_counted_and_the_good_beside_them_flow(start: Start, tap: Tap, folder: Path) -> None:
    port = free_port()
    runner = start(url=f"opc.tcp://127.0.0.1:{port}/")
    ledger = runner.ledger
    assert isinstance(ledger, Ledger)
    device = Device(port, folder)

    refused = device.write("nobody.has.this", 1.0)
    device.write("DMLS-1.power", "warm", type="String")
    device.write("plate", [1.0] * 6, dimensions=[2, 3])
    device.write("plate", [1.0] * 12, dimensions=[3, 4])
    device.write("DMLS-1.power", 5.5)
    wait_for(lambda: tap.good(1), what="the good value")
    device.close()

    assert refused != "Good"
    assert tap.good(1)[0].value == 5.5
    wait_for(lambda: {"unknown_tag", "value_type", "shape"} <= set(ledger.drops), what="the reasons")


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128_Sha256_RsaOaep"])
def test_a_device_logs_in_with_user_and_password_over_a_signed_channel(start: Start, tap: Tap, folder: Path, policy: str) -> None:
    port = free_port()
    start(url=f"opc.tcp://127.0.0.1:{port}/", users=USERS)
    secure = {"policy": policy, "mode": "SignAndEncrypt"}

    device = Device(port, folder, user="press-1", password="right password", **secure)
    assert device.answer == {"connected": True}
    device.write("DMLS-1.power", 6.5)
    wait_for(lambda: tap.good(1), what="the value")
    device.close()


@pytest.mark.parametrize(
    ("login", "error"),
    [
        ({"user": "press-1", "password": "wrong"}, "BadUserAccessDenied"),
        ({"user": "nobody", "password": "x"}, "BadUserAccessDenied"),
        ({}, "anonymous"),
    ],
)
def test_who_is_not_known_is_refused(start: Start, folder: Path, login: dict[str, str], error: str) -> None:
    port = free_port()
    start(url=f"opc.tcp://127.0.0.1:{port}/", users=USERS)

    device = Device(port, folder, policy="Basic256Sha256", mode="SignAndEncrypt", **login)
    device.close()

    assert device.answer["connected"] is False
    assert error.lower() in device.answer["error"].lower()
