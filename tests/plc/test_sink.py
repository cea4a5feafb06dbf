"""The outlet of an edge: what it posts, and what it does with every answer of the server."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plc.office import EdgeOffice
from plc.sink import MOST_BYTES, MOST_READINGS, HttpSink, checked_url
from realtime import settings as settings_module
from realtime.errors import BusUnavailable, SettingsError
from realtime.events import Batch, Frame, Quality, Reason, Signal, SignalName, quality_byte
from realtime.settings import Settings
from realtime.snapshot import Snapshot, Source
from tests.plc.harness import environment_of, tag

T = 1_800_000_000_000


class Answering:
    """A server that answers with what stands in `answers`, then with 200, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, dict(self.headers), json.loads(body)))
                status, headers, answer = outer.answers.pop(0) if outer.answers else (200, {}, {"accepted": 1, "rejected": []})
                raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def readings(self) -> list[dict[str, Any]]:
        return [row for path, _, body in self.asked if path == "/api/readings" for row in body["readings"]]


@pytest.fixture
def server() -> Iterator[Answering]:
    answering = Answering()
    yield answering
    answering.server.shutdown()
    answering.server.server_close()


def settings(**environment: str) -> Settings:
    return settings_module.load(environment_of(**environment), None)


@pytest.fixture
def sink(server: Answering) -> Iterator[HttpSink]:
    made = HttpSink(settings(SINK=f"http://127.0.0.1:{server.server.server_port}", SINK_TOKEN="secret-token"))
    made.configure(
        Snapshot(version=1, tags=[tag(1, "PT-101", "plc"), tag(2, "text", "plc", kind="text"), tag(3, "plate", "plc", kind="frame")])
    )
    yield made
    made.close()


def batch(values: Any, *, ids: int = 1, kind: Any = "f64", flags: Any = frozenset(), quality: int = 0, kept: Any = None) -> Batch:
    n = len(values)
    return Batch(
        0,
        T,
        "plc",
        np.full(n, ids, "u4"),
        np.arange(T, T + n, dtype="i8"),
        np.full(n, quality, "u1"),
        np.zeros(n, "u4"),
        values,
        kind,
        flags,
        kept,
    )


def test_each_kind_of_reading_is_posted_by_name_with_what_is_not_plain(server: Answering, sink: HttpSink) -> None:
    comm = quality_byte(Quality.BAD, Reason.COMM)
    picture = Frame((1, 2), "i2", 0.1, 5.0, "°C", b"\1\0\2\0")
    sink.add_batches(
        [
            batch(np.array([1.5, 2.5]), kept=np.array([True, False])),
            batch(np.array([np.nan]), quality=comm),
            batch(["idle"], ids=2, kind="text"),
            batch([picture], ids=3, kind="frame"),
        ]
    )

    path, headers, body = server.asked[0]
    assert (path, headers["Authorization"], body["source"], body["flags"]) == ("/api/readings", "Bearer secret-token", "plc", [])
    assert body["readings"][:4] == [
        {"tag": "PT-101", "timestamp": T, "value": 1.5},
        {"tag": "PT-101", "timestamp": T + 1, "value": 2.5, "kept": False},
        {"tag": "PT-101", "timestamp": T, "value": None, "quality": 2, "reason": "comm"},
        {"tag": "text", "timestamp": T, "value": "idle"},
    ]
    assert b64decode(body["readings"][4]["frame"]["data"]) == picture.data


def test_late_readings_go_apart_and_say_so(server: Answering, sink: HttpSink) -> None:
    sink.add_batches([batch(np.array([1.0]), flags=frozenset({"late"})), batch(np.array([2.0]))])

    assert [(body["flags"], body["readings"][0]["value"]) for _, _, body in server.asked] == [(["late"], 1.0), ([], 2.0)]


def test_a_request_holds_at_most_ten_thousand_readings_and_stays_below_the_body_limit(server: Answering, sink: HttpSink) -> None:
    picture = Frame((100, 100), "i2", 1.0, 0.0, "", bytes(20_000))

    sink.add_batches([batch(np.arange(25_000, dtype="f8"))])
    sink.add_batches([batch([picture] * 50, ids=3, kind="frame")])

    sizes = [len(body["readings"]) for _, _, body in server.asked]
    assert max(sizes) <= MOST_READINGS
    assert sum(sizes) == 25_050
    assert all(int(headers["Content-Length"]) <= MOST_BYTES + 200 for _, headers, _ in server.asked)
    values = [row["value"] for row in server.readings if "value" in row]
    assert values == sorted(values)


