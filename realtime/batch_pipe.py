"""Batches over a pipe, one program's output to another's input: 4 bytes big-endian length, then the message of the channel `live`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from realtime.bus import unpack_live
from realtime.codec import decode_batch, encode_batch
from realtime.errors import DecodeError
from realtime.events import Batch

LONGEST = 64 * 1024 * 1024


def write_batch(pipe: BinaryIO, batch: Batch) -> None:
    """Append one batch."""
    body = msgspec.msgpack.encode(encode_batch(batch))
    pipe.write(len(body).to_bytes(4, "big") + body)


def read_batches(pipe: BinaryIO) -> Iterator[Batch]:
    """Batches up to the end of the pipe; raises DecodeError when it ends inside one or holds something else."""
    while head := pipe.read(4):
        size = int.from_bytes(head, "big")
        if len(head) < 4 or size > LONGEST:
            raise DecodeError("pipe does not hold batches")
        body = pipe.read(size)
        if len(body) < size:
            raise DecodeError("pipe ended inside a batch")
        try:
            fields = unpack_live(body)
        except msgspec.MsgspecError as error:
            raise DecodeError(f"batch unreadable: {error}") from error
        yield decode_batch(fields)
