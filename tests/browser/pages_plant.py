"""The seeded demo plant behind a real web process and worker, with values and findings that the test itself puts on the bus."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import requests

from realtime.bus import Bus, connect, now_ms
from realtime.events import AlertType, Batch, Because, Finding, Frame, Severity
from realtime.snapshot import Snapshot, Tag
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
NORMAL = {"bar": 5.0, "°C": 61.0, "mm/s": 2.05, "A": 14.0, "rpm": 1482.0, "m³/h": 42.0, "%": 63.0, "kW": 4.2, "mm": 120.0}


class Values:
    """Publishes every numeric tag and the plate three times a second until paused, as collectors do."""

    def __init__(self, bus: Bus, snapshot: Snapshot) -> None:
        self.bus = bus
        self.tags = [tag for tag in snapshot.tags if tag.kind == "f64"]
        self.plates = [tag for tag in snapshot.tags if tag.kind == "frame"]
        self.overrides: dict[str, float] = {}
        self.paused = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.33):
            if not self.paused.is_set():
                self.publish()

    def value(self, tag: Tag) -> float:
        if tag.name in self.overrides:
            return self.overrides[tag.name]
        if tag.role:
            return {"running": 1.0, "status": 2.0}.get(tag.role, 0.0)
        if tag.low is not None and tag.high is not None:
            return (tag.low + tag.high) / 2
        return NORMAL.get(tag.unit, 1.0)

    def publish(self) -> None:
        now = now_ms()
        shards: dict[int, list[Tag]] = {}
        for tag in self.tags:
            shards.setdefault(tag.shard, []).append(tag)
        batches = [batch_of(shard, now, tags, np.array([self.value(tag) for tag in tags])) for shard, tags in shards.items()]
        self.bus.add_batches([*batches, *(batch_of(tag.shard, now, [tag], [plate()], "frame") for tag in self.plates)])

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def batch_of(shard: int, now: int, tags: list[Tag], values: Any, kind: Any = "f64") -> Batch:
    n = len(tags)
    columns = (np.full(n, now, np.int64), np.zeros(n, np.uint8), np.zeros(n, np.uint32))
    return Batch(shard, now, "test", np.array([tag.id for tag in tags], np.uint32), *columns, values, kind)


def plate() -> Frame:
    """100 x 100 at 39 °C with a hot spot at column 72, row 31."""
    y, x = np.mgrid[0:100, 0:100]
    celsius = 39 + 2 * np.sin(x / 20) + 60 * np.exp(-((x - 72) ** 2 + (y - 31) ** 2) / 12.0)
    return Frame((100, 100), "i2", 0.01, 0.0, "°C", (celsius * 100).astype("<i2").tobytes())


class Instance:
    """Set-up, web process and worker on the given services."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.run_dir = Path(environment["DATA_DIR"]) / "run"
        self.run_dir.mkdir(parents=True)
        (self.run_dir / "simulator.json").write_text('{"s7_port": 40102, "opcua_port": 40840}')
        self._environment = environment
        self._log = (folder / "programs.log").open("wb")
        self.log_path = folder / "programs.log"
        done = subprocess.run(
            [sys.executable, "-m", "server.setup"], env=environment, cwd=ROOT, stdout=self._log, stderr=self._log, check=False
        )
        assert done.returncode == 0, self.log_path.read_text()[-2000:]
        self.logins: dict[str, dict[str, str]] = json.loads((self.run_dir / "demo-logins.json").read_text())
        self.bus = Bus(connect(environment["REDIS_URL"]), environment["BUS_PREFIX"])
        self.web = self._start("app.py")
        self.worker = self._start("-m", "server.worker")
        told = self.run_dir / "web.json"
        wait_for(told.exists, 40, "the web process to tell its port")
        self.url = f"http://127.0.0.1:{json.loads(told.read_text())['port']}"
        wait_for(self._answers, 30, "the web process to answer")
        snapshot = self.bus.config()
        assert snapshot is not None
        self.snapshot = snapshot
        self.values = Values(self.bus, snapshot)

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, *arguments], env=self._environment, cwd=ROOT, stdout=self._log, stderr=self._log)

    def _answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/login", timeout=5).status_code == 200
        return False

    def raise_alert(self, tag_name: str = "M2.vibration", value: float = 9.42, limit: float = 7.1) -> None:
        """The tag goes past its limit and ml says so."""
        self.values.overrides[tag_name] = value
        tag = self.snapshot.tag_by_name()[tag_name]
        now = now_ms()
        finding = Finding(
            key=f"limits:{tag.id}:high",
            edge="open",
            asset=tag.asset,
            tag=tag.name,
            type=AlertType.RULE_VIOLATION,
            detector="limits",
            code="high",
            t=now,
            t_onset=now - 4000,
            severity=Severity.CRITICAL,
            score=value / limit,
            limit=1.0,
            value=value,
            because=(Because(tag.name, 1.0),),
            config_version=self.snapshot.version,
        )
        self.bus.add_findings([finding])

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """The web process stands still: its sockets stay open and nothing comes."""
        self.web.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.web.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.values.stop()
        for process in (self.web, self.worker):
            process.terminate()
        for process in (self.web, self.worker):
            process.wait(15)
        self._log.close()
        self.bus.client.close()
