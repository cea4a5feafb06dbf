"""The mail outbox: letters written in the transaction of their cause; server/mail.py takes and ends them. Nothing here sends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server.models.mail import MailOutbox

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(hours=48)  # of a relay that never takes it
KEPT = timedelta(days=30)
TOLD_FAILURES = timedelta(days=7)  # how long /health speaks of a failed one


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that goes with a letter."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail; `key` names its cause, so that asking twice sends it once. due_at None = now."""

    key: str
    to: str
    subject: str
    text: str
    notification_id: int | None = None
    due_at: datetime | None = None
    enclosure: Enclosure | None = None


def post(session: Session, letter: Letter, now: datetime) -> None:
    """Put the letter into the outbox, once."""
    file = letter.enclosure
    row = {
        "key": letter.key,
        "recipient": letter.to,
        "subject": " ".join(letter.subject.split())[:200],  # a line end would start another header
        "text": letter.text,
        "notification_id": letter.notification_id,
        "file_name": file.name if file else None,
        "file_type": file.type if file else None,
        "file": file.content if file else None,
        "created_at": now,
        "due_at": letter.due_at or now,
    }
    session.execute(insert(MailOutbox).values(**row).on_conflict_do_nothing(index_elements=[MailOutbox.key]))


def take_next(session: Session, now: datetime) -> MailOutbox | None:
    """The next letter that is due, leased: whoever dies while sending it leaves it to be tried again later."""
    due = select(MailOutbox).where(MailOutbox.state == "queued", MailOutbox.due_at <= now)
    row = session.scalar(due.order_by(MailOutbox.due_at, MailOutbox.id).limit(1).with_for_update(skip_locked=True))
    if row is not None:
        row.attempts += 1
        row.due_at = now + wait_after(row.attempts)
    return row


def wait_after(attempts: int) -> timedelta:
    """The pause after so many attempts: 30 s, doubled each time, an hour at most."""
    return min(LONGEST_WAIT, FIRST_WAIT * int(2 ** min(attempts - 1, 20)))


def sent(session: Session, letter_id: int, now: datetime) -> None:
    """It has left."""
    _end(session.get_one(MailOutbox, letter_id), "sent", "", now)


def refused(session: Session, letter_id: int, error: str, now: datetime, *, for_good: bool) -> None:
    """It did not leave: tried again after its pause, unless it was refused for good or has waited too long."""
    row = session.get_one(MailOutbox, letter_id)
    row.error = error[:500]
    if for_good or now - row.created_at > GIVEN_UP_AFTER:
        _end(row, "failed", row.error, now)


def turn_off(session: Session, now: datetime) -> int:
    """Without a relay nothing is sent, and nothing is sent late when one is configured; the number ended."""
    rows = session.scalars(select(MailOutbox).where(MailOutbox.state == "queued").with_for_update(skip_locked=True)).all()
    for row in rows:
        _end(row, "off", "no SMTP_HOST is configured", now)
    return len(rows)


def _end(row: MailOutbox, state: str, error: str, now: datetime) -> None:
    row.state, row.error, row.ended_at = state, error, now
    row.text, row.file = "", None


def forget(session: Session, now: datetime) -> None:
    """Delete what ended long ago."""
    session.execute(delete(MailOutbox).where(MailOutbox.ended_at < now - KEPT))


def figures(session: Session, now: datetime) -> dict[str, Any]:
    """For /health: what waits, since when, what failed in the last days and why."""
    oldest = func.min(MailOutbox.created_at)
    queued, since = session.execute(select(func.count(), oldest).where(MailOutbox.state == "queued", MailOutbox.due_at <= now)).one()
    retried = select(MailOutbox.error).where(MailOutbox.error != "", MailOutbox.state.in_(["queued", "failed"]))
    failed = select(func.count()).where(MailOutbox.state == "failed", MailOutbox.ended_at > now - TOLD_FAILURES)
    trying = select(func.count()).where(MailOutbox.state == "queued", MailOutbox.error != "")
    return {
        "due": queued,
        "oldest_s": round((now - since).total_seconds()) if since else None,
        "retrying": session.scalar(trying) or 0,
        "failed": session.scalar(failed) or 0,
        "error": session.scalar(retried.order_by(MailOutbox.id.desc()).limit(1)),
    }
