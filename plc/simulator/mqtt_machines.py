"""Rotating machines and instruments as MQTT publishers: JSON, QoS 1, on one connection to the plant's broker.

Topics and fields are those of DESIGN.md 4 (`readings/<tag>`, `machines/<id>`), behind MQTT_PREFIX.
"""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from plc.simulator.plant import Plant
from plc.simulator.signals import INSTRUMENTS

log = logging.getLogger("simulator.mqtt")

READING_EVERY_MS = 1_000
SEQ_WRAPS = 1 << 31  # a device counts its samples
QUEUED_AT_MOST = 2_000  # a few minutes of a broker that is away; a sensor has no more memory than that


class Publishers:
    """Publishes what the plant shows, each on its own grid of time; a source that is off stays silent."""

    source = "plant-mqtt"

    def __init__(self, plant: Plant, url: str, *, prefix: str = "", machine_every_ms: int = 3_000) -> None:
        self.plant = plant
        self.prefix = prefix
        self.machine_every_ms = machine_every_ms
        self.published = 0
        self.is_running = False
        self._url = urlsplit(url)
        self._client = self._connected_client()
        self._next = {READING_EVERY_MS: 0, -machine_every_ms: 0}

    def _connected_client(self) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="sightline-demo-plant")
        if self._url.username:
            client.username_pw_set(unquote(self._url.username), unquote(self._url.password or ""))
        if self._url.scheme == "mqtts":
            client.tls_set_context(ssl.create_default_context())
        client.max_queued_messages_set(QUEUED_AT_MOST)
        client.reconnect_delay_set(1, 5)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        return client

    @staticmethod
    def _on_connect(_client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.error("plant-mqtt: broker refused the user of the demo plant: %s", reason)
        else:
            log.info("plant-mqtt: connected")

    @staticmethod
    def _on_disconnect(_client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.warning("plant-mqtt: broker lost (%s); reconnecting", reason)

    def start(self, now: int) -> None:
        """Begin to publish; connects in the background and again whenever the broker was away."""
        self._next = {period: now - now % abs(period) for period in self._next}
        if not self._client.is_connected():
            self._client.connect_async(self._url.hostname or "127.0.0.1", self._url.port or 1883, keepalive=15)
            self._client.loop_start()
        self.is_running = True

    def stop(self) -> None:
        """Fall silent."""
        if not self.is_running:
            return
        self._client.disconnect()
        self._client.loop_stop()
        self.is_running = False

    def tick(self, now: int) -> None:
        """Publish what is due; after a pause of this program it goes on with the present, it makes nothing up."""
        for period, due in self._next.items():
            if self.is_running and now >= due:
                every = abs(period)
                at = now - now % every
                self._next[period] = at + every
                if period > 0:
                    self._publish_readings(at)
                else:
                    self._publish_machines(at)

    def _publish_readings(self, at: int) -> None:
        for signal in INSTRUMENTS:
            value = self.plant.value(signal.name, at)
            if value is not None:
                body = {
                    "tag": signal.name,
                    "timestamp": stamp(at),
                    "value": value,
                    "unit": signal.unit,
                    "seq": at // READING_EVERY_MS % SEQ_WRAPS,
                }
                self._publish(f"readings/{signal.name}", body)

    def _publish_machines(self, at: int) -> None:
        machines = sorted({name.partition(".")[0] for name in self.plant.signals if name.endswith(".rpm")})
        for code in machines:
            fields = ("temperature", "vibration", "current", "pressure", "rpm")
            values = {field: self.plant.value(f"{code}.{field}", at) for field in fields}
            heard = {field: value for field, value in values.items() if value is not None}
            if heard:
                self._publish(
                    f"machines/{code}",
                    {"machine_id": code, "timestamp": stamp(at), "seq": at // self.machine_every_ms % SEQ_WRAPS, **heard},
                )

    def _publish(self, topic: str, body: dict[str, Any]) -> None:
        self._client.publish(self.prefix + topic, orjson.dumps(body), qos=1)
        self.published += 1


def stamp(t_ms: int) -> str:
    """RFC 3339 with milliseconds, UTC."""
    return datetime.fromtimestamp(t_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
