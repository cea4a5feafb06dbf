"""A whole instance as its user starts it: `python run.py` on a folder of its own, and what a test needs to talk to it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psycopg2
import requests
import socketio

from realtime.bus import Bus, connect, now_ms
from realtime.embedded.mqtt_broker import free_port
from realtime.settings import Settings, load
from tests.waiting import wait_for

ROOT = Path(__file__).parent.parent.parent
ADMIN_PASSWORD = secrets.token_urlsafe(18)


class Plant:
    """A running instance; `settings` has the addresses of its services."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "SIGHTLINE_ENV_FILE": "none",
            "DATA_DIR": str(folder / "var"),
            "PORT": str(free_port()),  # kept when the web process is started again
            "DEMO": "1",
            "DEMO_HISTORY_HOURS": "2",  # what the models learn from; the coarse part before it is for the eye
            "DEMO_TRAINING": "0",  # a minute of a core; the walk of the seven steps asks for one
            "N_ESTIMATORS": "20",
            "ADMIN_PASSWORD": ADMIN_PASSWORD,
            **environment,
        }
        self.log = (folder / "run.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "run.py"], cwd=ROOT, env=self.environment, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True
        )
        self.run_dir = folder / "var" / "run"
        try:
            wait_for(self._is_ready, timeout_s=90, what="the instance to be ready", every_s=0.1)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self.log_text()[-4000:]}") from error
        self.settings: Settings = load(self.environment, None)
        assert self.settings.redis_url is not None
        self.bus = Bus(connect(self.settings.redis_url), self.settings.bus_prefix)

    def log_text(self) -> str:
        """What all programs said."""
        return (self.folder / "run.log").read_text("utf-8", errors="replace")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"run.py ended with {self.process.returncode}: {self.log_text()[-4000:]}"
        path = self.run_dir / "web.json"
        if not path.exists():
            return False
        try:
            return requests.get(f"{self.url}/ready", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    @property
    def url(self) -> str:
        """Address of the web process."""
        return f"http://127.0.0.1:{self.environment['PORT']}"

    def logins(self) -> dict[str, str]:
        """Password by employee number of the demo's people and the admin."""
        demo = json.loads((self.run_dir / "demo-logins.json").read_text())
        return {**{number: login["password"] for number, login in demo.items()}, "admin": ADMIN_PASSWORD}

    def person(self, employee_number: str) -> Person:
        """A signed-in person with a bearer token."""
        return Person(self, employee_number, self.logins()[employee_number])

    def pid_of(self, *words: str) -> int:
        """Process id of the child of run.py (or grandchild) whose command line holds all the words."""
        found = [pid for pid, line in self.children() if all(word in line for word in words)]
        assert found, f"no child with {words}: {self.children()}"
        return found[0]

    def children(self) -> list[tuple[int, str]]:
        """Process ids and command lines of everything that this instance started."""
        parents: dict[int, int] = {}
        lines: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                stat = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if stat[0] != "Z":
                parents[int(folder.name)], lines[int(folder.name)] = int(stat[1]), line
        ours = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
            ours |= more
        return sorted((pid, lines[pid]) for pid in ours if pid in lines and pid != self.process.pid)

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a query on the product's database."""
        connection = psycopg2.connect(self.settings.database_url)
        try:
            cursor = connection.cursor()
            cursor.execute(statement, values)
            return cursor.fetchall()
        finally:
            connection.close()

    def device(self, client_id: str = "") -> Device:
        """A sensor that publishes to the instance's broker."""
        return Device(self, client_id)

    def stop(self) -> None:
        """Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


class Person:
    """Someone with a token: REST calls and a socket."""

    def __init__(self, plant: Plant, employee_number: str, password: str) -> None:
        self.plant = plant
        answer = requests.post(f"{plant.url}/api/auth/login", json={"employee_number": employee_number, "password": password}, timeout=10)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        self.user = answer.json()["user"]

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """One request with the token."""
        headers = {"Authorization": f"Bearer {self.token}", **arguments.pop("headers", {})}
        return requests.request(method, f"{self.plant.url}{path}", headers=headers, timeout=30, **arguments)

    def get(self, path: str, **parameters: object) -> Any:
        """JSON of a GET that must succeed."""
        answer = self.call("GET", path, params=parameters)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def post(self, path: str, body: object = None, status: int | tuple[int, ...] = (200, 201, 204)) -> Any:
        """JSON of a POST that must answer with one of the statuses."""
        answer = self.call("POST", path, json=body if body is not None else {})
        wanted = (status,) if isinstance(status, int) else status
        assert answer.status_code in wanted, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def screen(self) -> Screen:
        """A connected socket of this person."""
        return Screen(self.plant.url, self.token)


class Screen:
    """A Socket.IO client that keeps what it was told."""

    def __init__(self, url: str, token: str) -> None:
        self.events: list[tuple[str, Any, int]] = []
        self._new = threading.Condition()
        self.client = socketio.Client(reconnection=True, reconnection_delay=0.2, reconnection_delay_max=1)
        self.client.on("*", self._keep)
        self.client.connect(url, auth={"token": token}, transports=["websocket"], wait_timeout=10)

    def _keep(self, name: str, *data: Any) -> None:
        with self._new:
            self.events.append((name, data[0] if len(data) == 1 else data, now_ms()))
            self._new.notify_all()

    def ask(self, name: str, body: object) -> Any:
        """Emit and return the acknowledgement."""
        return self.client.call(name, body, timeout=10)

    def wait(self, name: str, matches: Callable[[Any], bool] = lambda _: True, timeout_s: float = 20) -> Any:
        """Body of the first event of this name that matches."""

        def found() -> list[Any]:
            with self._new:
                return [body for event, body, _ in self.events if event == name and matches(body)]

        return wait_for(found, timeout_s=timeout_s, what=f"{name} on the socket; seen {[e[0] for e in self.events][-20:]}")[0]

    def named(self, name: str) -> list[Any]:
        """Bodies of all events of this name so far."""
        with self._new:
            return [body for event, body, _ in self.events if event == name]

    def close(self) -> None:
        """Leave."""
        self.client.disconnect()


class Device:
    """A sensor with the plant's credentials; QoS 1, waits for the broker's acknowledgement."""

    def __init__(self, plant: Plant, client_id: str) -> None:
        endpoints = json.loads((plant.run_dir / "endpoints.json").read_text())
        url = endpoints["mqtt_device_url"]
        credentials, address = url.split("//")[1].split("@")
        user, password = credentials.split(":")
        host, port = address.split(":")
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv311)
        self.client.username_pw_set(user, password)
        self.client.max_inflight_messages_set(1000)
        self.client.max_queued_messages_set(0)
        self.client.connect(host, int(port))
        self.client.loop_start()
        wait_for(self.client.is_connected, what="the device's connection")

    def publish(self, topic: str, body: object) -> mqtt.MQTTMessageInfo:
        """Send at QoS 1; the answer's wait_for_publish tells when the broker has it."""
        return self.client.publish(topic, json.dumps(body) if not isinstance(body, bytes) else body, qos=1)

    def close(self) -> None:
        """Leave after all is acknowledged."""
        self.client.disconnect()
        self.client.loop_stop()
