"""The demo plant as a program: `python -m plc.simulator` runs it, `--history HOURS` writes its past to stdout instead.

Ports come from DATA_DIR/run/simulator.json, faults from the bus. It publishes what it simulates; it never touches history or alerts.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Protocol

from plc.simulator import history
from plc.simulator.control import Control
from plc.simulator.mqtt_machines import Publishers
from plc.simulator.opcua_printer import Printer
from plc.simulator.plant import Plant
from plc.simulator.s7_server import PressController
from realtime import settings as config
from realtime.bus import Bus, connect, now_ms
from realtime.errors import SettingsError
from realtime.snapshot import load_copy
from realtime.supervise import Heartbeat, configure_logging, stop_event

log = logging.getLogger("simulator")

TICK_S = 0.05
RETRY_MS = 2_000


class Device(Protocol):
    """One simulated device: opens and closes its port, brings its values up to date on each tick.

    start() may take several calls until `is_running`; it raises OSError when the port cannot be opened. stop() may come at any time.
    """

    source: str

    @property
    def is_running(self) -> bool: ...

    def start(self, now: int) -> None: ...

    def stop(self) -> None: ...

    def tick(self, now: int) -> None: ...


class Switchboard:
    """Starts and stops the devices as the plant's faults say, and retries a port that is taken."""

    def __init__(self, plant: Plant, devices: list[Device]) -> None:
        self.plant = plant
        self.devices = devices
        self._retry_at: dict[str, int] = {}

    def tick(self, now: int) -> None:
        """One step of every device."""
        off = self.plant.sources_off(now)
        for device in self.devices:
            if device.source in off:
                device.stop()
            elif device.is_running:
                device.tick(now)
            elif now >= self._retry_at.get(device.source, 0):
                self._start(device, now)

    def _start(self, device: Device, now: int) -> None:
        try:
            device.start(now)
        except OSError as error:
            if device.source not in self._retry_at:
                log.warning("%s: %s; retrying", device.source, error)
            self._retry_at[device.source] = now + RETRY_MS
        else:
            self._retry_at.pop(device.source, None)

    def stop(self) -> None:
        """Stop every device."""
        for device in self.devices:
            device.stop()


def device_url(settings: config.Settings) -> str:
    """Where the demo's own devices publish: the embedded broker's user `plant`, or MQTT_URL."""
    path = settings.run_dir / "endpoints.json"
    endpoints = json.loads(path.read_text("utf-8")) if path.exists() else {}
    own = endpoints.get("mqtt_device_url")
    if own and settings.mqtt_url == endpoints.get("mqtt_url"):
        return str(own)
    config.require(settings, "mqtt_url")
    return str(settings.mqtt_url)


def ports(run_dir: Path) -> tuple[int, int]:
    """S7 and OPC UA port; raises SettingsError where run.py has not written them."""
    path = run_dir / "simulator.json"
    try:
        found = json.loads(path.read_text("utf-8"))
        return int(found["s7_port"]), int(found["opcua_port"])
    except (OSError, ValueError, KeyError) as error:
        raise SettingsError("DEMO", f"{path} does not hold s7_port and opcua_port; run.py writes it") from error


def run(settings: config.Settings, stop: threading.Event) -> None:
    """The live plant until stopped or DURATION_MINUTES are over."""
    config.require(settings, "redis_url")
    s7_port, opcua_port = ports(settings.run_dir)
    plant = Plant(settings.num_machines)
    bus = Bus(connect(str(settings.redis_url)), settings.bus_prefix, settings.bus_max_mb)
    control = Control(bus, plant)
    publishers = Publishers(plant, device_url(settings), prefix=settings.mqtt_prefix, machine_every_ms=round(settings.interval_s * 1000))
    printer = Printer(plant, opcua_port)
    board = Switchboard(plant, [PressController(plant, s7_port), publishers, printer])
    heartbeat = Heartbeat(bus, "simulator")
    ends = None if settings.duration_minutes is None else time.monotonic() + settings.duration_minutes * 60
    control.start()
    try:
        while not stop.wait(TICK_S) and (ends is None or time.monotonic() < ends):
            now = now_ms()
            board.tick(now)
            heartbeat.beat(
                faults=len(plant.active(now)), published=publishers.published, running=[d.source for d in board.devices if d.is_running]
            )
    finally:
        board.stop()
        printer.close()
        control.stop()
    log.info("stopped")


def write_history(hours: float, end: int, snapshot_path: Path) -> None:
    """The plant's past to stdout, for `python -m realtime.backfill`."""
    snapshot = load_copy(snapshot_path)
    if snapshot is None:
        raise SettingsError("--snapshot", f"{snapshot_path} does not exist")
    rows = history.write(history.batches(snapshot, hours, end), sys.stdout.buffer)
    log.info("history: %d readings over %g h", rows, hours)


def main() -> int:
    """Entry point of `python -m plc.simulator`."""
    parser = argparse.ArgumentParser(prog="python -m plc.simulator", description="the demo plant")
    parser.add_argument("--history", type=float, metavar="HOURS", help="write the past to stdout and exit")
    parser.add_argument("--end", type=int, metavar="MS", help="end of the history, ms UTC; now where left out")
    parser.add_argument("--snapshot", type=Path, metavar="PATH", help="plant snapshot with the tag ids")
    args = parser.parse_args()
    configure_logging()
    logging.getLogger("asyncua").setLevel(logging.ERROR)  # it warns that loopback is not encrypted
    try:
        if args.history is not None:
            if args.snapshot is None:
                parser.error("--history needs --snapshot")
            write_history(args.history, args.end or now_ms(), args.snapshot)
        else:
            run(config.load(), stop_event())
    except SettingsError as error:
        log.error("%s", error)  # noqa: TRY400 - one line; the traceback would add nothing
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
