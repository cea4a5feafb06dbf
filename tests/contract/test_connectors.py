"""What every connector of the table promises, whatever it speaks (plc.connector.Connector); a new row is tested by being there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import numpy as np
import pytest

from plc.connector import KINDS, Connector, LinkError, Readings
from realtime import settings as settings_module
from realtime.bus import now_ms
from realtime.settings import Settings
from realtime.snapshot import Source, Tag
from tests.plc.harness import Plc, Publisher, environment_of, free_port, tag
from tests.plc.test_opcua import URI, Printer

WRONG = {"s7": "DB1,X0.9", "mqtt": "plant/+", "opcua": "no node"}
DEAD = {
    "s7": lambda port: {"host": "127.0.0.1", "port": port, "timeout_s": 1.0},
    "mqtt": lambda port: {"url": f"mqtt://127.0.0.1:{port}"},
    "opcua": lambda port: {"url": f"opc.tcp://127.0.0.1:{port}/"},
}


class Refusals:
    """A report that keeps the reasons."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        self.reasons += [reason] * count

    def discovered(self, tag: str, value: float | str) -> None:
        self.reasons.append("unknown_tag")


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(kind: str, source: Source, settings: Settings | None = None) -> Connector:
    return KINDS[kind].load()(source, settings or settings_module.load({}, None), Refusals())


def test_every_kind_has_its_wrong_address_here() -> None:
    assert set(WRONG) == set(DEAD) == set(KINDS)


def test_a_wrong_address_is_handed_back_with_a_hint_and_the_others_are_taken(kind: str) -> None:
    right = {"s7": "M0.0", "mqtt": "", "opcua": "i=2258"}[kind]
    connector = made(kind, Source(id=1, name="x", kind=kind, config=DEAD[kind](free_port())))

    unusable = connector.plan([tag(1, "wrong", "x", WRONG[kind]), tag(2, "right", "x", right)])

    assert [t.name for t, _ in unusable] == ["wrong"]
    assert "at character" in unusable[0][1]


def test_nobody_there_is_a_link_error_soon_and_close_never_raises(kind: str) -> None:
    connector = made(kind, Source(id=1, name="x", kind=kind, config=DEAD[kind](free_port())))
    connector.plan([])
    started = time.monotonic()

    for _ in range(2):
        with pytest.raises(LinkError) as caught:
            connector.connect()
        connector.close()
    connector.close()

    assert caught.value.reason == "refused"
    assert caught.value.remedy
    assert time.monotonic() - started < 20


def test_what_health_shows_is_plain_json_before_and_after_a_link(kind: str) -> None:
    connector = made(kind, Source(id=1, name="x", kind=kind, config=DEAD[kind](free_port())))

    assert isinstance(json.loads(json.dumps(connector.describe())), dict)


@pytest.fixture
def live(kind: str, mqtt_url: str, mqtt_prefix: str, bus_prefix: str) -> Iterator[tuple[Connector, Tag]]:
    """A connected connector of the kind with one number tag whose device keeps saying 6.25."""
    environment = environment_of(MQTT_URL=mqtt_url, MQTT_PREFIX=mqtt_prefix, BUS_PREFIX=bus_prefix)
    settings = settings_module.load(environment, None)
    if kind == "s7":
        plc = Plc().start()
        plc.write(1, 0, ">f", 6.25)
        source, number = plc.source("x"), tag(1, "A", "x", "DB1.DBD0:REAL")
        stop = plc.stop
    elif kind == "mqtt":
        publisher = Publisher(mqtt_url, mqtt_prefix)
        publisher.send("readings/A", {"tag": "A", "timestamp": now_ms(), "value": 6.25}, retain=True).wait_for_publish(5)
        source, number = Source(id=1, name="x", kind="mqtt"), tag(1, "A", "x")
        stop = publisher.close
    else:
        printer = Printer()
        printer.start()
        printer.write("power", 6.25)
        source, number = printer.source, tag(1, "A", "printer", f"nsu={URI};s=power")
        stop = printer.close
    connector = made(kind, source, settings)
    connector.plan([number])
    connector.connect()
    yield connector, number
    connector.close()
    stop()


def first(connector: Connector, group: str) -> Readings:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for part in connector.read(group, 0.1):
            if len(part):
                return part
    raise AssertionError("nothing was read within 10 s")


def test_a_live_link_gives_columns_of_the_promised_types(live: tuple[Connector, Tag]) -> None:
    connector, number = live

    part = first(connector, number.group)
    connector.confirm()

    assert isinstance(part.values, np.ndarray)
    assert [c.dtype for c in (part.ids, part.t, part.values, part.quality, part.seq)] == ["u4", "i8", "f8", "u1", "u4"]
    assert (part.ids[0], part.values[0], part.quality[0], part.kind) == (1, 6.25, 0, "f64")
    assert abs(int(part.t[0]) - now_ms()) < 60_000


def test_a_new_plan_does_not_drop_the_link(live: tuple[Connector, Tag]) -> None:
    connector, number = live
    first(connector, number.group)

    connector.plan([number, tag(2, "B", number.source or "", number.address)])
    connector.read(number.group, 0.1)

    connector.confirm()
