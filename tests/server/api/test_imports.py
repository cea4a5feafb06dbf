"""Lists into the register: a dry run names every bad row and stores nothing, a real run is all or none, bombs are refused."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import openpyxl
import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from server.models.audit import AuditLog
from server.models.plant import Asset, Instrument
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

GOOD = (
    "code,name,area,parent,criticality,purchase_cost,installed_on,class\n"
    "X1,Line,Utilities,,high,1200.50,2020-01-02,\n"
    "X2,Drive,Utilities,X1,,,,\n"
)
BAD = (
    "code,name,area,parent,criticality,purchase_cost\n"
    "Y1,Good,Utilities,,low,1\n"
    "Y2,No area,Nowhere,,low,1\n"
    "Y3,Huge,Utilities,,huge,-5\n"
    "Y1,Twice,Utilities,,low,1\n"
    "Y5,Orphan,Utilities,nobody,low,1\n"
    "a/b,Slash,Utilities,,low,1\n"
)


def send(
    client: FlaskClient, headers: dict[str, str], content: bytes | str, name: str = "list.csv", kind: str = "assets", **form: str
) -> Any:
    raw = content.encode() if isinstance(content, str) else content
    boundary, body = encode_multipart({**form, "file": FileStorage(io.BytesIO(raw), name)})
    return client.post(f"/api/imports/{kind}", data=body, headers=headers, content_type=f"multipart/form-data; boundary={boundary}")


def codes(services: Services, plant: Plant) -> set[str]:
    with services.database.transaction() as session:
        return set(session.scalars(select(Asset.code).where(Asset.site_id == plant.site, Asset.deleted_at.is_(None))))


def test_a_dry_run_lists_every_bad_row_with_column_and_reason_and_stores_nothing(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    with services.database.transaction() as session:
        audited = session.scalar(select(func.count(AuditLog.id)))

    answer = send(client, bearer("planner"), BAD)

    assert answer.status_code == 200, answer.text
    assert [(row["line"], row["column"]) for row in answer.json["errors"]] == [
        (3, "area"),
        (4, "criticality"),
        (4, "purchase_cost"),
        (5, "code"),
        (6, "parent"),
        (7, "code"),
    ]
    assert all(row["reason"] for row in answer.json["errors"])
    assert (answer.json["rows"], answer.json["bad"], answer.json["dry_run"]) == (6, 5, True)
    assert codes(services, plant) == {plant.asset}
    with services.database.transaction() as session:
        assert session.scalar(select(func.count(AuditLog.id))) == audited


def test_a_row_tells_all_its_faults_at_once(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    assets = (
        "code,name,area,class,parent,criticality,purchase_cost,installed_on\n"
        "a/b,Bad,Nowhere,nothing,nobody,huge,-5,yesterday\n"
        "Z1,Good,Utilities,,Z2,low,1,\n"
        "Z2,Bad place,Nowhere,,,low,1,\n"
    )
    instruments = "tag,asset,name,type,area,range_low,range_high\n,nobody,,,Nowhere,9,1\n"

    told = send(client, headers, assets).json["errors"]
    others = send(client, headers, instruments, kind="instruments").json["errors"]

    first = ["area", "class", "code", "criticality", "installed_on", "parent", "purchase_cost"]
    assert [(row["line"], row["column"]) for row in told] == [*((2, name) for name in first), (4, "area")]
    assert [row["column"] for row in others] == ["area", "asset", "name", "range_high", "tag", "type"]
    assert all(row["reason"] for row in [*told, *others])


def test_one_bad_row_keeps_all_of_them_out(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    answer = send(client, bearer("planner"), BAD, dry_run="false")

    assert (answer.status_code, answer.json["code"], len(answer.json["errors"])) == (422, "bad_rows", 6)
    assert codes(services, plant) == {plant.asset}


def test_a_good_list_is_taken_whole_and_a_second_time_changes_nothing(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("planner")

    preview = send(client, headers, GOOD).json
    first = send(client, headers, GOOD, dry_run="false").json
    second = send(client, headers, GOOD, dry_run="false").json
    third = send(client, headers, GOOD.replace("Drive", "Main drive"), dry_run="false").json

    assert (preview["created"], first["created"], first["errors"]) == (2, 2, [])
    assert (second["created"], second["updated"], second["unchanged"]) == (0, 0, 2)
    assert (third["updated"], third["unchanged"]) == (1, 1)
    record = client.get("/api/register/assets/X2", headers=headers).json
    assert (record["name"], record["parent"]["code"]) == ("Main drive", "X1")
    assert client.get("/api/register/assets/X1", headers=headers).json["purchase_cost"] == 1200.5


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_an_export_can_be_read_back(client: FlaskClient, plant: Plant, bearer: LogIn, format_: str) -> None:
    headers = bearer("planner")
    fields = {"name": "=Pump", "notes": 'a;b,c\n"d"', "purchase_cost": 10.25, "installed_on": "2021-05-06", "expected_life_years": 12.5}
    client.post("/api/assets", json={"code": "R1", **fields}, headers=headers)
    file = client.get(f"/api/register/assets?export={format_}", headers=headers, buffered=True).data

    answer = send(client, headers, file, f"assets.{format_}", dry_run="false")

    assert answer.status_code == 200, answer.text
    assert (answer.json["created"], answer.json["updated"], answer.json["errors"]) == (0, 0, [])


def test_a_list_of_a_french_spreadsheet_is_understood(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")

    answer = send(client, headers, "code;name;purchase_cost\nF1;Pompe d'été;1200,50\n".encode("cp1252"), dry_run="false")

    assert answer.status_code == 200, answer.text
    record = client.get("/api/register/assets/F1", headers=headers).json
    assert (record["name"], record["purchase_cost"], record["area"]["name"]) == ("Pompe d'été", 1200.5, "Unassigned")


def test_instruments_are_taken_and_named_by_line_when_bad(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers, head = bearer("planner"), "tag,asset,name,type,range_low,range_high,calibration_interval_days\n"
    good = f"PT-{plant.asset},{plant.asset},Pressure,pressure,0,16,180\n"
    bad = f"TT-1,{plant.asset},Temp,,0,10,1.5\nFT-1,nobody,Flow,flow,,,\nLT-1,{plant.asset},Level,level,5,1,\n"

    preview = send(client, headers, head + good + bad, kind="instruments").json
    taken = send(client, headers, head + good, kind="instruments", dry_run="false").json

    assert [(row["line"], row["column"]) for row in preview["errors"]] == [
        (3, "calibration_interval_days"),
        (3, "type"),
        (4, "asset"),
        (5, "range_high"),
    ]
    assert taken["created"] == 1
    with services.database.transaction() as session:
        assert session.scalars(select(Instrument.calibration_interval_days).where(Instrument.asset_id == plant.asset_id)).all() == [180]


def bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (101 * 1024 * 1024))
    return made.getvalue()


def many() -> bytes:
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow(["code"])
    writer.writerows([n] for n in range(1_000_000))
    return made.getvalue().encode()


@pytest.mark.parametrize(
    ("name", "make", "status"),
    [
        ("bomb.xlsx", bomb, 413),
        ("many.csv", many, 422),
        ("big.csv", lambda: b"code\n" + b"a" * (11 * 1024 * 1024), 413),
        ("list.xlsx", lambda: b"PK no zip", 415),
        ("list.txt", lambda: b"code\nA\n", 415),
        ("nul.csv", lambda: b"code\nA\0\n", 415),
        ("empty.csv", lambda: b"", 422),
        ("odd.csv", lambda: b"code,colour\nA,red\n", 422),
        ("twice.csv", lambda: b"code,code\nA,B\n", 422),
    ],
)
def test_a_file_that_is_none_or_a_bomb_is_refused(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, name: str, make: Any, status: int
) -> None:
    answer = send(client, bearer("planner"), make(), name, dry_run="false")

    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert codes(services, plant) == {plant.asset}


def test_a_workbook_with_numbers_and_days_as_cells_is_understood(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    book, file = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["code", "name", "expected_life_years", "installed_on", "serial"])
    book.active.append([4711, "Numbered", 12.0, "2020-03-04", 99])
    book.save(file)
    headers = bearer("planner")

    answer = send(client, headers, file.getvalue(), "list.xlsx", dry_run="false")

    assert answer.status_code == 200, answer.text
    record = client.get("/api/register/assets/4711", headers=headers).json
    assert (record["expected_life_years"], record["installed_on"], record["serial"]) == (12.0, "2020-03-04", "99")
