"""OPC UA: asyncua's own server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.contract.device import Around, Case, Device
from tests.plc.harness import tag
from tests.plc.test_opcua import URI, Printer


@contextmanager
def device(_around: Around) -> Iterator[Device]:
    printer = Printer()
    printer.start()
    printer.write("power", 6.25)
    number = tag(1, "A", "printer", f"nsu={URI};s=power")
    yield Device(printer.source, number, lambda value: printer.write("power", value), printer.stop, printer.start)
    printer.close()


CASE = Case(wrong="no node", right="i=2258", dead=lambda port: {"url": f"opc.tcp://127.0.0.1:{port}/"}, device=device)
