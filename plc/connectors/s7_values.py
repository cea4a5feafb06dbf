"""Turns the bytes of a PLC into values: numbers as float, texts as str. Pure; a value it cannot believe raises ValueError.

TIME and TOD are milliseconds, S5TIME too; DATE, DT and DTL become ISO text without zone, because a PLC clock names none.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date, datetime, timedelta

from plc.addressing.s7 import S7Address

Value = float | str

_NUMBERS: dict[str, struct.Struct] = {
    "BYTE": struct.Struct(">B"),
    "USINT": struct.Struct(">B"),
    "SINT": struct.Struct(">b"),
    "WORD": struct.Struct(">H"),
    "UINT": struct.Struct(">H"),
    "INT": struct.Struct(">h"),
    "DWORD": struct.Struct(">I"),
    "UDINT": struct.Struct(">I"),
    "DINT": struct.Struct(">i"),
    "TIME": struct.Struct(">i"),
    "TOD": struct.Struct(">I"),
    "REAL": struct.Struct(">f"),
    "LREAL": struct.Struct(">d"),
    "LINT": struct.Struct(">q"),
    "ULINT": struct.Struct(">Q"),
}
_S5_BASE_MS = (10, 100, 1000, 10000)


def _bcd(byte: int) -> int:
    high, low = byte >> 4, byte & 15
    if high > 9 or low > 9:
        raise ValueError(f"BCD byte {byte:#04x}")
    return high * 10 + low


def _s5time(raw: bytes) -> float:
    digits = _bcd(raw[0] & 0x0F) * 100 + _bcd(raw[1])
    return float(digits * _S5_BASE_MS[raw[0] >> 4 & 3])


def _char(raw: bytes) -> str:
    return raw.decode("latin-1").rstrip("\x00")


def _string(raw: bytes) -> str:
    most, used = raw[0], raw[1]
    if most == 0 or used > most or used > len(raw) - 2:
        raise ValueError(f"STRING header {most}/{used}")
    return raw[2 : 2 + used].decode("latin-1")


def _date(raw: bytes) -> str:
    return (date(1990, 1, 1) + timedelta(days=int.from_bytes(raw, "big"))).isoformat()


def _dt(raw: bytes) -> str:
    year, month, day, hour, minute, second, centi = (_bcd(b) for b in raw[:7])
    ms = centi * 10 + min(raw[7] >> 4, 9)
    return datetime(1900 + year if year >= 90 else 2000 + year, month, day, hour, minute, second, ms * 1000).isoformat(  # noqa: DTZ001 - the PLC names no zone
        timespec="milliseconds"
    )


def _dtl(raw: bytes) -> str:
    year, month, day, _weekday, hour, minute, second, nano = struct.unpack(">HBBBBBBI", raw)
    if year < 1970:
        raise ValueError(f"DTL year {year}")
    return datetime(year, month, day, hour, minute, second, nano // 1000).isoformat(timespec="milliseconds")  # noqa: DTZ001 - no zone


_OTHERS: dict[str, Callable[[bytes], Value]] = {
    "S5TIME": _s5time,
    "CHAR": _char,
    "STRING": _string,
    "DATE": _date,
    "DT": _dt,
    "DTL": _dtl,
}


def decoder(address: S7Address) -> Callable[[bytes, int], Value]:
    """A function (bytes, offset) -> value for one address; it raises ValueError on what no such value can be."""
    if address.type == "BOOL":
        bit = 1 << address.bit
        return lambda raw, at: 1.0 if raw[at] & bit else 0.0
    number = _NUMBERS.get(address.type)
    if number is not None:
        unpack = number.unpack_from
        return lambda raw, at: float(unpack(raw, at)[0])
    other, length = _OTHERS[address.type], address.length
    return lambda raw, at: other(raw[at : at + length])
