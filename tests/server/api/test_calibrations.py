"""Calibrations over REST: points judged, records that nobody changes, certificates, standards, what a bad one brings about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.models.calibration import CalibrationRecord
from server.models.plant import Instrument
from server.models.work import WorkOrder
from server.services import Services
from server.store import calibration_due, snapshot
from server.timestamps import rfc3339, to_ms
from tests.server.api.conftest import LogIn, Plant
from tests.server.api.test_queries import MOST, counted
from tests.server.export.pdf_words import words

FIVE = [{"applied": float(x), "reading": float(x)} for x in (0, 2.5, 5, 7.5, 10)]


def shifted(by: float) -> list[dict[str, float]]:
    """Five points that read `by` bar too much: `by` * 10 % of the span."""
    return [{"applied": p["applied"], "reading": p["applied"] + by} for p in FIVE]


@pytest.fixture
def instrument(client: FlaskClient, plant: Plant, bearer: LogIn) -> dict[str, Any]:
    """A pressure transmitter, 0 to 10 bar, class 0.5, due every year."""
    body = {"tag": plant.tag, "asset": plant.asset, "name": "Discharge pressure", "type": "pressure", "unit": "bar"}
    body |= {"range_low": 0, "range_high": 10, "accuracy_class": "0.5", "calibration_interval_days": 365}
    answer = client.post("/api/instruments", json=body, headers=bearer("manager"))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


@pytest.fixture
def standard(client: FlaskClient, bearer: LogIn) -> dict[str, Any]:
    """A pressure balance with a valid certificate."""
    due = rfc3339(datetime.now(UTC) + timedelta(days=100))
    body = {"serial": "PB-77", "name": "Pressure balance", "certificate": "K-2026-77", "due_at": due, "unit": "bar", "uncertainty": 0.001}
    answer = client.post("/api/standards", json=body, headers=bearer("planner"))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


class Lab:
    """Records calibrations as a technician."""

    def __init__(self, client: FlaskClient, headers: dict[str, str], instrument: dict[str, Any], standard: dict[str, Any]) -> None:
        self.client, self.headers, self.instrument, self.standard = client, headers, instrument, standard

    def post(self, **fields: Any) -> Any:
        body = {"instrument": self.instrument["tag"], "standard": self.standard["serial"], "as_found": FIVE, **fields}
        return self.client.post("/api/calibrations", json=body, headers=self.headers)

    def record(self, **fields: Any) -> Any:
        answer = self.post(**fields)
        assert answer.status_code == 201, answer.text
        return answer.json

    def see(self) -> Any:
        return self.client.get(f"/api/instruments/{self.instrument['id']}", headers=self.headers).json


@pytest.fixture
def lab(client: FlaskClient, bearer: LogIn, instrument: dict[str, Any], standard: dict[str, Any]) -> Lab:
    return Lab(client, bearer("technician"), instrument, standard)


def days_ago(days: float) -> str:
    return rfc3339(datetime.now(UTC) - timedelta(days=days))


def test_points_as_found_and_as_left_become_a_numbered_record_with_the_next_due_date(lab: Lab) -> None:
    at = datetime.now(UTC) - timedelta(hours=2)

    made = lab.post(as_found=shifted(0.03), as_left=shifted(-0.01), performed_at=rfc3339(at), notes="Zero adjusted", ambient="21 °C")

    body = made.json
    assert made.headers["Location"] == f"/api/calibrations/{body['id']}"
    assert body["number"].startswith("CAL-")
    assert [point["error_pct"] for point in body["as_found"]] == [0.3] * 5
    assert (body["found_error_pct"], body["left_error_pct"], body["tolerance_pct"]) == (0.3, -0.1, 0.5)
    assert (body["found_passed"], body["passed"], body["performed_by"], body["signature"]) == (True, True, "Technician", "Technician")
    assert body["next_due_at"] == rfc3339(at + timedelta(days=365))
    assert lab.see()["calibration_due"] == body["next_due_at"]
    assert lab.see()["calibrated_at"] == rfc3339(at)


def test_preview_judges_five_points_and_stores_nothing(client: FlaskClient, lab: Lab) -> None:
    body = {"instrument": lab.instrument["id"], "as_found": shifted(0.1), "as_left": FIVE}

    shown = client.post("/api/calibrations/preview", json=body, headers=lab.headers)

    assert [point["error_pct"] for point in shown.json["as_found"]] == [1.0] * 5
    assert (shown.json["found_passed"], shown.json["passed"], shown.json["tolerance_pct"]) == (False, True, 0.5)
    assert client.get("/api/calibrations", headers=lab.headers).json["total"] == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"as_found": FIVE[:3]}, "as_found"),
        ({"as_left": FIVE[:4]}, "as_left"),
        ({"instrument": "NO-SUCH"}, "instrument"),
        ({"standard": "NO-SUCH"}, "standard"),
        ({"tolerance_pct": 0}, "tolerance_pct"),
        ({"as_found": [{"applied": 1}]}, "as_found"),
        ({"as_found": [{"applied": True, "reading": 1}]}, "as_found"),
        ({"performed_at": "2100-01-01T00:00:00Z"}, "performed_at"),
        ({"performed_at": "2026-01-01T00:00:00"}, "performed_at"),
        ({"performed_at": "0001-01-01T00:00:00+14:00"}, "performed_at"),
        ({"work_order": 2**52}, "work_order"),
        ({"work_order": "9" * 64}, "work_order"),
        ({"as_found": [{"applied": -1.7e308, "reading": 1.7e308}]}, "as_found"),
        ({"colour": "red"}, "colour"),
    ],
    ids=[
        "three points",
        "four left",
        "no instrument",
        "no standard",
        "tolerance",
        "no reading",
        "not a number",
        "future",
        "no zone",
        "year 1",
        "no order",
        "long number",
        "infinite",
        "unknown",
    ],
)
def test_a_wrong_calibration_is_refused_and_nothing_stored(client: FlaskClient, lab: Lab, fields: dict[str, Any], field: str) -> None:
    refused = lab.post(**fields)

    assert (refused.status_code, refused.content_type) == (422, "application/problem+json")
    assert any(error["field"].split(".")[0] == field for error in refused.json["errors"]), refused.json
    assert client.get("/api/calibrations", headers=lab.headers).json["total"] == 0


def test_one_point_is_enough(lab: Lab) -> None:
    assert lab.record(as_found=[{"applied": 5.0, "reading": 5.02}])["found_error_pct"] == 0.2


def test_an_overdue_standard_is_refused_without_a_reason(client: FlaskClient, bearer: LogIn, lab: Lab) -> None:
    path = f"/api/standards/{lab.standard['id']}"
    assert client.patch(path, json={"due_at": days_ago(1)}, headers=bearer("planner")).json["overdue"] is True

    refused = lab.post()
    allowed = lab.record(standard_reason="Its new certificate arrives tomorrow")

    assert (refused.status_code, refused.json["errors"][0]["code"]) == (422, "expired")
    assert allowed["standard_reason"] == "Its new certificate arrives tomorrow"
    assert lab.post(performed_at=days_ago(5)).status_code == 201  # it was valid then


def test_a_standard_leads_back_to_every_calibration_that_used_it(client: FlaskClient, bearer: LogIn, lab: Lab) -> None:
    first, second = lab.record(performed_at=days_ago(300)), lab.record()
    path = f"/api/standards/{lab.standard['id']}"
    client.patch(path, json={"certificate": "K-2027-01"}, headers=bearer("planner"))

    uses = client.get(f"{path}/calibrations", headers=lab.headers).json

    assert [row["id"] for row in uses["items"]] == [second["id"], first["id"]]
    assert {row["standard"]["certificate"] for row in uses["items"]} == {"K-2026-77"}  # as it stood that day
    assert client.get(path, headers=lab.headers).json["used"] == 2


def test_a_correction_is_a_new_record_with_a_reason(client: FlaskClient, services: Services, lab: Lab) -> None:
    first = lab.record(as_found=shifted(0.04), performed_at=days_ago(2))

    without = lab.post(supersedes=first["id"])
    second = lab.record(supersedes=first["id"], supersede_reason="Column read wrongly", performed_at=days_ago(2))
    again = lab.post(supersedes=first["id"], supersede_reason="Once more")

    assert (without.status_code, again.status_code) == (422, 409)
    old = client.get(f"/api/calibrations/{first['id']}", headers=lab.headers).json
    assert (old["superseded_by"]["number"], old["found_error_pct"]) == (second["number"], 0.4)
    history = client.get(f"/api/instruments/{lab.instrument['id']}/calibrations", headers=lab.headers).json
    assert [row["number"] for row in history["items"]] == [second["number"], first["number"]]
    with pytest.raises(DBAPIError, match="append-only"), services.database.transaction() as session:
        session.execute(text("UPDATE calibration_records SET passed = true"))


def test_a_failed_calibration_opens_one_order_and_leaves_the_due_date(client: FlaskClient, lab: Lab) -> None:
    good = lab.record(performed_at=days_ago(100))

    failed = lab.record(as_found=shifted(0.2), as_left=shifted(0.1), performed_at=days_ago(1))
    again = lab.record(as_found=shifted(0.2), as_left=shifted(0.09))

    assert (failed["passed"], failed["next_due_at"]) == (False, None)
    assert failed["follow_up"] == again["follow_up"]
    order = client.get(f"/api/work-orders/{failed['follow_up']['number']}", headers=lab.headers).json
    assert (order["type"], order["priority"], order["status"]) == ("corrective", "high", "open")
    assert failed["number"] in order["description"]
    assert lab.see()["calibration_due"] == good["next_due_at"]


def overdue(services: Services, lab: Lab, now: datetime) -> None:
    with services.database.transaction() as session:
        session.get_one(Instrument, lab.instrument["id"]).calibration_due = now - timedelta(days=1)
    for _ in range(2):
        with services.database.transaction() as session:
            calibration_due.see_overdue(session, now)


def test_an_overdue_instrument_raises_one_alert_with_one_order_which_only_its_calibration_closes(
    client: FlaskClient, services: Services, lab: Lab
) -> None:
    overdue(services, lab, datetime.now(UTC))
    alerts = client.get("/api/alerts", headers=lab.headers).json
    assert [(row["type"], row["tag"]) for row in alerts["items"]] == [("calibration_overdue", lab.instrument["tag"])]
    orders = client.get("/api/work-orders", headers=lab.headers).json["items"]
    assert [(row["type"], row["title"]) for row in orders] == [("calibration", f"Calibrate {lab.instrument['tag']}")]
    act = f"/api/work-orders/{orders[0]['id']}/actions"
    client.post(f"{act}/start", json={}, headers=lab.headers)

    early = client.post(f"{act}/complete", json={"notes": "done"}, headers=lab.headers)
    record = lab.record()
    done = client.post(f"{act}/complete", json={"notes": "done"}, headers=lab.headers)

    assert (early.status_code, early.json["code"]) == (409, "calibration_missing")
    assert record["work_order"]["id"] == orders[0]["id"]  # the order in work, without being named
    assert (done.status_code, done.json["status"], done.json["proof"]) == (200, "completed", None)
    alert = client.get(f"/api/alerts/{alerts['items'][0]['id']}", headers=lab.headers).json
    assert alert["condition"] == "returned"


def test_nothing_is_raised_again_after_the_calibration(services: Services, lab: Lab) -> None:
    now = datetime.now(UTC)
    overdue(services, lab, now)
    lab.record()

    with services.database.transaction() as session:
        changes = calibration_due.see_overdue(session, now + timedelta(minutes=1))
        raised = session.scalars(select(AlertRecord).where(AlertRecord.tag == lab.instrument["tag"])).all()
        orders = session.scalars(select(WorkOrder).where(WorkOrder.asset_id == raised[0].asset_id)).all()

    assert changes == 0
    assert (len(raised), len(orders)) == (1, 1)


def test_the_monitor_learns_of_a_calibration_by_the_plant_snapshot(services: Services, plant: Plant, lab: Lab) -> None:
    with services.database.transaction() as session:
        before = snapshot.build(session, datetime.now(UTC))

    made = lab.record(performed_at=days_ago(1))

    with services.database.transaction() as session:
        after = snapshot.build(session, datetime.now(UTC))
    assert before.tag_by_id()[plant.tag_id].calibrated_at is None
    assert after.tag_by_id()[plant.tag_id].calibrated_at == to_ms(datetime.fromisoformat(made["performed_at"]))
    assert after.version > before.version


def test_the_interval_follows_from_drift_when_a_person_accepts_it(client: FlaskClient, bearer: LogIn, lab: Lab) -> None:
    path = f"/api/instruments/{lab.instrument['id']}/interval"
    lab.record(performed_at=days_ago(365.25))
    assert client.get(path, headers=lab.headers).json["proposed_days"] is None
    second = lab.record(as_found=shifted(0.04), as_left=FIVE)

    shown = client.get(path, headers=lab.headers)
    assert second["drift_pct_per_year"] == pytest.approx(0.4, rel=1e-3)
    assert shown.json["drift"]["method"] == "last_pair"
    assert shown.json["proposed_days"] == pytest.approx(365, abs=1)
    assert [step["unit"] for step in shown.json["steps"]][1:3] == ["% of span per year", "% of span"]
    assert lab.see()["calibration_interval_days"] == 365
    body = {"days": 200, "reason": "The proposal, shortened for the season"}
    assert client.post(path, json=body, headers=lab.headers).status_code == 403
    accepted = client.post(path, json=body, headers={**bearer("manager"), "If-Match": shown.headers["ETag"]})
    stale = client.post(path, json=body, headers={**bearer("manager"), "If-Match": shown.headers["ETag"]})

    assert (accepted.status_code, stale.status_code) == (200, 412)
    decided = accepted.json["decisions"][0]
    assert (decided["old_days"], decided["new_days"], decided["decided_by"]) == (365, 200, "Manager")
    assert decided["proposed_days"] == shown.json["proposed_days"]
    due = datetime.fromisoformat(second["performed_at"]) + timedelta(days=200)
    assert lab.see()["calibration_due"] == rfc3339(due)


def test_a_bad_as_found_lists_every_decision_since_the_last_good_one_until_a_person_signs(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, lab: Lab
) -> None:
    lab.record(performed_at=days_ago(200))
    with services.database.transaction() as session:
        for number, days in (("ALERT_OLD", 250), ("ALERT_NEW", 20)):
            at = datetime.now(UTC) - timedelta(days=days)
            kind = {"type": "rule_violation", "severity": "warning", "detector": "limits", "origin": "rule", "code": number}
            session.add(
                AlertRecord(
                    number=number,
                    site_id=plant.site,
                    asset_id=plant.asset_id,
                    tag=plant.tag,
                    message=number,
                    raised_at=at,
                    last_at=at,
                    **kind,
                )
            )
    new = client.get("/api/alerts", headers=lab.headers).json["items"][0]
    client.post(f"/api/alerts/{new['id']}/acknowledge", headers=lab.headers)
    order = client.post("/api/work-orders/from-alert", json={"alert_id": new["id"]}, headers=lab.headers).json

    bad = lab.record(as_found=shifted(0.3), as_left=FIVE)

    review = client.get(f"/api/impact-reviews/{bad['impact_review']['id']}", headers=lab.headers).json
    assert [(item["kind"], item["number"]) for item in review["items"]] == [
        ("alert", "ALERT_NEW"),
        ("decision", "ALERT_NEW"),
        ("order", order["number"]),
    ]
    told = client.get("/api/notifications", headers=bearer("planner")).json["items"]
    assert any(row["kind"] == "impact_review" for row in told)
    path, words = f"/api/impact-reviews/{review['id']}/sign", {"conclusion": "The alert was right all the same"}
    assert client.post(path, json=words, headers=lab.headers).status_code == 403
    signed = client.post(path, json=words, headers=bearer("manager"))
    assert (signed.json["state"], signed.json["reviewed_by"]) == ("signed", "Manager")
    assert client.post(path, json=words, headers=bearer("admin")).status_code == 409


def test_whoever_calibrated_does_not_sign_the_review(client: FlaskClient, bearer: LogIn, lab: Lab) -> None:
    lab.headers = bearer("manager")
    bad = lab.record(as_found=shifted(0.3), as_left=FIVE)

    own = client.post(f"/api/impact-reviews/{bad['impact_review']['id']}/sign", json={"conclusion": "fine"}, headers=lab.headers)

    assert own.status_code == 403
    assert "somebody other" in own.json["detail"]


def test_certificates_filled_and_blank(client: FlaskClient, lab: Lab) -> None:
    made = lab.record(as_found=shifted(0.08), as_left=shifted(0.01), notes="<b>Span</b> & zero")

    filled = client.get(f"/api/calibrations/{made['id']}/certificate", headers=lab.headers)
    blank = client.get(f"/api/instruments/{lab.instrument['id']}/certificate-blank", headers=lab.headers)

    assert (filled.mimetype, blank.mimetype) == ("application/pdf", "application/pdf")
    said = words(filled.data)
    for wanted in (made["number"], "PB-77", "K-2026-77", "PASSED", "+0.800", "< /b >", "& zero", "Technician", lab.instrument["tag"]):
        assert wanted in said, wanted
    assert "____" in words(blank.data)
    assert "2.5" in words(blank.data)


def test_every_write_is_in_the_audit_trail(services: Services, bearer: LogIn, lab: Lab, client: FlaskClient) -> None:
    bad = lab.record(as_found=shifted(0.3), as_left=FIVE)
    sign = f"/api/impact-reviews/{bad['impact_review']['id']}/sign"
    client.post(sign, json={"conclusion": "nothing decided"}, headers=bearer("manager"))
    client.post(f"/api/instruments/{lab.instrument['id']}/interval", json={"days": 100}, headers=bearer("manager"))

    with services.database.transaction() as session:
        told = {(row.action, row.thing) for row in session.scalars(select(AuditLog))}

    wanted = {
        ("create", "standard"),
        ("create", "calibration"),
        ("calibrate", "instrument"),
        ("sign", "impact_review"),
        ("accept_interval", "instrument"),
    }
    assert wanted <= told


def test_another_sites_records_are_not_there(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, lab: Lab) -> None:
    bad = lab.record(as_found=shifted(0.3), as_left=FIVE)
    with services.database.transaction() as session:
        session.execute(text("UPDATE users SET site_id = :site WHERE role = 'manager'"), {"site": plant.other_site})
    headers = bearer("manager")
    paths = [f"/api/calibrations/{bad['id']}", f"/api/calibrations/{bad['id']}/certificate", f"/api/standards/{lab.standard['id']}"]
    instrument = f"/api/instruments/{lab.instrument['id']}"
    paths += [f"{instrument}/interval", f"{instrument}/calibrations", f"/api/impact-reviews/{bad['impact_review']['id']}"]

    assert {client.get(path, headers=headers).status_code for path in paths} == {404}
    assert client.get("/api/calibrations", headers=headers).json["total"] == 0
    sign = f"/api/impact-reviews/{bad['impact_review']['id']}/sign"
    assert client.post(sign, json={"conclusion": "x"}, headers=headers).status_code == 404


def test_the_same_key_records_once_and_lists_go_out_as_files(client: FlaskClient, services: Services, lab: Lab) -> None:
    lab.headers = {**lab.headers, "Idempotency-Key": "cal-1"}

    assert lab.record()["id"] == lab.record()["id"]

    with services.database.transaction() as session:
        mine = CalibrationRecord.instrument_id == lab.instrument["id"]
        assert len(session.scalars(select(CalibrationRecord).where(mine)).all()) == 1
    assert client.get("/api/calibrations?search=%00&instrument=%00", headers=lab.headers).status_code in {200, 400, 422}
    with client.get("/api/calibrations?export=csv", headers=lab.headers) as csv:
        assert csv.mimetype == "text/csv"
        assert lab.instrument["tag"] in csv.data.decode("utf-8-sig")


def test_a_corrective_record_says_what_was_done_by_whom_with_which_parts(client: FlaskClient, plant: Plant, lab: Lab) -> None:
    body = {"instrument": lab.instrument["tag"], "action": "replace", "description": "Membrane replaced", "technician": "A. Benali"}
    body |= {"parts": [{"sku": "MEM-2", "qty": 1}], "duration_min": 35}

    made = client.post("/api/maintenance", json=body, headers=lab.headers)

    assert (made.status_code, made.headers["Location"]) == (201, f"/api/maintenance/{made.json['id']}")
    assert made.json["number"].startswith("MR-")
    assert (made.json["asset"]["code"], made.json["performed_by"], made.json["duration_min"]) == (plant.asset, "A. Benali", 35)
    assert made.json["parts"] == [{"sku": "MEM-2", "qty": 1.0}]
    listed = client.get("/api/maintenance?search=membrane", headers=lab.headers).json
    assert [row["id"] for row in listed["items"]] == [made.json["id"]]
    assert client.post("/api/maintenance", json={"action": "clean", "description": "x"}, headers=lab.headers).status_code == 422
    negative = {**body, "parts": [{"sku": "MEM-2", "qty": -1}]}
    assert client.post("/api/maintenance", json=negative, headers=lab.headers).status_code == 422


def test_a_serial_number_is_there_once(client: FlaskClient, bearer: LogIn, standard: dict[str, Any]) -> None:
    planner = bearer("planner")
    body = {name: standard[name] for name in ("serial", "name", "certificate", "due_at")}
    path = f"/api/standards/{standard['id']}"

    assert client.post("/api/standards", json=body, headers=planner).status_code == 409
    assert client.patch(path, json={"range_low": 5, "range_high": 1}, headers=planner).status_code == 422
    assert client.delete(path, headers=bearer("technician")).status_code == 403
    assert client.delete(path, headers=planner).status_code == 204
    assert client.get(path, headers=planner).status_code == 404
    assert client.post("/api/standards", json=body, headers=planner).status_code == 201


def test_lists_and_details_ask_the_database_few_questions(client: FlaskClient, services: Services, lab: Lab) -> None:
    lab.record(performed_at=days_ago(300))
    bad = lab.record(as_found=shifted(0.3), as_left=shifted(0.2), performed_at=days_ago(10))
    lab.record(as_found=shifted(0.3), as_left=FIVE, supersedes=bad["id"], supersede_reason="Read wrongly", performed_at=days_ago(9))
    client.post("/api/maintenance", json={"instrument": lab.instrument["tag"], "action": "clean", "description": "x"}, headers=lab.headers)
    own = f"/api/instruments/{lab.instrument['id']}"
    paths = ["/api/calibrations", f"{own}/calibrations", f"{own}/interval", f"/api/calibrations/{bad['id']}", "/api/impact-reviews"]
    paths += ["/api/standards", f"/api/standards/{lab.standard['id']}/calibrations", "/api/maintenance"]

    for path in paths:
        with counted(services) as asked:
            assert client.get(path, headers=lab.headers).status_code == 200
        assert len(asked) <= MOST, (path, asked)
