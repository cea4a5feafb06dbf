"""Modbus TCP: a device of our own; tests/peers holds the connector against npm's modbus-serial."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.contract.device import Around, Case, Device
from tests.plc.harness import tag
from tests.plc.modbus_device import ModbusDevice, registers_of


@contextmanager
def device(_around: Around) -> Iterator[Device]:
    made = ModbusDevice().start()

    def say(value: float) -> None:
        made.holding[1][10:12] = registers_of(">f", value)

    say(6.25)
    yield Device(made.source("x"), tag(1, "A", "x", "holding:10:float32"), say, made.stop, made.start)
    made.stop()


CASE = Case(wrong="holding:70000:int16", right="holding:0:int16", dead=lambda port: {"host": "127.0.0.1", "port": port}, device=device)
