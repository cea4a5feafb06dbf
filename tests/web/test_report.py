"""The page behind a machine's QR label: no login, no cookie, no JavaScript needed (N-1)."""

from __future__ import annotations

import io
import re

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from server.models.files import Attachment
from server.models.plant import Asset
from server.models.requests import FaultRequest
from server.services import Services
from server.store import report_links
from server.store.actor import SYSTEM
from server.timestamps import utc_now
from tests.web.conftest import HOSTILE, Plant

Fields = dict[str, object]


@pytest.fixture
def services(client: FlaskClient) -> Services:
    found: Services = client.application.extensions["sightline"]
    return found


@pytest.fixture
def page(services: Services, plant: Plant) -> str:
    """Address of the form of the plant's machine."""
    with services.database.transaction() as session:
        asset = session.scalars(select(Asset).where(Asset.code == plant.machine)).one()
        return f"/report/{report_links.rotate(session, asset, SYSTEM, utc_now()).token}"


def form_token(html: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', html)
    assert found
    return found.group(1)


def send(client: FlaskClient, page: str, **fields: object) -> TestResponse:
    """Fill the form and send it, as a browser without cookies would."""
    told: Fields = {"form_token": form_token(client.get(page).text), "words": "Oil on the floor", "severity": "bad", **fields}
    boundary, body = encode_multipart(told)
    return client.post(page, data=body, content_type=f'multipart/form-data; boundary="{boundary}"')


def reports(services: Services) -> list[FaultRequest]:
    with services.database.transaction() as session:
        return list(session.scalars(select(FaultRequest).order_by(FaultRequest.id)))


def test_the_form_needs_no_cookie_and_no_script(client: FlaskClient, page: str) -> None:
    answer = client.get(page)

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "script-src 'self' 'nonce-" in answer.headers["Content-Security-Policy"]
    assert "onsubmit" not in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_report_leads_to_its_number_and_state(client: FlaskClient, services: Services, page: str) -> None:
    before = len(reports(services))
    sent = send(client, page, name="Ana")
    shown = client.get(sent.headers["Location"])

    assert sent.status_code == 303
    assert len(reports(services)) == before + 1
    assert reports(services)[-1].number in shown.text
    assert "We have it" in shown.text
    assert "Oil on the floor" in shown.text


def test_a_photo_goes_with_it(client: FlaskClient, services: Services, page: str) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (20, 20)).save(drawn, "PNG")
    drawn.seek(0)

    sent = send(client, page, photo=FileStorage(drawn, filename="leak.png"))

    assert sent.status_code == 303
    with services.database.transaction() as session:
        row = reports(services)[-1]
        assert session.scalars(select(Attachment.name).where(Attachment.thing == "request", Attachment.thing_id == row.id)).all() == [
            "leak.png"
        ]


def test_sending_the_same_form_twice_is_one_report(client: FlaskClient, services: Services, page: str) -> None:
    token = form_token(client.get(page).text)
    before = len(reports(services))

    places = {send(client, page, form_token=token).headers["Location"] for _ in "12"}

    assert len(places) == 1
    assert len(reports(services)) == before + 1


@pytest.mark.parametrize(
    "fields",
    [
        {"words": "   "},
        {"words": "x" * 4001},
        {"severity": "awful"},
        {"form_token": "forged"},
        {"website": "http://spam.example"},
        {"photo": FileStorage(io.BytesIO(b"<svg onload=alert(1)>"), filename="a.svg")},
        {"photo": FileStorage(io.BytesIO(b"<html>"), filename="a.jpg")},
    ],
    ids=["empty", "long", "severity", "forged", "trap", "svg", "html"],
)
def test_what_is_wrong_is_said_on_the_form_and_nothing_is_stored(
    client: FlaskClient, services: Services, page: str, fields: Fields
) -> None:
    before = len(reports(services))

    answer = send(client, page, **{"name": "Ana", **fields})

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'value="Ana"' in answer.text, "what was typed is still there"
    assert len(reports(services)) == before


def test_a_token_of_another_machines_form_is_refused(client: FlaskClient, services: Services, plant: Plant, page: str) -> None:
    with services.database.transaction() as session:
        other = session.scalars(select(Asset).where(Asset.code == plant.printer)).one()
        foreign = f"/report/{report_links.rotate(session, other, SYSTEM, utc_now()).token}"

    assert send(client, page, form_token=form_token(client.get(foreign).text)).status_code == 422


def test_hostile_words_are_text(client: FlaskClient, page: str) -> None:
    sent = send(client, page, words=HOSTILE, severity="bad")
    shown = client.get(sent.headers["Location"])

    assert HOSTILE not in shown.text
    assert "&lt;img src=x" in shown.text


@pytest.mark.parametrize("path", ["/report/nothing", "/report/status/nothing"])
def test_an_unknown_address_tells_nothing(client: FlaskClient, page: str, path: str) -> None:
    assert client.get(path, headers={"Accept": "text/html"}).status_code == 404


def test_one_address_is_held_back(client: FlaskClient, page: str) -> None:
    states = [send(client, page).status_code for _ in range(8)]

    assert states == [303] * 6 + [429] * 2
