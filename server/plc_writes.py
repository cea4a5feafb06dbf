"""Whether this instance writes to PLCs at all, the allow-list as the web process reads it, and the way of an order onto the bus.

Every web process reads the file anew for each question: it may neither write it nor keep an old copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis
from sqlalchemy import select
from sqlalchemy.orm import Session

from plc.addressing.write_list import WriteEntry, WriteList, WriteListError, WriteSource, parse
from realtime.bus import now_ms
from realtime.errors import BusUnavailable
from realtime.guarded_file import Unguarded, read_guarded
from realtime.plc_writes import EXPIRES_MS, LEASE, STOPPED, STREAM, STREAM_KEPT, WriteOrder, encode_order, signing_key, stop_file
from server.errors import Conflict
from server.models.plc_commands import PlcCommand, PlcStop
from server.services import Services


@dataclass(frozen=True, slots=True)
class Desk:
    """What is known of writing right now. why_off: why nothing is written, "" = it may be; weakness: of the list's protection."""

    why_off: str
    weakness: str
    listed: WriteList | None

    def entry(self, name: str) -> tuple[WriteEntry, WriteSource]:
        """An entry with its source; raises Conflict where nothing is written, or not this."""
        if self.why_off or self.listed is None:
            raise Conflict("writes_off", self.why_off or "no list")
        entry = self.listed.entries.get(name)
        if entry is None:
            raise Conflict("not_listed", "the allow-list names no such write")
        source = self.listed.sources[entry.source]
        if not source.enabled:
            raise Conflict("source_off", f"{source.name} is not enabled in the allow-list")
        return entry, source


def read(at: Services) -> Desk:
    """Settings and file as they are now; never raises."""
    if not at.settings.plc_writes:
        return Desk("writing to PLCs is off in the settings of this server (PLC_WRITES)", "", None)
    try:
        guarded = read_guarded(at.settings.plc_write_list, at.settings.data_dir)
        return Desk("", guarded.weakness, parse(guarded.text))
    except (Unguarded, WriteListError) as error:
        return Desk(f"the allow-list cannot be used: {error}", "", None)


def open_stop(session: Session) -> PlcStop | None:
    """The stop that stands."""
    return session.scalars(select(PlcStop).where(PlcStop.released_at.is_(None))).one_or_none()


def why_stopped(at: Services, session: Session) -> str:
    """The stop that stands, in words; "" = none."""
    stop = open_stop(session)
    if stop is not None:
        return f"{stop.stopped_by} stopped writing to PLCs: {stop.reason}"
    if stop_file(at.settings).exists():
        return "writing to PLCs is stopped on the server by the file that PLC_WRITE_STOP names"
    return ""


def is_running(at: Services) -> bool:
    """Whether a program that writes holds the lease; raises BusUnavailable."""
    try:
        return bool(at.bus.client.exists(at.bus.key(f"lease.{LEASE}")))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error


def check_may_write(at: Services, session: Session) -> None:
    """Raise Conflict while writing is stopped or nobody is there to do it."""
    stopped = why_stopped(at, session)
    if stopped:
        raise Conflict("stopped", stopped)
    if not is_running(at):
        raise Conflict("nobody_writes", "the program that writes (python -m plc.commands) does not run")


def send(at: Services, row: PlcCommand) -> None:
    """Sign the order and put it on the bus, good for EXPIRES_MS from now; raises BusUnavailable."""
    now = now_ms()
    order = WriteOrder(
        row.id, row.entry, row.value, row.digest, row.requested_by, row.confirmed_by or "", row.reason, now, now + EXPIRES_MS
    )
    fields = encode_order(order, signing_key(at.settings))
    try:
        at.bus.client.xadd(at.bus.key(STREAM), fields, maxlen=STREAM_KEPT, approximate=True)  # type: ignore[arg-type]
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error


def tell_stop(at: Services, *, stopped: bool) -> None:
    """Let the program that writes know at once; raises BusUnavailable."""
    try:
        if stopped:
            at.bus.client.set(at.bus.key(STOPPED), 1)
        else:
            at.bus.client.delete(at.bus.key(STOPPED))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
