"""An encrypted file written and read as a stream: AES-256-GCM in chunks of 1 MiB, so that a backup of any size fits in memory.

Layout: magic, 8 bytes salt, then chunks of 4 bytes length + ciphertext. Nonce = salt + chunk number; the last chunk is marked in its
associated data, so that a chunk that was cut off, moved or changed is an error, never a shorter backup.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from realtime.errors import SightlineError

MAGIC = b"SIGHTLINE-BACKUP-1\n"
CHUNK = 1 << 20
KEY_BYTES = 32
SALT_BYTES = 8
_LENGTH = struct.Struct(">I")


class Damaged(SightlineError):
    """The file is no backup, was changed, was cut off, or belongs to another key."""


def load_key(path: Path) -> bytes:
    """The key in a 0600 file, made at first use. Without it no backup can be read: keep a copy apart from the backups."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(KEY_BYTES).encode())
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError as error:
        raise Damaged(f"{path} is no key of a backup") from error
    if len(key) != KEY_BYTES:
        raise Damaged(f"{path} is no key of a backup")
    return key


def seal(source: BinaryIO, target: BinaryIO, key: bytes) -> None:
    """Encrypt everything that `source` gives into `target`."""
    salt = secrets.token_bytes(SALT_BYTES)
    cipher = AESGCM(key)
    target.write(MAGIC + salt)
    number, block = 0, _read_full(source)
    while True:
        following = _read_full(source)
        text = cipher.encrypt(_nonce(salt, number), block, b"more" if following else b"last")
        target.write(_LENGTH.pack(len(text)) + text)
        if not following:
            return
        number, block = number + 1, following


def unseal(source: BinaryIO, key: bytes) -> Iterator[bytes]:
    """The plain chunks; raises Damaged at the first one that is not what was written."""
    if source.read(len(MAGIC)) != MAGIC:
        raise Damaged("this is no backup of Sightline")
    salt = source.read(SALT_BYTES)
    cipher = AESGCM(key)
    number, header = 0, source.read(_LENGTH.size)
    while header:
        text = source.read(_LENGTH.unpack(header)[0]) if len(header) == _LENGTH.size else b""
        header = source.read(_LENGTH.size)
        try:
            yield cipher.decrypt(_nonce(salt, number), text, b"more" if header else b"last")
        except (InvalidTag, ValueError) as error:
            raise Damaged(f"chunk {number + 1} is damaged, cut off, or sealed with another key") from error
        number += 1
    if number == 0:
        raise Damaged("the backup ends before its first chunk")


def _nonce(salt: bytes, number: int) -> bytes:
    return salt + number.to_bytes(4, "big")


def _read_full(source: BinaryIO) -> bytes:
    """CHUNK bytes, fewer only at the end: a pipe gives what it has."""
    parts: list[bytes] = []
    missing = CHUNK
    while missing:
        part = source.read(missing)
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
