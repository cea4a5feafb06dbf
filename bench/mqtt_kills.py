"""MQTT at QoS 1 into the history while what is between dies: nothing acknowledged may be missing or there twice (PROTOCOLS.md 9).

    .venv/bin/python -m bench.mqtt_kills [--kills 10] [--away-s 30] [--database-away-s 30] [--rate 2000]

Numbered readings go to mosquitto with the configuration that we ship; the collector, the recorder, Valkey and PostgreSQL are the
real programs. Rows: kill -9 of the MQTT collector again and again; broker, bus and database killed -9 and away. The goals are 100
kills, a minute and, for the database, 10 minutes: --kills 100 --away-s 60 --database-away-s 600 takes half an hour; a shorter run
says so. Judged in the history by source time: each reading has its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from bench.mqtt_goals import row, verdict
from realtime.bus import Bus, connect, now_ms
from realtime.embedded.home import home_for, remove_home
from realtime.embedded.postgres import EmbeddedPostgres
from realtime.embedded.valkey import EmbeddedValkey
from realtime.historian import readings
from realtime.snapshot import Snapshot, Source, Tag
from server.migrate import upgrade
from tests.plc.harness import ROOT, Publisher, Tap
from tests.plc.mosquitto import Mosquitto

TAGS = 8
PAGE = 50_000
CATCH_UP_S = 90.0
KILLS, AWAY_S, DATABASE_AWAY_S = 100, 60.0, 600.0  # what the goals ask for
BACK_MS = 900_000  # each reading has a millisecond of its own: ten minutes at 2,000/s must not end more than five minutes ahead
UNACKED_MOST = 20_000  # paho holds 65,535: beyond that nothing more is said until the broker answers


@dataclass
class Plant:
    """Everything that runs, and its addresses."""

    broker: Mosquitto
    valkey: EmbeddedValkey
    postgres: EmbeddedPostgres
    bus: Bus
    told_ms: int = 0  # the last source time that any load has used


class Load(threading.Thread):
    """Numbered readings at a rate until told to end; counts what the broker has acknowledged."""

    def __init__(self, publisher: Publisher, rate: int, start: int) -> None:
        super().__init__(daemon=True)
        self.publisher, self.rate = publisher, rate
        self.t0 = start
        self.said = self.acknowledged = 0
        self._end = threading.Event()
        publisher.client.on_publish = self._on_publish

    def _on_publish(self, *_: object) -> None:
        self.acknowledged += 1

    def run(self) -> None:
        """Publish on a fixed grid; while the broker is away paho keeps what was said and says it again."""
        started = time.monotonic()
        while not self._end.is_set():
            while self.said < (time.monotonic() - started) * self.rate and self.said - self.acknowledged < UNACKED_MOST:
                body = {"tag": f"T{self.said % TAGS}", "timestamp": self.t0 + self.said, "value": float(self.said), "seq": self.said}
                self.publisher.send(f"readings/T{self.said % TAGS}", body)
                self.said += 1
            self._end.wait(0.005)

    def end(self) -> set[int]:
        """Source times of all that was said, once the broker has acknowledged it all."""
        self._end.set()
        self.join()
        while self.acknowledged < self.said:
            time.sleep(0.1)
        return set(range(self.t0, self.t0 + self.said))


@contextmanager
def plant(folder: Path) -> Iterator[Plant]:
    """Services and programs of this bench's own; all gone at the end."""
    home = home_for(folder / "d")
    postgres, valkey, broker = EmbeddedPostgres(home), EmbeddedValkey(home), Mosquitto(folder / "mosquitto")
    programs: list[subprocess.Popen[bytes]] = []
    try:
        for service in (postgres, valkey):
            service.start()
            service.wait_ready()
        broker.start()
        upgrade(postgres.url)
        bus = Bus(connect(valkey.url), "kills", 4096)
        tags = [Tag(id=n + 1, name=f"T{n}", asset=n, shard=n % 8, unit="", source="broker") for n in range(TAGS)]
        bus.publish_config(Snapshot(version=1, sources=[Source(id=1, name="broker", kind="mqtt")], tags=tags))
        environment = {**os.environ, "SIGHTLINE_ENV_FILE": "none", "PYTHONPATH": str(ROOT), "REDIS_URL": valkey.url, "MQTT_URL": broker.url}
        environment |= {"DATABASE_URL": postgres.url, "BUS_PREFIX": bus.prefix, "DATA_DIR": str(folder / "data")}
        with (folder / "programs.log").open("wb") as log:
            for module in ("realtime", "plc"):
                command = [sys.executable, "-m", module]
                programs.append(subprocess.Popen(command, env=environment, cwd=ROOT, stderr=log, stdin=subprocess.PIPE))
        while b"subscribed" not in (folder / "programs.log").read_bytes():
            time.sleep(0.05)
        yield Plant(broker, valkey, postgres, bus)
    finally:
        for program in programs:
            program.terminate()
            program.wait()
        broker.kill()
        for service in (valkey, postgres):
            service.stop()
        remove_home(folder / "d")


