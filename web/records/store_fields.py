"""Fields that the pages of parts, stores and purchases share."""

from __future__ import annotations

from dataclasses import replace

from flask_babel import lazy_gettext as _

from web.records.spec import Field

STORE = Field(name="store", label=_("Store"), kind="reference", sends="store_id", source="/api/stores", required=True)
ORDER = Field(name="order", label=_("Work order"), kind="reference", source="/api/work-orders", key="number", shows="title")
OF_ORDER = replace(ORDER, required=True)
PART = Field(name="part", label=_("Part"), kind="reference", sends="part_id", source="/api/parts", required=True, link="/parts/{part.id}")
QUANTITY = Field(name="quantity", label=_("Quantity"), kind="number", required=True, low=0)
NOTE = Field(name="note", label=_("Note"), kind="long")
REASON = Field(name="reason", label=_("Reason"), kind="long", required=True)
