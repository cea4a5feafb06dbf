"""What the audit trail keeps outside the database: its key, the end of the chain, and anchors that are only ever added.

An older database put back in place holds an older chain; the anchors say how far it had come.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from realtime.settings import Settings
from server.auth.secret import derived_key, server_secret

ANCHOR_EVERY = timedelta(minutes=10)
ANCHOR_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Anchor:
    """The chain reached seal `seq` with `hash` at a time."""

    at: datetime
    seq: int
    hash: str


def audit_key(settings: Settings) -> bytes:
    """The key of the chain: made once from the server's secret, then kept in a 0600 file so that the secret may change."""
    path = settings.data_dir / "audit.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(derived_key(server_secret(settings), "audit").hex().encode())
        draft.replace(path)
    return bytes.fromhex(path.read_text("ascii").strip())


def head_path(settings: Settings) -> Path:
    """Where the worker notes the end of the chain."""
    return settings.data_dir / "audit.head"


def anchors_path(head: Path) -> Path:
    """The anchors lie beside the head; copy or mail them elsewhere to be safe from who owns this disk."""
    return head.with_name("audit.anchors")


def note_head(path: Path, seq: int, hash_: str) -> None:
    """Keep the end of the chain outside the database, atomically."""
    draft = path.with_suffix(".new")
    draft.write_text(f"{seq} {hash_}\n", "ascii")
    draft.replace(path)


def read_head(path: Path) -> tuple[int, str] | None:
    """The noted end of the chain; None where nothing was sealed from here."""
    if not path.exists():
        return None
    seq, hash_ = path.read_text("ascii").split()
    return int(seq), hash_


def read_anchors(path: Path) -> list[Anchor]:
    """Every anchor, oldest first; a line cut short by a crash is left out."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text("ascii", errors="replace").splitlines():
        words = line.split()
        if len(words) == 3 and len(words[2]) == len("0" * 64):
            found.append(Anchor(datetime.fromisoformat(words[0]), int(words[1]), words[2]))
    return found


def anchor_if_due(head: Path, now: datetime) -> Anchor | None:
    """Add the noted end of the chain to the anchors, each ANCHOR_ROWS rows and, where it grew, each ANCHOR_EVERY; the new anchor."""
    noted = read_head(head)
    if noted is None:
        return None
    path = anchors_path(head)
    last = last_anchor(path)
    grown = noted[0] - (last.seq if last else 0)
    due = last is None or now - last.at >= ANCHOR_EVERY or grown >= ANCHOR_ROWS
    if grown <= 0 or not due:
        return None
    anchor = Anchor(now, *noted)
    _append(path, anchor)
    return anchor


def last_anchor(path: Path) -> Anchor | None:
    """The newest anchor, without reading years of them."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1024))
        lines = file.read().decode("ascii", "replace").splitlines()
    for line in reversed(lines):
        words = line.split()
        if len(words) == 3:
            return Anchor(datetime.fromisoformat(words[0]), int(words[1]), words[2])
    return None


def _append(path: Path, anchor: Anchor) -> None:
    line = f"{anchor.at.astimezone(UTC).isoformat(timespec='seconds')} {anchor.seq} {anchor.hash}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode("ascii"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
