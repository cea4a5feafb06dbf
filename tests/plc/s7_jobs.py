"""Counts S7 jobs as they pass a FaultProxy: read jobs, and how many were out at a time. Frames are cut from the chunks here."""

from __future__ import annotations

from collections import defaultdict

from tests.plc.proxy import FaultProxy

READ, SETUP = 0x04, 0xF0


class S7Jobs:
    """Give `on_request` and `on_answer` to a FaultProxy, or use `counting`."""

    def __init__(self) -> None:
        self.reads = 0
        self.setups = 0
        self.others = 0
        self.most_out = 0
        self._out: dict[int, int] = defaultdict(int)
        self._rest: dict[tuple[int, bool], bytes] = defaultdict(bytes)

    def on_request(self, number: int, chunk: bytes) -> None:
        """What the client sends."""
        for frame in self._frames(number, chunk, is_answer=False):
            if frame[5] != 0xF0:  # connection request
                continue
            self._out[number] += 1
            self.most_out = max(self.most_out, self._out[number])
            function = frame[17] if frame[8] == 1 else 0
            self.reads += function == READ
            self.setups += function == SETUP
            self.others += function not in {READ, SETUP}

    def on_answer(self, number: int, chunk: bytes) -> None:
        """What the server sends."""
        for frame in self._frames(number, chunk, is_answer=True):
            self._out[number] -= frame[5] == 0xF0

    def _frames(self, number: int, chunk: bytes, *, is_answer: bool) -> list[bytes]:
        rest = self._rest[number, is_answer] + chunk
        found = []
        while len(rest) >= 4 and len(rest) >= (size := max(int.from_bytes(rest[2:4], "big"), 7)):
            found.append(rest[:size])
            rest = rest[size:]
        self._rest[number, is_answer] = rest
        return found


def counting(port: int) -> tuple[FaultProxy, S7Jobs]:
    """A proxy before a server of this machine, and what it counts; close the proxy."""
    jobs = S7Jobs()
    return FaultProxy("127.0.0.1", port, on_request=jobs.on_request, on_answer=jobs.on_answer), jobs
