"""Modbus TCP connector: devices and gateways with units behind them; polled.

Source time is our clock at the middle of the request. It cannot see what happened between two polls, nor whether a device means
its value: a register that is never updated looks like one that does not change.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from plc.addressing.errors import AddressError
from plc.addressing.modbus import ORDERS
from plc.connector import LinkError, Readings, Report
from plc.connectors.modbus_link import EXCEPTIONS, ModbusLink, Silent
from plc.connectors.modbus_plan import MOST_REGISTERS, Block, Place, blocks
from plc.connectors.modbus_poll import Poll, Slot, SlowLane, listed, slot_of
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.modbus")

RETRY_BAD_S = 60.0


@dataclass(slots=True)
class Group:
    """The tags polled together and the reads they make; members of `reads` index `live`."""

    slots: list[Slot]
    live: list[Slot] = field(default_factory=list)
    reads: list[Block] = field(default_factory=list)
    retry_at: float = float("inf")


class ModbusConnector:
    """One device or gateway. config: host, port 502, unit 1, order ABCD, base 0, timeout_s 1, gap 10, max_registers 125."""

    def __init__(self, source: Source, _settings: Settings, report: Report) -> None:
        self.name = source.name
        self.config = source.config
        self.report = report
        self._link: ModbusLink | None = None
        self._groups: dict[str, Group] = {}
        self._lane = SlowLane(source.name, report)
        self._unit, self._base = 1, 1 if str(source.config.get("base", 0)) == "1" else 0
        self._gap, self._most = 10, MOST_REGISTERS

    def connect(self) -> None:
        """Open the connection; raises LinkError."""
        try:
            self._unit = int(self.config.get("unit", 1))
            self._gap, self._most = int(self.config.get("gap", 10)), int(self.config.get("max_registers", MOST_REGISTERS))
            link = ModbusLink(str(self.config.get("host", "")), int(self.config.get("port", 502)), float(self.config.get("timeout_s", 1.0)))
        except (TypeError, ValueError) as error:
            raise LinkError("config", f"source settings: {error}", "port, unit, base, gap and max_registers are whole numbers") from error
        if (
            self._order() not in ORDERS
            or not 4 <= self._most <= MOST_REGISTERS
            or str(self.config.get("base", 0)) not in {"0", "1"}
            or not 0 <= self._gap <= 100
        ):
            raise LinkError(
                "config", "source settings", "order ABCD, CDAB, BADC or DCBA; max_registers 4 to 125; base 0 or 1; gap 0 to 100"
            )
        link.open()
        self._link = link
        self._lane.clear()
        for group in self._groups.values():
            for slot in group.slots:
                slot.error = ""
            self._compile(group)
        log.info("%s: connected to %s", self.name, link.where)

    def _order(self) -> str:
        return str(self.config.get("order") or "ABCD").upper()

    def greet(self) -> None:
        """Ask the source's own unit for a register: an exception is an answer too, but for those of a gateway without the unit."""
        if self._link is None:
            raise LinkError("protocol", "not connected")
        remedy = "check the unit, and that the device behind the gateway is on"
        try:
            answer = self._link.read(Block(self._unit, "holding", 0, 1, False, ()))
        except Silent as error:
            raise LinkError("silent", f"{self._link.where}: connected, but unit {self._unit} does not answer", remedy) from error
        if answer in {10, 11}:
            raise LinkError("silent", f"{self._link.where}: unit {self._unit}: {EXCEPTIONS[int(answer)]}", remedy)

    def plan(self, tags: Sequence[Tag]) -> list[tuple[Tag, str]]:
        """Compile tags by group; the link stays."""
        unusable: list[tuple[Tag, str]] = []
        slots: dict[str, list[Slot]] = {}
        for tag in tags:
            if tag.virtual:
                continue
            try:
                slots.setdefault(tag.group, []).append(slot_of(tag, self._base))
            except AddressError as error:
                unusable.append((tag, f"address {tag.address!r}: {error}"))
        self._groups = {name: Group(members) for name, members in slots.items()}
        if self._link is not None:
            for group in self._groups.values():
                self._compile(group)
        return unusable

    def _compile(self, group: Group) -> None:
        """Reads of the tags that answer, with the source's own unit and counting put in."""
        group.live = [slot for slot in group.slots if not slot.error]
        places, shut = ([self._placed(slot) for slot in group.slots if bool(slot.error) is is_shut] for is_shut in (False, True))
        group.reads = blocks(places, self._gap, self._most, shut)
        group.retry_at = time.monotonic() + RETRY_BAD_S if len(group.live) < len(group.slots) else float("inf")

    def _placed(self, slot: Slot) -> Place:
        unit = self._unit if slot.address.unit is None else slot.address.unit
        return replace(slot.place, unit=unit, start=slot.place.start - self._base)

    def read(self, group: str, timeout_s: float) -> list[Readings]:
        """Poll one group. A unit that is silent is left to the slow lane; all of them silent is a LinkError."""
        polled, link = self._groups.get(group), self._link
        if polled is None:
            return []
        if link is None:
            raise LinkError("protocol", "not connected")
        poll = Poll(link, polled.live, self._lane, self._order(), self._alone)
        for block in polled.reads:
            poll.take(block)
        if time.monotonic() >= polled.retry_at:
            polled.retry_at = time.monotonic() + RETRY_BAD_S
            poll.retry([slot for slot in polled.slots if slot.error and slot not in polled.live])
        if poll.is_changed:
            self._compile(polled)
        if poll.silent and all(self._lane.is_asleep(unit) for unit in self._units()):
            detail = f"{link.where}: no unit answers ({listed(poll.silent)})"
            raise LinkError("timeout", detail, "check the unit number and the line behind the gateway")
        return poll.readings()

    def _units(self) -> set[int]:
        return {self._placed(slot).unit for group in self._groups.values() for slot in group.slots}

    def _alone(self, slot: Slot) -> Block:
        """A read of this tag and nothing else."""
        return blocks([self._placed(slot)], 0, MOST_REGISTERS)[0]

    def troubles(self) -> dict[str, str]:
        """Tags that cannot be read at present, with the reason."""
        found = {slot.tag.name: slot.error for group in self._groups.values() for slot in group.slots if slot.error}
        if self._link is None:
            return found
        slots = [slot for group in self._groups.values() for slot in group.slots if not slot.error]
        return found | {slot.tag.name: "its unit does not answer" for slot in slots if self._lane.is_asleep(self._placed(slot).unit)}

    def confirm(self) -> None:
        """A device wants no acknowledgement."""

    def idle(self, timeout_s: float) -> None:
        """Never asked: what was read is spooled."""

    def close(self) -> None:
        """Drop the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def quiet_s(self) -> float | None:
        """A device is asked; it does not speak by itself."""
        return None

    def describe(self) -> dict[str, str | int | float]:
        """Requests so far, reads a cycle, tags that cannot be read, units that are silent."""
        groups = self._groups.values()
        return {
            "requests": self._link.requests if self._link else 0,
            "jobs": sum(len(group.reads) for group in groups),
            "bad_tags": sum(bool(slot.error) for group in groups for slot in group.slots),
            "silent_units": listed(self._lane.units()),
        }
