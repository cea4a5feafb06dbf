"""OPC UA against an independent implementation: node-opcua as the machine's server, told what to say by JSON lines."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plc.connector import LinkError, Readings
from plc.connectors.opcua import OpcuaConnector
from plc.connectors.opcua_security import own_certificate
from realtime import settings as settings_module
from realtime.bus import now_ms
from realtime.events import Frame, Quality, Reason, quality_byte
from realtime.settings import Settings
from realtime.snapshot import Source, Tag
from tests.plc.harness import free_port, tag
from tests.plc.proxy import FaultProxy
from tests.waiting import wait_for

HERE = Path(__file__).parent
URI = "urn:peer:plant"
USERS = {"sightline": "right password"}

pytestmark = pytest.mark.peer


class Refusals:
    """A report that keeps the reasons."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        self.reasons += [reason] * count

    def discovered(self, tag: str, value: float | str) -> None:
        raise AssertionError("OPC UA discovers nothing by itself")


class Peer:
    """The node process."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.options = {"port": free_port(), "folder": str(folder), **options}
        self.port = int(self.options["port"])
        self.start()

    def start(self) -> None:
        """Open the port; returns when it listens."""
        command = ["node", "opcua_server.js", json.dumps(self.options)]
        self.process = subprocess.Popen(
            command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._answer()["port"] == self.port

    def ask(self, what: str, **more: Any) -> Any:
        """Give a command and return its result."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        assert answer["ok"], answer
        return answer.get("result")

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        while not (line := self.process.stdout.readline()).startswith("{"):
            assert line, "the peer ended"
        return json.loads(line)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self._ended()

    def stop(self) -> None:
        """End it, if it has not."""
        if self.process.poll() is None:
            self.kill()

    def _ended(self) -> None:
        self.process.wait(20)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A server where anyone may read, whose node `power` keeps a history."""
    made = Peer(tmp_path_factory.mktemp("node-opcua"), historize=True)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A server that wants user and password, takes three sessions and trusts nobody yet."""
    made = Peer(tmp_path_factory.mktemp("node-opcua-guarded"), users=USERS, sessions=3)
    yield made
    made.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_module.load({"DATA_DIR": str(tmp_path)}, None)


Connected = Callable[..., OpcuaConnector]


@pytest.fixture
def connected(settings: Settings) -> Iterator[Connected]:
    """Makes connectors that are closed in the end."""
    made: list[OpcuaConnector] = []

    def make(port: int, tags: list[Tag], **config: Any) -> OpcuaConnector:
        source = Source(id=1, name="peer", kind="opcua", config={"url": f"opc.tcp://127.0.0.1:{port}", **config}, groups={"normal": 0.1})
        connector = OpcuaConnector(source, settings, Refusals())
        made.append(connector)
        connector.plan(tags)
        connector.connect()
        return connector

    yield make
    for connector in made:
        connector.close()


TAGS = [
    tag(1, "power", "peer", f"nsu={URI};s=power"),
    tag(2, "level", "peer", f"nsu={URI};s=level"),
    tag(3, "count", "peer", f"nsu={URI};s=count"),
    tag(4, "running", "peer", f"nsu={URI};s=running"),
    tag(5, "text", "peer", f"nsu={URI};s=text", kind="text"),
    tag(6, "matrix", "peer", f"nsu={URI};s=matrix", kind="frame", unit="°C"),
    tag(7, "pressure", "peer", f"nsu={URI};s=pressure", unit="bar"),
]


class Collected:
    """What a connector has handed out so far, read by read."""

    def __init__(self, connector: OpcuaConnector) -> None:
        self.connector = connector
        self.parts: list[Readings] = []

    def of(self, number: int, *, replay: bool = False) -> list[tuple[int, Any, int]]:
        """(t, value, quality) of a tag after reading what there is."""
        self.parts += self.connector.read("", 0.05)
        return [
            (int(t), value, int(quality))
            for part in self.parts
            if part.replay is replay
            for i, t, value, quality in zip(part.ids, part.t, part.values, part.quality, strict=True)
            if i == number
        ]


