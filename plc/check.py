"""Tries one S7 address from the command line: value, PDU and round trip, or the diagnosis with the remedy in TIA's words.

python -m plc check --host 10.0.0.5 --rack 0 --slot 1 DB10.DBD4:REAL
python -m plc check --host 10.0.0.5 --area DB10 --from 0 --length 64
python -m plc check --host 10.0.0.5 --blocks
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

from plc.addressing import s7
from plc.addressing.errors import AddressError
from plc.addressing.s7_types import S7Address
from plc.connector import LinkError
from plc.connectors.s7_area import area_named, hex_dump, read_area
from plc.connectors.s7_diagnosis import Diagnosis
from plc.connectors.s7_link import JOBS_MOST, S7Link
from plc.connectors.s7_system import Block, State, cpu_state, list_blocks, stopped
from plc.connectors.s7_values import Value, decoder, frame
from plc.planner import Span, plan


@dataclass(frozen=True, slots=True)
class Found:
    """What a successful check shows."""

    address: S7Address
    value: Value | list[float]
    pdu: int
    granted: int
    round_trip_ms: float


def check(host: str, port: int, rack: int, slot: int, address: S7Address, timeout_s: float = 2.0) -> Found:
    """Read one address; raises LinkError with the diagnosis and the remedy, a CPU in STOP included."""
    link = S7Link(host, port, rack, slot, timeout_s=timeout_s, max_jobs=JOBS_MOST)
    link.open()
    try:
        started = time.perf_counter()
        raw = _read(link, address)
        elapsed = (time.perf_counter() - started) * 1000
        value = _value(address, raw)
        if _state(link) == "stop":
            raise stopped(link)
        return Found(address, value, link.pdu, link.granted, elapsed)
    finally:
        link.close()


def _read(link: S7Link, address: S7Address) -> bytes:
    raw = b""
    for job in plan([Span(address.area, address.db, address.byte, address.length)], link.pdu):
        data = link.read(job.items)[0]
        if isinstance(data, int):
            raise Diagnosis(link).of(address, data)
        raw += data
    return raw


def _value(address: S7Address, raw: bytes) -> Value | list[float]:
    try:
        return frame(address, raw, "").array()[0].tolist() if address.kind == "frame" else decoder(address)(raw, 0)
    except ValueError as error:
        raise LinkError("config", f"{address.canonical()}: the bytes are no {address.type}: {error}", "check the type") from error


def _state(link: S7Link) -> State:
    try:
        return cpu_state(link)
    except LinkError:
        return "unknown"  # the value is there; not every device answers this


def blocks(link: S7Link) -> list[Block]:
    """The data blocks of a CPU; raises LinkError."""
    link.open()
    try:
        return list_blocks(link)
    finally:
        link.close()


def dump(link: S7Link, area: str, start: int, length: int) -> list[str]:
    """Lines of a hex dump; raises LinkError, and ValueError for an area or a stretch that cannot be."""
    kind, db = area_named(area)
    link.open()
    try:
        return list(hex_dump(read_area(link, kind, db, start, length), start, step=2 if kind in {"T", "C"} else 1))
    finally:
        link.close()


def main(arguments: list[str]) -> int:
    """Print the finding; 0 when it could be read, 1 with the diagnosis, 2 for a wrong address, area or option."""
    parser = argparse.ArgumentParser(prog="python -m plc check", description="Read one S7 address, or say why it cannot be read.")
    parser.add_argument("--host", required=True, help="address of the CPU")
    parser.add_argument("--port", type=int, default=102)
    parser.add_argument("--rack", type=int, default=0)
    parser.add_argument("--slot", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=2.0, metavar="SECONDS")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("address", nargs="?", help="such as DB10.DBD4:REAL")
    what.add_argument("--area", help="show the bytes of DB<number>, I, Q, M, T or C")
    what.add_argument("--blocks", action="store_true", help="list the data blocks, where the CPU tells")
    parser.add_argument("--from", dest="start", type=int, default=0, metavar="BYTE")
    parser.add_argument("--length", type=int, default=64, metavar="BYTES")
    options = parser.parse_args(arguments)
    link = S7Link(options.host, options.port, options.rack, options.slot, timeout_s=options.timeout)
    try:
        if options.area:
            lines = dump(link, options.area, options.start, options.length)
        elif options.blocks:
            lines = [f"DB{block.number}  {block.size} bytes" for block in blocks(link)]
        else:
            lines = _finding(options)
    except AddressError as error:
        sys.stderr.write(f"{options.address}\n{' ' * error.position}^ {error.hint}\n")
        return 2
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except LinkError as error:
        sys.stderr.write(f"{error.reason}: {error.detail}\n" + (f"remedy: {error.remedy}\n" if error.remedy else ""))
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _finding(options: argparse.Namespace) -> list[str]:
    address = s7.parse(options.address)
    found = check(options.host, options.port, options.rack, options.slot, address, options.timeout)
    shown = f"{found.value:.7g}" if isinstance(found.value, float) else repr(found.value)
    return [
        f"{address.canonical()} = {shown}",
        f"PDU {found.pdu} bytes, {found.granted} job(s) at once, round trip {found.round_trip_ms:.1f} ms",
        *(f"warning: {warning}" for warning in address.warnings()),
    ]
