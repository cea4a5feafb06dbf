"""A web process and a worker on this test's services, live values, and a headless browser of the size of a headset."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import requests

from realtime.bus import Bus, connect, now_ms
from realtime.events import Batch
from realtime.settings import load
from server.database import Database
from server.services import Services
from tests.ar_feed import plant as feed_plant
from tests.ar_feed.plant import FeedPlant
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]


class Values:
    """Publishes vibration and temperature of the plant twice a second until stopped, as a collector does."""

    def __init__(self, bus: Bus, plant: FeedPlant) -> None:
        self.bus = bus
        self.plant = plant
        self.vibration = 2.05
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            self.publish()

    def publish(self) -> None:
        now = now_ms()
        ids = np.array([self.plant.vibration, self.plant.temperature], np.uint32)
        values = np.array([self.vibration, 61.5])
        columns = (np.full(2, now, np.int64), np.zeros(2, np.uint8), np.zeros(2, np.uint32))
        self.bus.add_batches([Batch(self.plant.asset % 8, now, "test", ids, *columns, values)])

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


class Programs:
    """A running web process with its worker, for the tests of a module: a start costs seconds."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        settings = load(environment, None)
        assert settings.database_url
        assert settings.redis_url
        self.services = Services(settings, Database(settings.database_url), Bus(connect(settings.redis_url), settings.bus_prefix))
        self._environment = environment
        self._log = (folder / "programs.log").open("wb")
        self.processes = {name: self.start(*arguments) for name, arguments in PROGRAMS.items()}
        told = settings.run_dir / "web.json"
        wait_for(told.exists, 60, "the web process to tell its port")
        self.url = f"http://127.0.0.1:{json.loads(told.read_text())['port']}"
        wait_for(self._answers, 20, "the web process to answer")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, *arguments], env=self._environment, cwd=ROOT, stdout=self._log, stderr=self._log)

    def _answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/ar/v1", timeout=2).status_code == 200
        return False

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(15)
        self._log.close()
        self.services.database.close()
        self.services.bus.client.close()


class Instance:
    """A plant of one test's own on the running programs, with live values."""

    def __init__(self, programs: Programs) -> None:
        self.services = programs.services
        self.url = programs.url
        self.plant = feed_plant.build(self.services)
        self.values = Values(self.services.bus, self.plant)


PROGRAMS = {"web": ("app.py",), "worker": ("-m", "server.worker")}
