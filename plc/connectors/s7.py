"""S7 connector: classic S7 protocol (ISO on TCP) to S7-300/400/1200/1500; polled.

Source time is our clock at the middle of the job, because the protocol carries none. It cannot see optimized blocks,
symbolic names, or what happened between two polls. See docs/siemens.md for what the CPU must allow.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from plc.addressing.errors import AddressError
from plc.connector import Branch, LinkError, Readings, Report, bad_samples
from plc.connectors.s7_cycle import Bundle, Cycle, Slot, single, slot_of, together
from plc.connectors.s7_diagnosis import Diagnosis
from plc.connectors.s7_link import PDU_ASKED, S7Link
from plc.connectors.s7_system import cpu_state, list_blocks, stopped
from plc.planner import Job, max_item_bytes, plan
from realtime.bus import now_ms
from realtime.events import Reason
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.s7")

RETRY_BAD_S = 60.0
STATE_EVERY_S = 3.0  # RUN or STOP is one job
STATE_TRIES = 2
FIGURES = ("min", "max", "mean", "std")
AREA_NAMES = {"I": "inputs", "Q": "outputs", "M": "memory bits", "T": "timers (S7-300/400)", "C": "counters (S7-300/400)"}


@dataclass(slots=True)
class Group:
    """The tags polled together and the jobs they make; `bundles` are the slots that answer, in the order of the jobs' members."""

    slots: list[Slot]
    is_consistent: bool = False
    bundles: list[Bundle] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    torn: int = 0  # tags of a consistent group that one job cannot carry together
    retry_at: float = float("inf")
    next_job: int = 0  # where a cycle that made way for a faster group goes on
    suspects: list[Slot] = field(default_factory=list)  # found in what is done of it


def link_of(config: Mapping[str, Any]) -> S7Link:
    """A link that is not open yet, as a source's config says; raises LinkError (config)."""
    try:
        return S7Link(
            str(config.get("host", "")),
            int(config.get("port", 102)),
            int(config.get("rack", 0)),
            int(config.get("slot", 1)),
            timeout_s=float(config.get("timeout_s", 1.5)),
            pdu=int(config.get("pdu", PDU_ASKED)),
            max_jobs=int(config.get("max_jobs", 1)),
        )
    except (TypeError, ValueError) as error:
        raise LinkError("config", f"source settings: {error}", "port, rack, slot, pdu and max_jobs are whole numbers") from error


