"""A contractor's link (N-13): its holder sees and works one order under their own name, until it ends."""

from __future__ import annotations

from io import BytesIO

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select, update
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from server.models.audit import AuditLog
from server.models.people import ContractorLink, User
from server.models.work import Procedure, ProcedureVersion, WorkOrder
from server.services import Services
from tests.server.api.callers import an_order, bearer
from tests.server.api.conftest import LogIn, Plant

WHO = {"name": "J. Dupont", "company": "ACME", "days": 3}


@pytest.fixture
def order(services: Services, plant: Plant) -> str:
    with services.database.transaction() as session:
        return an_order(session, plant.site, plant.asset_id).number


@pytest.fixture
def planner(bearer: LogIn) -> dict[str, str]:
    return bearer("planner")


def make(client: FlaskClient, planner: dict[str, str], order: str, **more: object) -> dict[str, object]:
    answer = client.post(f"/api/work-orders/{order}/contractor-links", json={**WHO, **more}, headers=planner)
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def test_the_holder_works_the_order_from_start_to_completion(
    client: FlaskClient, planner: dict[str, str], order: str, services: Services
) -> None:
    link = make(client, planner, order)
    holder = bearer(str(link["token"]))
    picture = BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    picture.seek(0)

    seen = client.get("/api/contract", headers=holder).json
    started = client.post("/api/contract/actions/start", headers=holder)
    remark = client.post("/api/contract/comments", json={"body": "coupling worn"}, headers=holder)
    photo = client.post("/api/contract/photos", data={"file": (picture, "coupling.png")}, headers=holder)
    shown = client.get(f"/api/contract/photos/{photo.json['id']}/file", headers=holder)
    steps = client.get("/api/contract/steps", headers=holder)
    done = client.post("/api/contract/actions/complete", json={"notes": "new coupling"}, headers=holder)

    assert (seen["number"], seen["holder"], seen["status"]) == (order, "J. Dupont (ACME)", "assigned")
    assert [answer.status_code for answer in (started, remark, photo, shown, steps, done)] == [200, 201, 201, 200, 200, 200]
    assert done.json["status"] == "completed"
    assert client.get(f"/api/work-orders/{order}", headers=planner).json["assigned_to"]["name"] == "J. Dupont (ACME)"
    with services.database.transaction() as session:
        rows = session.scalars(select(AuditLog).where(AuditLog.actor == "J. Dupont (ACME)", AuditLog.thing == "work_order")).all()
    assert {row.action for row in rows} >= {"start", "complete"}
    assert {row.actor_kind for row in rows} == {"contractor"}


PHOTO_STEPS = [{"id": "s1", "n": 1, "k": "photo", "t": "Take a photo of the coupling", "must": True}]


def in_hand(client: FlaskClient, services: Services, planner: dict[str, str], order: str) -> dict[str, str]:
    """A link whose order is in work and has one step, a photo."""
    holder = bearer(str(make(client, planner, order)["token"]))
    with services.database.transaction() as session:
        row = session.scalars(select(WorkOrder).where(WorkOrder.number == order)).one()
        procedure = Procedure(code=f"P-{order}", title="Photo", site_id=row.site_id)
        session.add(procedure)
        session.flush()
        version = ProcedureVersion(procedure_id=procedure.id, version=1, steps=PHOTO_STEPS)
        session.add(version)
        session.flush()
        row.procedure_version_id = version.id
    assert client.post("/api/contract/actions/start", headers=holder).status_code == 200
    return holder


def photo(colour: str = "red", size: int = 8) -> dict[str, tuple[BytesIO, str, str]]:
    picture = BytesIO()
    Image.new("RGB", (size, size), colour).save(picture, "PNG")
    return {"file": (BytesIO(picture.getvalue()), "step.png", "image/png")}


def test_the_holder_answers_a_photo_step_with_a_photo_of_this_order_only(
    client: FlaskClient, planner: dict[str, str], order: str, services: Services, plant: Plant
) -> None:
    holder = in_hand(client, services, planner, order)
    with services.database.transaction() as session:
        another = an_order(session, plant.site, plant.asset_id).number
    foreign = in_hand(client, services, planner, another)

    theirs = client.post("/api/contract/step-photos", data=photo("blue"), headers=foreign).json["id"]
    mine = client.post("/api/contract/step-photos", data=photo(), headers=holder)
    wrong = [client.post("/api/contract/steps/s1", json={"media": media}, headers=holder) for media in ([], [theirs], [10**9])]
    right = client.post("/api/contract/steps/s1", json={"media": [mine.json["id"]]}, headers=holder)

    assert (mine.status_code, mine.json["w"]) == (201, 8)
    assert [(answer.status_code, answer.json["errors"][0]["field"]) for answer in wrong] == [(422, "media")] * 3
    assert right.status_code == 200, right.text
    done = client.get("/api/contract/steps", headers=holder).json["steps"][0]
    assert (done["done"], done["answer"]["media"]) == (True, [mine.json["id"]])


