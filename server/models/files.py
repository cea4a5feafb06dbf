"""Pictures and documents on the things of the register and of work; what a device sends step by step is `feed.Media`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to


class Attachment(Base):
    """One file on one thing (asset, work_order, part, ...); a picture is kept re-encoded, a document as it came.

    site_id None = on a thing that all sites share (a class, a standard procedure).
    """

    __tablename__ = "attachments"
    __table_args__ = (Index("ix_attachments_thing", "thing", "thing_id"),)

    id: Mapped[Key]
    site_id: Mapped[int | None] = mapped_column(to("sites.id"), index=True)
    thing: Mapped[Code]
    thing_id: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[Words]
    type: Mapped[Words]
    caption: Mapped[Words] = mapped_column(server_default="", default="")
    size: Mapped[int]
    width: Mapped[int | None]
    height: Mapped[int | None]
    sha256: Mapped[Code]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime]
    created_by: Mapped[Words]
    created_by_id: Mapped[int | None] = mapped_column(to("users.id"))
    deleted_at: Mapped[datetime | None]
