"""Turns the bytes of a PLC into values: numbers as float, texts as str. Pure; a value it cannot believe raises ValueError.

Times and times of day are milliseconds; DATE, DT, DTL and LDT become ISO text without zone, because a PLC clock names none.
An array of numbers is a Frame of one row: int16 and uint8 as they are, the rest as float32.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Literal

import numpy as np

from plc.addressing.s7_types import S7Address
from realtime.events import Frame

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
    "REAL": struct.Struct(">f"),
    "LREAL": struct.Struct(">d"),
    "LINT": struct.Struct(">q"),
    "ULINT": struct.Struct(">Q"),
}
_S5_BASE_MS = (10, 100, 1000, 10000)
_LDT_MOST_NS = 253_402_300_799 * 10**9  # the end of the year 9999
_DAY_NS = 86_400 * 10**9
_ELEMENTS = {
    "BYTE": ">u1",
    "USINT": ">u1",
    "SINT": ">i1",
    "WORD": ">u2",
    "UINT": ">u2",
    "INT": ">i2",
    "DWORD": ">u4",
    "UDINT": ">u4",
    "DINT": ">i4",
    "REAL": ">f4",
    "LREAL": ">f8",
    "LINT": ">i8",
    "ULINT": ">u8",
}
_EXACT: dict[str, Literal["u1", "i2"]] = {"BYTE": "u1", "USINT": "u1", "INT": "i2"}  # what a Frame can carry unchanged


def _bcd(byte: int) -> int:
    high, low = byte >> 4, byte & 15
    if high > 9 or low > 9:
        raise ValueError(f"BCD byte {byte:#04x}")
    return high * 10 + low


def _s5time(raw: bytes) -> float:
    digits = _bcd(raw[0] & 0x0F) * 100 + _bcd(raw[1])
    return float(digits * _S5_BASE_MS[raw[0] >> 4 & 3])


def _counter(raw: bytes) -> float:
    if raw[0] > 9:
        raise ValueError(f"counter {raw.hex()}")
    return float(raw[0] * 100 + _bcd(raw[1]))


def _tod(raw: bytes) -> float:
    ms = int.from_bytes(raw, "big")
    if ms >= 86_400_000:
        raise ValueError(f"TOD of {ms} ms")
    return float(ms)


def _ltime(raw: bytes) -> float:
    return int.from_bytes(raw, "big", signed=True) / 1e6


def _ltod(raw: bytes) -> float:
    ns = int.from_bytes(raw, "big")
    if ns >= _DAY_NS:
        raise ValueError(f"LTOD of {ns} ns")
    return ns / 1e6


def _char(raw: bytes) -> str:
    return raw.decode("latin-1").rstrip("\x00")


def _wchar(raw: bytes) -> str:
    return raw.decode("utf-16-be").rstrip("\x00")


def _string(raw: bytes) -> str:
    most, used = raw[0], raw[1]
    if most == 0 or used > most or used > len(raw) - 2:
        raise ValueError(f"STRING header {most}/{used}")
    return raw[2 : 2 + used].decode("latin-1")


def _wstring(raw: bytes) -> str:
    most, used = struct.unpack_from(">HH", raw)
    if most == 0 or used > most or used > (len(raw) - 4) // 2:
        raise ValueError(f"WSTRING header {most}/{used}")
    return raw[4 : 4 + 2 * used].decode("utf-16-be")


def _date(raw: bytes) -> str:
    return (date(1990, 1, 1) + timedelta(days=int.from_bytes(raw, "big"))).isoformat()


def _dt(raw: bytes) -> str:
    year, month, day, hour, minute, second, centi = (_bcd(b) for b in raw[:7])
    if raw[7] >> 4 > 9:
        raise ValueError(f"BCD byte {raw[7]:#04x}")
    ms = centi * 10 + (raw[7] >> 4)
    return datetime(1900 + year if year >= 90 else 2000 + year, month, day, hour, minute, second, ms * 1000).isoformat(  # noqa: DTZ001 - the PLC names no zone
        timespec="milliseconds"
    )


def _dtl(raw: bytes) -> str:
    year, month, day, _weekday, hour, minute, second, nano = struct.unpack(">HBBBBBBI", raw)
    if not 1970 <= year <= 2554 or nano >= 10**9:
        raise ValueError(f"DTL year {year}, {nano} ns")
    return datetime(year, month, day, hour, minute, second, nano // 1000).isoformat(timespec="milliseconds")  # noqa: DTZ001 - no zone


def _ldt(raw: bytes) -> str:
    ns = int.from_bytes(raw, "big", signed=True)
    if not 0 < ns <= _LDT_MOST_NS:
        raise ValueError(f"LDT of {ns} ns since 1970")
    return (datetime(1970, 1, 1) + timedelta(microseconds=ns // 1000)).isoformat(timespec="microseconds")  # noqa: DTZ001 - no zone


_OTHERS: dict[str, Callable[[bytes], Value]] = {
    "S5TIME": _s5time,
    "COUNTER": _counter,
    "TOD": _tod,
    "LTIME": _ltime,
    "LTOD": _ltod,
    "CHAR": _char,
    "WCHAR": _wchar,
    "STRING": _string,
    "WSTRING": _wstring,
    "DATE": _date,
    "DT": _dt,
    "DTL": _dtl,
    "LDT": _ldt,
}


def decoder(address: S7Address) -> Callable[[bytes, int], Value]:
    """A function (bytes, offset) -> value for one address that is no frame; it raises ValueError on what no such value can be."""
    if address.type == "BOOL":
        bit = 1 << address.bit
        return lambda raw, at: 1.0 if raw[at] & bit else 0.0
    number = _NUMBERS.get(address.type)
    if number is not None:
        unpack = number.unpack_from
        return lambda raw, at: float(unpack(raw, at)[0])
    other, length = _OTHERS[address.type], address.length
    return lambda raw, at: other(raw[at : at + length])


def frame(address: S7Address, raw: bytes, unit: str, scale: float = 1.0, offset: float = 0.0) -> Frame:
    """The array at the start of raw as a picture of one row, values = element * scale + offset; raises ValueError on NaN or infinity."""
    elements = np.frombuffer(raw, _ELEMENTS[address.type], address.count)
    dtype: Literal["u1", "i2", "f4"] = _EXACT.get(address.type, "f4")
    with np.errstate(over="ignore"):
        kept = elements.astype(f"<{dtype}")
    if not np.isfinite(kept).all():
        raise ValueError("NaN or infinity in the array")
    return Frame((1, address.count), dtype, scale, offset, unit, kept.tobytes())
