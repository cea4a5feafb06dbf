"""Mail leaves through a real SMTP server: once, encrypted where it must be, tried again when the relay is away."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from realtime.settings import Settings
from server.database import Database
from server.mail import Postman
from server.models.mail import MailOutbox
from server.models.notifications import ABOUT_DOWNTIME
from server.models.people import User
from server.store import mail, notifications, orders
from server.store.mail import Enclosure, Letter
from server.store.notifications import Message
from server.store.orders import NewOrder
from tests.server.mail_relay import Inbox, Relay
from tests.server.small_plant import NOW, SmallPlant

ACCOUNT = ("sightline@plant.example", "a relay secret")


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def relay(inbox: Inbox) -> Iterator[Relay]:
    controller = Relay(inbox)
    controller.start()
    yield controller
    controller.stop()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Postmen = Callable[..., Postman]


@pytest.fixture
def postman(database: Database, settings: Settings, relay: Relay, clock: Clock) -> Postmen:
    def make(**other: Any) -> Postman:
        configured = replace(settings, smtp_host="127.0.0.1", smtp_port=relay.port, smtp_from="sightline@plant.example")
        return Postman(database, replace(configured, **other), clock)

    return make


def post(database: Database, key: str = "k1", **other: Any) -> None:
    with database.transaction() as session:
        mail.post(session, Letter(key, "a.benali@plant.example", **{"subject": "A job", "text": "Look at M2", **other}), NOW)


def rows(database: Database) -> list[MailOutbox]:
    with database.transaction() as session:
        return list(session.scalars(select(MailOutbox).order_by(MailOutbox.id)))


def test_a_letter_is_sent_once_and_its_text_wiped(database: Database, inbox: Inbox, postman: Postmen) -> None:
    post(database)
    post(database)
    sender = postman()

    assert (sender.run(), sender.run()) == (1, 0)

    (message,) = inbox.messages
    assert (message["To"], message["From"], message["Subject"]) == ("a.benali@plant.example", "sightline@plant.example", "A job")
    assert message.get_content().replace("\r\n", "\n") == "Look at M2\n"
    (row,) = rows(database)
    assert (row.state, row.text, row.attempts) == ("sent", "", 1)


def test_the_same_letter_has_the_same_message_id(database: Database, inbox: Inbox, postman: Postmen, clock: Clock) -> None:
    post(database)
    postman().run()
    with database.transaction() as session:  # as when the postman died before it noted the end
        session.scalars(select(MailOutbox)).one().state = "queued"
    clock.now += timedelta(minutes=1)
    postman().run()

    first, second = inbox.messages
    assert first["Message-ID"] == second["Message-ID"]


def test_a_relay_that_is_away_is_tried_again_with_growing_pauses(database: Database, inbox: Inbox, postman: Postmen, clock: Clock) -> None:
    post(database)
    away = postman(smtp_port=1)
    waits = []
    for _attempt in range(9):
        assert away.run() == 0
        (row,) = rows(database)
        waits.append((row.due_at - clock.now).total_seconds())
        assert (row.state, row.error != "") == ("queued", True)
        assert away.run() == 0  # not before it is due
        clock.now = row.due_at

    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert postman().run() == 1
    assert len(inbox.messages) == 1


def test_a_letter_that_no_relay_takes_is_given_up_and_seen_on_health(database: Database, postman: Postmen, clock: Clock) -> None:
    post(database)
    clock.now += timedelta(hours=49)
    postman(smtp_port=1).run()

    (row,) = rows(database)
    assert (row.state, row.text) == ("failed", "")
    with database.transaction() as session:
        figures = mail.figures(session, clock.now)
    assert (figures["due"], figures["failed"]) == (0, 1)
    assert "refused" in figures["error"].lower()


@pytest.mark.parametrize(("answer", "state"), [("550 no such person", "failed"), ("451 greylisted, come back", "queued")])
def test_a_refusal_for_good_ends_it_and_another_is_tried_again(
    database: Database, inbox: Inbox, postman: Postmen, answer: str, state: str
) -> None:
    post(database)
    inbox.answers = [answer]

    postman().run()

    (row,) = rows(database)
    assert (row.state, row.error) == (state, answer)


def test_a_refused_letter_does_not_hold_up_the_next(database: Database, inbox: Inbox, postman: Postmen) -> None:
    post(database, "bad")
    post(database, "good")
    inbox.answers = ["550 no such person"]

    postman().run()

    assert [row.state for row in rows(database)] == ["failed", "sent"]


def test_without_a_relay_nothing_waits_to_be_sent_late(database: Database, inbox: Inbox, postman: Postmen) -> None:
    post(database)
    postman(smtp_host=None).run()

    assert postman().run() == 0
    assert [row.state for row in rows(database)] == ["off"]
    assert inbox.messages == []


def test_a_file_goes_with_the_letter(database: Database, inbox: Inbox, postman: Postmen) -> None:
    post(database, enclosure=Enclosure("plan.pdf", "application/pdf", b"%PDF-1.4 x"))
    postman().run()

    text, file = inbox.messages[0].get_payload()
    assert (text.get_content_type(), file.get_content_type(), file.get_filename()) == ("text/plain", "application/pdf", "plan.pdf")
    assert file.get_payload(decode=True) == b"%PDF-1.4 x"


def test_a_line_end_in_a_subject_makes_no_header(database: Database, inbox: Inbox, postman: Postmen) -> None:
    post(database, subject="A job\r\nBcc: everyone@plant.example")
    postman().run()

    assert inbox.messages[0]["Subject"] == "A job Bcc: everyone@plant.example"
    assert inbox.messages[0]["Bcc"] is None


def test_mail_of_a_notification_leads_to_its_order(database: Database, plant: SmallPlant, inbox: Inbox, postman: Postmen) -> None:
    with database.transaction() as session:
        session.get_one(User, plant["benali"].id).email = "a.benali@plant.example"
        order = orders.create_order(session, NewOrder(title="Look", asset_id=plant.pump), plant["manager"], NOW)
        notifications.notify(
            session, [plant["benali"].id], Message("order_assigned", f"{order.number}: Look", "Assigned to you", order.id), NOW
        )

    postman(public_url="https://plant.example/").run()

    assert inbox.messages[0].get_content().replace("\r\n", "\n") == f"Assigned to you\n\nhttps://plant.example/orders/{order.number}\n"


def test_mail_about_a_downtime_leads_to_it_and_other_mail_to_the_messages(
    database: Database, plant: SmallPlant, inbox: Inbox, postman: Postmen
) -> None:
    with database.transaction() as session:
        session.get_one(User, plant["benali"].id).email = "a.benali@plant.example"
        for kind, title, group in (("downtime_reason", "P-1 stands: why?", f"{ABOUT_DOWNTIME}12"), ("warranty", "It ends soon", None)):
            notifications.notify(session, [plant["benali"].id], Message(kind, title, group=group), NOW)

    postman(public_url="https://plant.example/").run()

    links = {mail["Subject"]: mail.get_content().split()[-1] for mail in inbox.messages}
    assert links == {"P-1 stands: why?": "https://plant.example/downtimes/12", "It ends soon": "https://plant.example/messages"}


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), start, start + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "relay.pem", folder / "relay.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, serialization.NoEncryption()))
    return files


@pytest.fixture
def secure_relay(inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    chain, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))

    def signs_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=(data.login.decode(), data.password.decode()) == ACCOUNT)

    controller = Relay(inbox, tls_context=context, require_starttls=True, auth_required=True, authenticator=signs_in)
    controller.start()
    yield controller
    controller.stop()


def test_a_password_goes_through_starttls(database: Database, inbox: Inbox, postman: Postmen, secure_relay: Relay) -> None:
    post(database)

    sent = postman(smtp_port=secure_relay.port, smtp_user=ACCOUNT[0], smtp_password=ACCOUNT[1]).run()

    assert (sent, len(inbox.messages)) == (1, 1)


@pytest.mark.usefixtures("secure_relay")
def test_a_password_is_never_sent_in_the_clear(database: Database, inbox: Inbox, postman: Postmen) -> None:
    post(database)

    assert postman(smtp_user=ACCOUNT[0], smtp_password=ACCOUNT[1]).run() == 0

    (row,) = rows(database)
    assert (row.state, inbox.messages) == ("queued", [])
    assert "in the clear" in row.error


def test_a_relay_with_a_certificate_nobody_signed_is_refused(
    database: Database, inbox: Inbox, postman: Postmen, secure_relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    post(database)

    postman(smtp_port=secure_relay.port, smtp_user=ACCOUNT[0], smtp_password=ACCOUNT[1]).run()

    assert inbox.messages == []
    assert "certificate" in rows(database)[0].error.lower()