def stored(url: str, since: int) -> list[int]:
    """Source times of every reading in the history."""
    conn = psycopg2.connect(url)
    found: list[int] = []
    for tag_id in range(1, TAGS + 1):
        after: int | None = None
        while page := readings(conn, tag_id, since, since + 86_400_000, after, PAGE):
            found += [t for t, _, quality in page if quality & 3 == 0]
            after = page[-1][0]
    conn.close()
    return found


def judged(what: str, here: Plant, rate: int, trouble: Callable[[], str], short_of: str) -> None:
    """One row: the load before, during and after the trouble, then the history against the receipts.

    short_of: what the goal asks for where this run is less, else "".
    """
    publisher = Publisher(here.broker.url, "")
    publisher.client.reconnect_delay_set(1, 1)
    load = Load(publisher, rate, max(now_ms() - BACK_MS, here.told_ms + 1))  # loads must not overlap
    load.start()
    time.sleep(2.0)
    done = trouble()
    time.sleep(2.0)
    acknowledged = load.end()
    here.told_ms = max(acknowledged)
    deadline = time.monotonic() + CATCH_UP_S
    found = stored(here.postgres.url, load.t0)
    while not acknowledged <= set(found) and time.monotonic() < deadline:
        time.sleep(1.0)
        found = stored(here.postgres.url, load.t0)
    publisher.close()
    lost, double = len(acknowledged - set(found)), len(found) - len(set(found))
    row(
        what,
        f"{done}; {len(acknowledged):,} acknowledged, {lost} lost, {double} double",
        verdict(not lost and not double, "0 lost, 0 double") + (f" in a short run, the goal is {short_of}" if short_of else ""),
    )


def kills(here: Plant, count: int) -> str:
    """kill -9 of whatever MQTT child there is, each time it has delivered something."""
    tap, killed = Tap(here.bus), set[int]()
    while len(killed) < count:
        for pid in {int(body["pid"]) for body in tap.health() if body.get("kind") == "mqtt" and body["readings"]} - killed:
            killed.add(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
    return f"{len(killed)} kills"


def away(stop: Callable[[], None], start: Callable[[], None], seconds: float) -> str:
    """Gone for so long, and back."""
    stop()
    time.sleep(seconds)
    start()
    return f"away {seconds:.0f} s"


def killed(service: EmbeddedPostgres | EmbeddedValkey) -> Callable[[], None]:
    """kill -9 of a service."""

    def kill() -> None:
        assert service.process is not None
        service.process.kill()
        service.process.wait()

    return kill


def started(service: EmbeddedPostgres | EmbeddedValkey) -> Callable[[], None]:
    """Start it again."""

    def start() -> None:
        service.start()
        service.wait_ready()

    return start


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--away-s", type=float, default=30.0, help="broker and bus")
    parser.add_argument("--database-away-s", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=2000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="slk-"))
    folder.chmod(0o755)
    print(f"mqtt_kills: {os.cpu_count()} cores, load average before {os.getloadavg()[0]:.1f}, QoS 1, {options.rate} readings/s")
    try:
        with plant(folder) as here:
            rate, gone, database = options.rate, options.away_s, options.database_away_s
            short = f"{AWAY_S:.0f} s" if gone < AWAY_S else ""
            few = f"{KILLS} kills" if options.kills < KILLS else ""
            judged("kill -9 of the collector", here, rate, lambda: kills(here, options.kills), few)
            judged("broker away", here, rate, lambda: away(here.broker.kill, lambda: bool(here.broker.start()), gone), short)
            judged("bus (Valkey) away", here, rate, lambda: away(killed(here.valkey), started(here.valkey), gone), short)
            short = f"{DATABASE_AWAY_S:.0f} s" if database < DATABASE_AWAY_S else ""
            judged("database away", here, rate, lambda: away(killed(here.postgres), started(here.postgres), database), short)
        print(f"mqtt_kills: load average after {os.getloadavg()[0]:.1f}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