@pytest.mark.parametrize("status", [500, 502, 503, 429, 401, 403, 404, 408, 409])
def test_an_answer_that_may_change_keeps_everything_and_nobody_asks_before_the_time_it_names(
    server: Answering, sink: HttpSink, status: int
) -> None:
    server.answers = [(status, {"Retry-After": "120"}, {})]

    for _ in range(3):
        with pytest.raises(BusUnavailable):
            sink.add_batches([batch(np.array([1.0]))])

    assert len(server.asked) == 1
    assert sink.sent == 0


def test_what_is_sent_again_has_the_same_key_and_another_body_another(server: Answering, sink: HttpSink) -> None:
    for value in (1.0, 1.0, 2.0):
        sink.add_batches([batch(np.array([value]))])

    keys = [headers["Idempotency-Key"] for _, headers, _ in server.asked]
    assert keys[0] == keys[1] != keys[2]


def test_what_the_server_refuses_is_counted_told_and_not_sent_again(server: Answering, sink: HttpSink) -> None:
    server.answers = [
        (200, {}, {"accepted": 1, "rejected": [{"i": 0, "code": "unit"}, {"i": 1, "code": "unit"}]}),
        (422, {}, {"detail": "no"}),
    ]

    sink.add_batches([batch(np.array([1.0, 2.0, 3.0]))])
    sink.add_batches([batch(np.array([4.0, 5.0]))])
    sink.add_batches([batch(np.array([6.0]), ids=77)])

    assert sink.drops == {"server_unit": 2, "server_422": 2, "unnamed_tag": 1}
    assert [row["reason"] for row in sink.refused] == ["server_unit", "server_422", "unnamed_tag"]
    assert len(server.asked) == 2


def test_an_answer_that_is_no_json_is_no_receipt(server: Answering, sink: HttpSink) -> None:
    server.answers = [(200, {}, b"<html>captive portal</html>")]

    with pytest.raises(BusUnavailable):
        sink.add_batches([batch(np.array([1.0]))])


def test_signals_and_state_are_posted_and_refused_samples_go_with_the_state(server: Answering, sink: HttpSink) -> None:
    sink.add_refused([{"t": T, "source": "plc", "reason": "not_json", "topic": "", "sample": "x"}])
    sink.add_signals([Signal(SignalName.SOURCE_LOST, T, {"source": "plc"})])
    sink.status({"program": "plc.s7"})
    sink.status({"program": "plc.s7"})

    assert [path for path, _, _ in server.asked] == ["/api/edge/signals", "/api/edge/status", "/api/edge/status"]
    assert server.asked[0][2]["signals"] == [{"name": "source.lost", "t": T, "data": {"source": "plc"}}]
    assert [len(body["refused"]) for _, _, body in server.asked[1:]] == [1, 0]


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({"SINK": "https://plant.example"}, "SINK_TOKEN"),
        ({"SINK": "http://plant.example", "SINK_TOKEN": "x"}, "SINK"),
        ({"SINK": "http://192.168.0.7:5000", "SINK_TOKEN": "x"}, "SINK"),
        ({"SINK": "https://", "SINK_TOKEN": "x"}, "SINK"),
    ],
)
def test_a_token_never_travels_in_the_clear_unless_it_is_said_so(environment: dict[str, str], key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        checked_url(settings(**environment))

    assert caught.value.key == key


@pytest.mark.parametrize("url", ["https://plant.example", "http://127.0.0.1:5000", "http://localhost:5000", "http://[::1]:5000"])
def test_loopback_and_https_are_taken(url: str) -> None:
    assert checked_url(settings(SINK=url, SINK_TOKEN="x")).geturl() == url
    assert checked_url(settings(SINK="http://plant.example", SINK_TOKEN="x", SINK_PLAIN="1")).hostname == "plant.example"


def test_an_edge_asks_who_has_a_source_before_it_reads_it(server: Answering, sink: HttpSink, tmp_path: Path) -> None:
    office = EdgeOffice(sink, "plc.s7", tmp_path / "config.json", "edge")
    sources = [Source(id=n, name=name, kind="s7") for n, name in enumerate(("a", "b"))]
    own = Source(id=9, name="own", kind="s7", config={"edge": "line 1"})
    office.snapshot = Snapshot(version=1, sources=[*sources, own])
    server.answers = [(200, {}, {"holds": ["b"]})]

    held = [office.hold(name) for name in ("a", "b", "own")]

    assert held == [False, True, True]
    assert [body["wants"] for path, _, body in server.asked if path == "/api/edge/status"] == [["a", "b"]]


def test_an_edge_whose_server_is_away_cannot_know_and_asks_once(server: Answering, sink: HttpSink, tmp_path: Path) -> None:
    office = EdgeOffice(sink, "plc.s7", tmp_path / "config.json", "edge")
    office.snapshot = Snapshot(version=1, sources=[Source(id=1, name="a", kind="s7")])
    server.answers = [(503, {}, {})] * 9

    for _ in range(3):
        with pytest.raises(BusUnavailable):
            office.hold("a")

    assert len(server.asked) == 1
