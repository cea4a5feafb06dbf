"""Says on MQTT how this instance does: `sightline/status`, retained, with a last will, for stack lights and boards that speak MQTT.

`{"status": "ok" | "degraded" | "down", "at": RFC 3339, "instance": BUS_PREFIX}`. The broker says `down` itself when the leader's connection
breaks (keep-alive 5 s, so within 7.5 s). It listens to nothing and decides nothing.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from server.timestamps import rfc3339

log = logging.getLogger("worker")

TOPIC = "sightline/status"
KEEP_ALIVE_S = 5
REPEAT_S = 30.0


class Beacon:
    """One connection to the broker; `tell` from the leader's clock. A broker that is away costs nothing: paho comes back by itself."""

    def __init__(self, url: str, prefix: str, instance: str) -> None:
        parts = urlsplit(url)
        self._topic = f"{prefix}{TOPIC}"
        self._instance = instance
        self._told: tuple[str, datetime] | None = None
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{instance}-status")
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set()
        self._client.will_set(self._topic, self._message("down", None), qos=1, retain=True)
        self._client.on_connect = self._connected
        self._client.reconnect_delay_set(1, 8)
        self._client.connect_async(parts.hostname or "127.0.0.1", parts.port or (8883 if parts.scheme == "mqtts" else 1883), KEEP_ALIVE_S)
        self._client.loop_start()

    def tell(self, word: str, now: datetime) -> None:
        """Publish a changed word at once, the same one every 30 s."""
        if self._told is not None and self._told[0] == word and (now - self._told[1]).total_seconds() < REPEAT_S:
            return
        if self._client.is_connected():
            self._client.publish(self._topic, self._message(word, now), qos=1, retain=True)
            self._told = (word, now)

    def close(self) -> None:
        """Leave without farewell: the broker sends the last will, since nobody leads for the moment."""
        self._client.loop_stop()
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _connected(self, *_: object) -> None:
        self._told = None  # the will may stand there: say again what is so

    def _message(self, word: str, now: datetime | None) -> str:
        return json.dumps({"status": word, "at": None if now is None else rfc3339(now), "instance": self._instance})
