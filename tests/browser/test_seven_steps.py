"""S2-162 on the pages: set up, data in, an alert, its order, the technician's acts, the verdict that the models learn from, the reports."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages_plant import Instance
from tests.browser.visitor import TECHNICIAN, walk

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LOADED = "#rows:not([aria-busy])"


def field(page: Page, name: str) -> Any:
    """The control of a field."""
    return page.locator(f"[data-field='{name}'] .input")


def pick(page: Page, name: str, typed: str) -> None:
    """Choose what a reference leads to by typing."""
    field(page, name).fill(typed)
    page.locator(f"[data-field='{name}'] [role='option']", has_text=typed).first.click()


def set_up(page: Page, url: str) -> None:
    """1: the reference standard that the plant calibrates against."""
    page.goto(f"{url}/records")
    page.locator(".hub").get_by_role("link", name="Reference standards").click()
    page.get_by_role("link", name="New", exact=True).first.click()
    field(page, "serial").fill("SEVEN-1")
    field(page, "name").fill("Pressure calibrator")
    field(page, "certificate").fill("K-7")
    field(page, "due_at").fill("2035-01-01T08:00")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#title")).to_have_text("Pressure calibrator")


def data_in(page: Page, url: str) -> None:
    """2: values arrive; the asset's page is live."""
    page.goto(f"{url}/assets/M2")
    expect(page.locator("#link-word")).to_have_text("Live", timeout=20_000)
    expect(page.locator("#signals tr").first).to_contain_text(re.compile(r"\d"))


def alert_and_order(instance: Instance, page: Page) -> str:
    """3 and 4: a finding becomes an alert that the manager acknowledges, and an order that is assigned; returns its number."""
    instance.raise_alert()
    page.goto(f"{instance.url}/alarms")
    row = page.locator(".alarm-row", has_text="Vibration").first
    row.get_by_role("button", name="Acknowledge").click()
    expect(row.get_by_role("button", name="Acknowledge")).to_have_count(0, timeout=20_000)
    page.goto(f"{instance.url}/orders")
    card = page.locator("a.order-card", has_text="M2").first
    expect(card).to_be_visible(timeout=30_000)
    return str(card.get_attribute("href")).rsplit("/", 1)[1]


def act(instance: Instance, page: Page, number: str) -> None:
    """5: the technician confirms each danger, starts, walks the steps and completes with a verdict; the proof begins."""
    page.goto(f"{instance.url}/work/{number}")
    go = page.locator("#go")
    expect(go).not_to_have_text("", timeout=20_000)
    expect(page.locator("#work .instruction")).to_be_visible()
    if go.inner_text() in {"TAKE OVER", "TAKE IT"}:
        go.click()
    expect(go).to_have_text("START", timeout=15_000)
    for danger in page.get_by_role("checkbox").all():
        danger.click()
    go.click()
    instance.values.overrides["M2.vibration"] = 2.05
    walk(page)
    page.get_by_label("Yes, confirmed").check()
    page.locator("#complete").click()
    page.wait_for_url(re.compile(rf"/work/{number}$"))
    expect(page.locator(".proof-box")).to_contain_text("Proof of repair", timeout=15_000)


def learn(page: Page, url: str, number: str) -> None:
    """6: the verdict stands on the order; the manager asks for a new training from the instrument's row."""
    page.goto(f"{url}/orders/{number}")
    expect(page.locator("#facts")).to_contain_text("confirmed", ignore_case=True)
    page.goto(f"{url}/instruments")
    row = page.locator("#rows tr", has_text="PT-101")
    row.get_by_role("button", name="Train").click()
    expect(page.locator("#toast")).to_contain_text("Train")


def report(page: Page, url: str) -> None:
    """7: a calibration as found and as left, its certificate, and the compliance report."""
    page.goto(f"{url}/calibrations/new")
    pick(page, "instrument", "PT-101")
    pick(page, "standard", "SEVEN-1")
    found = page.locator("[data-field='as_found']")
    found.get_by_role("button", name="Add a row").click()
    for name, value in (("applied", "5"), ("reading", "5.01")):
        found.locator(f"[data-field='{name}'] .input").fill(value)
    field(page, "tolerance_pct").fill("1")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#title")).to_have_text(re.compile(r"^CAL-\d+$"))
    expect(page.locator("#facts [data-field='passed'] dd")).to_contain_text("Yes")
    with page.expect_download() as certificate:
        page.get_by_role("link", name="Certificate").click()
    assert certificate.value.path().read_bytes().startswith(b"%PDF")


def test_the_seven_steps_pass_on_the_pages(visit: Any, instance: Instance) -> None:
    manager, technician = visit().page, visit(TECHNICIAN, (360, 800)).page

    set_up(manager, instance.url)
    data_in(manager, instance.url)
    number = alert_and_order(instance, manager)
    act(instance, technician, number)
    learn(manager, instance.url, number)
    report(manager, instance.url)
