"""Modbus TCP against an independent device: npm's modbus-serial. Values, qualities and times as sent."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from plc.connectors.modbus import ModbusConnector
from realtime import settings as settings_module
from realtime.bus import now_ms
from realtime.events import Quality, Reason, quality_byte
from realtime.snapshot import Source
from tests.plc.harness import free_port, tag
from tests.plc.test_modbus import Refusals, values

HERE = Path(__file__).parent
pytestmark = pytest.mark.peer

SENT: dict[str, float | str] = {
    "holding:0:float32": 6.25,
    "holding:2:float32:CDAB": 6.25,
    "holding:4:int16": -1234.0,
    "holding:5:int32": -2e9,
    "holding:10:float64": 1e-7,
    "holding:20:string[6]": "PUMP 7",
    "holding:30:uint64": float(2**45),
    "40005:int16": -1234.0,
    "holding:4.1": 1.0,  # -1234 is 0xFB2E
    "holding:4.0": 0.0,
    "u5/holding:7:uint16": 5007.0,
    "input:12:uint16": 112.0,
    "coil:9": 1.0,
    "coil:10": 0.0,
    "discrete:9": 1.0,
}


@pytest.fixture(scope="module")
def device() -> Iterator[Source]:
    process = subprocess.Popen(["node", str(HERE / "modbus_server.js"), str(free_port())], cwd=HERE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield Source(id=1, name="m", kind="modbus", config={"host": "127.0.0.1", "port": int(process.stdout.readline()), "timeout_s": 1.0})
    process.kill()
    process.wait()
    process.stdout.close()


def test_values_of_every_table_type_and_order_are_read_as_they_stand_there(device: Source) -> None:
    tags = [
        tag(i + 1, address, "m", address, kind="text" if isinstance(value, str) else "f64")
        for i, (address, value) in enumerate(SENT.items())
    ]
    report = Refusals()
    connector = ModbusConnector(device, settings_module.load({}, None), report)
    assert connector.plan(tags) == []
    connector.connect()
    before = now_ms()

    parts = connector.read("normal", 0)
    after = now_ms()
    connector.close()

    assert {tags[i - 1].name: value for i, (value, _) in values(parts).items()} == SENT
    assert {quality for _, quality in values(parts).values()} == {0}
    assert all(before <= t <= after for part in parts for t in part.t)
    assert connector.describe()["jobs"] == 5  # holding of two units, input, coils, discrete inputs
    assert report.reasons == []


def test_a_register_it_does_not_have_and_a_unit_that_is_silent_harm_nobody(device: Source) -> None:
    tags = [tag(1, "A", "m", "holding:0:float32"), tag(2, "B", "m", "holding:305:int16"), tag(3, "C", "m", "u9/holding:0:int16")]
    connector = ModbusConnector(device, settings_module.load({}, None), Refusals())
    connector.plan(tags)
    connector.connect()

    found = values(connector.read("normal", 0))
    again = values(connector.read("normal", 0))
    connector.close()

    assert found[1] == (6.25, 0)
    assert found[2][1] == quality_byte(Quality.BAD, Reason.CONFIG)
    assert found[3][1] == quality_byte(Quality.BAD, Reason.COMM)
    assert again == {1: (6.25, 0)}
