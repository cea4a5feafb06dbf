"""What has come from an OPC UA server and was not read yet, bounded: the oldest is dropped, and counted."""

from __future__ import annotations

import threading
from collections import deque

from plc.connector import Report
from plc.connectors.opcua_wire import Change, Run


class Waiting:
    """Filled on the asyncio loop, emptied on the link's thread. most: changes, not parts."""

    def __init__(self, most: int, report: Report) -> None:
        self.most = most
        self.report = report
        self._parts: deque[Run | Change] = deque()
        self._count = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    def put(self, part: Run | Change) -> None:
        """Take it; what was first goes when there are too many."""
        dropped = 0
        with self._lock:
            self._parts.append(part)
            self._count += _size(part)
            while self._count > self.most and len(self._parts) > 1:
                gone = _size(self._parts.popleft())
                self._count, dropped = self._count - gone, dropped + gone
        if dropped:
            self.report.reject("overflow", dropped)

    def take(self) -> list[Run | Change]:
        """All of it, in the order in which it came."""
        with self._lock:
            parts, self._parts, self._count = list(self._parts), deque(), 0
        return parts

    def clear(self) -> None:
        """Forget what waits: it is of a session of before."""
        self.take()


def _size(part: Run | Change) -> int:
    return len(part) if isinstance(part, Run) else 1
