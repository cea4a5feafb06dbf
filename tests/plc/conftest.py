"""Fixtures of the collector tests: no database, because collectors know none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime import settings as settings_module
from realtime.bus import Bus
from realtime.settings import Settings
from tests.plc.harness import Plc, Publisher, Tap, environment_of


@pytest.fixture
def plc_environment(redis_url: str, mqtt_url: str, bus_prefix: str, mqtt_prefix: str, tmp_path: Path) -> dict[str, str]:
    """Environment of `python -m plc` against this test's bus and broker."""
    return environment_of(
        REDIS_URL=redis_url, MQTT_URL=mqtt_url, MQTT_PREFIX=mqtt_prefix, BUS_PREFIX=bus_prefix, DATA_DIR=str(tmp_path / "var")
    )


@pytest.fixture
def plc_settings(plc_environment: dict[str, str]) -> Settings:
    """The same as Settings."""
    return settings_module.load(plc_environment, None)


@pytest.fixture
def tap(bus: Bus) -> Tap:
    """A tap on this test's bus."""
    return Tap(bus)


@pytest.fixture
def plc() -> Iterator[Plc]:
    """python-snap7's server with DB1 of 256 bytes, running."""
    server = Plc().start()
    yield server
    server.stop()


@pytest.fixture
def publisher(mqtt_url: str, mqtt_prefix: str) -> Iterator[Publisher]:
    """A client that publishes below this test's topic prefix."""
    client = Publisher(mqtt_url, mqtt_prefix)
    yield client
    client.close()
