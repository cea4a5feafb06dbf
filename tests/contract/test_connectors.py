"""What every connector of the table promises, whatever it speaks (plc.connector.Connector).

A new row is tested by being there: tests/contract/kinds/<kind>.py has its device.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from plc.connector import KINDS, Connector, LinkError, Readings
from plc.runner import SourceRunner
from realtime import settings as settings_module
from realtime.bus import Bus, now_ms
from realtime.embedded.home import Home
from realtime.events import Quality, Reason, SignalName, quality_byte
from realtime.settings import Settings
from realtime.snapshot import Source
from tests.contract.device import Around, Case, Device
from tests.plc.harness import ROOT, Tap, environment_of, free_port, tag
from tests.waiting import wait_for

COMM = quality_byte(Quality.BAD, Reason.COMM)
LIBRARIES = {"s7": "snap7", "mqtt": "paho", "opcua": "asyncua", "opcua_server": "asyncua", "modbus": "pymodbus"}


def case_of(kind: str) -> Case:
    case = import_module(f"tests.contract.kinds.{kind}").CASE
    assert isinstance(case, Case)
    return case


class Refusals:
    """A report that keeps the reasons."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        self.reasons += [reason] * count

    def discovered(self, tag: str, value: float | str) -> None:
        self.reasons.append("unknown_tag")


