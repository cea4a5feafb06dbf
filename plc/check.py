"""Tries one S7 address from the command line: value, PDU and round trip, or the diagnosis with the remedy in TIA's words.

python -m plc check --host 10.0.0.5 --rack 0 --slot 1 DB10.DBD4:REAL
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

from plc.addressing import s7
from plc.addressing.errors import AddressError
from plc.addressing.s7 import S7Address
from plc.connector import LinkError
from plc.connectors.s7_link import S7Link, item_error
from plc.connectors.s7_values import Value, decoder
from plc.planner import Item, Span, plan

OPTIMIZED_REMEDY = (
    'in TIA Portal open the properties of DB{db} > Attributes, untick "Optimized block access", compile and download; '
    "do the same for every data block you want read"
)
MISSING_REMEDY = (
    "in TIA Portal look under Program blocks for the number: the block must be a global DB, downloaded to this CPU, "
    'and not "Only store in load memory"'
)
SHORT_REMEDY = (
    "in TIA Portal open DB{db} and compare the Offset column with the address; compile first, offsets are blank until then. "
    'If the block shows no offsets at all, "Optimized block access" is on: untick it and download'
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a successful check shows."""

    address: S7Address
    value: Value
    pdu: int
    granted: int
    round_trip_ms: float


def check(host: str, port: int, rack: int, slot: int, address: S7Address, timeout_s: float = 2.0) -> Found:
    """Read one address; raises LinkError with the diagnosis and the remedy."""
    link = S7Link(host, port, rack, slot, timeout_s=timeout_s)
    link.open()
    try:
        started = time.perf_counter()
        raw = _read(link, address)
        elapsed = (time.perf_counter() - started) * 1000
        try:
            value = decoder(address)(raw, 0)
        except ValueError as error:
            raise LinkError("config", f"{address.canonical()}: the bytes are no {address.type}: {error}", "check the type") from error
        return Found(address, value, link.pdu, link.granted, elapsed)
    finally:
        link.close()


def _read(link: S7Link, address: S7Address) -> bytes:
    raw = b""
    for job in plan([Span(address.area, address.db, address.byte, address.length)], link.pdu):
        data = link.read(job.items)[0]
        if isinstance(data, int):
            raise _diagnosis(link, address, data)
        raw += data
    return raw


def _diagnosis(link: S7Link, address: S7Address, code: int) -> LinkError:
    """Why one item failed. A block that does not even give its first byte is optimized; one that does is too short."""
    where = address.canonical()
    if address.area != "DB":
        return LinkError("out_of_range", f"{where}: {item_error(code)}", "check the address against the CPU's I/O and memory bit ranges")
    if code == 0x0A:
        return LinkError("db_missing", f"{where}: DB{address.db} does not exist on this CPU ({item_error(code)})", MISSING_REMEDY)
    if code == 0x05 and address.byte > 0:
        first = link.read([Item("DB", address.db, 0, 1, ())])[0]
        if isinstance(first, bytes):
            detail = f"{where}: DB{address.db} is readable but shorter than byte {address.byte + address.length}"
            return LinkError("out_of_range", detail, SHORT_REMEDY.format(db=address.db))
    detail = f"{where}: DB{address.db} exists but gives no bytes by offset ({item_error(code)}): it is optimized"
    return LinkError("optimized_db", detail, OPTIMIZED_REMEDY.format(db=address.db))


def main(arguments: list[str]) -> int:
    """Print the finding; 0 when the value could be read, 1 with the diagnosis, 2 for a wrong address."""
    parser = argparse.ArgumentParser(prog="python -m plc check", description="Read one S7 address, or say why it cannot be read.")
    parser.add_argument("--host", required=True, help="address of the CPU")
    parser.add_argument("--port", type=int, default=102)
    parser.add_argument("--rack", type=int, default=0)
    parser.add_argument("--slot", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=2.0, metavar="SECONDS")
    parser.add_argument("address", help="such as DB10.DBD4:REAL")
    options = parser.parse_args(arguments)
    try:
        address = s7.parse(options.address)
    except AddressError as error:
        sys.stderr.write(f"{options.address}\n{' ' * error.position}^ {error.hint}\n")
        return 2
    try:
        found = check(options.host, options.port, options.rack, options.slot, address, options.timeout)
    except LinkError as error:
        sys.stderr.write(f"{error.reason}: {error.detail}\n")
        if error.remedy:
            sys.stderr.write(f"remedy: {error.remedy}\n")
        return 1
    shown = f"{found.value:.7g}" if isinstance(found.value, float) else repr(found.value)
    sys.stdout.write(f"{found.address.canonical()} = {shown}\n")
    sys.stdout.write(f"PDU {found.pdu} bytes, {found.granted} job(s) at once, round trip {found.round_trip_ms:.1f} ms\n")
    for warning in found.address.warnings():
        sys.stdout.write(f"warning: {warning}\n")
    return 0
