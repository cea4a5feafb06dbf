"""Every plain page of records, one line a domain."""

from __future__ import annotations

from web.records import calibration, live, operations, stores
from web.records.spec import Records

RECORDS: tuple[Records, ...] = (
    *calibration.RECORDS,
    *live.RECORDS,
    *operations.RECORDS,
    *stores.RECORDS,
)
