"""The press line as an S7 controller: DB10 and the memory bits on a python-snap7 server, bound to loopback.

M20.7 is maint_request, which people may ask for by a guarded write (docs/plc-writes.md); the press only notes it.
DB10: 0.0 running BOOL, 2 status and 4 fault_code INT, 6 cycles DINT, 10 pressure, 14 oil_temperature, 18 motor_current REAL, 22 stroke INT.
"""

from __future__ import annotations

import logging
import struct
import threading
from typing import Any

from snap7.datatypes import S7Area, S7WordLen
from snap7.error import S7Error
from snap7.server import CPUState, Server
from snap7.type import SrvArea

from plc.simulator.plant import Plant

log = logging.getLogger("simulator.s7")

DB = 10
DB_SIZE = 24
MEMORY_BITS = 64  # bytes
EVERY_MS = 100
STROKE_RAW, STROKE_MM = 27648.0, 400.0  # the analogue input card's full scale


class Controller(Server):
    """A python-snap7 server that does two things as a CPU does them: a BIT write changes one bit, and it tells RUN from STOP."""

    def __init__(self) -> None:
        super().__init__(log=False)
        self._asked = threading.local()

    def _parse_address_specification(self, addr_spec: bytes) -> dict[str, Any]:
        found: dict[str, Any] = super()._parse_address_specification(addr_spec)
        self._asked.bit = addr_spec[11] & 7 if found.get("word_len") == S7WordLen.BIT else None
        return found

    def _write_to_memory_area(self, area: S7Area, db_number: int, start: int, write_data: bytearray) -> bool:
        bit: int | None = self._asked.bit
        if bit is None:
            return bool(super()._write_to_memory_area(area, db_number, start, write_data))
        memory = self.memory_areas.get((area, db_number))
        if memory is None or start >= len(memory):
            return False
        with self.area_locks[area, db_number]:
            memory[start] = memory[start] | 1 << bit if write_data[0] & 1 else memory[start] & ~(1 << bit)
        return True

    def _get_szl_data(self, szl_id: int, szl_index: int) -> bytes | None:
        if szl_id != 0x0424:
            found: bytes | None = super()._get_szl_data(szl_id, szl_index)
            return found
        mode = 0x08 if self.cpu_state == CPUState.RUN else 0x04
        return struct.pack(">HHHBB16x", 20, 1, 0x5144, 0xFF, mode)  # one record: event, priority, mode of operation


class PressController:
    """Serves the plant's press; a stopped controller really closes its port."""

    source = "press-s7"

    def __init__(self, plant: Plant, port: int) -> None:
        self.plant = plant
        self.port = port
        self.memory = bytearray(DB_SIZE)
        self.bits = bytearray(MEMORY_BITS)
        self._server: Server | None = None
        self._written = 0

    @property
    def is_running(self) -> bool:
        """True while the port is open."""
        return self._server is not None

    def start(self, now: int) -> None:
        """Open the port; raises OSError when it cannot."""
        self._write(now)
        server = Controller()  # a new one each time: an old one's client threads must not wake up again
        server.register_area(SrvArea.DB, DB, self.memory)
        server.register_area(SrvArea.MK, 0, self.bits)
        try:
            server.start_to("127.0.0.1", self.port)
        except S7Error as error:
            raise OSError(f"S7 server on port {self.port}: {error}") from error
        self._server = server
        log.info("press-s7: S7 server on 127.0.0.1:%d", self.port)

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.stop()
            self._server.destroy()
            self._server = None
            log.info("press-s7: S7 server stopped")

    def tick(self, now: int) -> None:
        """Bring DB10 up to date, at most every EVERY_MS."""
        if self._server is not None and now - self._written >= EVERY_MS:
            self._server.lock_area(SrvArea.DB, DB)
            try:
                self._write(now)
            finally:
                self._server.unlock_area(SrvArea.DB, DB)

    def _write(self, now: int) -> None:
        self._written = now
        self.memory[:] = image(self.plant, now)


def image(plant: Plant, now: int) -> bytes:
    """The bytes of DB10 at a time. Analogues change once a second, as the card converts; bits at once."""
    state = plant.press_state(now)
    second = now - now % 1000
    analogues = [plant.value(f"PL-1.{name}", second) or 0.0 for name in ("pressure", "oil_temperature", "motor_current", "stroke")]
    return struct.pack(
        ">Bxhhifffh",
        int(state["PL-1.running"]),
        int(state["PL-1.status"]),
        int(state["PL-1.fault_code"]),
        int(state["PL-1.cycles"]),
        *analogues[:3],
        min(32767, round(analogues[3] / STROKE_MM * STROKE_RAW)),
    )
