"""The instance that the story is told on: the one that runs in DATA_DIR, else one of our own that is gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Instance:
    """Address and logins of a running demo plant."""

    url: str
    run_dir: Path

    def password(self, number: str) -> str:
        """Password of one of the demo's people."""
        logins = json.loads((self.run_dir / "demo-logins.json").read_text("utf-8"))
        return str(logins[number]["password"])

    def person(self, number: str) -> Person:
        """A signed-in person."""
        body = {"employee_number": number, "password": self.password(number)}
        answer = requests.post(f"{self.url}/api/auth/login", json=body, timeout=10)
        answer.raise_for_status()
        return Person(self.url, answer.json()["access_token"])


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who uses the API; raises requests.HTTPError when it refuses."""

    url: str
    token: str

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """JSON of one request; None where there is no body."""
        head = {"Authorization": f"Bearer {self.token}"}
        answer = requests.request(method, self.url + path, json=body, headers=head, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def _running(run_dir: Path) -> Instance | None:
    path = run_dir / "web.json"
    if not path.exists() or not (run_dir / "demo-logins.json").exists():
        return None
    url = f"http://127.0.0.1:{json.loads(path.read_text('utf-8'))['port']}"
    try:
        ready = requests.get(f"{url}/ready", timeout=2).status_code == requests.codes.ok
    except requests.RequestException:
        return None
    return Instance(url, run_dir) if ready else None


@contextmanager
def demo_plant() -> Iterator[Instance]:
    """A ready instance; one that we started is stopped and removed at the end."""
    found = _running(Path(os.environ.get("DATA_DIR", "var")).absolute() / "run")
    if found:
        print(f"on the instance that runs at {found.url}")
        yield found
        return
    folder = Path(tempfile.mkdtemp(prefix="sightline-story-"))
    folder.chmod(0o755)
    environment = {**os.environ, "DATA_DIR": str(folder / "var"), "PORT": "0", "DEMO": "1"}
    log = (folder / "run.log").open("wb")
    program = subprocess.Popen([sys.executable, "run.py"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield _wait_ready(program, folder)
    finally:
        program.send_signal(signal.SIGINT)
        program.wait(30)
        log.close()
        subprocess.run([sys.executable, "-m", "tools.clean_data"], cwd=ROOT, env=environment, check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_ready(program: subprocess.Popen[bytes], folder: Path) -> Instance:
    started = time.monotonic()
    while time.monotonic() - started < READY_WITHIN_S:
        found = _running(folder / "var" / "run")
        if found:
            print(f"a demo plant of our own, ready after {time.monotonic() - started:.1f} s at {found.url}")
            return found
        if program.poll() is not None:
            break
        time.sleep(0.2)
    raise SystemExit((folder / "run.log").read_text("utf-8", errors="replace")[-3000:] + "\nthe instance did not become ready")