@pytest.mark.parametrize(
    ("number", "name", "type_name", "value", "status", "quality"),
    [
        (1, "power", "Double", 1234.56789, "Good", 0),
        (2, "level", "Float", 0.15625, "UncertainSensorNotAccurate", quality_byte(Quality.UNCERTAIN, Reason.DEVICE)),
        (3, "count", "Int32", -2147483648, "Good", 0),
        (4, "running", "Boolean", True, "Good", 0),
        (5, "text", "String", "läuft ✓", "Good", 0),
        (1, "power", "Double", 7.5, "BadSensorFailure", quality_byte(Quality.BAD, Reason.DEVICE)),
        (1, "power", "Double", 7.5, "BadOutOfRange", quality_byte(Quality.BAD, Reason.RANGE)),
        (1, "power", "Double", 7.5, "UncertainLastUsableValue", quality_byte(Quality.UNCERTAIN, Reason.STALE)),
    ],
)
def test_values_qualities_and_times_come_as_they_were_sent(
    peer: Peer, connected: Connected, number: int, name: str, type_name: str, value: Any, status: str, quality: int
) -> None:
    seen = Collected(connected(peer.port, TAGS))
    wait_for(lambda: seen.of(number), what="the first value")
    before = len(seen.of(number))
    at = now_ms() - 137

    peer.ask("write", name=name, type=type_name, value=value, status=status, at=at)
    t, came, how = wait_for(lambda: seen.of(number)[before:], what="the change")[0]

    assert (t, how) == (at, quality)
    assert came == value or (quality & 3 == Quality.BAD and np.isnan(came))
    if quality:
        assert status in str(seen.connector.describe()["status_codes"])


def test_a_matrix_comes_as_a_frame(peer: Peer, connected: Connected) -> None:
    cells = np.arange(12, dtype=float).reshape(3, 4) * 3.3
    peer.ask("write", name="matrix", type="Float", dimensions=[3, 4], value=cells.ravel().tolist())

    seen = Collected(connected(peer.port, TAGS))
    frame = wait_for(lambda: seen.of(6), what="the frame")[-1][1]

    assert isinstance(frame, Frame)
    assert np.abs(frame.array() - cells).max() <= 0.05 + 1e-6


def test_the_servers_limits_are_read_and_obeyed_with_one_subscription_a_group(peer: Peer, connected: Connected) -> None:
    tags = [tag(i, f"t{i}", "peer", f"nsu={URI};s=power", group="fast" if i % 2 else "normal") for i in range(1, 31)]
    before = peer.ask("subscriptions")

    connector = connected(peer.port, tags)
    shown = connector.describe()
    seen = Collected(connector)
    wait_for(lambda: all(seen.of(t.id) for t in tags), what="every tag")

    assert (shown["limit_monitor"], shown["limit_read"], shown["limit_history"], shown["halved"]) == (3, 7, 2, 0)
    assert peer.ask("subscriptions") - before == 2
    assert seen.connector.report.reasons == []  # type: ignore[attr-defined]


def test_browsing_gives_stable_addresses_with_kind_unit_range_and_value(peer: Peer, connected: Connected) -> None:
    peer.ask("write", name="pressure", value=5.02)
    peer.ask("write", name="text", type="String", value="idle")
    connector = connected(peer.port, [])

    (machine,) = [branch for branch in connector.browse("") if branch.name == "Machine"]
    below = {branch.name: branch for branch in connector.browse(machine.path)}

    assert (machine.path, machine.address) == (f"nsu={URI};s=Machine", "")
    pressure = below["pressure"]
    assert (pressure.address, pressure.kind, pressure.unit) == (f"nsu={URI};s=pressure", "f64", "bar")
    assert (pressure.value, pressure.detail) == ("5.02", "Double 0 .. 10")
    assert (below["text"].kind, below["text"].value) == ("text", "idle")
    assert below["matrix"].kind == "frame"


