"""Reports over REST: figures, tables, filters, files; another site's rows never show."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import openpyxl
import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from server.models.alerts import AlertRecord
from server.models.calibration import CalibrationRecord, MaintenanceRecord
from server.models.downtime import Downtime
from server.models.interventions import FaultTerm, Intervention
from server.models.order_records import OrderLabour
from server.models.parts import Part, StockMovement, Store
from server.models.people import User
from server.models.plant import Asset, Instrument
from server.models.work import WorkOrder
from server.reports import table
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
SIX = ("calibration", "maintenance", "health-status", "anomalies", "compliance", "work-orders")


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture(autouse=True)
def clock(services: Services) -> None:
    object.__setattr__(services, "clock", lambda: NOW)


@pytest.fixture
def history(services: Services, plant: Plant) -> None:
    """The same things in both sites: what of the other one shows is a leak."""
    with services.database.transaction() as session:
        mark = plant.asset
        for site in (plant.site, plant.other_site):
            asset = session.query(Asset).filter_by(site_id=site).one()
            asset.machine_rate = 300  # type: ignore[assignment]
            person = session.query(User).filter_by(employee_number=plant.people["technician"]).one()
            rows: list[Any] = [
                Instrument(
                    asset_id=asset.id, tag=f"PT-{site}-1", name="=1+1", type="pressure", calibration_due=ago(-10), calibrated_at=ago(5)
                ),
                Instrument(asset_id=asset.id, tag=f"PT-{site}-2", name="Late", type="pressure", calibration_due=ago(3)),
                Instrument(asset_id=asset.id, tag=f"PT-{site}-3", name="Never", type="level", calibration_interval_days=90),
                Instrument(asset_id=asset.id, tag=f"PT-{site}-4", name="Free", type="level"),
            ]
            session.add_all(rows)
            session.flush()
            calibration = {"as_found": [], "as_left": [], "left_error_pct": 0.1, "tolerance_pct": 0.5, "passed": True, "performed_by": "T"}
            for n, days in enumerate((5, 400)):
                number = f"CAL-{mark}-{site}-{n}"
                session.add(
                    CalibrationRecord(
                        number=number,
                        instrument_id=rows[0].id,
                        performed_at=ago(days),
                        standard="S1",
                        error_pct=-1.25,
                        found_passed=False,
                        **calibration,
                    )
                )
            alert = AlertRecord(
                number=f"AL-{mark}-{site}",
                site_id=site,
                asset_id=asset.id,
                tag=f"PT-{site}-1",
                type="drift",
                severity="warning",
                detector="drift",
                origin="cusum",
                message="drifts",
                raised_at=ago(2),
                last_at=ago(2),
                acknowledged_at=ago(2) + timedelta(minutes=6),
                acknowledged_by="O.Petit",
                notes="=SUM(A1)",
            )
            fault = AlertRecord(
                number=f"FA-{mark}-{site}",
                site_id=site,
                asset_id=asset.id,
                type="machine_fault",
                code="7",
                severity="critical",
                detector="plc",
                origin="plc",
                message="Fault 7",
                raised_at=ago(3),
                last_at=ago(3),
                resolved_at=ago(2),
                occurrences=4,
            )
            session.add_all([alert, fault])
            session.flush()
            order = WorkOrder(
                number=f"WO-{mark}-{site}",
                site_id=site,
                asset_id=asset.id,
                alert_id=alert.id,
                title="Recalibrate",
                type="corrective",
                priority="high",
                state="verified",
                created_by="system",
                created_at=ago(2),
                changed_at=ago(1),
                completed_at=ago(1),
                verified_at=ago(1),
                verified_by="signal",
                verdict="confirmed",
                sla_at=ago(1.5),
                assignee_id=person.id,
            )
            late = WorkOrder(
                number=f"WL-{mark}-{site}",
                site_id=site,
                asset_id=asset.id,
                title="Wait",
                created_by="x",
                created_at=ago(9),
                changed_at=ago(9),
                due=ago(1),
                sla_at=ago(-5),
            )
            session.add_all([order, late])
            session.flush()
            alert.work_order_id = order.id
            term = FaultTerm(site_id=site, level="category", code="mech", label="Mechanical")
            part = Part(site_id=site, number=f"P-{mark}", name="Seal", minimum=5)
            store = Store(site_id=site, code="A", name="Main")
            session.add_all([term, part, store])
            session.flush()
            session.add_all(
                [
                    OrderLabour(order_id=order.id, user_id=person.id, minutes=60, rate=40, cost=40, started_at=ago(1), entered_by="T"),
                    StockMovement(part_id=part.id, store_id=store.id, reason="receipt", quantity=10, unit_cost=6, by="x", at=ago(20)),
                    StockMovement(
                        part_id=part.id, store_id=store.id, reason="issue", quantity=-3, unit_cost=6, order_id=order.id, by="x", at=ago(1)
                    ),
                    StockMovement(
                        part_id=part.id, store_id=store.id, reason="return", quantity=1, unit_cost=6, order_id=order.id, by="x", at=ago(1)
                    ),
                    # two hours of standstill in the span, one of it before the span that the tests ask for with `from` = 7 days
                    Downtime(
                        site_id=site,
                        asset_id=asset.id,
                        started_at=ago(7) - timedelta(hours=1),
                        ended_at=ago(7) + timedelta(hours=1),
                        state="fault",
                        category="unplanned",
                        machine_rate=300,
                    ),
                    MaintenanceRecord(
                        number=f"MR-{mark}-{site}",
                        asset_id=asset.id,
                        work_order_id=order.id,
                        action="adjust",
                        description="@zero",
                        parts=[{"sku": "S", "qty": 2}],
                        duration_min=30,
                        performed_at=ago(1),
                        performed_by="T",
                    ),
                    Intervention(
                        number=f"IN-{mark}-{site}",
                        site_id=site,
                        order_id=order.id,
                        asset_id=asset.id,
                        technician_id=person.id,
                        technician="T",
                        received_at=ago(1),
                        ended_at=ago(1) + timedelta(minutes=45),
                        category_id=term.id,
                        created_at=ago(1),
                        changed_at=ago(1),
                    ),
                ]
            )


Show = Callable[..., dict[str, Any]]


@pytest.fixture
def show(client: FlaskClient, bearer: LogIn, history: None) -> Show:
    headers = bearer("manager")

    def get(name: str, **query: Any) -> dict[str, Any]:
        answer = client.get(f"/api/reports/{name}", query_string=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    return get


def rows(report: dict[str, Any], title: str) -> list[dict[str, Any]]:
    return next(one["rows"] for one in report["tables"] if one["title"] == title)


def test_calibration_tells_where_instruments_stand_and_what_was_done(show: Show, plant: Plant) -> None:
    report = show("calibration")

    assert report["summary"] == {
        "instruments": 4,
        "in_date": 1,
        "due_soon": 1,
        "overdue": 1,
        "never": 1,
        "performed": 1,
        "passed": 1,
        "found_out": 1,
    }
    status = {row["name"]: (row["state"], row["days_left"]) for row in rows(report, "Calibration status")}
    assert status == {
        "=1+1": ("due soon", 10),
        "Late": ("overdue", -3),
        "Never": ("never calibrated", None),
        "Free": ("not scheduled", None),
    }
    (done,) = rows(report, "Calibrations")
    assert (done["error_pct"], done["found_passed"], done["asset"]) == (-1.25, False, plant.asset)


def test_compliance_is_the_share_of_instruments_in_date(show: Show) -> None:
    report = show("compliance")

    assert (report["summary"]["scheduled"], report["summary"]["in_date"], report["summary"]["overdue"]) == (3, 1, 2)
    assert report["summary"]["compliance_pct"] == 33.3
    assert report["summary"]["pm_compliance_pct"] is None
    assert [(row["area"], row["compliance_pct"]) for row in rows(report, "By area")] == [("Utilities", 33.3)]
    assert [row["name"] for row in rows(report, "Overdue")] == ["Never", "Late"]


def test_health_status_tells_who_says_what_of_an_instrument(show: Show) -> None:
    report = show("health-status")

    assert (report["summary"]["instruments"], report["summary"]["ok"], report["summary"]["drifting"]) == (4, 3, 1)
    assert [row["state"] for row in rows(report, "Instruments")] == ["drifting", "ok", "ok", "ok"]


def test_anomalies_tell_what_people_found(show: Show) -> None:
    report = show("anomalies")

    assert report["summary"] == {"anomalies": 0, "drifts": 1, "watched": 0, "confirmed": 1, "false": 0, "precision_pct": 100.0}
    (row,) = rows(report, "Anomalies and drift")
    assert (row["verdict"], row["state"], row["detector"]) == ("confirmed", "active", "drift")


def test_maintenance_tells_what_was_done(show: Show) -> None:
    report = show("maintenance")

    assert report["summary"] == {"records": 1, "assets": 1, "minutes": 30}
    assert [(row["action"], row["parts"]) for row in rows(report, "Maintenance history")] == [("adjust", "2 x S")]


def test_work_orders_tell_whether_promises_were_kept(show: Show) -> None:
    report = show("work-orders")

    wanted = {"orders": 2, "open": 1, "completed": 1, "cancelled": 0, "overdue": 1, "promised": 2, "breached": 1, "kept_pct": 50.0}
    assert report["summary"] == {**wanted, "mean_hours": 24.0}
    assert {row["status"]: row["orders"] for row in rows(report, "By status")} == {"open": 1, "verified": 1}
    listed = {row["title"]: (row["overdue"], row["breached"]) for row in rows(report, "Work orders")}
    assert listed == {"Recalibrate": (False, True), "Wait": (True, False)}


def test_alarm_history_names_actor_note_and_assignee(show: Show) -> None:
    report = show("alarms", search="petit")

    (row,) = rows(report, "Alert history")
    assert (row["acknowledged_by"], row["notes"], row["assignee"], row["order"][:2]) == ("O.Petit", "=SUM(A1)", "Technician", "WO")
    assert report["summary"]["answer_min"] == 6.0
    assert show("alarms")["summary"]["alerts"] == 2


def test_faults_are_counted_by_machine_and_code(show: Show, plant: Plant) -> None:
    report = show("faults")

    assert [(row["asset"], row["faults"], row["occurrences"]) for row in rows(report, "By machine")] == [(plant.asset, 1, 4)]
    assert [(row["code"], row["machines"]) for row in rows(report, "By fault code")] == [("7", 1)]


def test_downtime_counts_what_lies_in_the_span(show: Show) -> None:
    whole, clipped = show("downtime"), show("downtime", **{"from": ago(7).isoformat()})

    assert (whole["summary"]["hours"], whole["summary"]["unplanned"], whole["summary"]["cost"]) == (2.0, 2.0, 600.0)
    assert (clipped["summary"]["hours"], clipped["summary"]["cost"]) == (1.0, 300.0)
    assert [(row["area"], row["hours"]) for row in rows(whole, "By area")] == [("Utilities", 2.0)]
    assert [row["category"] for row in rows(whole, "By category")] == ["unplanned"]


def test_parts_are_counted_net_of_what_came_back(show: Show) -> None:
    report = show("parts")

    assert report["summary"] == {"parts": 1, "orders": 1, "cost": 12.0, "below": 0, "stock": 0.0}
    assert [(row["name"], row["used"], row["cost"]) for row in rows(report, "By part")] == [("Seal", 2.0, 12.0)]
    assert [row["month"] for row in rows(report, "By month")] == ["2026-11"]
    assert [row["on_hand"] for row in rows(report, "Stock")] == [8.0]


def test_interventions_are_told_by_machine_day_and_category(show: Show, plant: Plant) -> None:
    report = show("interventions", asset=plant.asset)

    assert report["summary"] == {"interventions": 1, "open": 0, "machines": 1, "minutes": 45.0}
    assert [row["category"] for row in rows(report, "By category")] == ["Mechanical"]
    assert [(row["day"], row["minutes"]) for row in rows(report, "By day")] == [("2026-11-19", 45.0)]
    assert show("interventions", asset="nothing")["summary"]["interventions"] == 0


def test_benefit_is_the_standstill_avoided_less_what_the_repair_cost(show: Show) -> None:
    report = show("cost-benefit")

    (row,) = rows(report, "Proved repairs")
    # the machine's one stop of the year lasted 2 h, at 300 an hour; the repair cost 40 of labour and 12 of parts
    assert (row["avoided_h"], row["avoided"], row["cost"], row["benefit"], row["stood"]) == (2.0, 600.0, 52.0, 548.0, False)
    assert report["summary"]["benefit"] == 548.0
    assert [one["month"] for one in rows(report, "By month")] == ["2026-11"]


def test_a_machine_that_stood_before_its_repair_avoided_nothing(show: Show, services: Services, plant: Plant) -> None:
    with services.database.transaction() as session:
        stop = session.query(Downtime).filter_by(site_id=plant.site).one()
        stop.started_at, stop.ended_at = ago(1.6), ago(1.5)

    (row,) = rows(show("cost-benefit"), "Proved repairs")

    assert (row["stood"], row["avoided_h"], row["benefit"]) == (True, 0.0, -52.0)


@pytest.mark.parametrize("name", table.REPORTS)
def test_every_report_knows_its_filters_and_asks_little_of_the_database(show: Show, services: Services, name: str) -> None:
    statements: list[str] = []

    def count(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(services.database.engine, "before_cursor_execute", count)
    report = show(name, area="Utilities", search="nothing has this word")
    event.remove(services.database.engine, "before_cursor_execute", count)

    assert all(one["rows"] == [] and one["total"] == 0 for one in report["tables"])
    assert {column["key"] for column in report["summary_columns"]} == set(report["summary"])
    assert len(statements) <= 10


@pytest.mark.parametrize("name", table.REPORTS)
def test_rows_hold_what_the_columns_say(show: Show, name: str) -> None:
    for one in show(name)["tables"]:
        assert one["rows"], one["title"]
        assert one["total"] == len(one["rows"])
        assert all(row.keys() == {column["key"] for column in one["columns"]} for row in one["rows"])


def report_title(name: str) -> bytes:
    return table.REPORTS[name].title.encode()


@pytest.mark.parametrize("name", table.REPORTS)
@pytest.mark.parametrize("kind", ["csv", "xlsx", "pdf"])
def test_every_report_is_a_file_too(client: FlaskClient, bearer: LogIn, history: None, name: str, kind: str) -> None:
    answer = client.get(f"/api/reports/{name}", query_string={"export": kind}, headers=bearer("manager"))

    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}-2026-11-20.{kind}"
    assert answer.data[:4] == {"csv": b"\xef\xbb\xbf" + report_title(name)[:1], "xlsx": b"PK\x03\x04", "pdf": b"%PDF"}[kind]


def test_a_formula_in_a_name_or_note_is_quoted_in_the_files(client: FlaskClient, bearer: LogIn, history: None) -> None:
    headers = bearer("manager")
    text = client.get("/api/reports/calibration?export=csv", headers=headers).data.decode("utf-8-sig")
    book = client.get("/api/reports/alarms?export=xlsx", headers=headers).data

    cells = {cell for row in csv.reader(io.StringIO(text)) for cell in row}
    assert "'=1+1" in cells
    sheet = openpyxl.load_workbook(io.BytesIO(book))["Alert history"]
    assert "'=SUM(A1)" in {cell for row in sheet.iter_rows(values_only=True) for cell in row}


def test_a_file_too_long_to_wait_for_is_a_job(client: FlaskClient, bearer: LogIn, history: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.api.reports.MOST_ROWS", 1)

    answer = client.get("/api/reports/work-orders?export=csv", headers=bearer("manager"))

    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "too_large")


@pytest.mark.parametrize(
    "query",
    ["from=2026-11-20T00:00:00Z&to=2026-11-19T00:00:00Z", "from=1971-01-01T00:00:00Z", "export=docx", "rows=0", "rows=1001"],
)
def test_a_wrong_query_is_refused(client: FlaskClient, bearer: LogIn, query: str) -> None:
    assert client.get(f"/api/reports/calibration?{query}", headers=bearer("manager")).status_code == 422


@pytest.mark.parametrize("name", SIX)
def test_who_may_read_reports(client: FlaskClient, bearer: LogIn, name: str) -> None:
    assert client.get(f"/api/reports/{name}").status_code == 401
    assert client.get(f"/api/reports/{name}", headers=bearer("operator")).status_code == 403
    assert client.get(f"/api/reports/{name}", headers=bearer("technician")).status_code == 200


def test_the_reports_are_listed(client: FlaskClient, bearer: LogIn) -> None:
    answer = client.get("/api/reports", headers=bearer("manager"))

    assert [one["name"] for one in answer.json["items"]] == list(table.REPORTS)
    assert client.get("/api/reports/weather", headers=bearer("manager")).status_code == 404
