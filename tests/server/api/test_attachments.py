"""Files on things: what is taken, how it is kept, who sees it."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from server.models.audit import AuditLog
from server.models.files import Attachment
from server.models.plant import Asset
from server.services import Services
from server.store import attachments
from server.store.actor import SYSTEM
from tests.server.api.conftest import LogIn, Plant


def picture(kind: str = "JPEG", width: int = 40) -> bytes:
    made = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    Image.new("RGB", (width, 20), "red").save(made, kind, exif=exif)
    return made.getvalue()


def office(room: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{room}/document.xml", "<w/>")
    return made.getvalue()


def post(client: FlaskClient, headers: dict[str, str], plant: Plant, name: str, content: bytes, **more: Any) -> Any:
    form = {"thing": "asset", "id": str(plant.asset_id), "file": FileStorage(io.BytesIO(content), name), **more}
    boundary, body = encode_multipart(form)
    return client.post("/api/attachments", data=body, headers=headers, content_type=f"multipart/form-data; boundary={boundary}")


def test_a_photo_is_kept_without_its_metadata_and_shown_inline(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("technician")

    made = post(client, headers, plant, "nameplate.jpg", picture(), caption="Name plate")

    assert made.status_code == 201, made.text
    assert (made.json["type"], made.json["picture"], made.json["caption"]) == ("image/jpeg", True, "Name plate")
    shown = client.get(made.json["url"], headers=headers)
    assert shown.headers["Content-Disposition"].startswith("inline")
    assert b"a camera" not in shown.data
    listed = client.get("/api/attachments", query_string={"thing": "asset", "id": plant.asset_id}, headers=headers).json
    assert [row["id"] for row in listed["items"]] == [made.json["id"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manual.pdf", b"%PDF-1.7 a manual"),
        ("notes.txt", "Öl prüfen".encode()),
        ("points.csv", b"a,b\n1,2\n"),
        ("report.docx", office("word")),
        ("list.xlsx", office("xl")),
    ],
)
def test_a_document_comes_back_byte_for_byte_as_a_download(
    client: FlaskClient, plant: Plant, bearer: LogIn, name: str, content: bytes
) -> None:
    headers = bearer("planner")

    made = post(client, headers, plant, name, content)

    assert made.status_code == 201, made.text
    sent = client.get(made.json["url"], headers=headers)
    assert sent.data == content
    assert sent.headers["Content-Disposition"].startswith("attachment")
    assert sent.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415),
        ("page.html", b"<script>1</script>", 415),
        ("page.jpg", b"<script>1</script>", 415),
        ("tool.pdf", b"MZ not a pdf", 415),
        ("list.xlsx", office("word"), 415),
        ("list.xlsx", b"PK no zip", 415),
        ("notes.txt", b"a\0b", 415),
        ("notes.txt", b"", 422),
        ("big.txt", b"a" * (attachments.MAX_BYTES + 1), 413),
        ("huge.txt", b"a" * (attachments.MAX_BYTES * 2), 413),
    ],
)
def test_what_is_not_what_its_name_says_is_refused_and_not_stored(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, name: str, content: bytes, status: int
) -> None:
    answer = post(client, bearer("technician"), plant, name, content)

    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    with services.database.transaction() as session:
        assert session.scalars(select(Attachment.id).where(Attachment.thing_id == plant.asset_id)).all() == []


def test_a_picture_that_unfolds_to_too_many_pixels_is_refused(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    made = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(made, "PNG")

    answer = post(client, bearer("technician"), plant, "bomb.png", made.getvalue())

    assert answer.status_code == 413


def test_the_name_loses_its_path_and_whatever_could_mislead(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    answer = post(client, bearer("technician"), plant, "..\\..\\a<b>c.txt", b"x")

    assert answer.json["name"] == "abc.txt"


def test_files_of_another_site_and_of_nothing_are_not_found(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    with services.database.transaction() as session:
        far = session.scalars(select(Asset).where(Asset.site_id == plant.other_site)).one()
        theirs = attachments.attach(session, attachments.Upload("a.txt", "", b"x"), "asset", far.id, far.site_id, SYSTEM, services.clock())
        far_id, file_id = far.id, theirs.id

    assert client.get(f"/api/attachments/{file_id}/file", headers=headers).status_code == 404
    assert client.delete(f"/api/attachments/{file_id}", headers=headers).status_code == 404
    assert client.get("/api/attachments", query_string={"thing": "asset", "id": far_id}, headers=headers).status_code == 404
    assert client.get("/api/attachments", query_string={"thing": "class", "id": 2**30}, headers=headers).status_code == 404
    assert client.get("/api/attachments", query_string={"thing": "planet", "id": 1}, headers=headers).status_code == 422


def test_a_viewer_may_look_but_not_add_and_an_operator_not_to_the_register(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    made = post(client, bearer("planner"), plant, "a.txt", b"x")

    assert client.get(made.json["url"], headers=bearer("viewer")).status_code == 200
    assert post(client, bearer("viewer"), plant, "b.txt", b"x").status_code == 403
    assert post(client, bearer("operator"), plant, "b.txt", b"x").status_code == 403


def test_a_deleted_file_is_gone_from_the_list_and_its_going_is_audited(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("technician")
    made = post(client, headers, plant, "a.txt", b"x").json

    answer = client.delete(f"/api/attachments/{made['id']}", headers=headers)

    assert answer.status_code == 204
    assert client.get(made["url"], headers=headers).status_code == 404
    with services.database.transaction() as session:
        rows = session.scalars(
            select(AuditLog).where(AuditLog.thing == "attachment", AuditLog.thing_id == made["id"]).order_by(AuditLog.id)
        )
        assert [row.action for row in rows] == ["create", "delete"]


def test_the_same_upload_under_one_key_is_one_file_and_another_one_is_refused(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = {**bearer("technician"), "Idempotency-Key": f"upload-{plant.asset}"}

    first = post(client, headers, plant, "a.txt", b"x")
    again = post(client, headers, plant, "a.txt", b"x")
    other = post(client, headers, plant, "a.txt", b"y")

    assert again.json["id"] == first.json["id"]
    assert other.status_code == 422


def test_copies_go_to_another_thing_with_bytes_and_caption(services: Services, plant: Plant) -> None:
    with services.database.transaction() as session:
        upload = attachments.Upload("a.jpg", "image/jpeg", picture())
        attachments.attach(session, upload, "request", 7, plant.site, SYSTEM, services.clock(), caption="Leak")

        copies = attachments.copy_to(session, ("request", 7), ("work_order", 9), SYSTEM, services.clock())

        assert [(row.caption, row.width, bool(row.content)) for row in copies] == [("Leak", 40, True)]
        assert [row.id for row in attachments.of(session, "work_order", 9)] == [copies[0].id]
