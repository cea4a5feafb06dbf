"""A file that our programs may read and must not be able to write: judged on the open file, so that nobody swaps it in between.

What the operating system cannot promise (one user for everything, root) is told as a weakness, never kept quiet.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from realtime.errors import SightlineError

BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
MAX_BYTES = 1_000_000


class Unguarded(SightlineError):
    """The file is missing, or somebody may write it who must not; the text says what to do."""


@dataclass(frozen=True, slots=True)
class GuardedText:
    """What the file says. weakness: why its protection is less than it should be; "" where it is not."""

    text: str
    weakness: str


def read_guarded(path: Path | None, data_dir: Path) -> GuardedText:
    """Read the file; raises Unguarded. data_dir: what our programs write, where no such file may lie."""
    if path is None:
        raise Unguarded("PLC_WRITE_LIST names no file")
    if path.absolute().resolve().is_relative_to(data_dir.resolve()):
        raise Unguarded(f"{path} lies in DATA_DIR, which every program writes; put it outside, for example into /etc/sightline")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Unguarded(f"{path} cannot be read ({error.strerror}); it must be a file, not a link, and readable") from error
    try:
        weakness = _judge(path, os.fstat(descriptor))
        raw = os.read(descriptor, MAX_BYTES)
    finally:
        os.close(descriptor)
    try:
        return GuardedText(raw.decode("utf-8"), weakness)
    except UnicodeDecodeError as error:
        raise Unguarded(f"{path} is not UTF-8") from error


def _judge(path: Path, found: os.stat_result) -> str:
    """What is weak about the file's protection; raises Unguarded where there is none."""
    if not stat.S_ISREG(found.st_mode):
        raise Unguarded(f"{path} is no plain file")
    if found.st_mode & BY_OTHERS:
        raise Unguarded(f"{path} may be written by its group or by everybody; chmod 0444 it")
    for folder in path.absolute().parents:
        mode = folder.stat().st_mode
        if mode & BY_OTHERS and not mode & stat.S_ISVTX:
            raise Unguarded(f"{folder} may be written by its group or by everybody, who could replace {path.name}; chmod go-w it")
    return _of_owner(path, found.st_uid)


def _of_owner(path: Path, owner: int) -> str:
    me = os.geteuid()
    if me == 0:
        if owner != 0:
            raise Unguarded(f"{path} must belong to root where our programs run as root; chown root it")
        return "our programs run as root, who may write every file: run them as a user of their own"
    if os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise Unguarded(f"the user of this program may write {path}; chown root and chmod 0444 it")
    if owner == me:
        return f"{path.name} belongs to the user of our programs, who could make it writable: chown it to root"
    if os.access(path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise Unguarded(
            f"the user of this program may write {path.absolute().parent} and so replace {path.name}; chown that folder to root"
        )
    return ""
