"""Fault codes: what a code or bit of a controller means, of a class or of one asset."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Json, Key, Words, to
from server.models.plant import EMPTY


class FaultCode(Base):
    """Meaning of a fault code or bit, of a class or of one asset; the asset's own wins. `text` is English, `texts` the others.

    category, what, why and where are codes of the fault taxonomy; `procedure` is a procedure's code.
    """

    __tablename__ = "fault_codes"
    __table_args__ = (
        Index(
            "uq_fault_codes_class", "class_id", "code", unique=True, postgresql_where=text("class_id IS NOT NULL AND deleted_at IS NULL")
        ),
        Index(
            "uq_fault_codes_asset", "asset_id", "code", unique=True, postgresql_where=text("asset_id IS NOT NULL AND deleted_at IS NULL")
        ),
    )

    id: Mapped[Key]
    class_id: Mapped[int | None] = mapped_column(to("asset_classes.id"), index=True)
    asset_id: Mapped[int | None] = mapped_column(to("assets.id"), index=True)
    code: Mapped[Code]
    text: Mapped[Words]
    texts: Mapped[Json] = mapped_column(server_default=EMPTY, default=dict)  # {"fr": "...", "ar": "..."}
    severity: Mapped[Code] = mapped_column(server_default="critical", default="critical")
    category: Mapped[Code] = mapped_column(server_default="", default="")
    what: Mapped[Code] = mapped_column(server_default="", default="")
    why: Mapped[Code] = mapped_column(server_default="", default="")
    where: Mapped[Code] = mapped_column(server_default="", default="")
    procedure: Mapped[Code] = mapped_column(server_default="", default="")
    rev: Mapped[int] = mapped_column(server_default="1", default=1)
    deleted_at: Mapped[datetime | None]
