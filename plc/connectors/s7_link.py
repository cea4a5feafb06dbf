"""One S7 connection: open, negotiate, exchange jobs. python-snap7 carries the transport.

Not thread-safe, as python-snap7 is not: one owner thread. After any error the link must be closed: an answer that comes
late would be taken for the next one's (PROTOCOLS.md 1.4 items 1, 2, 12). `snap7.client.Client` is not used for reads: it
pipelines more than was granted, hides which item failed and cannot be told a timeout.
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from snap7.connection import ISOTCPConnection
from snap7.error import S7ConnectionError, S7Error, S7ProtocolError, S7TimeoutError
from snap7.s7protocol import S7Protocol

from plc.connector import LinkError
from plc.connectors.s7_wire import parse_read_reply, read_request, sequence_of
from plc.planner import Item
from realtime.bus import now_ms

logging.getLogger("snap7").setLevel(logging.ERROR)  # its one-line-a-connection chatter says less than ours

PDU_ASKED = 960
PDU_LEAST = 112  # below it not even one item of 64 bytes fits
JOBS_MOST = 8  # the most any CPU grants
GARBLED = (S7Error, IndexError, KeyError, TypeError, ValueError, struct.error)  # what the library's parsers raise on hostile bytes
T = TypeVar("T")
SLOT_REMEDY = "S7-1200/1500: rack 0, slot 1 (or 0); S7-300: slot 2; S7-400: the slot shown in the hardware configuration"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one job brought: the bytes of each item or its return code; t_ms is our clock at the middle of the job."""

    job: int
    items: list[bytes | int]
    t_ms: int


