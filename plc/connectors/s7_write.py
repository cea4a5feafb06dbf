"""Writes one value to an S7 PLC and reads it back; plc/commands.py alone opens it. A connection of its own, closed after each command.

A bit is written as a BIT: reading its byte, changing it and writing it back would revert neighbours that the PLC owns (PROTOCOLS.md 1.4).
Nothing is ever sent twice here: after an error the caller reads what came of it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from snap7.datatypes import S7Area, S7WordLen
from snap7.error import S7ConnectionError, S7Error, S7ProtocolError, S7TimeoutError

from plc.addressing import s7
from plc.addressing.s7 import S7Address
from plc.connector import LinkError, WriteRefused
from plc.connectors.s7_link import S7Link
from plc.connectors.s7_values import decoder
from plc.connectors.s7_wire import item_error
from plc.planner import Item

WRITE_FUNCTION = 0x05
OK = 0xFF
CPU_STATE = 0x0424  # system status list: mode of operation
RUN = 0x08
_SIZES = {1: S7WordLen.BYTE, 2: S7WordLen.WORD, 4: S7WordLen.DWORD}
_FORMS = {
    "BYTE": ">B", "USINT": ">B", "SINT": ">b", "WORD": ">H", "UINT": ">H", "INT": ">h",
    "DWORD": ">I", "UDINT": ">I", "DINT": ">i", "REAL": ">f",
}  # fmt: skip


def encoded(address: S7Address, value: float) -> bytes:
    """The bytes of a value; raises ValueError where its type does not hold it."""
    form = _FORMS.get(address.type)
    if form is None:
        raise ValueError(f"{address.type} cannot be written")
    try:
        return struct.pack(form, value if address.type == "REAL" else int(value))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{address.type} does not hold {value}") from error


def parse_write_reply(pdu: bytes, sequence: int) -> None:
    """Raise LinkError on anything but the answer to our one item, WriteRefused where the PLC says no."""
    if len(pdu) < 12 or pdu[0] != 0x32 or pdu[1] not in (2, 3):
        raise LinkError("protocol", "answer is no S7 response")
    answered, parameters, data, error = struct.unpack_from(">HHHH", pdu, 4)
    if answered != sequence:
        raise LinkError("protocol", f"answer {answered} to request {sequence}")
    if error:
        raise WriteRefused(f"the CPU answers error 0x{error:04x}: is writing by PUT/GET permitted, and the block not write-protected?")
    if 12 + parameters + data > len(pdu) or parameters < 2 or data < 1 or pdu[12] != WRITE_FUNCTION or pdu[13] != 1:
        raise LinkError("protocol", "answer does not confirm one item")
    if pdu[12 + parameters] != OK:
        raise WriteRefused(f"the CPU refuses the item: {item_error(pdu[12 + parameters])}")


class _WriteLink(S7Link):
    """The read link with one more kind of job."""

    def send_write(self, address: S7Address, value: float) -> None:
        area = {"DB": S7Area.DB, "M": S7Area.MK}[address.area]
        if address.type == "BOOL":
            start, size, data = address.byte * 8 + address.bit, S7WordLen.BIT, bytes([1 if value else 0])
        else:
            data = encoded(address, value)
            start, size = address.byte, _SIZES[len(data)] if address.type != "REAL" else S7WordLen.REAL
        reply = self._ask(self._protocol.build_write_request(area, address.db, start, size, data))
        parse_write_reply(reply, self._protocol.sequence)

    def state(self) -> int | None:
        """Mode of operation as the CPU tells it; None where it does not."""
        reply = self._ask(self._protocol.build_read_szl_request(CPU_STATE, 0))
        try:
            found = self._protocol.parse_read_szl_response(self._protocol.parse_response(reply))
        except S7ProtocolError:
            return None
        data = found["data"]
        return data[7] if found["szl_id"] == CPU_STATE and len(data) > 7 else None

    def _ask(self, request: bytes) -> bytes:
        self.jobs += 1
        try:
            self._connection.send_data(request)
            return bytes(self._connection.receive_data())
        except S7TimeoutError as error:
            raise LinkError("timeout", f"{self.where}: no answer") from error
        except (S7ConnectionError, S7ProtocolError) as error:
            raise LinkError("protocol", f"{self.where}: {error}") from error


class S7Writer:
    """One PLC, open for one command. connection: host, port 102, rack 0, slot 1, timeout_s 1."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._link = _WriteLink(
            str(connection["host"]),
            int(connection.get("port", 102)),
            int(connection.get("rack", 0)),
            int(connection.get("slot", 1)),
            timeout_s=float(connection.get("timeout_s", 1.0)),
        )

    def open(self) -> None:
        """Connect; raises LinkError."""
        self._link.open()

    def is_running(self) -> bool | None:
        """Whether the CPU says RUN; None where it says nothing. Raises LinkError."""
        state = self._link.state()
        return None if state is None else state == RUN

    def read(self, address: str) -> float:
        """One number, now, from the PLC itself; raises LinkError, and ValueError where there is none to be had."""
        parsed = s7.parse(address)
        data = self._link.read([Item(parsed.area, parsed.db, parsed.byte, parsed.length, ())])[0]
        if isinstance(data, int):
            raise ValueError(f"{address}: {item_error(data)}")  # noqa: TRY004 - the PLC's answer is wrong, not a type of ours
        value = decoder(parsed)(data, 0)
        if isinstance(value, str):
            raise ValueError(f"{address} is text")  # noqa: TRY004 - the address is wrong, not a type of ours
        return value

    def write(self, address: str, value: float) -> None:
        """One request. Raises WriteRefused: not written. Raises LinkError: nobody knows; read it back on a new connection."""
        self._link.send_write(s7.parse(address), value)

    def close(self) -> None:
        """Drop the connection; never raises."""
        try:
            self._link.close()
        except (S7Error, OSError):
            return
