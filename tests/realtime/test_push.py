"""The socket server against real clients, in both async modes: who gets what, how fast, and what a slow one costs."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import socketio
from flask import Flask

from realtime.bus import Bus
from realtime.bus import connect as redis_connect
from realtime.events import Batch, Fact, FactName, Frame
from realtime.packets import Json
from realtime.packing import NAME, unpack
from realtime.push import Push, announce_cut
from realtime.settings import load
from realtime.snapshot import Asset, Snapshot, Tag
from tests.realtime.push_server import doors
from tests.waiting import wait_for

PRESSURE, TEMPERATURE, OTHER_SITE, PLATE, SILENT = 1, 2, 3, 4, 5
SNAPSHOT = Snapshot(
    version=1,
    assets=[Asset(id=10, code="M1", name="Pump", site=1), Asset(id=20, code="X1", name="Foreign", site=2)],
    tags=[
        Tag(id=PRESSURE, name="M1.pressure", asset=10, shard=2, unit="bar"),
        Tag(id=TEMPERATURE, name="M1.temperature", asset=10, shard=2, unit="°C"),
        Tag(id=OTHER_SITE, name="X1.pressure", asset=20, shard=4, unit="bar"),
        Tag(id=PLATE, name="M1.plate", asset=10, shard=2, unit="°C", kind="frame"),
        Tag(id=SILENT, name="M1.silent", asset=10, shard=2, unit="V"),
    ],
)


def batch(values: dict[int, float], t: int | None = None, quality: int = 0) -> Batch:
    n = len(values)
    now = t or time.time_ns() // 1_000_000
    return Batch(
        2,
        now,
        "test",
        np.array(list(values), np.uint32),
        np.full(n, now, np.int64),
        np.full(n, quality, np.uint8),
        np.zeros(n, np.uint32),
        np.array(list(values.values()), np.float64),
    )


def alert(seq: int, site: int = 1) -> Fact:
    return Fact(seq, "2026-01-05T08:00:00Z", FactName.ALERT_RAISED, seq, 1, "system", {"site": site})


class Server:
    """A running push server."""

    def __init__(self, url: str, gone: Path, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.gone = gone
        self.process = process

    def counters(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + "/counters", timeout=5) as answer:
            return dict(orjson.loads(answer.read()))


class Client:
    """A real Socket.IO client that remembers what it was sent, in order."""

    def __init__(self, url: str, token: str, transports: tuple[str, ...] = ("websocket",)) -> None:
        self.events: list[tuple[str, Any]] = []
        self.io = socketio.Client(reconnection=False, json=Json)
        self.io.on("*", lambda name, *args: self.events.append((name, args)))
        self.io.connect(url, auth={"token": token}, transports=list(transports), wait_timeout=10)

    def ask(self, name: str, body: object) -> Any:
        return self.io.call(name, body, timeout=10)

    def of(self, name: str) -> list[Any]:
        return [args[0] for seen, args in self.events if seen == name]


@pytest.fixture(scope="module")
def bus(redis_url: str) -> Iterator[Bus]:
    """One bus for the module: a server start costs seconds."""
    client = redis_connect(redis_url)
    made = Bus(client, f"t{secrets.token_hex(5)}")
    yield made
    client.delete(*client.scan_iter(f"{made.prefix}:*", count=1000))
    client.close()


@pytest.fixture(scope="module", params=["eventlet", "threading"])
def server(request: pytest.FixtureRequest, redis_url: str, bus: Bus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    tmp_path = tmp_path_factory.mktemp("push")
    bus.publish_config(SNAPSHOT)
    port_file = tmp_path / "port"
    environment = {
        "PATH": os.environ["PATH"],
        "REDIS_URL": redis_url,
        "BUS_PREFIX": bus.prefix,
        "ASYNC_MODE": request.param,
        "DATA_DIR": str(tmp_path),
        "SIGHTLINE_ENV_FILE": "none",
    }
    log = (tmp_path / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.realtime.push_server", str(port_file)],
        env=environment,
        cwd=Path(__file__).parents[2],
        stdout=log,
        stderr=log,
    )
    wait_for(lambda: port_file.exists() and port_file.read_text(), 30, "the server's port")
    running = Server(f"http://127.0.0.1:{port_file.read_text()}", tmp_path / "gone", process)

    def is_ready() -> bool:
        try:
            return bool(running.counters()["ready"])
        except OSError:
            return False

    wait_for(is_ready, 30, "the server to listen to the bus")
    yield running
    process.terminate()
    process.wait(10)
    log.close()
    assert "Traceback" not in (tmp_path / "server.log").read_text()


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(token: str = "anna", **options: Any) -> Client:
        made.append(Client(server.url, token, **options))
        return made[-1]

    yield make
    closing = [threading.Thread(target=client.io.disconnect) for client in made]  # a goodbye takes seconds in threading mode
    for thread in closing:
        thread.start()
    for thread in closing:
        thread.join()


Connect = Callable[..., Client]


def test_anonymous_and_unknown_are_refused(connect: Connect) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        connect("nobody")


def test_subscribe_acknowledges_with_tags_and_what_history_knows(connect: Connect) -> None:
    answer = connect().ask("subscribe", {"tags": ["M1.pressure"]})

    assert answer == {
        "ok": True,
        "tags": {"1": {"tag": "M1.pressure", "unit": "bar", "asset": 10}},
        "snapshot": {"id": [1], "t": [1000], "v": [7.5], "q": [0]},
    }


def test_values_reach_the_subscriber_by_websocket_and_by_polling(connect: Connect, bus: Bus) -> None:
    clients = [connect(), connect(transports=("polling",))]
    for client in clients:
        client.ask("subscribe", {"assets": [10]})

    bus.add_batches([batch({PRESSURE: 5.02, TEMPERATURE: float("nan")}, quality=2 + 4)])

    for client in clients:
        body = wait_for(lambda client=client: client.of("reading.batch"), 10, "a batch")[-1]
        assert body["id"] == [PRESSURE, TEMPERATURE]
        assert body["v"] == [5.02, None]
        assert body["q"] == [2, 2]


def test_snapshot_of_a_lost_tag_carries_its_last_good_value(connect: Connect, bus: Bus) -> None:
    client = connect()
    client.ask("subscribe", {"assets": [10]})
    bus.add_batches([batch({PRESSURE: float("nan"), TEMPERATURE: 41.5}, quality=2 + 4)])
    wait_for(lambda: client.of("reading.batch"), 10, "a batch")

    snapshot = client.ask("subscribe", {"tags": ["M1.pressure"]})["snapshot"]

    assert (snapshot["v"], snapshot["q"]) == ([None], [2])
    assert snapshot["good"] == {"id": [PRESSURE], "t": [1000], "v": [7.5]}  # what history knew when the page was opened


def test_later_subscription_replaces_the_former(connect: Connect, bus: Bus) -> None:
    client = connect()
    client.ask("subscribe", {"tags": ["M1.pressure"]})
    client.ask("subscribe", {"tags": ["M1.temperature"]})

    bus.add_batches([batch({PRESSURE: 1.0, TEMPERATURE: 2.0})])

    assert wait_for(lambda: client.of("reading.batch"), 10, "a batch")[0]["id"] == [TEMPERATURE]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"tags": ["X1.pressure"]}, "unknown_tag"),  # another site's reads as not there
        ({"tags": ["nothing"]}, "unknown_tag"),
        ({"assets": [20]}, "unknown_asset"),
        ({"assets": ["10"]}, "invalid"),
        ({"assets": [True]}, "invalid"),
        ({"tags": "M1.pressure"}, "invalid"),
        ({"tags": [None]}, "invalid"),
        ({"tags": ["a"] * 2001}, "too_many"),
        ({"frames": ["M1.pressure"]}, "not_a_frame"),
        ({"everything": True}, "invalid"),
        ({"task": "9"}, "invalid"),
        ({"task": 8}, "unknown_task"),
        ({}, "invalid"),
        ([], "invalid"),
        (None, "invalid"),
        ("overview", "invalid"),
    ],
)
def test_wrong_subscriptions_are_refused_with_a_code(wanted: object, code: str) -> None:

    push, client = in_process()
    push.plant.snapshot = SNAPSHOT

    answer = client.emit("subscribe", wanted, callback=True)

    assert (answer["ok"], answer["code"]) == (False, code)


def in_process() -> tuple[Push, Any]:
    """Push without a bus, and Flask-SocketIO's own test client as anna."""

    app = Flask("test")
    push = Push(load({"ASYNC_MODE": "threading"}, None), Bus(None, "none"), doors(Path("/nonexistent")))  # type: ignore[arg-type] # no bus is touched
    push.init_app(app)
    push._wake = threading.Event()
    client = push.socketio.test_client(app, auth={"token": "anna"})
    return push, client


