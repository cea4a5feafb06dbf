"""A whole instance as a plant runs it: `run.py` without the demo, in a folder of its own, reached through its own API."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realtime.bus import Bus, connect
from realtime.embedded.home import remove_home

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN_S = 60.0
SOURCE = "bench"


@dataclass(frozen=True, slots=True)
class Instance:
    """A running instance: where it listens, a manager's token, its services' addresses."""

    pid: int
    port: int
    token: str
    endpoints: dict[str, str]
    bus: Bus

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One REST call; raises urllib.error.HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def instance(tags: list[str]) -> Iterator[Instance]:
    """Start it, log in, take the tags on (20 an asset); stop it and remove every trace."""
    folder = Path(tempfile.mkdtemp(prefix="sli-"))
    folder.chmod(0o755)
    data, password = folder / "d", secrets.token_urlsafe(16)
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "ASYNC_MODE") if key in os.environ}
    environment = {**kept, "SIGHTLINE_ENV_FILE": "none", "DATA_DIR": str(data), "PORT": "0", "DEMO": "0", "ADMIN_PASSWORD": password}
    log = (folder / "log").open("wb")
    process = subprocess.Popen([sys.executable, "run.py"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield _prepared(process, data, folder / "log", password, tags)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()
        remove_home(data)
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(process: subprocess.Popen[bytes], data: Path, log: Path, password: str, tags: list[str]) -> Instance:
    deadline = time.monotonic() + READY_WITHIN_S
    while b"Sightline is ready" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the instance did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)
    port = json.loads((data / "run" / "web.json").read_text())["port"]
    endpoints = json.loads((data / "run" / "endpoints.json").read_text())
    bus = Bus(connect(endpoints["redis_url"]), "sightline")
    guest = Instance(process.pid, port, "", endpoints, bus)
    token = guest.call("POST", "/api/auth/login", {"employee_number": "admin", "password": password})["access_token"]
    manager = Instance(process.pid, port, token, endpoints, bus)
    take_on(manager, tags, qos=1)
    return manager


def take_on(manager: Instance, tags: list[str], qos: int) -> None:
    """Put the source at this QoS and its tags; returns when the collector has subscribed with them."""
    source = {"name": SOURCE, "kind": "mqtt", "topics": ["readings/#"], "qos": qos}
    manager.call("PUT", "/api/sources", {"source": source, "tags": []})
    rows = [
        {"tag": tag, "asset": f"BENCH-{i // 20:02d}", "source": SOURCE, "unit": "s", "low": 0, "high": 1e9, "period_s": 1.0}
        for i, tag in enumerate(tags)
    ]
    version = manager.call("PUT", "/api/tags", rows)["config_version"]
    deadline = time.monotonic() + 30
    while not _follows(manager.bus, version):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the collector does not follow config version {version}")
        time.sleep(0.1)


def _follows(bus: Bus, version: int) -> bool:
    beats = [json.loads(raw) for raw in bus.client.mget(list(bus.client.scan_iter(bus.key("health.plc.*"))) or ["-"]) if raw]
    links = [source.get("state") for beat in beats for name, source in beat.get("sources", {}).items() if name == SOURCE]
    return "live" in links and any(beat.get("config_version", 0) >= version for beat in beats)
