"""Reports and the choice of what one is told, in a real browser: sound at every size, figures over tables, raw JSON disclosed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from server.reports.table import REPORTS
from tests.browser.test_records import judge

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def test_a_report_is_figures_and_tables_with_its_raw_json(visit: Any) -> None:
    visitor = visit()
    visitor.open("/reports/work-orders")
    page = visitor.page

    expect(page.locator("#summary:not([aria-busy]) dt").first).to_have_text("Orders")
    expect(page.locator("#tables h2").last).to_have_text("Work orders")
    expect(page.locator("#tables td[data-label=Type]").first).to_have_text("Corrective")  # never the identifier
    page.locator("details > summary").click()
    assert json.loads(page.locator("#raw").inner_text())["report"] == "work-orders"
    with page.expect_download() as file:
        page.get_by_role("link", name="CSV").click()
    assert file.value.suggested_filename.startswith("work-orders-")
    page.locator("input[name=asset]").fill("no such machine")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#tables")).to_contain_text("Nothing in this span.")


def test_pages_of_reports_are_sound(visit: Any) -> None:
    visitor = visit()
    wrong = []
    for path in ("/reports", *(f"/reports/{name}" for name in REPORTS)):
        visitor.open(path)
        if path != "/reports":
            expect(visitor.page.locator("#summary:not([aria-busy])")).to_be_visible()
            expect(visitor.page.locator("#tables .report-part").first).to_be_visible()
        wrong += judge(visitor, path)

    assert wrong == []


def test_a_person_chooses_what_to_be_told_of(visit: Any) -> None:
    visitor = visit()
    visitor.open("/account/notices")
    page = visitor.page
    expect(page.locator("#state")).to_contain_text("defaults of your role")
    wrong = judge(visitor, "/account/notices")

    page.get_by_label("Quiet from").fill("22:00")
    page.get_by_label("Quiet to").fill("06:00")
    page.get_by_role("button", name="Save").click()

    expect(page.locator("#state")).not_to_contain_text("defaults of your role")
    expect(page.get_by_label("Quiet from")).to_have_value("22:00")
    assert wrong == []
