"""Every plain page of records, one line a domain."""

from __future__ import annotations

from web.records import calibration, classes, figures, instruments, live, operations, people, plans, register, reports, stores, work
from web.records.spec import Records

RECORDS: tuple[Records, ...] = (
    *calibration.RECORDS,
    *classes.RECORDS,
    *figures.RECORDS,
    *instruments.RECORDS,
    *live.RECORDS,
    *operations.RECORDS,
    *people.RECORDS,
    *register.RECORDS,
    *reports.RECORDS,
    *plans.RECORDS,
    *stores.RECORDS,
    *work.RECORDS,
)
