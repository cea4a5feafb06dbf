"""Decodes the answer to a publish request: numbers of one layout come in columns, everything else as asyncua takes it apart.

asyncua makes five objects of each change, about 10 us; a column of numbers costs a tenth of that (bench/opcua.py). It knows no tags.
Layouts: OPC 10000-6, 5.2.2.17 (DataValue) and 5.2.2.16 (Variant); OPC 10000-4, 7.25.2 (DataChangeNotification).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import extensionobject_from_binary, from_binary, nodeid_from_binary, struct_from_binary
from asyncua.ua.uaerrors import UaError

Change = tuple[int, ua.DataValue]  # the number of the monitored item, what came

DATA_CHANGE = ObjectIds.DataChangeNotification_Encoding_DefaultBinary
NUMBERS = {1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8", 10: "<f4", 11: "<f8"}  # by VariantType
BOOLEAN = 1
HAS_VALUE, HAS_STATUS, HAS_SOURCE_TIME, HAS_SERVER_TIME, HAS_SOURCE_PICO, HAS_SERVER_PICO = (1 << bit for bit in range(6))
EPOCH_TICKS = 116_444_736_000_000_000  # 1970 in steps of 100 ns since 1601
TICKS_A_MS = 10_000
LONG = 8  # changes of one layout from which a column pays
MALFORMED = (struct.error, ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Run:
    """Changes in their order, as columns (n,): item numbers u32, values f64, status codes u32, source times i64 ms UTC.

    body and at (offsets, i64) are what they were made of, so that `change` can tell one as it was said.
    """

    body: bytes
    at: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float64]
    codes: npt.NDArray[np.uint32]
    t: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def change(self, place: int) -> Change:
        """One of them, whole."""
        item = from_binary(ua.MonitoredItemNotification, Buffer(self.body, int(self.at[place])))
        return item.ClientHandle, item.Value


@dataclass(slots=True)
class Published:
    """What a publish request was answered with. ended: why the subscription is at its end, if it is."""

    subscription: int
    sequence: int
    is_keep_alive: bool
    parts: list[Run | Change] = field(default_factory=list)
    ended: str = ""


@dataclass(frozen=True, slots=True)
class _Layout:
    """One change of a number of one type: what lies where."""

    row: np.dtype[np.void]
    one: struct.Struct  # the same, for a change alone
    ticks_at: int  # in what `one` gives
    has_code: bool

    def column(self, body: bytes, start: int, most: int, head: bytes) -> npt.NDArray[np.void]:
        """As many changes from `start` on as have this very layout, at least one."""
        found = np.frombuffer(body, self.row, most, start)
        other = found["head"] != np.frombuffer(head, "<u2")[0]
        return found[: int(np.argmax(other))] if other.any() else found


def _layouts() -> Iterator[tuple[bytes, _Layout]]:
    """By encoding mask and variant type: every number with a source time."""
    optional = (
        (HAS_STATUS, "code", "<u4"),
        (HAS_SOURCE_TIME, "ticks", "<i8"),
        (HAS_SOURCE_PICO, "source_pico", "<u2"),
        (HAS_SERVER_TIME, "server", "<i8"),
        (HAS_SERVER_PICO, "server_pico", "<u2"),
    )
    for mask in range(64):
        if not (mask & HAS_VALUE and mask & HAS_SOURCE_TIME):
            continue
        for kind, value in NUMBERS.items():
            row = [("number", "<u4"), ("head", "<u2"), ("value", value), *((name, of) for bit, name, of in optional if mask & bit)]
            dtype, names = np.dtype(row), [name for name, _ in row]
            codes = "".join(np.dtype(of).char for _, of in row).replace("l", "q").replace("L", "Q")
            yield bytes((mask, kind)), _Layout(dtype, struct.Struct("<" + codes), names.index("ticks"), "code" in names)


LAYOUTS = dict(_layouts())


def published(data: Buffer) -> Published:
    """The answer to a publish request; raises UaError where it cannot be read."""
    try:
        return _published(data)
    except MALFORMED as error:
        raise UaError(f"a notification cannot be read: {error}") from error


def _published(data: Buffer) -> Published:
    nodeid_from_binary(data)
    struct_from_binary(ua.ResponseHeader, data)
    (subscription,) = struct.unpack("<I", data.read(4))
    (available,) = struct.unpack("<i", data.read(4))
    data.skip(4 * max(available, 0))
    _more, sequence, _time, count = struct.unpack("<BIqi", data.read(17))
    made = Published(subscription, sequence, is_keep_alive=count <= 0)
    for _ in range(count):
        body = _data_change(data)
        if body is not None:
            made.parts += changes(body)
            continue
        part = extensionobject_from_binary(data)
        if isinstance(part, ua.StatusChangeNotification):
            made.ended = part.Status.name
    return made


def _data_change(data: Buffer) -> bytes | None:
    """The body of a data change notification of known length; None, with nothing taken, where something else comes."""
    ahead = data.copy()
    kind = nodeid_from_binary(ahead)
    if kind.Identifier != DATA_CHANGE or kind.NamespaceIndex or ahead.read(1) != b"\x01":
        return None
    (length,) = struct.unpack("<i", ahead.read(4))
    if length < 4:
        return None
    data.skip(len(data) - len(ahead))
    return data.read(length)


def changes(body: bytes) -> list[Run | Change]:
    """The monitored items of a data change notification, in their order; raises UaError or one of MALFORMED."""
    (left,) = struct.unpack_from("<i", body)
    parts: list[Run | Change] = []
    at, single = 4, _Single(body)
    while left > 0:
        head = body[at + 4 : at + 6]
        layout = LAYOUTS.get(head)
        if layout is None:
            parts += single.taken()
            rest = Buffer(body, at)
            item = from_binary(ua.MonitoredItemNotification, rest)
            parts.append((item.ClientHandle, item.Value))
            at, left = len(body) - len(rest), left - 1
            continue
        size = layout.row.itemsize
        most = min(left, (len(body) - at) // size)
        ahead = at + (LONG - 1) * size
        if most >= LONG and body[ahead + 4 : ahead + 6] == head and len(column := layout.column(body, at, most, head)) >= LONG:
            parts += [*single.taken(), _run(body, at, column)]
            at, left = at + size * len(column), left - len(column)
        else:
            single.take(layout, at)
            at, left = at + size, left - 1
    return parts + single.taken()


class _Single:
    """Gathers numbers whose neighbours have another layout."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._rows: list[tuple[int, int, float, int, int]] = []

    def take(self, layout: _Layout, at: int) -> None:
        """The change at this offset."""
        found = layout.one.unpack_from(self.body, at)
        number, value, ticks = found[0], found[2], found[layout.ticks_at]
        if self.body[at + 5] == BOOLEAN:
            value = value != 0
        code = found[3] if layout.has_code else 0
        self._rows.append((at, number, float(value), code, ticks))

    def taken(self) -> list[Run | Change]:
        """What was gathered, as one run; none of it is kept."""
        if not self._rows:
            return []
        at, numbers, values, codes, ticks = zip(*self._rows, strict=True)
        self._rows = []
        times = _ms(np.array(ticks, "i8"))
        return [Run(self.body, np.array(at, "i8"), np.array(numbers, "u4"), np.array(values, "f8"), np.array(codes, "u4"), times)]


def _run(body: bytes, start: int, column: npt.NDArray[np.void]) -> Run:
    n = len(column)
    values = column["value"].astype("f8") if body[start + 5] != BOOLEAN else (column["value"] != 0).astype("f8")
    codes = column["code"].astype("u4") if "code" in (column.dtype.names or ()) else np.zeros(n, "u4")
    at = start + column.dtype.itemsize * np.arange(n)
    return Run(body, at, column["number"].astype("u4"), values, codes, _ms(column["ticks"]))


def _ms(ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Milliseconds since 1970, rounded to the nearest, halves up (as `opcua_values.stamp_ms`)."""
    made: npt.NDArray[np.int64] = (ticks.astype("i8") // 10 + 500 - EPOCH_TICKS // 10) // 1000
    return made