def test_too_many_requests_of_one_socket_are_refused() -> None:

    push, client = in_process()
    push.plant.snapshot = SNAPSHOT

    answers = [client.emit("subscribe", {"overview": True}, callback=True) for _ in range(60)]

    assert [a["ok"] for a in answers[:40]] == [True] * 40
    assert answers[-1]["code"] == "too_fast"


@pytest.mark.parametrize("since", [True, -1, 2**60, "5", 1.5, [], {}])
def test_wrong_since_is_refused(since: object) -> None:

    _push, client = in_process()

    assert client.emit("resume", {"since": since}, callback=True)["code"] == "invalid"


def test_resume_gives_what_was_missed_or_a_reset(connect: Connect) -> None:
    client = connect()

    newest = client.ask("resume", {"since": None})
    missed = client.ask("resume", {"since": 5})
    old = client.ask("resume", {"since": 1})

    assert (newest["ok"], newest["seq"], newest["facts"]) == (True, 7, [])
    assert [fact["seq"] for fact in missed["facts"]] == [6, 7]
    assert missed["facts"][0]["name"] == "alert.raised"
    assert old == {"reset": True}


def test_facts_go_to_those_who_may_see_them(connect: Connect, bus: Bus) -> None:
    anna, bert = connect("anna"), connect("bert")

    bus.add_facts([alert(8, site=1), alert(9, site=2)])

    wait_for(lambda: bert.of("alert.raised"), 10, "the fact of site 2")
    wait_for(lambda: anna.of("alert.raised"), 10, "the fact of site 1")
    assert [fact["seq"] for fact in anna.of("alert.raised")] == [8]
    assert [fact["seq"] for fact in bert.of("alert.raised")] == [9]


