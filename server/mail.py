"""The postman: sends what stands in the mail outbox through the SMTP relay; only the leader runs it, never a request.

At least once: the Message-ID is made of the letter's key, so a relay or reader can tell a repeated one.
"""

from __future__ import annotations

import hashlib
import logging
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from sqlalchemy.orm import Session

from realtime.settings import Settings
from server.database import Database
from server.models.mail import MailOutbox
from server.models.notifications import Notification
from server.models.work import WorkOrder
from server.store import mail

log = logging.getLogger("mail")

TIMEOUT_S = 10.0
AT_ONCE = 50
SUBMISSION, SMTPS = 587, 465


@dataclass(slots=True)
class Postman:
    """One relay; `clock` gives the time of each letter."""

    database: Database
    settings: Settings
    clock: Callable[[], datetime]
    _away: bool = False

    def run(self) -> int:
        """Send what is due; the number sent. What the relay does not take stays for later with the reason."""
        if self.settings.smtp_host is None:
            with self.database.transaction() as session:
                mail.turn_off(session, self.clock())
            return 0
        done = 0
        while done < AT_ONCE:
            with self.database.transaction() as session:
                letter = mail.take_next(session, self.clock())
                message = None if letter is None else self._written(session, letter)
            if letter is None or message is None or not self._deliver(letter, message):
                break
            done += 1
        return done

    def _deliver(self, letter: MailOutbox, message: EmailMessage) -> bool:
        """False when the relay is away, so that the others wait for it without a try each."""
        try:
            with self._relay() as relay:
                relay.send_message(message)
        except (smtplib.SMTPException, OSError) as error:
            for_good = is_final(error)
            with self.database.transaction() as session:
                mail.refused(session, letter.id, _words(error), self.clock(), for_good=for_good)
            if not self._away and not for_good:
                log.warning("mail relay %s: %s; tried again", self.settings.smtp_host, _words(error))
            self._away = self._away or not for_good
            return for_good
        if self._away:
            log.info("mail relay %s takes mail again", self.settings.smtp_host)
        self._away = False
        with self.database.transaction() as session:
            mail.sent(session, letter.id, self.clock())
        return True

    @contextmanager
    def _relay(self) -> Iterator[smtplib.SMTP]:
        """A connection, encrypted where the port or the relay says so; a password never goes in the clear."""
        host, port = str(self.settings.smtp_host), self.settings.smtp_port
        context = ssl.create_default_context()
        secure = port == SMTPS
        made = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context) if secure else smtplib.SMTP(host, port, timeout=TIMEOUT_S)
        with made as relay:
            relay.ehlo()
            if not secure and (port == SUBMISSION or relay.has_extn("starttls")):
                relay.starttls(context=context)
                relay.ehlo()
                secure = True
            if self.settings.smtp_user and self.settings.smtp_password:
                if not secure:
                    raise smtplib.SMTPNotSupportedError("the relay offers no STARTTLS; the password is not sent in the clear")
                relay.login(self.settings.smtp_user, self.settings.smtp_password)
            yield relay

    def _written(self, session: Session, letter: MailOutbox) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = letter.recipient
        message["Date"] = format_datetime(letter.created_at)
        message["Message-ID"] = f"<{hashlib.sha256(letter.key.encode()).hexdigest()[:32]}@{self.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        note = session.get(Notification, letter.notification_id) if letter.notification_id else None
        more = note.count - 1 if note is not None else 0
        message["Subject"] = f"{letter.subject} (and {more} more)" if more else letter.subject
        message.set_content("\n\n".join(part for part in (letter.text, self._link(session, note)) if part) + "\n")
        if letter.file is not None:
            kind, _slash, subtype = str(letter.file_type).partition(";")[0].partition("/")
            message.add_attachment(letter.file, maintype=kind, subtype=subtype, filename=letter.file_name)
        return message

    @property
    def sender(self) -> str:
        """Address in From."""
        user = self.settings.smtp_user or ""
        return self.settings.smtp_from or (user if "@" in user else f"sightline@{self.settings.smtp_host}")

    def _link(self, session: Session, note: Notification | None) -> str:
        if note is None or self.settings.public_url is None:
            return ""
        return self.settings.public_url.rstrip("/") + _page_of(session, note)


def _page_of(session: Session, note: Notification) -> str:
    """Where a click in the mail leads: what it is about, else the person's own messages."""
    if note.downtime_id is not None:
        return f"/downtimes/{note.downtime_id}"
    order = session.get(WorkOrder, note.work_order_id) if note.work_order_id else None
    if order is not None:
        return f"/orders/{order.number}"
    return "/alarms" if note.alert_id is not None else "/messages"


def is_final(error: Exception) -> bool:
    """Whether trying again is of no use: the relay refuses this address or this letter with a 5xx."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _words in error.recipients.values())
    return isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused) and error.smtp_code >= 500


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{who}: {code} {text.decode(errors='replace')}" for who, (code, text) in error.recipients.items())
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return f"{error.smtp_code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    return str(error) or type(error).__name__
