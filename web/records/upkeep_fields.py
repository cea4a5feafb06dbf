"""Fields that the pages of plans, meters and downtime share."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from web.records.spec import Field

ASSET = Field(
    name="asset", label=_("Asset"), kind="reference", source="/api/assets", key="code", required=True, link="/assets/{asset.code}"
)
ASSET_CODE = Field(name="asset.code", label=_("Asset"), kind="code", link="/assets/{asset.code}")
ORDER = Field(name="order.number", label=_("Work order"), kind="code", link="/work-orders/{order.id}")
REASON = Field(name="reason", label=_("Reason"), kind="long", required=True)
NOTE = Field(name="note", label=_("Note"), kind="long")
