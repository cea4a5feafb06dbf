"""The press line as an S7 controller: DB10 on a python-snap7 server, bound to loopback.

DB10: 0.0 running BOOL, 2 status and 4 fault_code INT, 6 cycles DINT, 10 pressure, 14 oil_temperature, 18 motor_current REAL, 22 stroke INT.
"""

from __future__ import annotations

import logging
import struct

from snap7.error import S7Error
from snap7.server import Server
from snap7.type import SrvArea

from plc.simulator.plant import Plant

log = logging.getLogger("simulator.s7")

DB = 10
DB_SIZE = 24
EVERY_MS = 100
STROKE_RAW, STROKE_MM = 27648.0, 400.0  # the analogue input card's full scale


class PressController:
    """Serves the plant's press; a stopped controller really closes its port."""

    source = "press-s7"

    def __init__(self, plant: Plant, port: int) -> None:
        self.plant = plant
        self.port = port
        self.memory = bytearray(DB_SIZE)
        self._server: Server | None = None
        self._written = 0

    @property
    def is_running(self) -> bool:
        """True while the port is open."""
        return self._server is not None

    def start(self, now: int) -> None:
        """Open the port; raises OSError when it cannot."""
        self._write(now)
        server = Server(log=False)  # a new one each time: an old one's client threads must not wake up again
        server.register_area(SrvArea.DB, DB, self.memory)
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
