"""S7 against the goals of PROTOCOLS.md 9, measured here; a row that falls short says so.

    .venv/bin/python -m bench.s7 [--seconds 20] [--away-s 60]

Jobs a cycle are counted at a TCP proxy before the native (C) snap7 server of tests/peers, ours beside nodes7 and @st-one-io/nodes7
(npm). Cycle times are at simulated PLCs that think 5 ms a job, one job after the other, in a process of their own; no real CPU was at
hand. 32 PLCs, the hung one and the one that comes back are read by the real program, through Valkey.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from snap7.client import Client
from snap7.type import Area

from bench import s7_program
from bench.mqtt_goals import row, verdict
from plc.connectors.s7 import S7Connector
from realtime import settings as settings_module
from realtime.snapshot import Source, Tag
from tests.plc.s7_jobs import counting

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "tests" / "peers"
SIZE = 16384
LIBRARIES = ("nodes7", "st-one")
GOALS = {("random in 16 KB", 240): 36, ("random in 16 KB", 480): 19, ("random in 16 KB", 960): 11}
GOALS |= {("dense 4 KB", 240): 19, ("dense 4 KB", 480): 9, ("dense 4 KB", 960): 5}
LAYOUTS = {"random in 16 KB": sorted(random.Random(20261120).sample(range(0, SIZE, 4), 1000)), "dense 4 KB": list(range(0, 4000, 4))}


class Ignored:
    """A report nobody reads."""

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        """Not counted."""

    def discovered(self, tag: str, value: float | str) -> None:
        """Not told."""


def reals(offsets: list[int], more: tuple[str, ...] = ()) -> list[Tag]:
    """A REAL at each offset of DB1, and tags of other addresses behind them."""
    addresses = [*(f"DB1.DBD{offset}:REAL" for offset in offsets), *more]
    return [Tag(id=n + 1, name=f"T{n}", asset=1, shard=1, unit="", address=address) for n, address in enumerate(addresses)]


@contextmanager
def connected(port: int, tags: list[Tag], **config: Any) -> Iterator[S7Connector]:
    """Our connector on a link that stands."""
    source = Source(id=1, name="bench", kind="s7", config={"host": "127.0.0.1", "port": port, **config})
    connector = S7Connector(source, settings_module.load({}, None), Ignored())
    connector.plan(tags)
    connector.connect()
    yield connector
    connector.close()


@contextmanager
def native(pdu: int) -> Iterator[int]:
    """The C server with DB1 of 16 KB; yields its port."""
    memory = struct.pack(f">{SIZE // 4}f", *range(SIZE // 4))
    command = [PEERS / ".venv" / "bin" / "python", PEERS / "native_s7_server.py"]
    with _served(command, json.dumps({"1": memory.hex(), "pdu": pdu})) as process:
        yield int(process.stdout.readline())


@contextmanager
def simulated(count: int, think_ms: int, pdu: int, granted: int = 1) -> Iterator[tuple[list[int], subprocess.Popen[str]]]:
    """Simulated PLCs; yields their ports, and the process that tells what it counted."""
    command = [sys.executable, "-m", "bench.s7_plant", *map(str, (count, think_ms, pdu, granted))]
    with _served(command) as process:
        yield json.loads(process.stdout.readline()), process


@contextmanager
def _served(command: list[Any], first_line: str = "") -> Iterator[Any]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(first_line + "\n" if first_line else "")
    process.stdin.flush()
    yield process
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


def counted(process: Any) -> dict[str, int]:
    """What the first simulated PLC counted so far."""
    process.stdin.write("\n")
    process.stdin.flush()
    found: dict[str, int] = json.loads(process.stdout.readline())[0]
    return found


def peer(library: str, port: int, offsets: list[int], cycles: int = 1) -> dict[str, Any]:
    """What an npm library makes of 1000 REALs: {"values", "ms"} or {"error"}."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as layout:
        json.dump(offsets, layout)
        layout.flush()
        command = ["node", str(ROOT / "bench" / "s7_peers.js"), library, str(port), layout.name, str(cycles)]
        environment = {**os.environ, "NODE_PATH": str(PEERS / "node_modules")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    return dict(json.loads(done.stdout)) if done.stdout.startswith("{") else {"error": "no node, or not installed (make setup-test)"}


def jobs_a_cycle() -> None:
    """Read jobs of one cycle of 1000 REALs."""
    for pdu in (240, 480, 960):
        with native(pdu) as port:
            for layout, offsets in LAYOUTS.items():
                proxy, jobs = counting(port)
                with proxy, connected(proxy.port, reals(offsets), pdu=pdu) as ours:
                    right = sum(len(part) for part in ours.read("normal", 0))
                beside = ", ".join(f"{library} {_peer_jobs(library, port, offsets)}" for library in LIBRARIES)
                goal = GOALS[layout, pdu]
                figures = f"{jobs.reads} jobs, {right} values; {beside}"
                row(
                    f"jobs a cycle, 1000 REAL {layout}, PDU {pdu}", figures, verdict(0 < jobs.reads <= goal and right == 1000, f"<= {goal}")
                )


def _peer_jobs(library: str, port: int, offsets: list[int]) -> str:
    proxy, jobs = counting(port)
    with proxy:
        said = peer(library, proxy.port, offsets)
    return f"{jobs.reads}" if said.get("values") == 1000 else "fails"


def cycle_time(cycles: int = 20) -> None:
    """One cycle of 1000 dense REALs at 5 ms a job, PDU 480; a floor is what its jobs take by themselves."""
    offsets = LAYOUTS["dense 4 KB"]
    with simulated(1, 5, 480) as (ports, _), connected(ports[0], reals(offsets)) as ours:
        took = sorted(_timed(lambda: ours.read("normal", 0)) for _ in range(cycles))
        beside = [f"{library} {_median_ms(peer(library, ports[0], offsets, cycles))}" for library in LIBRARIES]
    figures = f"{median(took) * 1000:.1f} ms (least {took[0] * 1000:.1f}); {', '.join(beside)}"
    row("cycle at 5 ms a job, 1000 dense, PDU 480", figures, verdict(median(took) <= 0.055, "<= 55 ms"))


def _timed(act: Any) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _median_ms(said: dict[str, Any]) -> str:
    return f"{median(said['ms']):.1f} ms" if "ms" in said else "fails"


def outstanding() -> None:
    """Jobs out at a time against what the CPU granted."""
    offsets = LAYOUTS["dense 4 KB"]
    for granted in (1, 2, 8):
        with simulated(1, 2, 240, granted) as (ports, process):
            with connected(ports[0], reals(offsets), pdu=240, max_jobs=8) as ours:
                for _ in range(5):
                    ours.read("normal", 0)
            mine = counted(process)
        beside = []
        for library in LIBRARIES:
            with simulated(1, 2, 240, granted) as (ports, process):
                peer(library, ports[0], offsets, 5)
                beside.append(f"{library} {counted(process)['most_out']} out")
        figures = f"{mine['most_out']} out, {mine['violations']} violations; {', '.join(beside)}"
        row(f"jobs out at a time where {granted} granted, 8 wanted", figures, verdict(mine["violations"] == 0, "0 violations"))


def cpu_a_cycle(cycles: int = 100) -> None:
    """Processor time of a cycle of 1000 REALs, decoding included, delivery not."""
    with native(480) as port:
        for layout, offsets in LAYOUTS.items():
            with connected(port, reals(offsets)) as ours:
                ours.read("normal", 0)
                started = time.process_time()
                for _ in range(cycles):
                    ours.read("normal", 0)
                used = (time.process_time() - started) / cycles * 1000
            figures = f"{used:.2f} ms; python-snap7 read_multi_vars x20 {_library_cpu_ms(port, offsets):.2f} ms"
            row(f"CPU a cycle, 1000 REAL {layout}, PDU 480", figures, verdict(used <= 3.0, "<= 3 ms"))


def _library_cpu_ms(port: int, offsets: list[int], cycles: int = 10) -> float:
    """The same cycle as python-snap7's client offers it: slices of 20, bytes not decoded."""
    client = Client()
    client.connect("127.0.0.1", 0, 1, port)
    items = [{"area": Area.DB, "db_number": 1, "start": offset, "size": 4} for offset in offsets]
    slices = [items[n : n + 20] for n in range(0, len(items), 20)]
    for part in slices:
        client.read_multi_vars(part)
    started = time.process_time()
    for _ in range(cycles):
        for part in slices:
            client.read_multi_vars(part)
    used = (time.process_time() - started) / cycles * 1000
    client.disconnect()
    return used


def one_wrong_tag() -> None:
    """999 right addresses and one that does not exist."""
    with native(480) as port, connected(port, reals(LAYOUTS["random in 16 KB"][:999], ("DB77.DBD0:REAL",))) as ours:
        first = sum(int((part.quality == 0).sum()) for part in ours.read("normal", 0))
        second = sum(len(part) for part in ours.read("normal", 0))
    figures = f"{first} good in the first cycle, {second} read in the second"
    row("one wrong tag among 1000", figures, verdict(first == second == 999, "999 good in 1 cycle"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="how long the 32 PLCs are read")
    parser.add_argument("--away-s", type=float, default=60.0, help="the second outage of a PLC; the goal is 600")
    options = parser.parse_args()
    print(f"s7: {os.cpu_count()} cores, load average before {os.getloadavg()[0]:.1f}")
    jobs_a_cycle()
    cycle_time()
    outstanding()
    cpu_a_cycle()
    one_wrong_tag()
    with simulated(s7_program.PLCS + 1, 5, 480) as (ports, _):
        s7_program.run(ports, options.seconds, options.away_s)
    print(f"s7: load average after {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
