"""Guarded writes, a program of its own: `python -m plc.commands`. The only one that opens a write connection; off unless PLC_WRITES=1.

It believes nobody: each order is checked against its own reading of the allow-list, its age, the stop, the rate and the PLC itself.
Nothing waits for it: what was sent while it was away is refused. `python -m plc.commands check` reads every listed address once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import redis

from plc.addressing.write_list import WriteEntry, WriteSource
from plc.collector import Seat
from plc.connector import KINDS, LinkError
from plc.follow import Follower
from plc.write_act import Deed, Found, Refusal, carry_out, take_back
from plc.write_checks import Rate, family_in_work, load_list
from realtime import settings as settings_module
from realtime.bus import Bus, connect, now_ms
from realtime.errors import BusUnavailable, DecodeError, SettingsError
from realtime.lease import Lease
from realtime.plc_writes import DONE, LEASE, PROGRAM, STOPPED, STREAM, WriteOrder, WriteResult, decode_order, signing_key, stop_file
from realtime.settings import Settings
from realtime.supervise import Heartbeat, configure_logging, stop_event

log = logging.getLogger("plc.commands")

TURN_MS = 200
LEASE_MS = 5_000
CLOCKS_MS = 2_000  # an order from the future: the clocks of two machines differ
SEEN_S = 120
FORGED_EVERY_S = 10.0
LEFT_EVERY_S = 10.0


class Desk:
    """Takes orders from the end of the stream while it holds the lease; hands results to the worker."""

    def __init__(self, settings: Settings, bus: Bus) -> None:
        self.settings = settings
        self.bus = bus
        self.holds = False
        self._key = signing_key(settings)
        self._seat = Seat(settings.run_dir, PROGRAM)  # the successor of one that was killed need not wait for its lease
        self._lease = Lease(bus, LEASE, self._seat.name, LEASE_MS)
        self._since = now_ms()  # nothing issued before is carried out
        self._at: bytes | None = None  # stream id of the last entry seen; None = the end, whatever that is
        self._rate = Rate()
        self._results: deque[WriteResult] = deque(maxlen=1000)
        self._follower = Follower(bus, settings.data_dir / "plc" / "config-commands.json")
        self._heartbeat = Heartbeat(bus, PROGRAM)
        self._pulse = settings.data_dir / "plc" / "pulse.json"
        self._forged_at = float("-inf")
        self._left_at = float("-inf")
        self.counts = {"written": 0, "refused": 0, "unknown": 0}

    def run(self, stop: threading.Event) -> None:
        """Until stop; a bus that is away loses nothing but the orders sent meanwhile."""
        away = False
        while not stop.is_set():
            try:
                self.turn()
                away = False
            except BusUnavailable as error:
                if not away:
                    log.warning("%s; nothing is written until it is back", error)
                away, self.holds, self._at = True, False, None
                stop.wait(0.5)
        self.close()

    def close(self) -> None:
        """Let another take over."""
        self._seat.leave()
        if self.holds:
            try:
                self._lease.release()
            except BusUnavailable:
                return  # it expires by itself

    def turn(self) -> None:
        """One look at everything; raises BusUnavailable."""
        if self._at is None:
            self._at = self._end()
        held, self.holds = self.holds, self._lease.hold()
        if self.holds and not held:
            self._begin()
        self._follower.poll()
        self._flush()
        self._heartbeat.beat(holds=self.holds, stopped=self._is_stopped(), **self.counts)
        for fields in self._new():
            if self.holds:
                self._results.append(self.judge(fields))
        self._tend_pulse()
        self._flush()

    def _begin(self) -> None:
        """What was sent to whoever held the lease before is not ours."""
        self._since = now_ms()
        self._left_at = float("-inf")
        log.info("holding the lease: guarded writes are carried out here")

    def _tend_pulse(self) -> None:
        """A pulse that its program, or its link, left standing is taken back: that is no new write but the end of an old one."""
        if not self.holds or not self._pulse.exists() or time.monotonic() - self._left_at < LEFT_EVERY_S:
            return
        first, self._left_at = self._left_at == float("-inf"), time.monotonic()
        left = json.loads(self._pulse.read_text("utf-8"))
        try:
            found = load_list(self.settings)
            entry = found.entries[left["entry"]]
            error = take_back(self._deed(entry, found.sources[entry.source], 0.0, lambda: None))
        except (Refusal, KeyError) as refusal:
            error = f"the allow-list has no usable entry {left['entry']}: {refusal}"
        if error is None:
            self._pulse.unlink()
        if error is None or first:
            detail = "a pulse that was left standing is taken back" if error is None else f"a pulse may still stand: {error}"
            self._results.append(WriteResult(left["id"], "reset", "left_standing", detail, alarm=error is not None, entry=left["entry"]))

    def _end(self) -> bytes:
        """Id of the last entry there is: what stands in the stream already is not ours."""
        try:
            last = cast("Any", self.bus.client.xrevrange(self.bus.key(STREAM), count=1))
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error
        return bytes(last[0][0]) if last else b"0-0"

    def _new(self) -> list[dict[bytes, bytes]]:
        """Entries since the last look."""
        try:
            answer = cast("Any", self.bus.client.xread({self.bus.key(STREAM): self._at or b"$"}, count=50, block=TURN_MS))
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error
        pairs = list(answer.items()) if isinstance(answer, dict) else list(answer or [])
        if not pairs:
            return []
        raw = pairs[0][1]
        entries = raw[0] if raw and isinstance(raw[0], list) and raw[0] and isinstance(raw[0][0], list | tuple) else raw
        self._at = entries[-1][0]
        return [fields for _, fields in entries]

    def judge(self, fields: dict[bytes, bytes]) -> WriteResult:
        """Check one order and carry it out; never raises."""
        try:
            order = decode_order(fields, self._key)
        except DecodeError as error:
            log.error("refused: %s", error.reason)  # noqa: TRY400 - one line says it
            return WriteResult(0, "forged", "forged", error.reason)
        try:
            found = self._carried_out(order)
        except BusUnavailable as error:  # every question to the bus comes before the request
            found = Found("refused", "bus_away", str(error))
        except Refusal as refusal:
            found = Found("replayed" if refusal.reason == "replayed" else "refused", refusal.reason, refusal.detail)
        self.counts[found.outcome] = self.counts.get(found.outcome, 0) + 1
        log.info("command %s, %s: %s %s", order.id, order.entry, found.outcome, found.detail)
        return WriteResult(order.id, found.outcome, found.reason, found.detail, found.old, found.new, found.alarm, order.entry)

    def _carried_out(self, order: WriteOrder) -> Found:
        self._check_age(order)
        if not self._is_first(order):
            raise Refusal("replayed", "this order was taken before")
        found = load_list(self.settings)
        if found.digest != order.digest:
            raise Refusal("list_changed", "the allow-list is not the one that was shown when this was asked for")
        entry = found.entries.get(order.entry)
        if entry is None or not entry.allows(order.value):
            raise Refusal("not_listed", f"the allow-list does not let {order.entry} be {order.value:g}")
        source = found.sources[entry.source]
        if not source.enabled:
            raise Refusal("source_off", f"{source.name} is not enabled in the allow-list")
        self._check_stop()
        if family_in_work(self._follower.snapshot, entry, now_ms()):
            raise Refusal("in_work", f"{entry.machine}, a part of it or what it is part of is in maintenance mode")
        self._rate.take(source.name)

        def last_word() -> None:
            self._check_age(order)
            self._check_stop()
            if not self._lease.hold():
                raise Refusal("no_lease", "another program has taken over")

        return carry_out(self._deed(entry, source, order.value, last_word, order.id))

    def _deed(self, entry: WriteEntry, source: WriteSource, value: float, last_word: Callable[[], None], id_: int = 0) -> Deed:
        def mark(begins: bool) -> None:
            if not begins:
                self._pulse.unlink(missing_ok=True)
                return
            self._pulse.parent.mkdir(parents=True, exist_ok=True)
            with self._pulse.open("w", encoding="utf-8") as file:
                json.dump({"id": id_, "entry": entry.name}, file)
                file.flush()
                os.fsync(file.fileno())

        return Deed(entry, source, value, last_word, mark)

    def _check_age(self, order: WriteOrder) -> None:
        now = now_ms()
        if order.issued_ms < self._since or now > order.expires_ms:
            raise Refusal("expired", "the order is too old; nothing is written later than it was meant")
        if order.issued_ms > now + CLOCKS_MS:
            raise Refusal("clock", "the order comes from the future: set the clocks of the machines")

    def _check_stop(self) -> None:
        if self._is_stopped():
            raise Refusal("stopped", "writing to PLCs is stopped")

    def _is_stopped(self) -> bool:
        try:
            return stop_file(self.settings).exists() or bool(self.bus.client.exists(self.bus.key(STOPPED)))
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error

    def _is_first(self, order: WriteOrder) -> bool:
        try:
            return bool(self.bus.client.set(self.bus.key(f"{DONE}.{order.id}"), 1, nx=True, ex=SEEN_S))
        except redis.RedisError as error:
            raise BusUnavailable(f"bus: {error}") from error

    def _flush(self) -> None:
        """Tell what came of orders, in order; what cannot be told now is told when the bus is back."""
        while self._results:
            result = self._results[0]
            if result.outcome == "forged" and time.monotonic() - self._forged_at < FORGED_EVERY_S:
                self._results.popleft()
                continue
            self.bus.add_signals([result.signal(now_ms())])
            if result.outcome == "forged":
                self._forged_at = time.monotonic()
            self._results.popleft()


def check(settings: Settings) -> int:
    """Read every address of the list once and print it; 0 when all could be read. Writes nothing."""
    wrong = 0
    found = load_list(settings)
    for entry in found.entries.values():
        source = found.sources[entry.source]
        places = {entry.tag: entry.address, **{one.tag: source.reads[one.tag] for one in entry.conditions}}
        writer = KINDS[source.kind].load_writer()(source.connection)
        try:
            writer.open()
            shown = ", ".join(f"{tag} ({address}) = {writer.read(address):g}" for tag, address in places.items())
            sys.stdout.write(f"{entry.name}: RUN {writer.is_running()}, {shown}\n")
        except (LinkError, ValueError) as error:
            wrong += 1
            sys.stdout.write(f"{entry.name}: {error}\n")
        finally:
            writer.close()
    return 1 if wrong else 0


def main(arguments: list[str]) -> int:
    """Entry point; 2 where the settings or the list do not permit it."""
    configure_logging()
    try:
        settings = settings_module.load()
        if arguments == ["check"]:
            return check(settings)
        settings_module.require(settings, "redis_url")
        refused = why_off(settings)
    except (SettingsError, Refusal) as error:
        refused = str(error)
    if refused is not None:
        log.error("%s", refused)
        return 2
    Desk(settings, Bus(connect(str(settings.redis_url)), settings.bus_prefix, settings.bus_max_mb)).run(stop_event())
    return 0


def why_off(settings: Settings) -> str | None:
    """Why nothing is written with these settings; None where it may be. Raises Refusal for an allow-list that cannot be used."""
    if not settings.plc_writes:
        return "PLC_WRITES: guarded writes are off; docs/plc-writes.md tells how to turn them on"
    load_list(settings)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
