"""QR code and labels: the code leads to the machine's page, the label also to the fault report."""

from __future__ import annotations

import io

import segno
from flask.testing import FlaskClient

from tests.server.api.conftest import LogIn, Plant


def drawn(address: str) -> bytes:
    made = io.BytesIO()
    segno.make(address, error="m", micro=False).save(made, kind="svg", border=4, scale=8, light="#fff")
    return made.getvalue()


def test_the_qr_code_of_a_new_asset_leads_to_its_page(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    code = client.post("/api/assets", json={"name": "Mixer"}, headers=headers).json["code"]
    answer = client.get(f"/api/assets/{code}/qr.svg", headers=headers)
    found = client.get(f"/api/register/assets/{code}", headers=headers).json["marker"]

    assert answer.mimetype == "image/svg+xml"
    assert answer.data == drawn(f"http://localhost/q/{found}")
    page = client.get(f"/q/{found}", headers=headers)
    assert (page.status_code, page.headers["Location"]) == (302, f"/assets/{code}")


def test_an_asset_without_a_marker_has_its_whole_address_in_the_code(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    answer = client.get(f"/api/assets/{plant.asset}/qr.svg", headers=bearer("viewer"))

    assert answer.data == drawn(f"http://localhost/assets/{plant.asset}")


def test_a_sheet_of_labels_is_a_pdf_of_exactly_the_named_assets(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    codes = [client.post("/api/assets", json={"name": f"Fan {n}"}, headers=headers).json["code"] for n in range(11)]
    client.post(f"/api/assets/{codes[0]}/report-link/rotate", headers=headers)

    answer = client.get("/api/assets/labels", query_string={"codes": ",".join(codes)}, headers=headers, buffered=True)

    assert answer.status_code == 200, answer.text
    assert answer.data.startswith(b"%PDF-")
    assert client.get("/api/assets/labels?codes=nobody", headers=headers).status_code == 404
    assert client.get("/api/assets/labels?codes=,", headers=headers).status_code == 422
