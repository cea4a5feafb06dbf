"""The Socket.IO server of DESIGN.md 4: facts by name as they come, live values conflated and paced by their cost.

Knows no role, no table and no template: who may connect and see what is handed in as `Doors`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import Any
from weakref import WeakValueDictionary

import orjson
import redis
from flask import Flask, request
from flask_socketio import ConnectionRefusedError as Refused
from flask_socketio import SocketIO

from realtime.bus import Bus
from realtime.doors import Doors
from realtime.errors import BusUnavailable
from realtime.events import Batch, Fact
from realtime.listen import CUT, FactListener, LiveListener, PlantCopy
from realtime.live import LiveTable, pause_after
from realtime.outlets import Outlet, Outlets
from realtime.packets import Json, event, shared
from realtime.settings import Settings
from realtime.snapshot import Tag
from realtime.socket_answers import STORE_AWAY, answered, refusal
from realtime.views import View, ViewRefused, resolve

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 64 * 1024
PING_S = 1  # so that a client can tell a dead link within 3 s
PING_TIMEOUT_S = 10  # a phone on bad Wi-Fi keeps its socket this long
RECHECK_S = 5
RESUME_LIMIT = 1000
REQUESTS = 40  # subscribe and resume per socket in REQUESTS_S
REQUESTS_S = 10.0


def announce_cut(bus: Bus, user: int) -> None:
    """Have every web process close the sockets of a user who was logged out or deactivated; raises BusUnavailable."""
    try:
        bus.client.publish(bus.key(CUT), user)
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error


class Push:
    """One web process's sockets. init_app() makes the server, start() its background tasks."""

    def __init__(self, settings: Settings, bus: Bus, doors: Doors) -> None:
        self._settings = settings
        self._bus = bus
        self._doors = doors
        self._views: WeakValueDictionary[Any, View] = WeakValueDictionary()
        self._stopped = False
        self.table = LiveTable()
        self.plant = PlantCopy(bus)
        self.facts_sent = 0
        self.socketio: SocketIO
        self.outlets: Outlets

    def init_app(self, app: Flask) -> SocketIO:
        """Make the Socket.IO server on an app."""
        self._app = app
        self.socketio = SocketIO(
            app,
            async_mode=self._settings.async_mode,
            json=Json,
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            ping_interval=PING_S,
            ping_timeout=PING_TIMEOUT_S,
            async_handlers=False,  # one at a time per socket: the later subscribe wins, nobody can pile handlers up
            transports=["websocket"] if self._settings.web_processes > 1 else ["polling", "websocket"],
        )
        self.outlets = Outlets(self.socketio, self.table)
        self.socketio.on_event("connect", self._on_connect)
        self.socketio.on_event("disconnect", self._on_disconnect)
        self.socketio.on_event("subscribe", self._on_subscribe)
        self.socketio.on_event("resume", self._on_resume)
        return self.socketio

    def start(self) -> None:
        """Start listening and sending."""
        self._wake = self.socketio.server.eio.create_event()
        self._sleep = self.socketio.sleep
        self.live = LiveListener(
            self._bus, on_batch=self._on_batch, on_cut=self.cut, resubscribed=self._refill_all, sleep=self.socketio.sleep
        )
        self.facts = FactListener(self._bus, on_fact=self.send_fact, sleep=self.socketio.sleep)
        self.plant.refresh()
        for task in (self._send_live, self._watch, self._listen_live, self._listen_facts):
            self.socketio.start_background_task(task)

    def stop(self) -> None:
        """Let the background tasks end."""
        self._stopped = True

    def counters(self) -> dict[str, float]:
        """For the heartbeat and /metrics."""
        return {
            "sockets": len(self.outlets),
            "readings_heard": self.table.readings,
            "facts_sent": self.facts_sent,
            **self.outlets.counters(),
        }

    def ready(self) -> bool:
        """True while both listeners hold their connection to the bus."""
        return self.live.connected and self.facts.connected

    def cut(self, user: int) -> None:
        """Close the sockets of a user in this process."""
        for outlet in self.outlets.of_user(user):
            self.socketio.server.disconnect(outlet.sid, "/")

    # --- from sockets ---

    def _on_connect(self, auth: object = None) -> None:
        try:
            principal = self._doors.authenticate(request.environ, auth)
        except STORE_AWAY as error:
            log.warning("socket refused, the database is away: %s", error)
            raise Refused("unavailable") from error
        if principal is None:
            raise Refused("unauthorized")
        sid: str = request.sid  # type: ignore[attr-defined]
        is_ar = principal.kind == "paired" or (isinstance(auth, dict) and auth.get("feed") == "ar")
        self.outlets.add(Outlet(sid, self.socketio.server.manager.eio_sid_from_sid(sid, "/"), principal, is_ar))

    def _on_disconnect(self, _reason: object = None) -> None:
        self.outlets.remove(request.sid)  # type: ignore[attr-defined]

    def _on_subscribe(self, wanted: object = None) -> dict[str, Any]:
        return answered("subscribe", lambda: self._subscribe(self._asking("subscribe"), wanted))

    def _subscribe(self, outlet: Outlet, wanted: object) -> dict[str, Any]:
        view, tags = self._resolve(outlet, wanted)
        self._refill(view)
        return self._subscribed(outlet, view, tags)

    def _asking(self, asked: str) -> Outlet:
        """The socket that asks; raises ViewRefused where it may not."""
        outlet = self.outlets.get(request.sid)  # type: ignore[attr-defined]
        if outlet is None:
            raise ViewRefused("unauthorized", "connect first")
        if not self._doors.may_ask(outlet.principal, asked):
            raise ViewRefused("forbidden", "your account lacks the right for this")
        if not outlet.may_ask(time.monotonic(), REQUESTS, REQUESTS_S):
            raise ViewRefused("too_fast", f"{REQUESTS} requests in {REQUESTS_S:.0f} s at most")
        return outlet

    def _resolve(self, outlet: Outlet, wanted: object) -> tuple[View, list[Tag]]:
        if isinstance(wanted, dict) and "task" in wanted:
            order = wanted["task"]
            if not isinstance(order, int) or isinstance(order, bool):
                raise ViewRefused("invalid", "task: a work order id is wanted")
            task = self._doors.task_view(outlet.principal, order, self.plant.snapshot)
            if task is None:
                raise ViewRefused("unknown_task", f"no task {order}")
            by_id = self.plant.snapshot.tag_by_id()
            return View(task=task), [by_id[i] for i in task.tags if i in by_id]
        view, tags = resolve(self.plant.snapshot, wanted, lambda asset: self._doors.sees_asset(outlet.principal, asset))
        return self._views.setdefault(view.key, view), tags

    def _subscribed(self, outlet: Outlet, view: View, tags: list[Tag]) -> dict[str, Any]:
        version = self.table.version
        columns = self.table.since(view.ids, 0)
        outlet.show(view, version)
        self.wake()
        snapshot: dict[str, Any] = {"id": columns.id, "t": columns.t, "v": columns.values(), "q": columns.q}
        good = self.table.last_good(view.ids)
        if len(good["id"]):
            snapshot["good"] = good  # what a tag that is bad now last showed, and when
        return {
            "ok": True,
            "tags": {tag.id: {"tag": tag.name, "unit": tag.unit, "asset": tag.asset} for tag in tags},
            "snapshot": snapshot,
        }

    def _on_resume(self, wanted: object = None) -> dict[str, Any]:
        since = wanted.get("since") if isinstance(wanted, dict) else None
        if isinstance(since, bool) or not (since is None or (isinstance(since, int) and 0 <= since < 2**53)):
            return refusal("invalid", "since: a sequence number is wanted")
        return answered("resume", lambda: self._resume(self._asking("resume"), since))

    def _resume(self, outlet: Outlet, since: int | None) -> dict[str, Any]:
        page = self._doors.facts_since(since, RESUME_LIMIT)
        if page is None:
            return {"reset": True}
        facts = [asdict(fact) for fact in page.facts if self._doors.sees_fact(outlet.principal, fact)]
        return {"ok": True, "seq": page.seq, "facts": facts}

    # --- from the bus ---

    def _on_batch(self, batch: Batch) -> None:
        self.table.apply(batch)
        self._wake.set()

    def wake(self) -> None:
        """Have the sender look for something to send."""
        self._wake.set()

    def send_fact(self, fact: Fact) -> None:
        """Send a fact to every socket whose owner may see it; headsets get the feed's bodies instead. Never waits for a tick."""
        packet = shared(event(fact.name, orjson.dumps(asdict(fact), default=str)))
        with self._app.app_context():
            for outlet in self.outlets.all():
                try:
                    self._send_fact_to(outlet, fact, packet)
                except STORE_AWAY as error:
                    log.warning("fact %s not pushed to user %s, who fetches it on resume: %s", fact.seq, outlet.principal.id, error)
        self.facts_sent += 1

    def _send_fact_to(self, outlet: Outlet, fact: Fact, packet: Any) -> None:
        if not self._doors.sees_fact(outlet.principal, fact):
            return
        if not outlet.is_ar:
            self.outlets.send(outlet, packet)
            return
        for name, body in self._doors.ar_events(outlet.principal, fact):
            self.outlets.send(outlet, shared(event(name, Json.dumps(body).encode())))

    # --- background tasks ---

    def _is_stopped(self) -> bool:
        return self._stopped

    def _listen_live(self) -> None:
        self.live.run(self._is_stopped)

    def _listen_facts(self) -> None:
        self.facts.run(self._is_stopped)

    def _send_live(self) -> None:
        while not self._stopped:
            self._wake.wait(1.0)
            self._wake.clear()
            started = time.perf_counter()
            waiting = self.outlets.send_round()
            self._sleep(0)  # the writers of this round run before us: their cost is ours too
            self._sleep(pause_after(time.perf_counter() - started))
            if waiting:
                self._wake.set()  # a skipped socket is looked at again though nothing new came

    def _watch(self) -> None:
        """Keep the plant copy current and cut who may no longer be here."""
        checked = time.monotonic()
        while not self._stopped:
            self._sleep(1)
            self.plant.refresh()
            self.outlets.renew_tasks()
            self.wake()
            if time.monotonic() - checked >= RECHECK_S:
                checked = time.monotonic()
                self._cut_the_invalid()

    def _cut_the_invalid(self) -> None:
        with self._app.app_context():
            for outlet in self.outlets.all():
                try:
                    valid = self._doors.still_valid(outlet.principal)
                except STORE_AWAY as error:
                    log.debug("sockets not re-checked, the database is away: %s", error)
                    return
                if not valid:
                    self.socketio.server.disconnect(outlet.sid, "/")

    def _refill(self, view: View) -> None:
        missing = self.table.unknown(view.ids)
        if len(missing):
            self.table.fill(self._doors.latest([int(i) for i in missing]))
        silent = self.table.without_good(view.ids)
        if len(silent):
            self.table.fill_good(silent, self._doors.last_good([int(i) for i in silent]))

    def _refill_all(self) -> None:
        """After an outage of pub/sub: what was published meanwhile is in the history."""
        ids = sorted({int(i) for outlet in self.outlets.all() if outlet.view for i in outlet.view.ids})
        if not ids:
            return
        try:
            with self._app.app_context():
                self.table.fill(self._doors.latest(ids))
        except STORE_AWAY as error:
            log.warning("live values not refilled from history: %s", error)
        self.wake()