class S7Connector:
    """One PLC. config: host, port 102, rack 0, slot 1, pdu 960, timeout_s 1.5, max_jobs 1, consistent [] (names of groups)."""

    def __init__(self, source: Source, _settings: Settings, report: Report) -> None:
        self.name = source.name
        self.config = source.config
        self.report = report
        self._link: S7Link | None = None
        self._groups: dict[str, Group] = {}
        self._state_failures = 0  # in a row: the link broke over the question for RUN or STOP
        self._state_at = 0.0

    def connect(self) -> None:
        """Open the link at the PDU and the number of jobs the CPU grants; raises LinkError, also for a CPU in STOP."""
        link = link_of(self.config)
        link.open()
        self._link = link
        log.info("%s: connected to %s, PDU %d, %d job(s) at once", self.name, link.where, link.pdu, link.window)
        self._see_that_it_runs(link)
        for group in self._groups.values():
            for slot in group.slots:
                slot.error = None  # a download may have mended it
            group.torn = 0
            self._compile(group)

    def _see_that_it_runs(self, link: S7Link) -> None:
        """Raise LinkError while the CPU is in STOP: its values stand still. A CPU that does not tell is asked no more."""
        self._state_at = time.monotonic() + STATE_EVERY_S
        if self._state_failures >= STATE_TRIES:
            return
        try:
            state = cpu_state(link)
        except LinkError:
            self._state_failures += 1  # some devices drop the link, or say nothing at all
            raise
        self._state_failures = STATE_TRIES if state == "unknown" else 0
        if state == "stop":
            raise stopped(link)

    def plan(self, tags: Sequence[Tag]) -> list[tuple[Tag, str]]:
        """Compile tags by group; the link stays."""
        unusable: list[tuple[Tag, str]] = []
        slots: dict[str, list[Slot]] = {}
        by_name = {tag.name: tag for tag in tags if tag.virtual}
        for tag in tags:
            if tag.virtual:
                continue
            figures = [(name, by_name[f"{tag.name}.{name}"]) for name in FIGURES if f"{tag.name}.{name}" in by_name]
            try:
                slots.setdefault(tag.group, []).append(slot_of(tag, figures))
            except AddressError as error:
                unusable.append((tag, f"address {tag.address!r}: {error}"))
        kept = self.config.get("consistent") or ()
        self._groups = {name: Group(members, kept is True or name in kept) for name, members in slots.items()}
        for group in self._groups.values():
            self._compile(group)
        return unusable

    def _compile(self, group: Group) -> None:
        group.next_job, group.suspects = 0, []
        pdu = self._link.pdu if self._link else PDU_ASKED
        live = [slot for slot in group.slots if slot.error is None]
        torn_before, group.torn = group.torn, 0
        if group.is_consistent:
            group.bundles, group.torn = together(live, max_item_bytes(pdu))
        else:
            group.bundles = single(live)
        if group.torn and group.torn != torn_before and self._link:
            log.warning(
                "%s: %d tags of consistent group %s lie farther apart than the %d bytes one job carries: they are read in several; "
                "move them together in their block",
                self.name, group.torn, group.slots[0].tag.group, max_item_bytes(pdu),
            )  # fmt: skip
        group.jobs = plan([bundle.span for bundle in group.bundles], pdu)
        group.retry_at = time.monotonic() + RETRY_BAD_S if len(live) < len(group.slots) else float("inf")

    def read(self, group: str, timeout_s: float) -> list[Readings]:
        """Poll one group, or of its jobs what timeout_s allows; a wrong address is isolated within the same cycle.

        What breaks the link is counted by reason.
        """
        polled = self._groups.get(group)
        if polled is None:
            return []
        if self._link is None:
            raise LinkError("protocol", "not connected")
        try:
            cycle = self._poll(self._link, polled, time.monotonic() + timeout_s if timeout_s > 0 else float("inf"))
        except LinkError as error:
            self.report.reject(error.reason, sample=str(error).encode())
            raise
        for reason, sample in cycle.refused:
            self.report.reject(reason, sample=sample.encode())
        lost = [tag for slot in cycle.failed for tag in (slot.tag, *(figure for _, figure in slot.statistics))]
        return cycle.readings() + bad_samples(lost, now_ms(), Reason.CONFIG)

    def is_unfinished(self, group: str) -> bool:
        """Whether the group's cycle made way for a faster one."""
        return group in self._groups and self._groups[group].next_job > 0

    def _poll(self, link: S7Link, polled: Group, until: float) -> Cycle:
        if time.monotonic() >= self._state_at:
            self._see_that_it_runs(link)
        cycle = Cycle(link)
        cycle.suspects, polled.suspects = polled.suspects, []
        after = cycle.run(polled.bundles, polled.jobs, polled.next_job, until)
        if after < len(polled.jobs):
            polled.next_job, polled.suspects = after, cycle.suspects
            return cycle
        polled.next_job = 0
        if cycle.suspects:
            self._isolate(polled, cycle)
        if time.monotonic() >= polled.retry_at:
            self._retry(polled, cycle)
        return cycle

    def _isolate(self, group: Group, cycle: Cycle) -> None:
        """Read the tags of a failed item one by one: those that fail alone are bad until the next retry."""
        suspects = list(dict.fromkeys(cycle.suspects))
        failed = cycle.run_alone(suspects)
        diagnosis = Diagnosis(cycle.link)
        for slot, code in failed:
            slot.error = diagnosis.of(slot.address, code)
            cycle.failed.append(slot)
        if not failed:  # bytes between them cannot be read: never merge these again
            for slot in suspects:
                slot.span = replace(slot.span, alone=True)
        else:
            self._tell(cycle.failed)
        self._compile(group)

    def _retry(self, group: Group, cycle: Cycle) -> None:
        bad = [slot for slot in group.slots if slot.error is not None and slot not in cycle.failed]
        still = [slot for slot, _ in cycle.run_alone(bad)]
        cycle.failed += still
        for slot in bad:
            if slot not in still:
                slot.error = None
                log.info("%s: %s can be read again", self.name, slot.tag.name)
        self._compile(group)

    def _tell(self, failed: Sequence[Slot]) -> None:
        """One line and one count for each reason, whatever the number of tags."""
        by_reason: dict[str, list[Slot]] = {}
        for slot in failed:
            if slot.error is not None:
                by_reason.setdefault(slot.error.reason, []).append(slot)
        for reason, slots in by_reason.items():
            more = f" and {len(slots) - 1} more" if len(slots) > 1 else ""
            log.error("%s: tag %s%s cannot be read: %s", self.name, slots[0].tag.name, more, slots[0].error)
            self.report.reject(reason, len(slots), sample=f"{slots[0].tag.name} {slots[0].error}".encode())

    def troubles(self) -> dict[str, str]:
        """Tags that cannot be read at present, with the reason and the remedy."""
        errors = [(slot.tag.name, slot.error) for group in self._groups.values() for slot in group.slots]
        return {name: f"{error.reason}: {error}" for name, error in errors if error is not None}

    def browse(self, path: str) -> list[Branch]:
        """The areas at the top, the data blocks with their sizes below `DB`; raises LinkError where the CPU does not tell."""
        if path != "DB":
            areas = [Branch(name=name, detail=text) for name, text in AREA_NAMES.items()]
            return [] if path else [Branch(name="DB", path="DB", detail="data blocks"), *areas]
        if self._link is None:
            raise LinkError("protocol", "not connected")
        return [Branch(name=f"DB{block.number}", detail=f"{block.size} bytes" if block.size else "") for block in list_blocks(self._link)]

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
        """PDU, jobs out at a time, requests so far, jobs a cycle, tags that cannot be read, tags of consistent groups that are torn."""
        link, groups = self._link, self._groups.values()
        return {
            "pdu": link.pdu if link else 0,
            "at_once": link.window if link else 0,
            "requests": link.jobs if link else 0,
            "jobs": sum(len(group.jobs) for group in groups),
            "bad_tags": sum(slot.error is not None for group in groups for slot in group.slots),
            "torn_tags": sum(group.torn for group in groups),
        }