def test_what_is_no_picture_or_too_big_is_refused(client: FlaskClient, planner: dict[str, str], order: str, services: Services) -> None:
    holder = in_hand(client, services, planner, order)
    sizes = (b"no picture", b"0" * (6 * 1024 * 1024))
    bodies = [encode_multipart({"file": FileStorage(BytesIO(content), "step.png", content_type="image/png")}) for content in sizes]

    answers = [
        client.post("/api/contract/step-photos", data=body, headers=holder, content_type=f"multipart/form-data; boundary={boundary}")
        for boundary, body in bodies
    ]

    assert [answer.status_code for answer in answers] == [415, 413]
    assert client.post("/api/contract/step-photos", data=photo()).status_code == 401


@pytest.mark.parametrize("action", ["assign", "verify", "cancel", "reopen", "approve", "nothing"])
def test_the_holder_cannot_judge_or_hand_on(client: FlaskClient, planner: dict[str, str], order: str, action: str) -> None:
    holder = bearer(str(make(client, planner, order)["token"]))

    assert client.post(f"/api/contract/actions/{action}", json={}, headers=holder).status_code == 404


@pytest.mark.parametrize("path", ["/api/work-orders", "/api/assets", "/api/auth/me", "/api/facts", "/api/users", "/api/attachments", "/"])
def test_the_holder_reaches_nothing_else(client: FlaskClient, planner: dict[str, str], order: str, path: str) -> None:
    holder = bearer(str(make(client, planner, order)["token"]))

    assert client.get(path, headers=holder).status_code == 403


def test_a_link_to_look_at_does_not_work(client: FlaskClient, planner: dict[str, str], order: str) -> None:
    holder = bearer(str(make(client, planner, order, may_work=False)["token"]))

    answers = [client.get("/api/contract", headers=holder), client.post("/api/contract/actions/start", headers=holder)]

    assert [answer.status_code for answer in answers] == [200, 403]


def test_a_revoked_and_an_expired_link_end_at_once(client: FlaskClient, planner: dict[str, str], order: str, services: Services) -> None:
    first, second = make(client, planner, order), make(client, planner, order)
    assert client.delete(f"/api/contractor-links/{first['id']}", headers=planner).status_code == 204
    with services.database.transaction() as session:
        over = update(ContractorLink).where(ContractorLink.id == second["id"])
        session.execute(over.values(expires_at=services.clock()))

    answers = [client.get("/api/contract", headers=bearer(str(link["token"]))).status_code for link in (first, second)]

    assert answers == [401, 401]
    listed = client.get(f"/api/work-orders/{order}/contractor-links", headers=planner).json["items"]
    assert [(row["live"], "token" in row) for row in listed] == [(False, False)] * 2


def test_nobody_signs_in_as_the_shadow_user_and_no_list_shows_it(
    client: FlaskClient, bearer: LogIn, order: str, services: Services
) -> None:
    link = make(client, bearer("planner"), order)
    with services.database.transaction() as session:
        shadow = session.get_one(ContractorLink, link["id"]).user_id
        number = session.get_one(User, shadow).employee_number

    answer = client.post("/api/auth/login", json={"employee_number": number, "password": "!"})

    assert answer.status_code == 401
    assert client.get(f"/api/users/{shadow}", headers=bearer("admin")).status_code == 404
    assert client.get("/api/users?search=contractor", headers=bearer("admin")).json["total"] == 0


@pytest.mark.parametrize("body", [{"name": "system"}, {"name": ""}, {**WHO, "days": 91}, {**WHO, "days": 0}, {**WHO, "order": 1}])
def test_what_makes_no_link(client: FlaskClient, planner: dict[str, str], order: str, body: dict[str, object]) -> None:
    assert client.post(f"/api/work-orders/{order}/contractor-links", json=body, headers=planner).status_code == 422


def test_the_page_asks_for_no_login_and_says_nothing_itself(client: FlaskClient, planner: dict[str, str], order: str) -> None:
    link = make(client, planner, order)

    page = client.get(f"/contract/{link['token']}")

    assert page.status_code == 200
    assert str(link["url"]).endswith(f"/contract/{link['token']}")
    assert order not in page.text
    assert str(link["token"]) not in page.text
