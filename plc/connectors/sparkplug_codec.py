"""Sparkplug B payloads: the protobuf message by its public field numbers, and metric values from and to Python. Pure.

Source: Sparkplug 3.0 specification, chapter 6 and its Payload schema. DataSets, templates and the like stay opaque bytes here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_NUMBERS = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double", "Boolean")
_OTHERS = ("String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template", "PropertySet", "PropertySetList")
_ARRAYS = tuple(f"{name}Array" for name in (*_NUMBERS, "String", "DateTime"))
NAMES = ("Unknown", *_NUMBERS, *_OTHERS, *_ARRAYS)  # the place is the number on the wire
TYPES = {name: number for number, name in enumerate(NAMES)}
BOOLEAN = TYPES["Boolean"]
TEXTS = frozenset({TYPES["String"], TYPES["Text"], TYPES["UUID"]})
SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}  # datatype -> bits
UNSIGNED = {5: 8, 6: 16, 7: 32, 8: 64, 13: 64}  # DateTime is milliseconds since 1970
MAX_PAYLOAD = 4_000_000

_T = descriptor_pb2.FieldDescriptorProto
_PROPERTY_VALUE = (
    ("type", 1, _T.TYPE_UINT32),
    ("is_null", 2, _T.TYPE_BOOL),
    ("int_value", 3, _T.TYPE_UINT32),
    ("long_value", 4, _T.TYPE_UINT64),
    ("string_value", 8, _T.TYPE_BYTES),
)
_METRIC = (
    ("name", 1, _T.TYPE_BYTES),  # text, but a peer's wrong bytes must not make the whole payload unreadable
    ("alias", 2, _T.TYPE_UINT64),
    ("timestamp", 3, _T.TYPE_UINT64),
    ("datatype", 4, _T.TYPE_UINT32),
    ("is_historical", 5, _T.TYPE_BOOL),
    ("is_null", 7, _T.TYPE_BOOL),
    ("int_value", 10, _T.TYPE_UINT32),
    ("long_value", 11, _T.TYPE_UINT64),
    ("float_value", 12, _T.TYPE_FLOAT),
    ("double_value", 13, _T.TYPE_DOUBLE),
    ("boolean_value", 14, _T.TYPE_BOOL),
    ("string_value", 15, _T.TYPE_BYTES),
    ("bytes_value", 16, _T.TYPE_BYTES),
    ("dataset_value", 17, _T.TYPE_BYTES),
    ("template_value", 18, _T.TYPE_BYTES),
)
_PAYLOAD = (("timestamp", 1, _T.TYPE_UINT64), ("seq", 3, _T.TYPE_UINT64), ("uuid", 4, _T.TYPE_BYTES), ("body", 5, _T.TYPE_BYTES))


class PayloadError(ValueError):
    """Bytes that are no Sparkplug payload, or a metric value that is none; the text is the reason it is counted under."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as it came: name "" where only the alias was sent; t ms UTC, 0 = not said; quality None = not said."""

    name: str
    alias: int | None
    t: int
    datatype: int
    value: float | str | None
    is_historical: bool = False
    quality: int | None = None
    unit: str = ""
    refused: str = ""  # the reason why there is no value


@dataclass(frozen=True, slots=True)
class Payload:
    """One message; seq None = not said."""

    t: int
    seq: int | None
    metrics: list[Metric]


def _payload_class() -> Any:
    """The class of the message Payload, made of the field numbers above."""
    file = descriptor_pb2.FileDescriptorProto(name="sightline/sparkplug_b.proto", package="sightline.sparkplug", syntax="proto2")
    for name, fields in (("PropertyValue", _PROPERTY_VALUE), ("PropertySet", ()), ("Metric", _METRIC), ("Payload", _PAYLOAD)):
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            message.field.add(name=field, number=number, type=kind, label=_T.LABEL_OPTIONAL)
    properties, metric, payload = file.message_type[1:]
    properties.field.add(name="keys", number=1, type=_T.TYPE_BYTES, label=_T.LABEL_REPEATED)
    _refer(properties, "values", 2, "PropertyValue", _T.LABEL_REPEATED)
    _refer(metric, "properties", 9, "PropertySet", _T.LABEL_OPTIONAL)
    _refer(payload, "metrics", 2, "Metric", _T.LABEL_REPEATED)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sightline.sparkplug.Payload"))


def _refer(message: Any, name: str, number: int, kind: str, label: Any) -> None:
    message.field.add(name=name, number=number, type=_T.TYPE_MESSAGE, type_name=f".sightline.sparkplug.{kind}", label=label)


