"""The instance tells its state on MQTT, retained, and the broker itself says `down` when the teller dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from server.beacon import TOPIC, Beacon
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def heard(mqtt_url: str, mqtt_prefix: str) -> Iterator[list[str]]:
    """Status words that a stack light hears, in order."""
    words: list[str] = []
    parts = urlsplit(mqtt_url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    client.on_message = lambda _client, _data, message: words.extend([json.loads(message.payload)["status"]] if message.payload else [])
    client.on_connect = lambda c, *_: c.subscribe(f"{mqtt_prefix}{TOPIC}", qos=1)
    client.connect(parts.hostname or "", parts.port or 1883)
    client.loop_start()
    yield words
    client.publish(f"{mqtt_prefix}{TOPIC}", b"", retain=True)
    client.disconnect()
    client.loop_stop()


@pytest.fixture
def beacon(mqtt_url: str, mqtt_prefix: str, bus_prefix: str) -> Iterator[Beacon]:
    made = Beacon(mqtt_url, mqtt_prefix, bus_prefix)
    yield made
    made.close()


def until_heard(beacon: Beacon, word: str, heard: list[str]) -> None:
    def told() -> bool:
        beacon.tell(word, NOW)
        return word in heard

    wait_for(told, 20, f"the word {word}")


def test_a_changed_state_is_told_at_once_and_the_same_one_is_not_repeated_every_second(beacon: Beacon, heard: list[str]) -> None:
    until_heard(beacon, "ok", heard)
    beacon.tell("ok", NOW)
    until_heard(beacon, "degraded", heard)

    assert [word for word in heard if word != "down"] == ["ok", "degraded"]


def test_who_comes_later_learns_the_state_that_stands(beacon: Beacon, mqtt_url: str, mqtt_prefix: str, heard: list[str]) -> None:
    until_heard(beacon, "ok", heard)
    late: list[str] = []
    parts = urlsplit(mqtt_url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    client.on_message = lambda _client, _data, message: late.append(json.loads(message.payload)["status"] if message.retain else "fresh")
    client.connect(parts.hostname or "", parts.port or 1883)
    client.subscribe(f"{mqtt_prefix}{TOPIC}", qos=1)
    client.loop_start()

    wait_for(lambda: bool(late), 20, "the retained state")

    client.disconnect()
    client.loop_stop()
    assert late[0] == "ok"


def test_leaving_lets_the_broker_say_down(mqtt_url: str, mqtt_prefix: str, bus_prefix: str, heard: list[str]) -> None:
    beacon = Beacon(mqtt_url, mqtt_prefix, bus_prefix)
    until_heard(beacon, "ok", heard)

    beacon.close()

    wait_for(lambda: heard[-1] == "down", 20, "the last will")


@pytest.mark.owns_services
def test_a_killed_worker_is_down_on_mqtt(environment: dict[str, str], mqtt_url: str, heard: list[str]) -> None:
    worker = subprocess.Popen([sys.executable, "-m", "server.worker"], env=os.environ | environment | {"MQTT_URL": mqtt_url}, cwd=ROOT)
    try:
        wait_for(lambda: bool(heard) and heard[-1] in {"ok", "degraded"}, 40, "the worker's state")
        worker.kill()
        wait_for(lambda: heard[-1] == "down", 20, "the last will")
    finally:
        worker.kill()
        worker.wait()


def test_a_broker_that_is_away_costs_nothing(mqtt_prefix: str) -> None:
    beacon = Beacon("mqtt://127.0.0.1:1", mqtt_prefix, "nobody")

    beacon.tell("ok", NOW)
    told = beacon._told
    beacon.close()

    assert told is None  # nothing was said, so it will be said when the broker is there
