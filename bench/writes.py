"""Bits of the PLC that our bit writes revert, beside python-snap7's own way (read the byte, change it, write it back) on the same PLC.

    .venv/bin/python -m bench.writes [--writes 50000]

The PLC is the simulator's controller in a process of its own; its program toggles bit 0 of the byte all the while and counts how often it
finds the bit other than it left it. We write bit 7. The goal is 0 of 50,000 (PROTOCOLS.md 9); the library reverts some.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from snap7.client import Client  # noqa: E402
from snap7.type import SrvArea  # noqa: E402

from plc.connectors.s7_write import S7Writer  # noqa: E402
from plc.simulator.s7_server import Controller  # noqa: E402
from realtime.embedded.mqtt_broker import free_port  # noqa: E402

BYTE, OURS, PLCS = 20, 7, 0
TOGGLE_S = 0.0001


def plc(port: int) -> None:
    """The PLC: serves DB1, toggles its own bit until stdin closes, then prints what it found."""
    memory = bytearray(64)
    server = Controller()
    server.register_area(SrvArea.DB, 1, memory)
    server.start_to("127.0.0.1", port)
    stop = threading.Event()
    found = {"toggles": 0, "reverted": 0}

    def program() -> None:
        mine = 0
        lock = next(iter(server.area_locks.values()))
        while not stop.wait(TOGGLE_S):
            with lock:
                found["reverted"] += (memory[BYTE] >> PLCS & 1) != mine
                mine ^= 1
                memory[BYTE] = memory[BYTE] & ~(1 << PLCS) | mine << PLCS
            found["toggles"] += 1

    thread = threading.Thread(target=program)
    thread.start()
    print("ready", flush=True)
    sys.stdin.read()
    stop.set()
    thread.join()
    server.stop()
    print(json.dumps(found), flush=True)


def ours(port: int, writes: int) -> None:
    """BIT writes, as plc/commands.py makes them."""
    writer = S7Writer({"host": "127.0.0.1", "port": port, "timeout_s": 10})
    writer.open()
    for number in range(writes):
        writer.write(f"DB1.DBX{BYTE}.{OURS}", number & 1)
    writer.close()


def librarys(port: int, writes: int) -> None:
    """`db_write_bool` of python-snap7."""
    client = Client()
    client.connect("127.0.0.1", 0, 1, port)
    for number in range(writes):
        client.db_write_bool(1, BYTE, OURS, bool(number & 1))
    client.disconnect()


def measured(name: str, way: Any, writes: int) -> dict[str, Any]:
    """One way against a fresh PLC."""
    port = free_port()
    child = subprocess.Popen([sys.executable, __file__, "--plc", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    started = time.perf_counter()
    way(port, writes)
    seconds = time.perf_counter() - started
    said, _ = child.communicate()
    found = {"way": name, "writes": writes, "writes_s": round(writes / seconds), **json.loads(said)}
    shown = f"{found['reverted']} of {writes} reverted the PLC's bit ({found['toggles']} toggles), {found['writes_s']}/s"
    print(f"{name:44} {shown}; load {os.getloadavg()[0]:.1f}", flush=True)
    return found


def main() -> int:
    """0 when ours reverted none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=50_000)
    parser.add_argument("--plc", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plc is not None:
        plc(options.plc)
        return 0
    mine = measured("ours: BIT write", ours, options.writes)
    measured("python-snap7 db_write_bool: byte read, written", librarys, options.writes)
    return 1 if mine["reverted"] else 0


if __name__ == "__main__":
    sys.exit(main())
