"""A technician reports an intervention on a phone: given values, lists that follow each other, native times, back to the own work."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.pages_plant import Instance
from tests.browser.visitor import MANAGER, TECHNICIAN

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def test_an_intervention_is_reported_from_the_own_work_on_a_phone(visit: Any, instance: Instance) -> None:
    manager = visit(MANAGER).page
    manager.goto(f"{instance.url}/work-orders/new")
    asset = manager.get_by_role("combobox", name="Asset")
    asset.fill("M2")
    manager.locator(".picks:not([hidden]) [role=option]").first.click()
    manager.get_by_label("Title").fill("Coupling is loud")
    manager.get_by_role("button", name="Create").click()
    manager.wait_for_url(re.compile(r"/work-orders/\d+$"))
    expect(manager.locator("#crumb-key")).to_contain_text("WO-")
    number = manager.locator("#crumb-key").inner_text()

    visitor = visit(TECHNICIAN, (360, 800))
    page = visitor.page
    visitor.open(f"/work/{number}")
    page.get_by_role("link", name="Report an intervention").click()
    expect(page.locator("dl.grid")).to_contain_text(number)
    expect(page.locator("dl.grid")).to_contain_text("A. Benali")
    assert visitor.overflow() == 0
    assert visitor.violations() == []
    expect(page.get_by_label("Received")).to_have_attribute("type", "datetime-local")
    expect(page.get_by_label("Machine")).to_have_value("M2")
    what = page.get_by_label("Fault what")
    page.get_by_label("Fault category").select_option(label="Mechanical")
    offered = what.locator("option:not([hidden])")
    expect(offered.filter(has_text="Vibration or noise")).to_have_count(1)
    expect(offered.filter(has_text="Leak")).to_have_count(0)

    what.select_option(label="Vibration or noise")
    page.get_by_label("Fault why").select_option(label="Wear")
    page.get_by_label("Fault where").select_option(label="Coupling or belt")
    page.get_by_label("Comments").fill("Rubber star is worn")
    page.get_by_role("button", name="Save").click()

    page.wait_for_url(re.compile(r"/mine$"))
    assert visitor.wrong == []
    visitor.open("/interventions")
    expect(page.locator("#rows")).to_contain_text(number)
    expect(page.locator("#rows")).to_contain_text("Vibration or noise")
    manager.reload()
    expect(manager.locator("#facts")).to_contain_text("In progress")
