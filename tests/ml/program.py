"""Starting `python -m ml` for a test and reading what it says on the bus."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from realtime.bus import FINDINGS, Bus, now_ms
from realtime.codec import decode_finding
from realtime.events import Batch, Finding
from realtime.supervise import heartbeats
from tests.ml.plant import batch
from tests.waiting import wait_for

START_S = 30.0  # importing scikit-learn on a loaded machine takes its time


@contextmanager
def monitor(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A running monitor; stopped at the end whatever happens."""
    process = subprocess.Popen([sys.executable, "-m", "ml"], env=environment)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM, and its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    return process.wait(15)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9."""
    process.kill()
    process.wait(15)


def health(bus: Bus) -> list[dict[str, Any]]:
    """Last words of the living monitors."""
    return [beat for beat in heartbeats(bus) if beat["program"] == "monitor"]


def shards(bus: Bus, process: subprocess.Popen[bytes]) -> list[int]:
    """Shards that this monitor says it holds."""
    return next((beat["shards"] for beat in health(bus) if beat["pid"] == process.pid), [])


def wait_for_shards(bus: Bus, process: subprocess.Popen[bytes], number: int = 8) -> None:
    wait_for(lambda: len(shards(bus, process)) == number, START_S, f"{number} shards")


def findings(bus: Bus, edge: str | None = None) -> list[Finding]:
    """Everything on the stream so far."""
    found = [decode_finding(fields) for _, fields in bus.client.xrange(bus.key(FINDINGS))]
    return [f for f in found if edge in (None, f.edge)]


def feed(bus: Bus, numbers: list[int], value: Callable[[int], float], seconds: range, *, origin: int | None = None, shard: int = 1) -> None:
    """One batch a second of source time, origin + seconds; all at once on the clock."""
    start = now_ms() if origin is None else origin
    bus.add_batches([made(numbers, value, start, i, shard) for i in seconds])


def made(numbers: list[int], value: Callable[[int], float], start: int, i: int, shard: int) -> Batch:
    return batch(numbers, [value(i)] * len(numbers), start + i * 1000, shard=shard, received=now_ms())
