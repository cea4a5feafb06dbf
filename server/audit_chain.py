"""The hash chain of the audit trail: from the database's own text of a row to the bytes that its HMAC covers. Pure.

Sealing and verifying read the same text, so that what one hashed the other hashes.
"""

from __future__ import annotations

import hmac

import orjson

GENESIS = "0" * 64
# Columns of audit_log in the order of the hash; times as PostgreSQL writes them in UTC, JSON as its text.
SELECTED = (
    "l.id, l.at AT TIME ZONE 'UTC', l.actor, l.actor_id, l.action, l.thing, l.thing_id, l.site_id, l.old, l.new, l.actor_kind, l.reason"
)

Text = str | None


def canonical(row: list[Text]) -> bytes:
    """The bytes of a row that its hash covers: every column, in one order, times in UTC.

    row: the texts of SELECTED, None for NULL. Rows from before actor_kind and reason existed have neither and hash as they did.
    """
    id_, at, actor, actor_id, action, thing, thing_id, site_id, old, new, kind, reason = row
    assert id_ is not None
    assert at is not None
    columns = [
        int(id_),
        iso(at),
        actor,
        None if actor_id is None else int(actor_id),
        action,
        thing,
        None if thing_id is None else int(thing_id),
        None if site_id is None else int(site_id),
        None if old is None else orjson.loads(old),
        None if new is None else orjson.loads(new),
    ]
    if kind is not None or reason is not None:
        columns += (kind, reason)
    return orjson.dumps(columns, option=orjson.OPT_SORT_KEYS)


def iso(at: str) -> str:
    """`2026-11-20 14:00:00.12` (PostgreSQL, UTC) as `2026-11-20T14:00:00.120000+00:00`."""
    whole, _, fraction = at.partition(".")
    return f"{whole[:10]}T{whole[11:]}.{fraction:0<6}+00:00"


def chained(key: bytes, previous: str, row: list[Text]) -> str:
    """Hash of a row behind its forerunner's."""
    return hmac.digest(key, previous.encode() + canonical(row), "sha256").hex()
