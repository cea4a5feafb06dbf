"""`GET /events`: the same news as the socket, for clients that speak plain HTTP; `Last-Event-ID` is the cursor."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import orjson
from flask import Response, request, stream_with_context

from ar_feed import changes, live, plant, tasks
from ar_feed.push import ALARMS, alarm, bound_tags
from realtime import historian
from realtime.bus import now_ms
from realtime.snapshot import Tag
from server.auth import identity
from server.auth.principal import Principal
from server.errors import Invalid
from server.problems import too_many
from server.services import Services
from server.store import facts

LOOK_EVERY_S = 0.25
LIVE_EVERY_S = 1.0
PING_EVERY_S = 15.0
CHECK_EVERY_S = 5.0
STREAMS_AT_ONCE = 4  # of one person in this process

_open: Counter[str] = Counter()
_lock = threading.Lock()


def stream(at: Services, person: Principal) -> Response:
    """The stream of a person; raises Problem 410 for an old cursor, 429 for a fifth stream, Invalid, NotFound."""
    task = request.args.get("task")
    if task is not None and not (task.isascii() and task.isdigit() and len(task) < 11):
        raise Invalid("task", "not_an_id", "a task id is a whole number")
    with at.database.transaction() as session:
        raw = request.headers.get("Last-Event-ID")
        seq = changes.parse(raw, session) if raw else facts.newest_seq(session)
        steps = tasks.steps_of(session, tasks.find(session, person, int(task))) if task else []
    tags = bound_tags(steps, plant.snapshot())
    with _lock:
        if _open[person.owner] >= STREAMS_AT_ONCE:
            raise too_many("too_many_streams", f"{STREAMS_AT_ONCE} event streams at once", 5)
        _open[person.owner] += 1
    body = stream_with_context(_counted(person.owner, _Stream(at, person, seq, tags).run()))
    return Response(body, mimetype="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


def _counted(owner: str, source: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from source
    finally:
        with _lock:
            _open[owner] -= 1


def message(name: str, body: object, cursor: str | None = None) -> bytes:
    """One server-sent event."""
    head = f"id: {cursor}\n" if cursor else ""
    return f"{head}event: {name}\ndata: ".encode() + orjson.dumps(body) + b"\n\n"


class _Stream:
    """One open stream: looks for facts, values and the end of its login."""

    def __init__(self, at: Services, person: Principal, seq: int, tags: list[tuple[str, Tag]]) -> None:
        self._at = at
        self._person = person
        self._seq = seq
        self._tags = tags
        self._ticker = changes.Ticker(at.bus)
        self._due = dict.fromkeys(("live", "ping", "check"), 0.0)

    def run(self) -> Iterator[bytes]:
        """Messages until the token ends or the client goes."""
        yield message("ping", {}, changes.cursor(self._seq))
        self._is_due("ping", PING_EVERY_S)
        while True:
            if self._ticker.moved():
                yield from self._news()
            if self._tags and self._is_due("live", LIVE_EVERY_S):
                yield message("live", self._live())
            if self._is_due("ping", PING_EVERY_S):
                yield message("ping", {}, changes.cursor(self._seq))
            if self._is_due("check", CHECK_EVERY_S) and not self._still_valid():
                return
            time.sleep(LOOK_EVERY_S)

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + every_s
        return True

    def _news(self) -> Iterator[bytes]:
        with self._at.database.transaction() as session:
            delta = changes.since(session, self._person, self._seq, team=False)
            news = [fact for fact in facts.since(session, self._seq) if fact.name in ALARMS]
        alarms = [fact for fact in news if fact.data.get("site") == self._person.site_id]
        self._seq = delta.seq
        for fact in alarms:
            yield message("alarm", alarm(fact), changes.cursor(fact.seq))
        if delta:
            yield message("task", delta.body(), changes.cursor(delta.seq))

    def _live(self) -> dict[str, object]:
        with self._at.database.raw() as connection:
            rows = historian.latest(connection, [tag.id for _key, tag in self._tags])
        return live.frame(self._tags, rows, now_ms())

    def _still_valid(self) -> bool:
        with self._at.database.transaction() as session:
            return identity.still_valid(session, self._person, self._at.clock())