class _Connection(ISOTCPConnection):
    """The library's transport with one deadline for a whole answer: its own begins anew with every byte that trickles in."""

    deadline = 0.0

    def arm(self) -> None:
        """What is sent now, and the answer awaited next, must be through within the timeout."""
        self.deadline = time.monotonic() + self.timeout
        if self.socket is not None:
            self.socket.settimeout(self.timeout)

    def send_data(self, data: bytes) -> None:
        self.arm()
        super().send_data(data)

    def _iso_connect(self) -> None:
        self.arm()
        super()._iso_connect()

    def _recv_exact(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            left = self.deadline - time.monotonic()
            if self.socket is None or left <= 0:
                raise S7TimeoutError("Receive timeout")
            self.socket.settimeout(left)
            try:
                part = self.socket.recv(size - len(data))
            except TimeoutError as error:
                raise S7TimeoutError("Receive timeout") from error
            except OSError as error:
                raise S7ConnectionError(f"Receive error: {error}") from error
            if not part:
                raise S7ConnectionError("Connection closed by peer")
            data += part
        return data


class S7Link:
    """An open connection; pdu is what was negotiated, granted the jobs the CPU takes at once, jobs counts requests."""

    def __init__(
        self, host: str, port: int, rack: int, slot: int, *, timeout_s: float = 2.0, pdu: int = PDU_ASKED, max_jobs: int = 1
    ) -> None:
        self.where = f"{host}:{port} rack {rack} slot {slot}"
        self.pdu = pdu
        self.granted = 1
        self.jobs = 0
        self.max_jobs = max(1, min(max_jobs, JOBS_MOST))
        self._timeout_s = timeout_s
        self._sequence = 0
        self._protocol = S7Protocol()
        self._connection = _Connection(host, port, remote_tsap=0x0100 | rack << 5 | slot)

    @property
    def window(self) -> int:
        """Jobs that may be out at a time: as configured, never more than granted."""
        return min(self.max_jobs, self.granted)

    def open(self) -> None:
        """Connect and negotiate; raises LinkError with the remedy."""
        try:
            self._connection.connect(self._timeout_s)
        except S7Error as error:
            self.close()
            raise self._no_connection(error) from error
        try:
            self._negotiate()
        except GARBLED as error:
            self.close()
            raise LinkError("wrong_slot", f"{self.where}: connected, but there is no CPU: {error}", SLOT_REMEDY) from error
        except LinkError:
            self.close()
            raise

    def _no_connection(self, error: S7Error) -> LinkError:
        cause = error.__context__
        if isinstance(cause, ConnectionRefusedError):
            return LinkError(
                "refused", f"{self.where}: connection refused", "nothing listens there: check address and port, and that the CPU is on"
            )
        if isinstance(cause, OSError) and "TCP connection failed" in str(error):
            return LinkError("no_route", f"{self.where}: no route ({cause})", "check the address, the cable, the subnet and the firewall")
        if isinstance(cause, UnicodeError | OverflowError):
            return LinkError("config", f"{self.where}: {cause}", "check host and port of the source")
        if "TPKT" in str(error):
            return LinkError("protocol", f"{self.where}: what answers is no S7 CPU ({error})", "check address and port; S7 listens on 102")
        return LinkError("wrong_slot", f"{self.where}: the device answers but refuses rack and slot ({error})", SLOT_REMEDY)

    def _negotiate(self) -> None:
        terms = self.ask(self._protocol.build_setup_communication_request(self.max_jobs, self.max_jobs, self.pdu))["parameters"]
        pdu, jobs = int(terms["pdu_length"]), min(int(terms["max_amq_caller"]), int(terms["max_amq_callee"]))
        if pdu < PDU_LEAST:
            raise LinkError("protocol", f"{self.where}: a PDU of {pdu} bytes was negotiated", "at least 112 are needed: check the CPU")
        self.pdu = min(pdu, self.pdu)  # more than asked is no grant
        self.granted = max(jobs, 1)

    @property
    def builder(self) -> S7Protocol:
        """Builds requests of services other than reading, for `ask`."""
        return self._protocol

    def ask(self, request: bytes) -> dict[str, Any]:
        """One request of another service and its answer as the library parses it; raises what `GARBLED` lists.

        After S7TimeoutError or S7ConnectionError the link must be closed; after the others the CPU has answered: it cannot or will not.
        """
        self.jobs += 1
        self._connection.send_data(request)
        reply = self._protocol.parse_response(self._connection.receive_data())
        try:
            self._protocol.validate_pdu_reference(reply["sequence"])
        except S7Error as error:
            raise S7ConnectionError(f"an answer to another request: {error}") from error
        return reply

    def read(self, items: Sequence[Item]) -> list[bytes | int]:
        """One job: the bytes of each item, or its return code. Raises LinkError; close the link then."""
        return next(iter(self.exchange([items]))).items

    def exchange(self, jobs: Sequence[Sequence[Item]]) -> Iterator[Answer]:
        """Send every job, `window` of them at a time; answers as they come. Raises LinkError; close the link then."""
        waiting: dict[int, tuple[int, int]] = {}  # sequence -> job, ms when sent
        sent = 0
        while sent < len(jobs) or waiting:
            while sent < len(jobs) and len(waiting) < self.window:
                waiting[self._send(jobs[sent])] = (sent, now_ms())
                sent += 1
            pdu = self._receive()
            sequence = self._read(sequence_of, pdu)
            if sequence not in waiting:
                raise LinkError("protocol", f"{self.where}: answer {sequence} to request {', '.join(map(str, waiting))}")
            job, started = waiting.pop(sequence)
            found = self._read(partial(parse_read_reply, items=jobs[job]), pdu)
            yield Answer(job, found, (started + now_ms()) // 2)

    def _send(self, items: Sequence[Item]) -> int:
        self._sequence = self._sequence % 65535 + 1
        self.jobs += 1
        try:
            self._connection.send_data(read_request(self._sequence, items))
        except S7Error as error:
            raise LinkError("protocol", f"{self.where}: {error}", "the link is opened anew") from error
        return self._sequence

    def _receive(self) -> bytes:
        self._connection.arm()
        try:
            return self._connection.receive_data()
        except S7TimeoutError as error:
            remedy = "check the network, and how many connections the CPU serves"
            raise LinkError("timeout", f"{self.where}: no answer within {self._timeout_s:g} s", remedy) from error
        except (S7ConnectionError, S7ProtocolError) as error:
            raise LinkError("protocol", f"{self.where}: {error}") from error

    def _read(self, parse: Callable[[bytes], T], pdu: bytes) -> T:
        """What a parser makes of an answer; its LinkError with the place named."""
        try:
            return parse(pdu)
        except LinkError as error:
            raise LinkError(error.reason, f"{self.where}: {error.detail}", error.remedy) from error

    def close(self) -> None:
        """Drop the connection."""
        self._connection.disconnect()
