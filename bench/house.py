"""Services of a bench's own in a folder of its own, and how busy processes were: nothing is left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from realtime.embedded.home import home_for, remove_home
from realtime.embedded.mqtt_broker import EmbeddedBroker
from realtime.embedded.postgres import EmbeddedPostgres
from realtime.embedded.valkey import EmbeddedValkey
from server.migrate import upgrade

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class House:
    """Addresses of running services with a migrated database, and the process ids at the top of each."""

    folder: Path
    database_url: str
    redis_url: str
    mqtt_url: str
    device_mqtt_url: str
    broker: str
    pids: dict[str, int]


@contextmanager
def house() -> Iterator[House]:
    """PostgreSQL (durable, as shipped), Valkey and the broker that `make run` would take."""
    folder = Path(tempfile.mkdtemp(prefix="slb-"))
    folder.chmod(0o755)
    home = home_for(folder / "d")
    services = [EmbeddedPostgres(home), EmbeddedValkey(home), EmbeddedBroker(home)]
    try:
        for service in services:
            service.start()
        for service in services:
            service.wait_ready()
        postgres, valkey, broker = services
        upgrade(postgres.url)
        pids = {service.name: service.process.pid for service in services}
        yield House(folder, postgres.url, valkey.url, broker.url(), broker.url("plant"), broker.program, pids)
    finally:
        for service in reversed(services):
            service.stop()
        remove_home(folder / "d")
        shutil.rmtree(folder, ignore_errors=True)


def children_of(pid: int) -> set[int]:
    """A process and everything it started."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = {pid}
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Processor seconds of living processes and of the children they have already waited for."""
    total = 0.0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(field) for field in fields[11:15]) * TICK_S
    return total


def machine() -> str:
    """What stands beside every figure."""
    one, five, _ = os.getloadavg()
    return f"load average {one:.2f} {five:.2f} on {os.cpu_count()} processors"