def test_headset_gets_the_feeds_bodies_instead_of_facts(connect: Connect, bus: Bus) -> None:
    headset = connect("headset")
    headset.ask("subscribe", {"task": 9})

    bus.add_facts([alert(8)])
    bus.add_batches([batch({PRESSURE: 5.5})])

    wait_for(lambda: headset.of("ar.task"), 10, "ar.task")
    wait_for(lambda: any(body["v"]["t1"][0] == 5.5 for body in headset.of("ar.live")), 10, "ar.live")
    assert headset.of("alert.raised") == []
    assert headset.of("reading.batch") == []


def test_frame_arrives_as_meta_and_bytes(connect: Connect, bus: Bus) -> None:
    clients = [connect(), connect(transports=("polling",))]
    for client in clients:
        assert client.ask("subscribe", {"frames": ["M1.plate"]})["ok"]
    picture = np.arange(6, dtype="<i2").tobytes()
    columns = batch({PLATE: 0.0})
    frame = Frame((2, 3), "i2", 0.1, 20.0, "°C", picture)

    bus.add_batches([Batch(2, 1, "test", columns.ids, columns.t, columns.quality, columns.seq, [frame], kind="frame")])

    for client in clients:
        wait_for(lambda client=client: client.of("frame.taken"), 10, "a frame")
        meta, data = next(args for name, args in client.events if name == "frame.taken")
        assert data == picture
        assert meta == {
            "id": PLATE, "t": int(columns.t[0]), "shape": [2, 3], "dtype": "i2", "scale": 0.1, "offset": 20.0, "unit": "°C", "q": 0
        }  # fmt: skip


def test_frames_come_packed_to_who_asks_for_it(connect: Connect, bus: Bus) -> None:
    client = connect()
    assert client.ask("subscribe", {"frames": ["M1.plate"], "packed": True})["ok"]
    picture = np.array([5, -3, 32767, -32768, 0, 7], "<i2").tobytes()
    columns = batch({PLATE: 0.0})
    frame = Frame((2, 3), "i2", 0.1, 20.0, "°C", picture)

    bus.add_batches([Batch(2, 1, "test", columns.ids, columns.t, columns.quality, columns.seq, [frame], kind="frame")])

    def came() -> list[bytes]:
        return [unpack(args[1], args[0]["dtype"]) for name, args in client.events if name == "frame.taken" and args[0]["packed"] == NAME]

    wait_for(lambda: picture in came(), 10, "the frame")


def test_logged_out_user_is_cut_at_once_and_a_deactivated_one_soon(connect: Connect, bus: Bus, server: Server) -> None:
    anna, bert = connect("anna"), connect("bert")

    announce_cut(bus, 1)
    wait_for(lambda: not anna.io.connected, 5, "anna to be cut")
    assert bert.io.connected
    server.gone.write_text("2")

    wait_for(lambda: not bert.io.connected, 15, "bert to be cut")
    server.gone.unlink()


def test_stalled_client_costs_two_packets_and_then_gets_the_newest(connect: Connect, bus: Bus, server: Server) -> None:
    healthy, stalled = connect(), connect()
    for client in (healthy, stalled):
        client.ask("subscribe", {"assets": [10]})
    gate = threading.Event()
    stalled.io.on("reading.batch", lambda body: (gate.wait(30), stalled.events.append(("reading.batch", (body,)))))

    bus.add_batches([batch({PRESSURE: 0.0})])
    wait_for(lambda: healthy.of("reading.batch"), 10, "the first batch")
    for n in range(1, 200):
        bus.add_batches([batch({PRESSURE: float(n), TEMPERATURE: float(n)})])
    wait_for(lambda: any(199.0 in body["v"] for body in healthy.of("reading.batch")), 10, "the last value at the healthy client")
    gate.set()

    wait_for(lambda: any(199.0 in body["v"] for body in stalled.of("reading.batch")), 15, "the last value at the stalled client")
    assert server.counters()["live_packets"] <= 2 * 201


def test_equal_views_are_encoded_once(connect: Connect, bus: Bus, server: Server) -> None:
    clients = [connect() for _ in range(5)]
    for client in clients:
        client.ask("subscribe", {"assets": [10]})
    before = server.counters()

    bus.add_batches([batch({PRESSURE: 3.25})])

    for client in clients:
        wait_for(lambda client=client: client.of("reading.batch"), 10, "the batch")
    after = server.counters()
    assert after["live_encoded"] - before["live_encoded"] == 1
    assert after["live_packets"] - before["live_packets"] == 5
