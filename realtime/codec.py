"""The one encoding of every message on the bus: stream entries to and from the types of `realtime.events`. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from realtime.errors import DecodeError
from realtime.events import AlertType, Batch, Because, Command, Fact, FactName, Finding, Frame, Severity, Signal, SignalName

BATCH_VERSION = 1
FINDING_VERSION = 1


def encode_batch(batch: Batch) -> dict[str, bytes]:
    """Stream entry of a batch: `h` is the JSON header, the other fields are raw little-endian columns."""
    header = {
        "v": BATCH_VERSION,
        "shard": batch.shard,
        "received_ms": batch.received_ms,
        "source": batch.source,
        "kind": batch.kind,
        "flags": sorted(batch.flags),
        "n": len(batch.ids),
    }
    if batch.kind == "frame":
        frames = batch.frames()
        header["frames"] = [[f.shape, f.dtype, f.scale, f.offset, f.unit, len(f.data)] for f in frames]
        column = b"".join(f.data for f in frames)
    elif batch.kind == "text":
        column = orjson.dumps(batch.texts())
    else:
        column = batch.numbers().astype("<f8", copy=False).tobytes()
    thinned = {} if batch.kept is None else {"k": batch.kept.astype("u1").tobytes()}
    return {
        "h": orjson.dumps(header),
        "id": batch.ids.astype("<u4", copy=False).tobytes(),
        "t": batch.t.astype("<i8", copy=False).tobytes(),
        "q": batch.quality.astype("u1", copy=False).tobytes(),
        "s": batch.seq.astype("<u4", copy=False).tobytes(),
        "x": column,
        **thinned,
    }


def decode_batch(fields: dict[bytes, bytes]) -> Batch:
    """Read a stream entry; raises DecodeError with the reason when it is not one of ours."""
    try:
        header = orjson.loads(fields[b"h"])
        if header["v"] != BATCH_VERSION:
            raise DecodeError(f"batch version {header['v']} is not {BATCH_VERSION}")
        n = int(header["n"])
        ids = np.frombuffer(fields[b"id"], "<u4")
        t = np.frombuffer(fields[b"t"], "<i8")
        quality = np.frombuffer(fields[b"q"], "u1")
        seq = np.frombuffer(fields[b"s"], "<u4")
        values = _decode_values(header, fields[b"x"])
        batch = Batch(
            shard=int(header["shard"]),
            received_ms=int(header["received_ms"]),
            source=str(header["source"]),
            ids=ids,
            t=t,
            quality=quality,
            seq=seq,
            values=values,
            kind=header["kind"],
            flags=frozenset(header["flags"]),
            kept=np.frombuffer(fields[b"k"], "u1") != 0 if b"k" in fields else None,
        )
    except (LookupError, ValueError, TypeError) as error:
        raise DecodeError(f"batch unreadable: {type(error).__name__}: {error}") from error
    if not len(ids) == len(t) == len(quality) == len(seq) == len(values) == (n if batch.kept is None else len(batch.kept)) == n:
        raise DecodeError("batch columns differ in length")
    return batch


def _decode_values(header: dict[str, Any], column: bytes) -> npt.NDArray[np.float64] | list[str] | list[Frame]:
    if header["kind"] == "f64":
        return np.frombuffer(column, "<f8")
    if header["kind"] == "text":
        return [str(text) for text in orjson.loads(column)]
    if header["kind"] != "frame":
        raise ValueError(f"kind {header['kind']!r} is none of f64, text, frame")
    frames: list[Frame] = []
    at = 0
    for shape, dtype, scale, offset, unit, size in header["frames"]:
        frames.append(Frame((int(shape[0]), int(shape[1])), dtype, scale, offset, unit, column[at : at + size]))
        at += size
    if at != len(column):
        raise ValueError(f"frames take {at} bytes, there are {len(column)}")
    return frames


def encode_finding(finding: Finding) -> dict[str, bytes]:
    """Stream entry of a finding: one JSON field `j`."""
    body = {name: getattr(finding, name) for name in Finding.__dataclass_fields__}
    body["because"] = [{"tag": b.tag, "share": b.share} for b in finding.because]
    return {"j": orjson.dumps({"v": FINDING_VERSION, **body})}


def decode_finding(fields: dict[bytes, bytes]) -> Finding:
    """Read a stream entry; raises DecodeError."""
    try:
        body = dict(orjson.loads(fields[b"j"]))
        if body.pop("v") != FINDING_VERSION:
            raise DecodeError("finding version unknown")
        body["because"] = tuple(Because(str(b["tag"]), float(b["share"])) for b in body["because"])
        body["type"] = AlertType(body["type"])
        body["severity"] = Severity(body["severity"])
        return Finding(**body)
    except (KeyError, ValueError, TypeError) as error:
        raise DecodeError(f"finding unreadable: {type(error).__name__}: {error}") from error


def encode_signal(signal: Signal) -> dict[str, bytes]:
    """Stream entry of a signal."""
    return {"j": orjson.dumps({"v": 1, "name": signal.name, "t": signal.t, "data": signal.data})}


def decode_signal(fields: dict[bytes, bytes]) -> Signal:
    """Read a stream entry; raises DecodeError."""
    try:
        body = orjson.loads(fields[b"j"])
        return Signal(SignalName(body["name"]), int(body["t"]), dict(body["data"]))
    except (KeyError, ValueError, TypeError) as error:
        raise DecodeError(f"signal unreadable: {type(error).__name__}: {error}") from error


def encode_fact(fact: Fact) -> dict[str, bytes]:
    """Stream entry of a fact."""
    return {"j": orjson.dumps({name: getattr(fact, name) for name in Fact.__dataclass_fields__})}


def decode_fact(fields: dict[bytes, bytes]) -> Fact:
    """Read a stream entry; raises DecodeError."""
    try:
        body = orjson.loads(fields[b"j"])
        return Fact(**{**body, "name": FactName(body["name"])})
    except (KeyError, ValueError, TypeError) as error:
        raise DecodeError(f"fact unreadable: {type(error).__name__}: {error}") from error


def encode_command(command: Command) -> dict[str, bytes]:
    """Stream entry of a command."""
    return {"j": orjson.dumps({"v": 1, "id": command.id, "name": command.name, "t": command.t, "data": command.data})}


def decode_command(fields: dict[bytes, bytes]) -> Command:
    """Read a stream entry; raises DecodeError."""
    try:
        body = orjson.loads(fields[b"j"])
        return Command(str(body["id"]), str(body["name"]), int(body["t"]), dict(body["data"]))
    except (KeyError, ValueError, TypeError) as error:
        raise DecodeError(f"command unreadable: {type(error).__name__}: {error}") from error
