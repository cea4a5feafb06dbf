"""Verifying the audit trail: the whole chain in one pass over PostgreSQL's COPY, row by row, whatever its length.

It changes nothing and repairs nothing; it names what is wrong, the first bad row first.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from server.audit_chain import GENESIS, SELECTED, Text, chained
from server.audit_files import Anchor
from server.rules.roles import RESERVED_NAMES

SHOWN = 50  # problems that are spelled out
LATE = timedelta(hours=1)  # a transaction may carry its start's time this far behind the row sealed before it
_WALK = f"""COPY (SELECT s.seq, s.audit_id, s.hash, {SELECTED}
FROM audit_seals s LEFT JOIN audit_log l ON l.id = s.audit_id ORDER BY s.seq) TO STDOUT"""  # noqa: S608 - constants
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Report:
    """What verification found; `problems` empty = the chain holds."""

    sealed: int
    unsealed: int
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Walk:
    """Takes the rows of _WALK one by one, as the file that COPY writes to."""

    key: bytes
    anchors: dict[int, str]
    problems: list[str] = field(default_factory=list)
    found: int = 0
    seq: int = 0
    previous: str = GENESIS
    at: str = ""
    met: set[int] = field(default_factory=set)

    def write(self, line: bytes) -> int:
        """One line of COPY's text format."""
        fields = line[:-1].decode().split("\t")
        row: list[Text] = [_value(word) if "\\" in word else word for word in fields]
        seq, audit_id, hash_ = int(str(row[0])), str(row[1]), str(row[2])
        if seq != self.seq + 1:
            self.say(f"seal {self.seq + 1} is missing; {seq} follows")
        self._judge(seq, audit_id, hash_, row[3:])
        if seq in self.anchors:
            self._meet(seq, hash_)
        self.seq, self.previous = seq, hash_
        return len(line)

    def _judge(self, seq: int, audit_id: str, hash_: str, row: list[Text]) -> None:
        if row[0] is None:
            self.say(f"seal {seq}: audit row {audit_id} is gone")
            return
        if not hmac.compare_digest(chained(self.key, self.previous, row), hash_):
            self.say(f"seal {seq}: audit row {audit_id} ({row[4]} {row[5]} {row[6]} by {row[2]}) was changed")
        at = str(row[1])
        if at < self.at and _moment(self.at) - _moment(at) > LATE:
            self.say(
                f"seal {seq}: audit row {audit_id} bears {at}, long before its forerunner: written in later, or the clock was set back"
            )
        self.at = at
        if row[3] is not None and str(row[2]).strip().lower() in RESERVED_NAMES:
            self.say(f"seal {seq}: audit row {audit_id} bears the name {row[2]}, but user {row[3]} wrote it")

    def _meet(self, seq: int, hash_: str) -> None:
        self.met.add(seq)
        if hash_ != self.anchors[seq]:
            self.say(f"seal {seq} is not the one that was anchored: the chain was written anew")

    def say(self, problem: str) -> None:
        """Note a problem; only the first SHOWN are spelled out."""
        self.found += 1
        if len(self.problems) < SHOWN:
            self.problems.append(problem)


def _value(word: str) -> Text:
    return None if word == r"\N" else _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), word)


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at)


def verify(session: Session, key: bytes, head: tuple[int, str] | None = None, anchors: Sequence[Anchor] = ()) -> Report:
    """Walk the chain from its start.

    head: what the worker last noted outside the database; anchors: what it noted before. Use the session for nothing else before.
    """
    expected = {anchor.seq: anchor.hash for anchor in anchors}
    if head:
        expected.setdefault(*head)
    walk = _Walk(key, expected)
    session.execute(text("SET LOCAL statement_timeout = 0"))
    cursor: Any = session.connection().connection.cursor()
    cursor.copy_expert(_WALK, walk)
    cut = sorted(seq for seq in expected.keys() - walk.met if seq > walk.seq)
    if cut:
        walk.say(f"the chain ends at seal {walk.seq}, but seal {cut[-1]} was noted: its end was cut off, or an older database was put back")
    total = session.scalar(text("SELECT count(*) FROM audit_log")) or 0
    sealed = session.scalar(text("SELECT count(*) FROM audit_seals")) or 0
    more = [f"and {walk.found - SHOWN} more"] if walk.found > SHOWN else []
    return Report(sealed, max(0, total - sealed), (*walk.problems, *more))
