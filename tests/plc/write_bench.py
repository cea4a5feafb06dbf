"""What the tests of guarded writes share: a PLC that counts the writes that reach it, an allow-list, and signed orders."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from snap7.datatypes import S7Area
from snap7.type import SrvArea

from plc.simulator.s7_server import Controller
from realtime.bus import Bus, now_ms
from realtime.plc_writes import EXPIRES_MS, STREAM, WriteOrder, encode_order, signing_key
from realtime.settings import Settings
from realtime.snapshot import Asset, Maintenance, Snapshot, Tag
from tests.plc.harness import free_port

RUNNING, FAULT = "DB1.DBX0.0:BOOL", "DB1.DBW2:INT"
REQUEST, SPEED = "M20.7:BOOL", "DB1.DBD4:REAL"


class CountingCpu(Controller):
    """A controller that keeps every write, and can lose its answer or its connection in the midst of one."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[tuple[int, int | None, bytes]] = []  # byte, bit, data
        self.lose: list[str] = []  # what becomes of the next writes: "answer", "all", "" for nothing

    def _write_to_memory_area(self, area: S7Area, db_number: int, start: int, write_data: bytearray) -> bool:
        fate = self.lose.pop(0) if self.lose else ""
        if fate == "all":
            raise ConnectionResetError
        self.writes.append((start, self._asked.bit, bytes(write_data)))
        done = super()._write_to_memory_area(area, db_number, start, write_data)
        if fate == "answer":
            raise ConnectionResetError
        return done

    def _handle_write_area(self, request: dict[str, Any], client_address: tuple[str, int]) -> bytes:
        lost = bool(self.lose and self.lose[0])
        answer: bytes = super()._handle_write_area(request, client_address)
        return b"" if lost else answer  # no S7 answer at all


class Plc:
    """The counting CPU with DB1 and memory bits; `db[1]` bit 0 of byte 0 is running."""

    def __init__(self) -> None:
        self.port = free_port()
        self.db, self.bits = bytearray(64), bytearray(64)
        self.cpu = CountingCpu()
        self.cpu.register_area(SrvArea.DB, 1, self.db)
        self.cpu.register_area(SrvArea.MK, 0, self.bits)
        self.cpu.start_to("127.0.0.1", self.port)
        self.lock = threading.Lock()

    def stop(self) -> None:
        """Close the port."""
        self.cpu.stop()
        self.cpu.destroy()

    @property
    def requested(self) -> int:
        """The request bit."""
        return self.bits[20] >> 7


def entry(name: str, **more: Any) -> dict[str, Any]:
    """One row of the list: set the request bit."""
    return {
        "name": name,
        "machine": "PRESS",
        "source": "press",
        "tag": "PRESS.request",
        "address": REQUEST,
        "label": "Ask the press",
        "effect": "It stops after its stroke",
        "values": [True, False],
        **more,
    }


def listed(port: int, **more: Any) -> dict[str, Any]:
    """A whole list: `set`, `pulse`, `speed`, `guarded` (only while stopped), `critical`."""
    source = {"kind": "s7", "enabled": True, "host": "127.0.0.1", "port": port, "timeout_s": 1.0}
    reads = {"PRESS.running": RUNNING, "PRESS.fault": FAULT}
    writes = [
        entry("set"),
        entry("pulse", values=[True], mode="pulse", ms=50),
        entry("speed", tag="PRESS.speed", address=SPEED, values=None, range=[0, 100]),
        entry("guarded", only_if="PRESS.running == false and PRESS.fault == 0"),
        entry("critical", **{"class": "critical"}),
    ]
    rows = [{key: value for key, value in row.items() if value is not None} for row in writes]
    return {"sources": {"press": {**source, "reads": reads, **more}}, "writes": rows}


def put(path: Path, body: dict[str, Any]) -> None:
    """Write the list as an operator would: read-only."""
    path.unlink(missing_ok=True)
    path.write_text(yaml.safe_dump(body), "utf-8")
    path.chmod(0o444)


def snapshot(*in_work: int) -> Snapshot:
    """PRESS (2) is part of a line (1) and has a motor (3); `in_work` are in maintenance mode."""
    assets = [
        Asset(id=1, code="LINE", name="Line"),
        Asset(id=2, code="PRESS", name="Press", parent=1),
        Asset(id=3, code="MOTOR", name="Motor", parent=2),
        Asset(id=4, code="OTHER", name="Other"),
    ]
    names = ("PRESS.request", "PRESS.speed")
    tags = [Tag(id=n, name=name, asset=2, shard=2, unit="", source="press") for n, name in enumerate(names, 1)]
    windows = [Maintenance(asset=asset, until=now_ms() + 3_600_000) for asset in in_work]
    return Snapshot(version=now_ms(), assets=assets, tags=tags, maintenance=windows)


class Orders:
    """Sends orders as the server does."""

    def __init__(self, settings: Settings, bus: Bus, digest: str) -> None:
        self.settings, self.bus, self.digest = settings, bus, digest
        self._id = os.getpid() * 1000

    def order(self, name: str, value: float = 1.0, **more: Any) -> WriteOrder:
        """A fresh order."""
        self._id += 1
        now = now_ms()
        made = WriteOrder(self._id, name, value, self.digest, "Asker", "Asker", "test", now, now + EXPIRES_MS)
        return replace(made, **more)

    def fields(self, order: WriteOrder) -> dict[bytes, bytes]:
        """As a consumer gets it."""
        return {key.encode(): value for key, value in encode_order(order, signing_key(self.settings)).items()}

    def send(self, order: WriteOrder) -> WriteOrder:
        """Onto the stream."""
        self.bus.client.xadd(self.bus.key(STREAM), encode_order(order, signing_key(self.settings)))  # type: ignore[arg-type]
        return order
