"""Every plain page of records, one line a domain."""

from __future__ import annotations

from web.records import calibration, figures, live, operations, stores, work
from web.records.spec import Records

RECORDS: tuple[Records, ...] = (
    *calibration.RECORDS,
    *figures.RECORDS,
    *live.RECORDS,
    *operations.RECORDS,
    *stores.RECORDS,
    *work.RECORDS,
)
