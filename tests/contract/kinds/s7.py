"""S7: python-snap7's own server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.contract.device import Around, Case, Device
from tests.plc.harness import Plc, tag


@contextmanager
def device(_around: Around) -> Iterator[Device]:
    plc = Plc().start()
    plc.write(1, 0, ">f", 6.25)
    yield Device(plc.source("x"), tag(1, "A", "x", "DB1.DBD0:REAL"), lambda value: plc.write(1, 0, ">f", value), plc.stop, plc.start)
    plc.stop()


CASE = Case(
    wrong="DB1,X0.9", right="M0.0", dead=lambda port: {"host": "127.0.0.1", "port": port, "timeout_s": 1.0, "slot": 1}, device=device
)
