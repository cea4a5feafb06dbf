"""A Sparkplug edge node whose every message the test decides: right ones by default, wrong ones when told."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from plc.connectors.sparkplug_codec import TYPES, Wire, decode
from realtime.bus import now_ms
from tests.waiting import wait_for

FIELDS = {"Float": "float_value", "Double": "double_value", "Boolean": "boolean_value"}
OPAQUE = {"DataSet": "dataset_value", "Template": "template_value", "String": "string_value"}
LONG = {"Int64", "UInt64", "DateTime"}


def metric(name: str = "", value: Any = None, kind: str = "Double", **more: Any) -> dict[str, Any]:
    """One metric; value None is null, ... none at all. more: alias, timestamp, is_historical, quality."""
    return {"name": name, "value": value, "kind": kind, **more}


def encoded(metrics: Sequence[dict[str, Any]], *, seq: int | None, t: int | None = None) -> bytes:
    """A payload of these metrics."""
    payload = Wire(timestamp=now_ms() if t is None else t)
    if seq is not None:
        payload.seq = seq
    for one in metrics:
        made = payload.metrics.add()
        if one["name"]:
            made.name = one["name"].encode()
        for field in ("alias", "timestamp", "is_historical"):
            if field in one:
                setattr(made, field, one[field])
        kind = one["kind"]
        if kind:
            made.datatype = TYPES[kind]
        if "quality" in one:
            made.properties.keys.append(b"Quality")
            made.properties.values.add(type=3, int_value=one["quality"])
        _put(made, kind, one["value"])
    return bytes(payload.SerializeToString())


def _put(made: Any, kind: str, value: Any) -> None:
    if value is ...:
        return
    if value is None:
        made.is_null = True
    elif isinstance(value, bytes):
        setattr(made, OPAQUE.get(kind, "bytes_value"), value)
    elif isinstance(value, str):
        made.string_value = value.encode()
    elif kind in FIELDS:
        setattr(made, FIELDS[kind], value)
    elif kind in LONG:
        made.long_value = value & 0xFFFFFFFFFFFFFFFF
    else:
        made.int_value = value & 0xFFFFFFFF


class EdgeNode:
    """A node on a broker. `births`: its metrics by device ("" = its own), sent anew whenever a host asks for it."""

    def __init__(self, url: str, group: str, name: str, births: dict[str, list[dict[str, Any]]], *, bdseq: int = 0) -> None:
        self.group, self.name, self.births, self.bdseq = group, name, births, bdseq
        self.seq = 0
        self.rebirths = 0
        self.is_obedient = True
        self._lock = threading.RLock()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        parts = urlsplit(url)
        if parts.username:
            self.client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        self.client.will_set(self.topic("NDEATH"), self._death(), qos=0)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.connect(parts.hostname or "", parts.port or 1883, keepalive=5)
        self.client.loop_start()
        wait_for(self.client.is_connected, what="the node's connection")

    def topic(self, kind: str, device: str = "") -> str:
        """Where a message of a kind is said."""
        return f"spBv1.0/{self.group}/{kind}/{self.name}" + (f"/{device}" if device else "")

    def _death(self) -> bytes:
        return encoded([metric("bdSeq", self.bdseq, "UInt64")], seq=None)

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(self.topic("NCMD"), 0)
        self.birth()

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        if any(one.name == "Node Control/Rebirth" and one.value for one in decode(message.payload).metrics):
            self.rebirths += 1
            if self.is_obedient:
                self.birth()

    def birth(self) -> None:
        """NBIRTH, and a DBIRTH for each device."""
        with self._lock:
            self.seq = 0
            own = [metric("bdSeq", self.bdseq, "UInt64"), metric("Node Control/Rebirth", value=False, kind="Boolean")]
            self.say("NBIRTH", [*own, *self.births.get("", [])])
            for device, metrics in self.births.items():
                if device:
                    self.say("DBIRTH", metrics, device)

    def say(self, kind: str, metrics: Sequence[dict[str, Any]], device: str = "", *, seq: int | None = -1, t: int | None = None) -> None:
        """One message with the next seq, or the given one (None = none), which then counts on from there."""
        with self._lock:
            number = self.seq if seq == -1 else seq
            if number is not None:
                self.seq = (number + 1) % 256
            self.raw(kind, encoded(metrics, seq=number, t=t), device)

    def raw(self, kind: str, body: bytes, device: str = "", *, retain: bool = False) -> None:
        """Bytes as they are."""
        self.client.publish(self.topic(kind, device), body, qos=0, retain=retain)

    def die(self) -> None:
        """Gone without a word: the broker says its will."""
        self.client.loop_stop()
        sock = self.client.socket()
        if sock is not None:
            sock.close()

    def close(self) -> None:
        """Disconnect in order; no will."""
        self.client.disconnect()
        self.client.loop_stop()
