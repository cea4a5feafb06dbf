"""Cursors of the feed: which tasks changed since a client last asked, and waiting for the next change.

A cursor is the number of the newest fact a client's list knows of.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import redis
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ar_feed import cards, tasks
from realtime.bus import FACTS, Bus
from server.models.outbox import Outbox
from server.problems import Problem
from server.store import facts
from server.store.actor import Person

LONGEST_WAIT_S = 25
LOOK_EVERY_S = 0.2
PAGE = 1000  # facts looked through at once


@dataclass(frozen=True, slots=True)
class Delta:
    """Tasks that changed, ids that are no longer the person's, and where to go on."""

    seq: int
    tasks: list[cards.Body]
    gone: list[int]

    def __bool__(self) -> bool:
        return bool(self.tasks or self.gone)

    def body(self) -> cards.Body:
        """As `GET /tasks?since=` and the event `task` say it."""
        return cards.task_list(self.tasks, cursor(self.seq), gone=self.gone)


def cursor(seq: int) -> str:
    """A number as clients keep it; they read nothing into it."""
    return f"c{seq}"


def parse(raw: str, session: Session) -> int:
    """The number in a cursor; raises Problem 410 when it is none of ours any more."""
    digits = raw[1:]
    seq = int(digits) if raw[:1] == "c" and digits.isascii() and digits.isdigit() and len(digits) < 18 else -1
    oldest = session.scalar(select(func.min(Outbox.seq))) or 1
    if not oldest - 1 <= seq <= facts.newest_seq(session):
        raise Problem(410, "cursor_too_old", "this cursor is no longer known; fetch the whole list")
    return seq


def since(session: Session, person: Person, seq: int, *, team: bool) -> Delta:
    """What changed for a person after a fact."""
    newest = facts.newest_seq(session)  # before the rows: what is newer than this comes again, which is harmless
    changed = session.scalars(
        select(Outbox.thing_id)
        .where(Outbox.seq > seq, Outbox.seq <= newest, Outbox.name.startswith("work_order."), Outbox.site_id == person.site_id)
        .distinct()
        .limit(PAGE)
    ).all()
    orders = tasks.some(session, person, set(changed))
    mine = [order for order in orders if team or order.assignee_id == person.id]
    gone = [order.id for order in orders if order not in mine]
    shown = [{**cards.summary(task), **cards.outcome(task)} for task in tasks.facts_of(session, mine)]
    return Delta(newest, shown, gone)


class Ticker:
    """Tells whether facts moved on, by the id of the newest on the bus: one cheap question instead of a query."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._last: object = None

    def moved(self) -> bool:
        """True at the first call, when a new fact came, and whenever the bus does not answer: the caller looks for itself."""
        try:
            newest = self._bus.client.xrevrange(self._bus.key(FACTS), count=1)
        except redis.RedisError:
            return True
        last = newest[0][0] if newest else b""
        if last == self._last:
            return False
        self._last = last
        return True


def wait_for_change(look: Callable[[], Delta], ticker: Ticker, wait_s: float) -> Delta:
    """The first delta that holds something, or the last empty one after `wait_s`."""
    deadline = time.monotonic() + min(wait_s, LONGEST_WAIT_S)
    ticker.moved()
    delta = look()
    while not delta and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        if ticker.moved():
            delta = look()
    return delta
