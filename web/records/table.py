"""Every plain page of records, one line a domain."""

from __future__ import annotations

from web.records import live
from web.records.spec import Records

RECORDS: tuple[Records, ...] = (*live.RECORDS,)
