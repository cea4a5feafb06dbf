"""The monitor's two tables: detector state per shard and learned models per asset. Functions take a psycopg2 connection
and neither commit nor close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import orjson

OWN_VERSION = 0  # the monitor's own model, beside those that a person trained and activated


class Connection(Protocol):
    """What we need of a DBAPI connection."""

    def cursor(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class SavedState:
    """State and the id of the last entry that it has seen."""

    last_id: tuple[int, int]
    body: bytes


_SAVE_STATE = """
INSERT INTO ml_detector_state (shard, last_ms, last_seq, config_version, body) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (shard) DO UPDATE SET last_ms = excluded.last_ms, last_seq = excluded.last_seq,
    config_version = excluded.config_version, saved_at = now(), body = excluded.body
WHERE (ml_detector_state.last_ms, ml_detector_state.last_seq) <= (excluded.last_ms, excluded.last_seq)
"""
_SAVE_MODEL = """
INSERT INTO ml_model_artefacts (asset, version, baseline_hash, meta, body) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (asset, version) DO UPDATE SET baseline_hash = excluded.baseline_hash, meta = excluded.meta,
    made_at = now(), body = excluded.body
"""


def save_state(conn: Connection, shard: int, last_id: tuple[int, int], config_version: int, body: bytes) -> bool:
    """Save; False when another monitor has saved a later state, which means that the shard is no longer ours."""
    with conn.cursor() as cursor:
        cursor.execute(_SAVE_STATE, (shard, *last_id, config_version, body))
        return bool(cursor.rowcount)


def load_state(conn: Connection, shard: int) -> SavedState | None:
    """The saved state of a shard; None before the first save."""
    with conn.cursor() as cursor:
        cursor.execute("SELECT last_ms, last_seq, body FROM ml_detector_state WHERE shard = %s", (shard,))
        row = cursor.fetchone()
    return None if row is None else SavedState((int(row[0]), int(row[1])), bytes(row[2]))


def save_model(conn: Connection, asset: int, version: int, baseline_hash: str, meta: dict[str, Any], body: bytes) -> None:
    """Keep a model; the same version again replaces it."""
    with conn.cursor() as cursor:
        cursor.execute(_SAVE_MODEL, (asset, version, baseline_hash, orjson.dumps(meta).decode(), body))


def load_model(conn: Connection, asset: int, version: int) -> bytes | None:
    """The bytes of a model; None where there is none."""
    with conn.cursor() as cursor:
        cursor.execute("SELECT body FROM ml_model_artefacts WHERE asset = %s AND version = %s", (asset, version))
        row = cursor.fetchone()
    return None if row is None else bytes(row[0])
