"""S7 connector: classic S7 protocol (ISO on TCP) to S7-300/400/1200/1500; polled.

Source time is our clock at the middle of the job, because the protocol carries none. It cannot see optimized blocks,
symbolic names, or what happened between two polls. See docs/siemens.md for what the CPU must allow.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from plc.addressing.errors import AddressError
from plc.connector import LinkError, Readings, Report, bad_samples
from plc.connectors.s7_cycle import Cycle, Slot, slot_of
from plc.connectors.s7_link import PDU_ASKED, S7Link, item_error
from plc.planner import Job, plan
from realtime.bus import now_ms
from realtime.events import Reason
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.s7")

RETRY_BAD_S = 60.0


@dataclass(slots=True)
class Group:
    """The tags polled together and the jobs they make; `live` are the slots that answer, in the order of the jobs' members."""

    slots: list[Slot]
    live: list[Slot] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    retry_at: float = float("inf")


class S7Connector:
    """One PLC. config: host, port 102, rack 0, slot 1, pdu 960, timeout_s 2."""

    def __init__(self, source: Source, _settings: Settings, report: Report) -> None:
        self.name = source.name
        self.config = source.config
        self.report = report
        self._link: S7Link | None = None
        self._groups: dict[str, Group] = {}

    def connect(self) -> None:
        """Open the link at the PDU the CPU grants; raises LinkError."""
        config = self.config
        link = S7Link(
            str(config.get("host", "")),
            int(config.get("port", 102)),
            int(config.get("rack", 0)),
            int(config.get("slot", 1)),
            timeout_s=float(config.get("timeout_s", 2.0)),
            pdu=int(config.get("pdu", PDU_ASKED)),
        )
        link.open()
        self._link = link
        log.info("%s: connected to %s, PDU %d", self.name, link.where, link.pdu)
        for group in self._groups.values():
            for slot in group.slots:
                slot.error = None  # a download may have mended it
            self._compile(group)

    def plan(self, tags: Sequence[Tag]) -> list[tuple[Tag, str]]:
        """Compile tags by group; the link stays."""
        unusable: list[tuple[Tag, str]] = []
        slots: dict[str, list[Slot]] = {}
        for tag in tags:
            if tag.virtual:
                continue
            try:
                slots.setdefault(tag.group, []).append(slot_of(tag))
            except AddressError as error:
                unusable.append((tag, f"address {tag.address!r}: {error}"))
        self._groups = {name: Group(members) for name, members in slots.items()}
        for group in self._groups.values():
            self._compile(group)
        return unusable

    def _compile(self, group: Group) -> None:
        pdu = self._link.pdu if self._link else PDU_ASKED
        group.live = [slot for slot in group.slots if slot.error is None]
        group.jobs = plan([slot.span for slot in group.live], pdu)
        group.retry_at = time.monotonic() + RETRY_BAD_S if len(group.live) < len(group.slots) else float("inf")

    def read(self, group: str, timeout_s: float) -> list[Readings]:
        """Poll one group; a wrong address among its tags is isolated within the same cycle."""
        polled = self._groups.get(group)
        if polled is None:
            return []
        if self._link is None:
            raise LinkError("protocol", "not connected")
        cycle = Cycle(self._link)
        cycle.run(polled.live, polled.jobs)
        if cycle.suspects:
            self._isolate(polled, cycle)
        if time.monotonic() >= polled.retry_at:
            self._retry(polled, cycle)
        lost = [slot.tag for slot in polled.slots if slot in cycle.failed]
        return cycle.readings() + bad_samples(lost, now_ms(), Reason.CONFIG)

    def _isolate(self, group: Group, cycle: Cycle) -> None:
        """Read the tags of a failed item one by one: those that fail alone are bad until the next retry."""
        suspects = list(dict.fromkeys(cycle.suspects))
        failed = cycle.run_alone(suspects, self._pdu())
        for slot, code in failed:
            slot.error = item_error(code)
            cycle.failed.append(slot)
        if not failed:  # bytes between them cannot be read: never merge these again
            for slot in suspects:
                slot.span = replace(slot.span, alone=True)
        else:
            self._tell(failed)
        self._compile(group)

    def _retry(self, group: Group, cycle: Cycle) -> None:
        bad = [slot for slot in group.slots if slot.error is not None and slot not in cycle.failed]
        still = [slot for slot, _ in cycle.run_alone(bad, self._pdu())]
        cycle.failed += still
        for slot in bad:
            if slot not in still:
                slot.error = None
                log.info("%s: %s can be read again", self.name, slot.tag.name)
        self._compile(group)

    def _pdu(self) -> int:
        return self._link.pdu if self._link else PDU_ASKED

    def _tell(self, failed: Sequence[tuple[Slot, int]]) -> None:
        first, code = failed[0]
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        log.error(
            "%s: %s at %s%s cannot be read: %s; check the address", self.name, first.tag.name, first.tag.address, more, item_error(code)
        )
        self.report.reject("bad_address", len(failed), sample=f"{first.tag.name} {first.tag.address}: {item_error(code)}".encode())

    def confirm(self) -> None:
        """A PLC wants no acknowledgement."""

    def idle(self, timeout_s: float) -> None:
        """Never asked: what was read is spooled."""

    def close(self) -> None:
        """Drop the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def quiet_s(self) -> float | None:
        """A PLC is asked; it does not speak by itself."""
        return None

    def describe(self) -> dict[str, str | int | float]:
        """PDU, requests so far, jobs a cycle, tags that cannot be read."""
        bad = sum(slot.error is not None for group in self._groups.values() for slot in group.slots)
        jobs = sum(len(group.jobs) for group in self._groups.values())
        return {"pdu": self._link.pdu if self._link else 0, "requests": self._link.jobs if self._link else 0, "jobs": jobs, "bad_tags": bad}
