"""A chain of evidence: each link's hash covers its content and the hash before it, so nothing in it changes unseen. Pure.

Links come from server/store/evidence.py; the key that signs the end is the audit trail's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Link:
    """One piece of evidence: what kind, when, and all of it as plain JSON values."""

    kind: str
    at: str | None
    content: Mapping[str, Any]


def canonical(value: Any) -> bytes:
    """The bytes that a hash covers: JSON with sorted keys and no blanks, every number as a double.

    So it is the same after PostgreSQL or another program has read and written it: those turn 1.0 into 1 and 1e20 into digits.
    """
    return json.dumps(_doubles(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _doubles(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _doubles(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_doubles(one) for one in value]
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of one thing by itself."""
    return hashlib.sha256(canonical(content)).hexdigest()


def link_hash(previous: str, kind: str, at: str | None, content: Mapping[str, Any]) -> str:
    """SHA-256 of a link behind its forerunner's."""
    return hashlib.sha256(previous.encode() + canonical([kind, at, content])).hexdigest()


def chained(links: Sequence[Link]) -> list[dict[str, Any]]:
    """The links numbered from 1, each with its hash and the one before it."""
    made: list[dict[str, Any]] = []
    previous = GENESIS
    for n, link in enumerate(links, 1):
        own = link_hash(previous, link.kind, link.at, link.content)
        made.append({"n": n, "kind": link.kind, "at": link.at, "content": dict(link.content), "previous": previous, "hash": own})
        previous = own
    return made


def head_of(links: Sequence[Mapping[str, Any]]) -> str:
    """Hash at the end of the chain."""
    return str(links[-1]["hash"]) if links else GENESIS


def signature(key: bytes, subject: str, head: str) -> str:
    """HMAC over what the chain is about and its end: whoever has no key cannot write another chain."""
    return hmac.new(key, f"evidence:{subject}:{head}".encode(), hashlib.sha256).hexdigest()


def problems_of(links: Sequence[Any]) -> list[str]:
    """What does not hold in a chain that was read from a file; empty = every link is as it was made."""
    problems: list[str] = []
    previous = GENESIS
    for n, link in enumerate(links, 1):
        if not isinstance(link, dict) or not isinstance(link.get("content"), dict):
            return [*problems, f"link {n} is not a link"]
        if link.get("n") != n:
            problems.append(f"link {n} is numbered {link.get('n')}: one was taken out, put in or moved")
        if link.get("previous") != previous:
            problems.append(f"link {n} does not follow the one before it")
        if link.get("hash") != _hash_or_none(str(link.get("previous")), link):
            problems.append(f"link {n} ({link.get('kind')}) was changed")
        previous = str(link.get("hash"))
    return problems


def _hash_or_none(previous: str, link: Mapping[str, Any]) -> str | None:
    try:
        return link_hash(previous, link["kind"], link["at"], link["content"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
