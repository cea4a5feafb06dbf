"""The open sockets of one web process and the rounds that send live values to them.

A slow socket is skipped while its last live packet has not left; it loses nothing but intermediate values.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from realtime import packing
from realtime.events import Frame
from realtime.live import Columns, LiveTable
from realtime.packets import Attachment, Json, LivePacket, binary_event, event, put_together
from realtime.views import View


class Outlet:
    """One socket: who it speaks for, what it sees and up to which version it has been told."""

    def __init__(self, sid: str, eio_sid: str, principal: Any, is_ar: bool) -> None:
        self.sid = sid
        self.eio_sid = eio_sid
        self.principal = principal
        self.is_ar = is_ar
        self.view: View | None = None
        self.seen = 0
        self.unsent: LivePacket | None = None
        self._asked: deque[float] = deque()

    def show(self, view: View, version: int) -> None:
        """Replace the former subscription; the newest frames follow at once, values from `version` on."""
        self.seen = 0 if view.frames else version
        self.view = view

    def may_ask(self, now: float, count: int, window_s: float) -> bool:
        """False when this socket asked `count` times in the last `window_s` seconds."""
        while self._asked and now - self._asked[0] > window_s:
            self._asked.popleft()
        if len(self._asked) >= count:
            return False
        self._asked.append(now)
        return True

    def is_slow(self) -> bool:
        """True while the last live packet waits in its queue."""
        return self.unsent is not None and not self.unsent.taken


class Outlets:
    """All sockets; send_round() is called by one task, the rest by any."""

    def __init__(self, socketio: Any, table: LiveTable) -> None:
        self._server = socketio.server
        self._table = table
        self._by_sid: dict[str, Outlet] = {}
        self._packed: dict[int, tuple[Frame, bytes | None]] = {}  # by tag: the newest frame is packed once for all
        self.packets = 0
        self.encoded = 0
        self.skipped = 0
        self.rounds = 0

    def __len__(self) -> int:
        return len(self._by_sid)

    def counters(self) -> dict[str, int]:
        """For the heartbeat."""
        return {"live_packets": self.packets, "live_encoded": self.encoded, "live_skipped": self.skipped, "live_rounds": self.rounds}

    def add(self, outlet: Outlet) -> None:
        """A socket has connected."""
        self._by_sid[outlet.sid] = outlet

    def remove(self, sid: str) -> None:
        """A socket has gone."""
        self._by_sid.pop(sid, None)

    def get(self, sid: str) -> Outlet | None:
        """The socket of a session id."""
        return self._by_sid.get(sid)

    def all(self) -> list[Outlet]:
        """Every open socket, as of now."""
        return list(self._by_sid.values())

    def of_user(self, user: int) -> list[Outlet]:
        """The open sockets of a user."""
        return [outlet for outlet in self.all() if outlet.principal.id == user]

    def send(self, outlet: Outlet, packet: Any) -> None:
        """Queue one packet for a socket."""
        self._server._send_eio_packet(outlet.eio_sid, packet)

    def renew_tasks(self) -> None:
        """Have the next round tell every headset all values of its task again: they age though nothing new comes."""
        for outlet in self.all():
            if outlet.view is not None and outlet.view.task is not None:
                outlet.seen = 0

    def send_round(self) -> bool:
        """Send every socket what changed since it was last told; True when a slow one was skipped and still waits."""
        version = self._table.version
        texts: dict[tuple[View, int], str | None] = {}
        waiting = False
        self.rounds += 1
        for outlet in self.all():
            view = outlet.view
            if view is None or outlet.seen >= version:
                continue
            if outlet.is_slow():
                self.skipped += 1
                waiting = True
                continue
            key = (view, outlet.seen)
            if key not in texts:
                texts[key] = self._text(view, outlet.seen)
            self._send_live(outlet, view, texts[key])
            outlet.seen = version
        return waiting

    def _send_live(self, outlet: Outlet, view: View, text: str | None) -> None:
        if text is not None:
            outlet.unsent = LivePacket(text)
            self.packets += 1
            self.send(outlet, outlet.unsent)
        for tag, t, frame, quality in self._table.frames_since(view.frames, outlet.seen):
            self._send_frame(outlet, tag, t, frame, quality, packed=self._pack(tag, frame) if view.packed else None)

    def _pack(self, tag: int, frame: Frame) -> bytes | None:
        made = self._packed.get(tag)
        if made is None or made[0] is not frame:
            made = self._packed[tag] = (frame, packing.pack(frame))
        return made[1]

    def _text(self, view: View, seen: int) -> str | None:
        columns = self._table.since(view.ids, seen)
        if not len(columns):
            return None
        self.encoded += 1
        return live_text(view, columns)

    def _send_frame(self, outlet: Outlet, tag: int, t: int, frame: Frame, quality: int, *, packed: bytes | None) -> None:
        meta: dict[str, Any] = {
            "id": tag,
            "t": t,
            "shape": frame.shape,
            "dtype": frame.dtype,
            "scale": frame.scale,
            "offset": frame.offset,
            "unit": frame.unit,
            "q": quality,
        }
        if packed is not None:
            meta["packed"] = packing.NAME
        socket = self._server.eio.sockets.get(outlet.eio_sid)
        if socket is None or socket.closed:
            return
        outlet.unsent = LivePacket(binary_event("frame.taken", meta))
        self.packets += 1
        put_together(socket.queue, [outlet.unsent, Attachment(frame.data if packed is None else packed)])


def live_text(view: View, columns: Columns) -> str:
    """Socket.IO text of a round for a view: `ar.live` for a task, else `reading.batch`."""
    if view.task is not None:
        return event("ar.live", Json.dumps(view.task.render(columns)).encode())
    return event("reading.batch", columns.body())
