"""A guarded write on the bus: from the server that had it confirmed to plc/commands.py, signed, good for five seconds; and what came of it.

The stream is read from its end only: nothing waits in it for a program that is away. Who may ask, and what, is judged elsewhere, twice.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import orjson

from realtime.errors import DecodeError
from realtime.events import Signal, SignalName
from realtime.settings import Settings

STREAM = "plc.writes"
STREAM_KEPT = 1000
STOPPED = "plc.writes.stopped"  # key: writing was stopped by somebody on a page
DONE = "plc.writes.done"  # key prefix: this order was taken
LEASE = "plc.commands"  # who writes holds it: a second one stands by
PROGRAM = "plc-writes"  # name of its heartbeat
EXPIRES_MS = 5_000
Outcome = Literal["written", "refused", "unknown", "replayed", "forged", "reset"]


@dataclass(frozen=True, slots=True)
class WriteOrder:
    """One confirmed write. id: the command's; entry: its name in the allow-list; digest: of the list that the people saw."""

    id: int
    entry: str
    value: float
    digest: str
    by: str
    confirmed_by: str
    why: str
    issued_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What came of an order. reason: a code; detail: a sentence; old, new: read from the PLC itself, None = not read.

    alarm: the PLC may hold a value that nobody meant to leave there.
    """

    id: int
    outcome: Outcome
    reason: str
    detail: str
    old: float | None = None
    new: float | None = None
    alarm: bool = False
    entry: str = ""

    def signal(self, t: int) -> Signal:
        """As the worker reads it."""
        return Signal(SignalName.PLC_WRITE, t, asdict(self))


def result_of(data: dict[str, Any]) -> WriteResult:
    """The inverse of `WriteResult.signal`; raises TypeError and KeyError on what is none."""
    return WriteResult(**data)


def stop_file(settings: Settings) -> Path:
    """While this file is there nothing is written: `touch` it on the machine to stop, remove it to go on."""
    return settings.plc_write_stop or settings.data_dir / "plc-writes.stop"


def signing_key(settings: Settings) -> bytes:
    """What server and commands sign with; from JWT_SECRET where that is set, else from a 0600 file made once."""
    if settings.jwt_secret is not None:
        return hmac.new(settings.jwt_secret.encode(), b"sightline plc writes", hashlib.sha256).digest()
    path = settings.run_dir / "plc_writes.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode())
        try:
            os.link(draft, path)  # the first of several starting processes wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


def encode_order(order: WriteOrder, key: bytes) -> dict[str, bytes]:
    """Stream entry: the order and its signature."""
    body = orjson.dumps(asdict(order))
    return {"j": body, "s": hmac.new(key, body, hashlib.sha256).digest()}


def decode_order(fields: dict[bytes, bytes], key: bytes) -> WriteOrder:
    """Read a stream entry; raises DecodeError where nobody signed it with our key."""
    body, signature = fields.get(b"j", b""), fields.get(b"s", b"")
    if not hmac.compare_digest(hmac.new(key, body, hashlib.sha256).digest(), signature):
        raise DecodeError("the order is not signed by the server")
    try:
        return msgspec.json.decode(body, type=WriteOrder)
    except msgspec.MsgspecError as error:
        raise DecodeError(f"order unreadable: {error}") from error