@pytest.fixture(params=sorted(KINDS), scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(kind: str, source: Source, settings: Settings | None = None) -> Connector:
    return KINDS[kind].load()(source, settings or settings_module.load({}, None), Refusals())


def nobody(kind: str) -> Source:
    """A source where nobody listens."""
    return Source(id=1, name="x", kind=kind, config=case_of(kind).dead(free_port()))


def test_a_kind_has_its_addressing_its_words_in_the_guide_and_its_device_here(kind: str) -> None:
    parse = import_module(f"plc.addressing.{kind}").parse

    assert callable(parse)
    assert f"`{kind}`" in (ROOT / "docs" / "connectors.md").read_text("utf-8")
    assert (Path(__file__).parent / "kinds" / f"{kind}.py").exists()


def test_a_kind_is_one_line_of_the_table_and_loads_no_library_of_another(kind: str) -> None:
    others = [library for name, library in LIBRARIES.items() if name != kind and library != LIBRARIES.get(kind)]
    code = f"import sys, plc.connector\nplc.connector.KINDS[{kind!r}].load()\nprint([m for m in {others} if m in sys.modules])"

    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout

    if kind not in {"sparkplug"}:  # speaks over MQTT and so by its library
        assert said.strip() == "[]"


def test_a_connector_has_every_method_of_the_seam_and_no_other_timing(kind: str) -> None:
    connector = KINDS[kind].load()

    for name, method in inspect.getmembers(Connector, inspect.isfunction):
        if not name.startswith("_"):
            ours = inspect.signature(getattr(connector, name))
            assert list(ours.parameters) == list(inspect.signature(method).parameters), name


def test_a_wrong_address_is_handed_back_with_a_hint_and_the_others_are_taken(kind: str) -> None:
    case = case_of(kind)

    unusable = made(kind, nobody(kind)).plan([tag(1, "wrong", "x", case.wrong), tag(2, "right", "x", case.right)])

    assert [t.name for t, _ in unusable] == ["wrong"]
    assert "at character" in unusable[0][1]


def test_nobody_there_is_a_link_error_soon_and_close_never_raises(kind: str) -> None:
    connector = made(kind, nobody(kind))
    connector.close()
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


def test_what_health_shows_is_plain_json_without_a_link(kind: str) -> None:
    described = made(kind, nobody(kind)).describe()

    assert json.loads(json.dumps(described)) == described


@pytest.fixture(scope="module")
def around(mqtt_url: str, services_home: Home) -> Around:
    return Around(mqtt_url, "contract/", "contract", services_home)


@pytest.fixture(scope="module")
def device(kind: str, around: Around) -> Iterator[Device]:
    """A real device of the kind with one number tag that says 6.25."""
    with case_of(kind).device(around) as living:
        yield living


@pytest.fixture
def settings(around: Around, tmp_path: Path) -> Settings:
    environment = environment_of(
        MQTT_URL=around.mqtt_url, MQTT_PREFIX=around.mqtt_prefix, BUS_PREFIX=around.bus_prefix, DATA_DIR=str(tmp_path)
    )
    return settings_module.load(environment, None)


@pytest.fixture
def live(kind: str, device: Device, settings: Settings) -> Iterator[Connector]:
    """A connected connector that reads the device's tag."""
    device.say(6.25)
    connector = made(kind, device.source, settings)
    connector.plan([device.tag])
    connector.connect()
    yield connector
    connector.close()


def first(connector: Connector, group: str) -> Readings:
    def read() -> Readings | None:
        return next((part for part in connector.read(group, 0.1) if len(part) and not part.quality.any()), None)

    return wait_for(read, what="a good reading")


def test_a_live_link_gives_columns_of_the_promised_types(live: Connector, device: Device) -> None:
    part = first(live, device.tag.group)
    live.confirm()

    assert isinstance(part.values, np.ndarray)
    assert [c.dtype for c in (part.ids, part.t, part.values, part.quality, part.seq)] == ["u4", "i8", "f8", "u1", "u4"]
    assert (part.ids[0], part.values[0], part.quality[0], part.kind) == (1, 6.25, 0, "f64")
    assert abs(int(part.t[0]) - now_ms()) < 60_000


def test_a_new_plan_does_not_drop_the_link(live: Connector, device: Device) -> None:
    first(live, device.tag.group)

    live.plan([device.tag, tag(2, "B", device.tag.source or "", device.tag.address)])
    live.read(device.tag.group, 0.1)

    live.confirm()


def test_what_health_shows_of_a_link_is_plain_json(live: Connector, device: Device) -> None:
    first(live, device.tag.group)
    described = live.describe()

    assert json.loads(json.dumps(described)) == described


def test_a_closed_link_may_be_opened_again(live: Connector, device: Device) -> None:
    first(live, device.tag.group)
    live.close()
    live.close()
    live.connect()
    device.say(6.25)

    first(live, device.tag.group)


@pytest.fixture
def running(kind: str, device: Device, settings: Settings, bus: Bus) -> Iterator[Callable[[], SourceRunner]]:
    """Starts the runner of the device's source."""
    started: list[SourceRunner] = []

    def start() -> SourceRunner:
        runner = SourceRunner(KINDS[kind], device.source, [device.tag], settings, bus)
        runner.start()
        started.append(runner)
        return runner

    yield start
    for runner in started:
        runner.stop(10)


def test_a_dead_link_is_one_bad_sample_a_tag_and_one_signal_and_recovers_by_itself(
    device: Device, running: Callable[[], SourceRunner], tap: Tap
) -> None:
    device.say(6.25)
    runner = running()
    wait_for(lambda: runner.state == "live" and tap.samples(1), what="the link")
    device.say(6.5)
    wait_for(lambda: tap.good(1), what="a good reading")

    device.stop()
    wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=20, what="source.lost")
    device.start()
    wait_for(lambda: tap.signals(SignalName.SOURCE_RECOVERED), timeout_s=30, what="source.recovered")
    since = len(tap.good(1))
    device.say(7.25)
    wait_for(lambda: [s for s in tap.good(1)[since:] if s.value == 7.25], what="a good reading again")

    told = [sample for sample in tap.samples(1) if "replay" not in sample.flags]  # a replay may say exactly since when
    assert [sample.quality for sample in told if sample.quality & 3 == Quality.BAD] == [COMM]
    assert [signal.name for signal in tap.signals()] == [SignalName.SOURCE_LOST, SignalName.SOURCE_RECOVERED]
