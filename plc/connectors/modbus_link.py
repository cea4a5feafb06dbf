"""One Modbus TCP connection through pymodbus: a read and what became of it. One owner thread.

After a silence the connection is opened anew: an answer that comes late would be taken for the next one's.
"""

from __future__ import annotations

import logging
import socket

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.pdu import ModbusPDU

from plc.connector import LinkError
from plc.connectors.modbus_plan import Block
from realtime.errors import SightlineError

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it reports each silence at length; we say it once

FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
HEAD_BYTES = 9  # transaction, protocol, length, unit, function, count of bytes
EXCEPTIONS = {
    1: "function not supported",
    2: "no such register",
    3: "so many registers are not read at once, or the device refuses holes",
    4: "device failure",
    5: "accepted, but not done yet",
    6: "device busy",
    8: "memory parity error",
    10: "gateway has no path to the unit",
    11: "the unit behind the gateway does not answer",
}


class Silent(SightlineError):
    """A unit did not answer in time; the connection stands (anew)."""


class ModbusLink:
    """An open connection. `read` returns registers or bits (0, 1), or the number of the exception the device answered with."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self.where = f"{host}:{port}"
        self.host, self.port, self.timeout_s = host, port, timeout_s
        self.requests = 0
        self._frame = b""  # the last that came
        self._client = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0, trace_packet=self._see)

    def _see(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self._frame = data
        return data

    def open(self) -> None:
        """Connect; raises LinkError."""
        if not self.host:
            raise LinkError("config", "no host", "set host in the source, such as 10.0.0.9")
        try:
            opened = socket.create_connection((self.host, self.port), self.timeout_s)
        except ConnectionRefusedError as error:
            raise LinkError(
                "refused", f"{self.where}: connection refused", "check the port (502) and that Modbus TCP is enabled"
            ) from error
        except TimeoutError as error:
            raise LinkError(
                "no_route", f"{self.where}: no answer within {self.timeout_s:g} s", "check the address and the network"
            ) from error
        except OSError as error:
            raise LinkError("no_route", f"{self.where}: {error}", "check the address, the cable and the firewall") from error
        self._client.close()  # type: ignore[no-untyped-call]
        self._client.socket = opened

    def read(self, block: Block) -> list[int] | int:
        """One request. Raises Silent, after which the connection is new, and LinkError when it cannot be had."""
        self.requests += 1
        try:
            answer = self._ask(block)
        except ConnectionException as error:
            raise LinkError("protocol", f"{self.where}: connection lost", "the device closed it; some allow one connection only") from error
        except (ModbusIOException, TimeoutError):
            self.open()
            raise Silent from None
        except (ModbusException, OSError, ValueError, IndexError) as error:  # what pymodbus raises of frames that are none
            raise LinkError("protocol", f"{self.where}: what answers is no Modbus: {error or type(error).__name__}") from error
        if answer.isError():
            return int(getattr(answer, "exception_code", 0)) or 4
        size = (block.count + 7) // 8 if block.is_bits else 2 * block.count
        if answer.function_code != FUNCTIONS[block.table] or len(self._frame) != HEAD_BYTES + size:
            raise LinkError("protocol", f"{self.where}: the answer does not fit the question ({self._frame[:16].hex(' ')})")
        return [int(bit) for bit in answer.bits[: block.count]] if block.is_bits else list(answer.registers)

    def _ask(self, block: Block) -> ModbusPDU:
        ask = {
            "coil": self._client.read_coils,
            "discrete": self._client.read_discrete_inputs,
            "input": self._client.read_input_registers,
            "holding": self._client.read_holding_registers,
        }[block.table]
        return ask(block.start, count=block.count, device_id=block.unit)

    def close(self) -> None:
        """Drop the connection; never raises."""
        self._client.close()  # type: ignore[no-untyped-call]
