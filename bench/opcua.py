"""OPC UA against the goals of PROTOCOLS.md 9, measured here; a row that falls short says so.

    .venv/bin/python -m bench.opcua [--tags 2000] [--seconds 10]

The server is node-opcua (tests/peers), whose nodes change ten times a second; ours is the real collector program, through Valkey, with
one subscription at 200 ms and a queue of 10. Each change has a number, so what is missing is seen. CPU is the collector's own
(user + system), of one core. A machine too busy for the peer makes it slow and its queues run over: run it on a quiet one.
The picture is 100 x 100 Float at 1 Hz: frame, its four statistics, and the bytes a frame takes packed, as browsers get it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.collectors import cpu_of
from bench.mqtt_goals import row, verdict
from realtime.bus import READINGS, Bus, connect, now_ms
from realtime.codec import decode_batch
from realtime.embedded.home import home_for, remove_home
from realtime.embedded.valkey import EmbeddedValkey
from realtime.events import Batch
from realtime.packing import pack
from realtime.snapshot import Snapshot, Source, Tag
from tests.plc.harness import Program, environment_of, free_port, tag

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "tests" / "peers"
URI = "urn:bench:plant"
PUBLISHING_S, CHANGES_S = 0.2, 10
CPU_MOST, PICTURE_CPU_MOST, PICTURE_BYTES = 45.0, 1.0, 12_288
SETTLE_S, PATIENCE_S = 2.0, 40.0


@contextmanager
def plant(count: int) -> Iterator[tuple[int, Any]]:
    """The node process; yields port and process."""
    port = free_port()
    environment = {**os.environ, "NODE_PATH": str(PEERS / "node_modules")}
    command = ["node", str(ROOT / "bench" / "opcua_plant.js"), str(count), str(port)]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    while not (line := process.stdout.readline()).startswith("{"):
        if not line:
            raise RuntimeError("no node, or node-opcua is not installed: make setup-test")
    yield port, process
    process.stdin.close()
    process.stdout.close()
    process.kill()
    process.wait(10)


@dataclass(frozen=True)
class Run:
    """What came of a link that stands, from source time `since` (ms) on; cpu: per cent of a core; passed: seconds."""

    batches: list[Batch]
    since: int
    cpu: float
    passed: float
    server_cpu: float = 0.0


def collected(bus: Bus, environment: dict[str, str], port: int, tags: Sequence[Tag], seconds: float, server: int = 0) -> Run:
    """Run the collector for `seconds` of a steady link."""
    config = {"url": f"opc.tcp://127.0.0.1:{port}"}
    source = Source(id=1, name="bench", kind="opcua", config=config, groups={"normal": PUBLISHING_S})
    bus.publish_config(Snapshot(version=1, sources=[source], tags=list(tags)))
    program = Program(environment, "--kind", "opcua")
    deadline = time.monotonic() + PATIENCE_S
    while "bench: live" not in program.said and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(SETTLE_S)
    since, started, used = now_ms(), time.perf_counter(), cpu_of(program.process.pid)
    theirs = cpu_of(server) if server else 0.0
    time.sleep(seconds)
    used, passed = cpu_of(program.process.pid) - used, time.perf_counter() - started
    theirs = cpu_of(server) - theirs if server else 0.0
    time.sleep(2 * PUBLISHING_S)
    program.stop()
    found = [decode_batch(fields) for stream in READINGS for _, fields in bus.client.xrange(bus.key(stream))]
    bus.client.flushdb()
    return Run(found, since, 100 * used / passed, passed, 100 * theirs / passed)


def numbers_row(bus: Bus, environment: dict[str, str], count: int, seconds: float) -> None:
    """2000 tags at 10 Hz: changes a second, what is missing, CPU."""
    tags = [tag(n + 1, f"t{n}", "bench", f"nsu={URI};s=t{n}", asset=n) for n in range(count)]
    with plant(count) as (port, server):
        run = collected(bus, environment, port, tags, seconds, server.pid)
    ticks: dict[int, set[int]] = defaultdict(set)
    for batch in run.batches:
        for number, value, t in zip(batch.ids, batch.numbers(), batch.t, strict=True):
            if t >= run.since:
                ticks[int(number)].add(int(value))
    lost = sum(max(seen) - min(seen) + 1 - len(seen) for seen in ticks.values())
    came = sum(map(len, ticks.values()))
    rate = came / (run.passed + 2 * PUBLISHING_S)
    made = (came + lost) / (run.passed + 2 * PUBLISHING_S)
    figures = f"{rate:.0f} of {made:.0f} changes/s made by {len(ticks)} tags, {lost} lost, {run.cpu:.0f} % of a core to the queue"
    figures += f" ({run.cpu * 1e4 * run.passed / max(came, 1):.1f} us each; the server {run.server_cpu:.0f} %)"
    met = lost == 0 and len(ticks) == count and run.cpu <= CPU_MOST and rate >= 0.9 * count * CHANGES_S
    row(f"OPC UA {count} tags at {CHANGES_S} Hz, queue 10", figures, verdict(met, f"0 lost, <= {CPU_MOST:g} %"))


def picture_row(bus: Bus, environment: dict[str, str], seconds: float) -> None:
    """100 x 100 at 1 Hz: CPU above that of the same program with no tag at all, bytes a frame."""
    shown = [tag(1, "plate", "bench", f"nsu={URI};s=plate", kind="frame")]
    shown += [tag(2 + n, f"plate.{name}", "bench", virtual=True) for n, name in enumerate(("min", "max", "mean", "std"))]
    idle = [tag(9, "clock", "bench", "i=2261")]  # ProductName: never changes
    with plant(1) as (port, _):
        idle_run = collected(bus, environment | {"DATA_DIR": environment["DATA_DIR"] + "-idle"}, port, idle, seconds)
        run = collected(bus, environment | {"DATA_DIR": environment["DATA_DIR"] + "-plate"}, port, shown, seconds)
    more = run.cpu - idle_run.cpu
    frames = [frame for batch in run.batches if batch.kind == "frame" for frame in batch.frames()]
    packed = max((len(pack(frame) or frame.data) for frame in frames), default=0)
    figures = f"{more:.1f} % of a core more than idle {idle_run.cpu:.1f}, {len(frames)} frames of {packed} B packed"
    met = bool(frames) and more <= PICTURE_CPU_MOST and packed <= PICTURE_BYTES
    row("OPC UA 100 x 100 at 1 Hz", figures, verdict(met, f"<= {PICTURE_CPU_MOST:g} %, <= 12 KB"))


def main() -> int:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tags", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="slb-"))
    folder.chmod(0o755)
    valkey = EmbeddedValkey(home_for(folder / "d"))
    valkey.start()
    valkey.wait_ready()
    bus = Bus(connect(valkey.url), "bench", 4096)
    try:
        print(f"{os.cpu_count()} cores, load average before {os.getloadavg()[0]:.1f}")
        environment = environment_of(REDIS_URL=valkey.url, BUS_PREFIX="bench", DATA_DIR=str(folder / "var"), BUS_MAX_MB="4096")
        numbers_row(bus, environment, options.tags, options.seconds)
        picture_row(bus, environment, options.seconds)
        print(f"load average after {os.getloadavg()[0]:.1f}")
    finally:
        bus.client.close()
        valkey.stop()
        remove_home(folder / "d")
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
