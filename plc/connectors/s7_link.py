"""One S7 connection: open, negotiate, exchange read jobs. python-snap7 carries the transport; one request is out at a time.

Not thread-safe, as python-snap7 is not: one owner thread. After any error the link must be closed: an answer that comes
late would be taken for the next one's (PROTOCOLS.md 1.4 items 1, 2, 12). `snap7.client.Client` is not used for reads: it
pipelines more than was granted, hides which item failed and cannot be told a timeout.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Sequence

from snap7.connection import ISOTCPConnection
from snap7.datatypes import S7Area
from snap7.error import S7ConnectionError, S7Error, S7ProtocolError, S7TimeoutError
from snap7.s7protocol import S7Protocol

from plc.connector import LinkError
from plc.planner import Item

logging.getLogger("snap7").setLevel(logging.ERROR)  # its one-line-a-connection chatter says less than ours

PDU_ASKED = 960
PDU_LEAST = 112  # below it not even one item of 64 bytes fits
AREAS = {"DB": int(S7Area.DB), "M": int(S7Area.MK), "I": int(S7Area.PE), "Q": int(S7Area.PA)}
OK = 0xFF
ITEM_ERRORS = {
    0x01: "hardware fault",
    0x03: "access to it is not allowed",
    0x05: "address out of range",
    0x06: "data type not supported",
    0x07: "data type inconsistent",
    0x0A: "object does not exist",
}
FUNCTION_REFUSED = {0x8104, 0x8304, 0x8402}  # what CPUs answer while PUT/GET is off
PUT_GET_REMEDY = (
    "in TIA Portal open the CPU's properties > Protection & Security > Connection mechanisms, "
    'tick "Permit access with PUT/GET communication from remote partner", compile and download'
)
SLOT_REMEDY = "S7-1200/1500: rack 0, slot 1 (or 0); S7-300: slot 2; S7-400: the slot shown in the hardware configuration"


def item_error(code: int) -> str:
    """What an item's return code means."""
    return f"{ITEM_ERRORS.get(code, 'unknown error')} (0x{code:02x})"


def parse_read_reply(pdu: bytes, sequence: int, count: int) -> list[bytes | int]:
    """The data of each item, or its return code where it failed. Raises LinkError on anything but the answer awaited.

    Lengths are the sender's claim and are checked against what is there.
    """
    if len(pdu) < 12 or pdu[0] != 0x32 or pdu[1] not in (2, 3):
        raise LinkError("protocol", "answer is no S7 response")
    answered, parameters, data, error = struct.unpack_from(">HHHH", pdu, 4)
    if answered != sequence:
        raise LinkError("protocol", f"answer {answered} to request {sequence}")
    if error:
        raise refused(error)
    if 12 + parameters + data > len(pdu) or parameters < 2:
        raise LinkError("protocol", "answer is cut short")
    if pdu[12] != 4 or pdu[13] != count:
        raise LinkError("protocol", f"{pdu[13]} items answered of {count} asked")
    return _items(pdu[12 + parameters : 12 + parameters + data], count)


def refused(error: int) -> LinkError:
    """The LinkError for an error word in the header of an answer."""
    if error in FUNCTION_REFUSED:
        return LinkError("put_get", f"the CPU refuses reads (0x{error:04x}): PUT/GET access is off", PUT_GET_REMEDY)
    return LinkError("protocol", f"the CPU answers error 0x{error:04x}")


def _items(data: bytes, count: int) -> list[bytes | int]:
    found: list[bytes | int] = []
    at = 0
    for number in range(count):
        if at + 4 > len(data):
            raise LinkError("protocol", f"item {number + 1} of {count} is missing")
        code, size_code, length = struct.unpack_from(">BBH", data, at)
        at += 4
        if code != OK:
            found.append(code)
            continue
        size = (length + 7) // 8 if size_code in (3, 4, 5) else length
        if at + size > len(data):
            raise LinkError("protocol", f"item {number + 1} of {count} is cut short")
        found.append(data[at : at + size])
        at += size + size % 2
    return found


class S7Link:
    """An open connection; pdu is what was negotiated, jobs counts requests."""

    def __init__(self, host: str, port: int, rack: int, slot: int, *, timeout_s: float = 2.0, pdu: int = PDU_ASKED) -> None:
        self.where = f"{host}:{port} rack {rack} slot {slot}"
        self.pdu = pdu
        self.granted = 1  # jobs the CPU takes at once; we send one
        self.jobs = 0
        self._timeout_s = timeout_s
        self._protocol = S7Protocol()
        self._connection = ISOTCPConnection(host, port, remote_tsap=0x0100 | rack << 5 | slot)

    def open(self) -> None:
        """Connect and negotiate; raises LinkError with the remedy."""
        try:
            self._connection.connect(self._timeout_s)
        except S7Error as error:
            self.close()
            raise self._no_connection(error) from error
        try:
            self._negotiate()
        except (S7Error, LinkError) as error:
            self.close()
            raise LinkError("wrong_slot", f"{self.where}: connected, but there is no CPU: {error}", SLOT_REMEDY) from error

    def _no_connection(self, error: S7Error) -> LinkError:
        cause = error.__context__
        if isinstance(cause, ConnectionRefusedError):
            return LinkError(
                "refused", f"{self.where}: connection refused", "nothing listens there: check address and port, and that the CPU is on"
            )
        if isinstance(cause, OSError) and "TCP connection failed" in str(error):
            return LinkError("no_route", f"{self.where}: no route ({cause})", "check the address, the cable, the subnet and the firewall")
        if "TPKT" in str(error):
            return LinkError("protocol", f"{self.where}: what answers is no S7 CPU ({error})", "check address and port; S7 listens on 102")
        return LinkError("wrong_slot", f"{self.where}: the device answers but refuses rack and slot ({error})", SLOT_REMEDY)

    def _negotiate(self) -> None:
        self._connection.send_data(self._protocol.build_setup_communication_request(1, 1, self.pdu))
        reply = self._protocol.parse_response(self._connection.receive_data())
        self._protocol.validate_pdu_reference(reply["sequence"])
        terms = reply["parameters"] or {}
        self.pdu = int(terms.get("pdu_length", 0))
        self.granted = int(terms.get("max_amq_caller", 1))
        if self.pdu < PDU_LEAST:
            raise LinkError("protocol", f"a PDU of {self.pdu} bytes was negotiated")

    def read(self, items: Sequence[Item]) -> list[bytes | int]:
        """One job: the bytes of each item, or its return code. Raises LinkError; close the link then."""
        wanted = [(AREAS[item.area], item.db, item.start, item.length) for item in items]
        request = self._protocol.build_multi_read_request(wanted)
        self.jobs += 1
        try:
            self._connection.send_data(request)
            reply = self._connection.receive_data()
        except S7TimeoutError as error:
            raise LinkError("timeout", f"{self.where}: no answer within {self._timeout_s} s") from error
        except (S7ConnectionError, S7ProtocolError) as error:
            raise LinkError("protocol", f"{self.where}: {error}") from error
        found = parse_read_reply(reply, self._protocol.sequence, len(items))
        for item, data in zip(items, found, strict=True):
            if isinstance(data, bytes) and len(data) != item.length:
                raise LinkError("protocol", f"{self.where}: {len(data)} bytes answered of {item.length} asked")
        return found

    def close(self) -> None:
        """Drop the connection."""
        self._connection.disconnect()
