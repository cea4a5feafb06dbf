"""The bell of the top bar: it counts what is told while one looks, and leads to what a message is about."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages_plant import Instance
from tests.browser.test_records import judge
from tests.browser.visitor import TECHNICIAN

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

GIVE = """async (assignee) => {
  const csrf = document.querySelector('meta[name="csrf-token"]').content;
  const send = async (path, body) => {
    const headers = {"Content-Type": "application/json", "X-CSRFToken": csrf};
    return (await fetch(path, {method: "POST", headers, body: JSON.stringify(body)})).json();
  };
  const order = await send("/api/work-orders", {title: "Look at the coupling", asset: "M2", priority: "normal"});
  await send(`/api/work-orders/${order.id}/actions/assign`, {assignee_id: assignee});
  return [order.id, order.number];
}"""


def unread(page: Page) -> int:
    """What the pill says; hidden it says nothing waits."""
    pill = page.locator("#bell-count")
    return int(pill.inner_text()) if pill.is_visible() else 0


def test_the_bell_counts_by_push_and_a_click_opens_the_order_and_reads_it(visit: Any, instance: Instance) -> None:
    manager = visit()
    told = visit(TECHNICIAN)
    manager.open("/")
    told.open("/?stay=1")
    told.is_live()
    expect(told.page.locator("#bell")).to_have_attribute("aria-label", re.compile("Messages, "))
    before = unread(told.page)

    order, number = manager.page.evaluate(GIVE, int(told.page.locator("body").get_attribute("data-user-id")))

    expect(told.page.locator("#bell-count")).to_have_text(str(before + 1))
    told.page.locator("#bell").click()
    row = told.page.locator("#bell-rows .unread", has_text=number).first
    expect(row).to_be_visible()
    assert judge(told, "the open bell") == []
    row.click()
    told.page.wait_for_url(f"**/work-orders/{order}")
    expect(told.page.locator("#title")).to_contain_text("Look at the coupling")
    expect(told.page.locator("#bell")).to_have_attribute(
        "aria-label", f"Messages, {before} not read" if before else "Messages, none unread"
    )


def test_the_bell_opens_and_closes_by_keyboard(visit: Any) -> None:
    visitor = visit()
    visitor.open("/records")
    bell = visitor.page.locator("#bell")
    expect(bell).to_have_attribute("aria-label", re.compile("Messages, "))

    bell.press("Enter")
    expect(visitor.page.get_by_role("link", name="All messages")).to_be_visible()
    expect(bell).to_have_attribute("aria-expanded", "true")
    visitor.page.keyboard.press("Escape")

    expect(visitor.page.locator("#bell-list")).to_be_hidden()
    expect(bell).to_be_focused()


def test_the_bell_is_on_the_phone_too(visit: Any, instance: Instance) -> None:
    manager, told = visit(), visit(TECHNICIAN, (360, 800))
    manager.open("/")
    _order, number = manager.page.evaluate(GIVE, me_of(told))

    for path in ("/mine", f"/work/{number}"):
        told.open(path)
        expect(told.page.locator("#bell-count")).to_be_visible()
        told.page.locator("#bell").click()
        expect(told.page.locator("#bell-rows .bell-row").first).to_be_visible()
        assert judge(told, f"the open bell of {path}") == []
        told.page.set_viewport_size({"width": 360, "height": 800})


def me_of(visitor: Any) -> int:
    """The id of who is signed in."""
    visitor.open("/mine")
    return int(visitor.page.locator("body").get_attribute("data-user-id"))


def test_the_navigation_counts_the_open_alarms(visit: Any, instance: Instance) -> None:
    page = visit().page
    page.goto(f"{instance.url}/records")

    pill = page.locator("#alarm-count")
    expect(pill).to_contain_text(re.compile(r"^[1-9]\d* open alarms$"), timeout=20_000)