def test_what_was_missed_while_the_line_was_cut_comes_from_the_servers_history_as_a_replay(peer: Peer, connected: Connected) -> None:
    peer.ask("write", name="power", value=1.0)
    peer.ask("write", name="level", type="Float", value=1.0)
    with FaultProxy("127.0.0.1", peer.port) as proxy:
        connector = connected(proxy.port, TAGS)
        seen = Collected(connector)
        wait_for(lambda: seen.of(1) and seen.of(2), what="first values")
        cut = now_ms()
        proxy.cut()
        with pytest.raises(LinkError):
            wait_for(lambda: seen.of(1) is None, what="the loss")
        connector.close()
        sent = [(now_ms() + i, 100.0 + i) for i in range(25)]
        for at, value in sent:
            peer.ask("write", name="power", value=value, at=at)
        peer.ask("write", name="level", type="Float", value=9.0)
        proxy.restore()
        connector.connect()
        opened = now_ms()
        kept = wait_for(lambda: len(found := [s for s in seen.of(1, replay=True) if s[2] == 0]) >= 25 and found, what="the history")
        told, live = seen.of(2, replay=True), wait_for(lambda: seen.of(2)[1:], what="the value of now")

    assert [(t, value) for t, value, _ in kept if value >= 100.0] == sent
    gap = [t for t, _, quality in told if quality == quality_byte(Quality.BAD, Reason.COMM)]
    assert len(gap) == 1
    assert abs(gap[0] - cut) <= 1100  # the last sign of life: a probe each second, changes at 100 ms
    assert [value for _, value, quality in told if quality == 0] == []  # keeps none: nothing is claimed
    t, value, quality = live[-1]
    assert (value, quality) == (9.0, 0)
    assert abs(t - opened) < 1000  # the gap ends where the new session begins


def test_a_killed_server_is_a_loss_and_its_successor_a_new_session(peer: Peer, connected: Connected) -> None:
    connector = connected(peer.port, TAGS)
    seen = Collected(connector)
    wait_for(lambda: seen.of(1), what="the first value")

    peer.kill()
    with pytest.raises(LinkError, match="session lost"):
        wait_for(lambda: seen.of(1) is None, what="the loss")
    connector.close()
    with pytest.raises(LinkError, match="connection refused"):
        connector.connect()
    connector.close()
    peer.start()
    connector.connect()
    peer.ask("write", name="power", value=55.5)

    wait_for(lambda: [s for s in seen.of(1) if s[1] == 55.5], what="the new value")


def test_closing_leaves_no_session_behind(peer: Peer, connected: Connected) -> None:
    connector = connected(peer.port, TAGS)
    assert peer.ask("sessions") >= 1

    connector.close()

    wait_for(lambda: peer.ask("sessions") == 0, what="no session")
    assert peer.ask("subscriptions") == 0


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128Sha256RsaOaep"])
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
def test_a_policy_works_once_our_certificate_is_trusted_and_says_so_before(
    guarded: Peer, connected: Connected, settings: Settings, policy: str, mode: str
) -> None:
    secure = {"security": policy, "mode": mode, "user": "sightline", "password": USERS["sightline"]}
    own = own_certificate(settings.data_dir / "opcua" / "own", settings.bus_prefix, datetime.now(UTC))

    with pytest.raises(LinkError) as caught:
        connected(guarded.port, TAGS, **secure).close()
    guarded.ask("trust", der=base64.b64encode(own.der).decode())
    seen = Collected(connected(guarded.port, TAGS, **secure))
    at = now_ms()
    value = float(at % 10_000)
    guarded.ask("write", name="power", value=value, at=at)
    came = wait_for(lambda: [s for s in seen.of(1) if s[1] == value], what="the value")

    assert caught.value.reason == "certificate"
    assert own.thumbprint in caught.value.remedy
    assert str(own.path) in caught.value.remedy
    assert came[-1] == (at, value, 0)


@pytest.mark.parametrize(
    ("config", "error", "remedy"),
    [
        ({"user": "sightline", "password": "wrong"}, "BadUserAccessDenied", "user and password"),
        ({}, "BadIdentityToken(Rejected|Invalid)", "set user and password"),
    ],
)
def test_a_wrong_login_is_shown_with_its_remedy(
    guarded: Peer, connected: Connected, config: dict[str, str], error: str, remedy: str
) -> None:
    with pytest.raises(LinkError, match=error) as caught:
        connected(guarded.port, [], **config)

    assert caught.value.reason == "login"
    assert remedy in caught.value.remedy


def test_a_server_without_a_session_left_is_busy_and_says_what_helps(guarded: Peer, connected: Connected) -> None:
    login = {"user": "sightline", "password": USERS["sightline"]}
    for _ in range(3):
        connected(guarded.port, [], **login)

    with pytest.raises(LinkError, match="BadTooManySessions") as caught:
        connected(guarded.port, [], **login)

    assert caught.value.reason == "busy"
    assert "session" in caught.value.remedy
