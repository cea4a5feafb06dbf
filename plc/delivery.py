"""From a connector's columns to batches on the bus: source time, scaling, quality, averages, report by exception, shards, spool.

It knows no protocol and keeps no time of its own but the receive time it is handed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from plc.averages import Averages
from plc.connector import Readings
from plc.ledger import Ledger
from plc.outlet import Outlet
from plc.scaling import Places, TagColumns
from plc.spool import Spool, SpoolUnwritable
from plc.standing import Standing
from plc.thinning import Thinning
from realtime.bus import now_ms
from realtime.errors import BusFull, BusUnavailable
from realtime.events import Batch, Frame
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.delivery")

OLDEST_MS = 7 * 86_400_000
NEWEST_MS = 300_000
BITE = 200  # batches given back at a time
BITE_S = 0.2  # what waits may hold a live reading up this long
LATE_MS = 5_000  # where everything goes through the spool: what waited longer than this is late


class Delivery:
    """Delivers one source's readings to the outlet, or to the spool while it is away.

    is_store_first: every reading goes through the spool, so that a slow line never holds a poll up; then `catch_up` sends.
    """

    def __init__(self, outlet: Outlet, source: Source, ledger: Ledger, spool: Spool | None, *, is_store_first: bool = False) -> None:
        self.outlet = outlet
        self.source = source
        self.ledger = ledger
        self.spool = spool
        self.is_store_first = is_store_first
        self.delivered = 0
        self.is_away = False
        self.columns = TagColumns([])
        self.standing = Standing(self.columns)
        self._thinning = Thinning([])
        self._averages = Averages([])
        self._draining = threading.Lock()

    def configure(self, source: Source, tags: Sequence[Tag]) -> None:
        """Take a new configuration; what is known of a tag that stays is kept."""
        self.source = source
        self.columns = TagColumns(tags, is_namur=bool(source.config.get("namur")))
        self.standing = Standing(self.columns, self.standing)
        self._thinning = Thinning(self.columns.tags, self._thinning)
        self._averages = Averages(tags, self._averages)

    def batches(self, readings: Sequence[Readings], *, are_scaled: bool = False) -> list[Batch]:
        """Scale (unless they are in engineering units already), check times, average, say what the history needs, cut by shard."""
        received = now_ms()
        cut: list[Batch] = []
        for part in readings:
            taken = self._believable(self._known(part), received)
            if not len(taken):
                continue
            places = self.columns.places(taken.ids)
            if not are_scaled:
                taken = self._scaled(taken, places)
            self.standing.note(taken, places)
            if self._averages.width:
                cut += self._cut(self._averages.fold(taken), received)
            else:
                cut += self._by_shard(taken, places, received)
        if self._averages.width:
            cut += self._cut(self._averages.overdue(received), received)
        return cut

    def _cut(self, parts: Iterator[Readings], received: int) -> list[Batch]:
        cut: list[Batch] = []
        for part in parts:
            places = self.columns.places(part.ids)
            self.standing.note(part, places)
            cut += self._by_shard(part, places, received)
        return cut

    def deliver(self, batches: Sequence[Batch]) -> None:
        """Hand batches over; into the spool while nobody takes them, or raise BusUnavailable / BusFull without one."""
        if not batches:
            return
        if self.spool is None:
            self._send_or_raise(batches)
        elif self.is_store_first or self.is_away:
            self._keep(self.spool, batches)
        else:
            try:
                self._drain(self.spool, BITE_S)
                self.outlet.add_batches(batches)
            except (BusUnavailable, BusFull) as error:
                log.warning("%s: %s; spooling", self.source.name, error)
                self.is_away = True
                self._keep(self.spool, batches)
        self.delivered += sum(map(len, batches))

    def _send_or_raise(self, batches: Sequence[Batch]) -> None:
        try:
            self.outlet.add_batches(batches)
        except (BusUnavailable, BusFull) as error:
            if not self.is_away:
                log.warning("%s: %s; not acknowledging", self.source.name, error)
            self.is_away = True
            raise
        if self.is_away:
            log.info("%s: delivering again", self.source.name)
        self.is_away = False

    def _keep(self, spool: Spool, batches: Sequence[Batch]) -> None:
        """Into the spool; what its disk does not take is counted, never silent."""
        try:
            spool.put(batches)
        except SpoolUnwritable as error:
            spool.turn("dropping")
            self.ledger.reject("spool_unwritten", sum(map(len, batches)), sample=str(error).encode())

    def catch_up(self, budget_s: float = 1.0) -> bool:
        """Send of what waits, for budget_s at most; True when nothing waits any more. Never raises for an outlet that is away."""
        if self.spool is None:
            return True
        try:
            is_done = self._drain(self.spool, budget_s)
        except (BusUnavailable, BusFull) as error:
            if not self.is_away:
                log.warning("%s: %s; keeping what is read", self.source.name, error)
            self.is_away = True
            return False
        except SpoolUnwritable as error:
            self.ledger.reject("spool_unreadable", sample=str(error).encode())
            return False
        if is_done and self.is_away:
            log.info("%s: all that waited is delivered", self.source.name)
            self.is_away = False
        return is_done

    def _drain(self, spool: Spool, budget_s: float) -> bool:
        """Give the spool back in order; whoever else drains it already is let be."""
        if not spool.waiting or not self._draining.acquire(blocking=False):
            return not spool.waiting
        try:
            deadline = time.monotonic() + budget_s
            while spool.waiting and time.monotonic() < deadline:
                mark, batches = spool.oldest(BITE)
                self._send_waiting(batches)
                spool.remove(mark)
        finally:
            self._draining.release()
        return not spool.waiting

    def _send_waiting(self, batches: Sequence[Batch]) -> None:
        before = now_ms() - LATE_MS if self.is_store_first else float("inf")
        late = [replace(batch, flags=batch.flags | {"late"}) for batch in batches if batch.received_ms < before]
        if late:
            self.outlet.add_batches(late, live=False)
        if len(late) < len(batches):
            self.outlet.add_batches([batch for batch in batches if batch.received_ms >= before])

    def _known(self, part: Readings) -> Readings:
        """Without readings of tags that are no longer ours: a change may have been on its way when the configuration came."""
        places = np.minimum(self.columns.places(part.ids), max(len(self.columns.ids) - 1, 0))
        known = self.columns.ids[places] == part.ids if len(self.columns.ids) else np.zeros(len(part), bool)
        if known.all():
            return part
        self.ledger.reject("removed_tag", int(len(known) - known.sum()))
        return take(part, known)

    def _believable(self, part: Readings, received: int) -> Readings:
        """Without the readings whose source time is not believable; replays may be old, nothing may be of the future."""
        if self.source.config.get("time") == "receipt" and not part.replay:
            return replace(part, t=np.full(len(part), received, "i8"))
        wrong = part.t > received + NEWEST_MS
        if not part.replay:
            wrong |= part.t < received - OLDEST_MS
        if not wrong.any():
            return part
        first = int(np.argmax(wrong))
        tag = self.columns.tags[int(self.columns.places(part.ids[first : first + 1])[0])]
        self.ledger.reject("clock", int(wrong.sum()), topic=tag.name, sample=_seen(int(part.t[first]), received))
        return take(part, ~wrong)

    def _scaled(self, part: Readings, places: Places) -> Readings:
        if not isinstance(part.values, np.ndarray):
            return part
        values, quality = self.columns.scale(places, part.values, part.quality)
        return part if values is part.values and quality is part.quality else replace(part, values=values, quality=quality)

    def _by_shard(self, part: Readings, places: Places, received: int) -> list[Batch]:
        kept = self._thinning.kept(part, places)
        shards = self.columns.shards[places]
        first = int(shards[0])
        if (shards == first).all():
            return [self._batch(part, kept, first, received)]
        wanted = ((int(shard), shards == shard) for shard in np.unique(shards))
        return [self._batch(take(part, of_it), None if kept is None else kept[of_it], shard, received) for shard, of_it in wanted]

    def _batch(self, part: Readings, kept: npt.NDArray[np.bool_] | None, shard: int, received: int) -> Batch:
        return Batch(
            shard=shard,
            received_ms=received,
            source=self.source.name,
            ids=part.ids,
            t=part.t,
            quality=part.quality,
            seq=part.seq,
            values=part.values,
            kind=part.kind,
            flags=frozenset({"replay"}) if part.replay else frozenset(),
            kept=kept,
        )


def _seen(t_ms: int, received_ms: int) -> bytes:
    """What a person reads of a time nobody can believe."""
    try:
        shown = datetime.fromtimestamp(t_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        shown = "no time at all"
    return f"source time {shown} ({t_ms} ms), {(t_ms - received_ms) / 1000:+.0f} s from our clock".encode()


def take(part: Readings, wanted: npt.NDArray[np.bool_]) -> Readings:
    """The readings where wanted (bool (n,)) is true."""
    values: npt.NDArray[np.float64] | list[str] | list[Frame]
    if isinstance(part.values, np.ndarray):
        values = part.values[wanted]
    else:
        values = [value for value, keep in zip(part.values, wanted, strict=True) if keep]  # type: ignore[assignment]
    return Readings(part.ids[wanted], part.t[wanted], values, part.quality[wanted], part.seq[wanted], part.kind, part.replay)
