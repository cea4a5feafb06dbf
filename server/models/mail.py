"""Mail that waits to be sent or was: written in the transaction of its cause, sent by the leader (server/mail.py)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to


class MailOutbox(Base):
    """One mail to one address; `key` makes asking twice send once. state: queued, sent, failed, off (no relay is configured).

    Text and attachment are wiped when it has left: a mail may hold a secret, and history keeps what it is about.
    """

    __tablename__ = "mail_outbox"
    __table_args__ = (UniqueConstraint("key"), Index("ix_mail_outbox_state_due", "state", "due_at"))

    id: Mapped[Key]
    key: Mapped[Words]
    recipient: Mapped[Words]
    subject: Mapped[Words]
    text: Mapped[str]
    notification_id: Mapped[int | None] = mapped_column(to("notifications.id"), index=True)
    file_name: Mapped[Words | None]
    file_type: Mapped[Words | None]
    file: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[Code] = mapped_column(server_default="queued", default="queued")
    attempts: Mapped[int] = mapped_column(server_default="0", default=0)
    error: Mapped[str] = mapped_column(server_default="", default="")
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]  # not before: quiet hours, and the next attempt
    ended_at: Mapped[datetime | None]  # sent, failed or off