Wire = _payload_class()  # the message itself, for whoever builds one


def decode(data: bytes) -> Payload:
    """Read a message; raises PayloadError: `too_large`, `not_protobuf`, `compressed`."""
    if len(data) > MAX_PAYLOAD:
        raise PayloadError("too_large")
    try:
        raw = Wire.FromString(data)
    except DecodeError as error:
        raise PayloadError("not_protobuf") from error
    if raw.uuid == b"SPBV1.0_COMPRESSED":
        raise PayloadError("compressed")
    return Payload(raw.timestamp, raw.seq if raw.HasField("seq") else None, [_metric(one) for one in raw.metrics])


def _metric(raw: Any) -> Metric:
    quality, unit = _properties(raw) if raw.HasField("properties") else (None, "")
    value: float | str | None = None
    refused = ""
    try:
        value = None if raw.is_null else value_of(raw)
    except PayloadError as error:
        refused = str(error)
    return Metric(
        name=raw.name.decode("utf-8", "backslashreplace"),
        alias=raw.alias if raw.HasField("alias") else None,
        t=raw.timestamp,
        datatype=raw.datatype,
        value=value,
        is_historical=raw.is_historical,
        quality=quality,
        unit=unit,
        refused=refused,
    )


def _properties(raw: Any) -> tuple[int | None, str]:
    """Quality and engineering unit as far as said."""
    found = dict(zip(raw.properties.keys, raw.properties.values, strict=False))
    quality, unit = found.get(b"Quality"), found.get(b"engUnit")
    said = None
    if quality is not None and not quality.is_null:
        said = quality.int_value if quality.HasField("int_value") else quality.long_value if quality.HasField("long_value") else None
    return said, unit.string_value.decode("utf-8", "replace")[:16] if unit is not None else ""


def value_of(raw: Any) -> float | str:
    """The value of a metric that is not null, booleans as 0 and 1; raises PayloadError."""
    if raw.HasField("int_value"):
        return _whole(raw.int_value, raw.datatype, 32)
    if raw.HasField("long_value"):
        return _whole(raw.long_value, raw.datatype, 64)
    for name in ("double_value", "float_value", "boolean_value"):
        if raw.HasField(name):
            return float(getattr(raw, name))
    if raw.HasField("string_value"):
        try:
            return str(raw.string_value.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise PayloadError("not_utf8") from error
    is_opaque = any(raw.HasField(name) for name in ("bytes_value", "dataset_value", "template_value"))
    raise PayloadError("datatype" if is_opaque else "no_value")


def _whole(value: int, kind: int, width: int) -> float:
    """Two's complement of the type's width: -1 as Int8 comes as 255 or as 4294967295."""
    bits = SIGNED.get(kind)
    if bits is None:
        return float(value)
    value &= (1 << min(bits, width)) - 1
    return float(value - (1 << min(bits, width)) if value >> (min(bits, width) - 1) else value)


def signed(value: float, datatype: int) -> float:
    """A whole number that came without its type, now that the birth's type is known."""
    bits = SIGNED.get(datatype)
    if bits is None or value < 0 or not value.is_integer():
        return value
    return _whole(int(value), datatype, 32 if bits <= 32 else 64)


def command(name: str, datatype: str, value: float | str | bool, t_ms: int) -> bytes:
    """An NCMD or DCMD payload of one metric, with its datatype: nodes that are not told it read null. Raises PayloadError."""
    made = Wire(timestamp=t_ms)
    metric = made.metrics.add(name=name.encode(), timestamp=t_ms, datatype=TYPES.get(datatype, 0))
    kind = metric.datatype
    if kind in TEXTS and isinstance(value, str):
        metric.string_value = value.encode()
    elif kind == BOOLEAN and isinstance(value, bool):
        metric.boolean_value = value
    elif not isinstance(value, str | bool) and kind in (9, 10):
        setattr(metric, "float_value" if kind == 9 else "double_value", value)
    elif not isinstance(value, str | bool) and kind in SIGNED | UNSIGNED and float(value).is_integer():
        _put_whole(metric, kind, int(value))
    else:
        raise PayloadError(f"{value!r} is no {datatype}")
    return bytes(made.SerializeToString())


def _put_whole(metric: Any, kind: int, value: int) -> None:
    bits = (SIGNED | UNSIGNED)[kind]
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind in SIGNED else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise PayloadError(f"{value} is no {NAMES[kind]}")
    if bits <= 32:
        metric.int_value = value & 0xFFFFFFFF
    else:
        metric.long_value = value & 0xFFFFFFFFFFFFFFFF
