"""How fast the audit trail is verified, beside hashing the same bytes that are in memory already."""

from __future__ import annotations

import hmac
import time

from bench.house import house, machine
from server import audit
from server.audit_chain import GENESIS, SELECTED, canonical
from server.audit_check import verify
from server.database import Database

KEY = b"k" * 32
ROWS = 200_000
ROUNDS = 3
GOAL = 100_000  # rows a second
FILL = """
INSERT INTO audit_log (at, actor, actor_id, actor_kind, action, thing, thing_id, site_id, old, new, reason)
SELECT timestamptz '2026-01-05 08:00:00Z' + n * interval '3.000001 s', 'A. Benali', 1 + mod(n, 40), 'user', 'complete', 'work_order', n, 1,
       jsonb_build_object('state', 'in_progress', 'notes', NULL, 'actual_min', NULL),
       jsonb_build_object('state', 'completed', 'notes', 'Coupling aligned, 0.05 mm', 'actual_min', mod(n, 90)),
       CASE WHEN mod(n, 10) = 0 THEN 'vibration back to normal' END
FROM generate_series(1, %(rows)s) n"""


def main() -> None:
    """Fill, seal, verify; print the best of ROUNDS."""
    with house() as services:
        database = Database(services.database_url, pool_size=2)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(FILL, {"rows": ROWS})
        sealing_s = seal_all(database)
        verify_s = min(verified(database) for _ in range(ROUNDS))
        texts = rows_of(database)
        bare_s = min(hashed(texts) for _ in range(ROUNDS))
        database.close()
    rate, bare = ROWS / verify_s, ROWS / bare_s
    print(f"audit: {ROWS:,} rows sealed at {ROWS / sealing_s:,.0f}/s")
    print(
        f"audit: verify {rate:,.0f} rows/s, bare HMAC of the same bytes {bare:,.0f} rows/s, ratio {rate / bare:.3f}; goal {GOAL:,} rows/s"
    )
    print(machine())


def seal_all(database: Database) -> float:
    """Seconds that sealing everything took."""
    started, above = time.perf_counter(), 0
    while True:
        with database.transaction() as session:
            head = audit.seal(session, KEY, above)
        if head is None:
            return time.perf_counter() - started
        above = head.audit_id


def verified(database: Database) -> float:
    """Seconds of one verification; the chain must hold."""
    started = time.perf_counter()
    with database.transaction() as session:
        report = verify(session, KEY)
    assert report.sealed == ROWS, report
    assert not report.problems, report.problems[:3]
    return time.perf_counter() - started


def rows_of(database: Database) -> list[bytes]:
    """The bytes that are hashed, all of them."""
    columns = ", ".join(f"({column})::text" for column in SELECTED.split(", "))
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        found = connection.exec_driver_sql(f"SELECT {columns} FROM audit_log l ORDER BY l.id")
        return [canonical(list(row)) for row in found]


def hashed(rows: list[bytes]) -> float:
    """Seconds of the chain's HMAC alone."""
    started = time.perf_counter()
    previous = GENESIS
    for row in rows:
        previous = hmac.digest(KEY, previous.encode() + row, "sha256").hex()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
