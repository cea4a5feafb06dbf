"""The web process as a program, in both async modes: it serves, it tells its port, it refuses bad input, it stops."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from realtime.bus import READINGS, now_ms
from server.services import Services
from tests.server.api.conftest import PASSWORD, Plant
from tests.waiting import wait_for

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Running:
    """A web process and where it is."""

    process: subprocess.Popen[bytes]
    url: str
    port: int
    mode: str


@pytest.fixture(params=["eventlet", "threading"])
def web(request: pytest.FixtureRequest, environment: dict[str, str], services: Services, plant: Plant, tmp_path: Path) -> Iterator[Running]:
    """`python app.py` on a port of its own choice."""
    del services, plant  # made before the program starts, by the app of this test
    told = Path(environment["DATA_DIR"]) / "run" / "web.json"
    log = (tmp_path / "web.log").open("wb")
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env={**environment, "ASYNC_MODE": request.param}, stderr=log)
    try:
        wait_for(lambda: told.exists() or process.poll() is not None, 30, "web.json")
        assert process.poll() is None, (tmp_path / "web.log").read_text()
        where = json.loads(told.read_text())
        yield Running(process, where["url"], where["port"], request.param)
    finally:
        process.kill()
        process.wait(10)
        log.close()


def test_a_person_logs_in_and_reads_the_own_account(web: Running, plant: Plant) -> None:
    answer = requests.post(f"{web.url}/api/auth/login", json={"employee_number": plant.people["manager"], "password": PASSWORD}, timeout=10)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    me = requests.get(f"{web.url}/api/auth/me", headers=headers, timeout=10)

    assert me.json()["role"] == "manager"


def test_live_answers_without_a_login(web: Running) -> None:
    assert requests.get(f"{web.url}/live", timeout=10).json() == {"status": "live"}


def test_every_error_is_a_problem_and_the_connection_stays_usable(web: Running) -> None:
    with requests.Session() as session:
        for method, path, body, status in (
            ("GET", "/api/nothing", None, 404),
            ("DELETE", "/api/auth/login", None, 405),
            ("POST", "/api/auth/login", b"{", 400),
            ("POST", "/api/auth/login", b"x" * (2 * 1024 * 1024), 413),
            ("GET", "/api/auth/me", None, 401),
        ):
            answer = session.request(method, web.url + path, data=body, headers={"Content-Type": "application/json"}, timeout=10)
            assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), (method, path)
            assert answer.json()["status"] == status
            assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_a_request_that_is_no_http_does_not_stop_the_next(web: Running) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01\x00\xa5 not http\r\n\r\n")
        raw.recv(4096)

    assert requests.get(f"{web.url}/live", timeout=10).status_code == 200


def test_a_held_request_keeps_nobody_waiting_and_readings_arrive(
    web: Running, services: Services, plant: Plant, device: Callable[[str], dict[str, str]]
) -> None:
    answer = requests.post(f"{web.url}/api/auth/login", json={"employee_number": plant.people["viewer"], "password": PASSWORD}, timeout=10)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    since = requests.get(f"{web.url}/api/facts", headers=headers, timeout=10).json()["seq"]
    held = [
        threading.Thread(target=requests.get, args=(f"{web.url}/api/facts?since={since}&wait=3",), kwargs={"headers": headers})
        for _ in range(8)
    ]
    for thread in held:
        thread.start()

    row = {"tag": plant.tag, "timestamp": now_ms(), "value": 4.5}
    posted = requests.post(f"{web.url}/api/readings", json=[row], headers=device("ingest"), timeout=10)

    assert posted.json()["accepted"] == 1
    assert any(thread.is_alive() for thread in held)
    assert services.bus.client.xlen(services.bus.key(READINGS[plant.asset_id % 8])) == 1
    for thread in held:
        thread.join()


def test_a_taken_port_is_told_in_one_line(web: Running, environment: dict[str, str]) -> None:
    environment = {**environment, "PORT": str(web.port), "ASYNC_MODE": web.mode}

    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode != 0
    assert "PORT" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_by_itself_on_a_signal(web: Running, number: signal.Signals) -> None:
    web.process.send_signal(number)

    assert web.process.wait(30) == 0
