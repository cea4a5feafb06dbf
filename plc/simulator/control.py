"""Faults by command: reads the command stream, keeps the plant's list of faults, copies it to the bus for people to see.

Consumes `simulator.fault` and `simulator.clear`. The key `simulator.faults` is for GET /api/simulator; no detector may read it.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import Any, cast

import redis

from plc.simulator.faults import fault_from
from plc.simulator.plant import Plant
from realtime.bus import COMMANDS, Bus, Entry, now_ms
from realtime.codec import decode_command
from realtime.consumer import Consumer
from realtime.errors import BusUnavailable, DecodeError
from realtime.events import Command
from realtime.supervise import backoff

log = logging.getLogger("simulator.control")

FAULTS_KEY = "simulator.faults"
BLOCK_MS = 500


class Control:
    """A thread between the bus and the plant; the bus may be away, the plant goes on."""

    def __init__(self, bus: Bus, plant: Plant) -> None:
        self.bus = bus
        self.plant = plant
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._published: str | None = None

    def start(self) -> None:
        """Begin to read commands."""
        self._thread.start()

    def stop(self) -> None:
        """End within a second or two."""
        self._stop.set()
        self._thread.join(3.0)

    def _run(self) -> None:
        consumer = Consumer(self.bus, [COMMANDS], "simulator")
        waits = backoff()
        remembered = False
        while not self._stop.is_set():
            try:
                if not remembered:
                    consumer.ensure_groups()
                    self._remember()
                    remembered = True
                self._handle(consumer, consumer.read(count=50, block_ms=BLOCK_MS))
                self.publish()
                waits = backoff()
            except BusUnavailable as error:
                self._published = None
                log.warning("%s; retrying", error)
                self._stop.wait(next(waits))

    def _remember(self) -> None:
        """Faults that stood when this program was killed still stand: the plant does not heal by a restart."""
        try:
            raw = cast("bytes | None", self.bus.client.get(self.bus.key(FAULTS_KEY)))
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error
        for body in json.loads(raw) if raw else []:
            if "refused" not in body:
                self._inject(body)

    def _handle(self, consumer: Consumer, entries: list[Entry]) -> None:
        for entry in entries:
            try:
                self.apply(decode_command(entry.fields))
            except DecodeError as error:
                self.bus.dead_letter(entry, "simulator", error.reason)
        if entries:
            self.publish()
            consumer.ack(entries)

    def apply(self, command: Command) -> None:
        """Do what a command says; one that is meant for another program is passed over."""
        if command.name == "simulator.fault":
            self._inject(command.data)
        elif command.name == "simulator.clear":
            self.plant.clear(str(command.data.get("id")))
            log.info("fault %s cleared", command.data.get("id"))

    def _inject(self, body: dict[str, Any]) -> None:
        try:
            fault = fault_from(body, now_ms())
        except (KeyError, ValueError, TypeError) as error:
            log.warning("fault refused: %s: %s", type(error).__name__, error)
            return
        refused = self.plant.inject(fault)
        if refused:
            log.warning("fault %s on %s refused: %s", fault.kind, fault.target, refused)
        else:
            log.info("fault %s: %s on %s", fault.id, fault.kind, fault.target)

    def publish(self) -> None:
        """Write the list when it changed; raises BusUnavailable."""
        text = json.dumps(self.plant.bodies(now_ms()))
        if text == self._published:
            return
        try:
            self.bus.client.set(self.bus.key(FAULTS_KEY), text)
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error
        self._published = text
