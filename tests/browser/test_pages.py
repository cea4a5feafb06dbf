"""Every page at three sizes in a real browser: no axe violation, no sideways scroll, no console error, no foreign host;
then what people do: acknowledge by keyboard, walk an order on the phone, lose the link and get it back."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.pages_plant import Instance
from tests.browser.visitor import MANAGER, SIZES, TECHNICIAN, Visitor, walk

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PICTURES = os.environ.get("PAGE_PICTURES")


@pytest.fixture(scope="module")
def order(browser: Browser, instance: Instance, states: dict[str, Any]) -> str:
    """Number of the order that the alert became."""
    visitor = Visitor(browser, instance, MANAGER, (1280, 800), states[MANAGER])
    visitor.open("/orders")
    card = visitor.page.locator("a.order-card", has_text="M2").first
    expect(card).to_be_visible(timeout=30_000)
    number = str(card.get_attribute("href")).rsplit("/", 1)[1]
    visitor.close()
    return number


PAGES = {
    "login": ("/login", "#employee_number"),
    "overview": ("/?stay=1", ".cell"),
    "andon": ("/andon", ".board-cell"),
    "assets": ("/assets", "#asset-list tbody tr"),
    "machine": ("/assets/M2", "#chart canvas"),
    "printer": ("/assets/DMLS-1", "#legend .swatch"),
    "alarms": ("/alarms", ".alarm-row"),
    "orders": ("/orders", ".order-card"),
    "order": ("/orders/{order}", "#timeline li"),
    "mine": ("/mine", "#mine > *"),
    "work": ("/work/{order}", "#work .instruction"),
    "step": ("/work/{order}/steps/1", "#step .instruction"),
    "finish": ("/work/{order}/finish", "#summary b"),
    "pair": ("/pair", "#code"),
    "demo": ("/demo", "#target option"),
    "password": ("/account/password", "#old"),
    "plc-writes": ("/plc-writes", "#desk-state"),
}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_sound(visit: Any, instance: Instance, order: str, name: str) -> None:
    path, sign = PAGES[name]
    visitor = visit(size=SIZES[0])

    visitor.open(path.format(order=order))
    expect(visitor.page.locator(sign).first).to_be_attached(timeout=20_000)
    if name not in {"login", "andon"}:
        visitor.is_live()
    for width, height in SIZES:
        visitor.page.set_viewport_size({"width": width, "height": height})
        if PICTURES:
            visitor.page.wait_for_timeout(1500)
            visitor.page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png")
        assert visitor.violations() == [], width
        assert visitor.overflow() == 0, width
    visitor.page.set_viewport_size({"width": 320, "height": 640})

    assert visitor.overflow() == 0
    assert visitor.wrong == []
    assert visitor.hosts == {instance.url.split("/")[2]}


LONG = """() => {
  for (const one of document.querySelectorAll('.value, .kpi-value, .figure, #score')) one.textContent = '\u2212123\u2009456\u2009789.123';
  for (const one of document.querySelectorAll('.chip, .prio')) one.dataset.long ??= one.append(' and waiting for a person') ?? '';
  for (const one of document.querySelectorAll('.pick, .title, h1, .list b')) one.dataset.long ??= one.append(' PRESS-LINE-UNBROKEN') ?? '';
}"""


@pytest.mark.parametrize("name", ["overview", "machine", "printer", "alarms", "order", "mine"])
def test_a_page_holds_long_words_and_numbers(visit: Any, order: str, name: str) -> None:
    path, sign = PAGES[name]
    visitor = visit()
    visitor.open(path.format(order=order))
    expect(visitor.page.locator(sign).first).to_be_attached(timeout=20_000)
    visitor.is_live()

    for width in (1280, 1100, 854, 768, 360, 320):
        visitor.page.set_viewport_size({"width": width, "height": 800})
        visitor.page.evaluate(LONG)
        assert visitor.overflow() == 0, width


def test_labels_of_limits_stand_apart(visit: Any) -> None:
    visitor = visit()
    visitor.open("/assets/PL-1")
    script = visitor.page.locator("script[src*='/js/machine.js']").get_attribute("src")

    spread = "async ([src, wanted]) => (await import(new URL('spread.js', new URL(src, location.href)))).spread(wanted, 30, 0, 300)"
    for wanted in ([80, 90], [0, 1, 2], [290, 299, 300], [10, 11, 150, 299]):
        places = visitor.page.evaluate(spread, [script, wanted])
        assert all(after - before >= 30 for before, after in pairwise(places)), places
        assert places[0] >= 0
        assert places[-1] <= 300


def test_a_flood_of_alarms_is_announced_and_one_alone_is_no_first_out(visit: Any, instance: Instance) -> None:
    visitor = visit()

    def many(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        some = {**body["items"][0], "raised_at": datetime.now(UTC).isoformat(), "watch": False}
        body["items"] = [{**some, "id": 10_000 + n} for n in range(11)]
        route.fulfill(response=answer, json=body)

    def held(route: Route) -> None:
        one = {
            **route.fetch(url=f"{instance.url}/api/alerts?active=all&limit=1").json()["items"][0],
            "raised_at": datetime.now(UTC).isoformat(),
        }
        items = [{**one, "id": 20_000, "title": "Held for the test", "suppressed": "flood", "resolved_at": None}]
        route.fulfill(json={"items": items, "total": 1, "limit": 200, "offset": 0, "flood": True})

    visitor.open("/alarms")
    expect(visitor.page.locator(".alarm-row").first).to_be_visible(timeout=20_000)
    expect(visitor.page.locator("#flood")).to_be_hidden()
    visitor.page.route("**/api/alerts?active=all*", many)
    visitor.page.route("**/api/alerts?suppressed=true*", held)
    visitor.open("/alarms")

    expect(visitor.page.locator("#flood")).to_contain_text("12 new alarms in 10 min, 1 of them held back", timeout=20_000)
    expect(visitor.page.locator("#rate")).to_have_text("12")
    alone = visitor.page.locator(".group-head", has_text="1 alarm").first.locator("xpath=following-sibling::div[1]")
    expect(alone.locator(".first-out")).to_have_count(0)
    assert visitor.violations() == []
    visitor.page.locator("#flood-held").click()
    expect(visitor.page.locator(".alarm-row")).to_contain_text(["Held for the test"])
    visitor.page.unroute_all(behavior="wait")


def test_a_technician_lands_on_the_own_work(browser: Browser, instance: Instance) -> None:
    visitor = Visitor(browser, instance, TECHNICIAN, (360, 800))

    expect(visitor.page).to_have_url(re.compile(r"/mine$"))
    visitor.close()


def test_values_on_the_overview_are_live(visit: Any, instance: Instance) -> None:
    visitor = visit()
    visitor.open("/?stay=1")
    cell = visitor.page.locator(".cell", has_text="PT-101")

    instance.values.overrides["PT-101"] = 4.44
    expect(cell.locator(".value")).to_have_text("4.44", timeout=10_000)
    instance.values.overrides["PT-101"] = 5.55
    expect(cell.locator(".value")).to_have_text("5.55", timeout=10_000)

    expect(cell.locator(".unit")).to_have_text("bar")
    expect(cell.locator(".cell-age")).to_contain_text("old")


def test_silence_turns_values_stale_then_to_a_dash(visit: Any, instance: Instance) -> None:
    visitor = visit()
    visitor.open("/?stay=1")
    cell = visitor.page.locator(".cell", has_text="LT-401")
    expect(cell.locator(".value")).not_to_have_text("—", timeout=20_000)

    instance.values.paused.set()
    try:
        expect(cell.locator(".cell-age")).to_contain_text("Stale", timeout=20_000)
        expect(cell.locator(".value")).to_have_text("—", timeout=40_000)
        expect(cell).to_have_class(re.compile("is-lost"))
    finally:
        instance.values.paused.clear()

    expect(cell.locator(".value")).not_to_have_text("—", timeout=20_000)


@pytest.mark.parametrize(("typed", "found"), [("booster", "M2 Booster pump"), ("M2.vibr", "M2.vibration"), ("WO-1", "WO-1")])
def test_search_finds_assets_tags_and_orders(visit: Any, order: str, typed: str, found: str) -> None:
    visitor = visit()
    visitor.open("/alarms")

    visitor.page.keyboard.press("/")
    visitor.page.keyboard.type(typed)

    expect(visitor.page.locator("#found a").first).to_contain_text(found)
    assert visitor.wrong == []


def test_a_dead_link_is_seen_and_heals_by_itself(visit: Any, instance: Instance) -> None:
    visitor = visit()
    visitor.open("/?stay=1")
    visitor.is_live()
    strip = visitor.page.locator("#lost-strip")

    with instance.frozen():
        expect(strip).to_be_visible(timeout=10_000)
        expect(visitor.page.locator("#link-word")).to_have_text("No connection")

    expect(strip).to_be_hidden(timeout=30_000)
    visitor.is_live()


def test_the_andon_board_never_shows_a_calm_plant_without_a_connection(visit: Any, instance: Instance) -> None:
    visitor = visit()
    visitor.open("/andon")
    calm = visitor.page.locator("#no-connection")
    expect(visitor.page.locator(".board-cell").first).to_contain_text("M2")  # the loudest first
    expect(visitor.page.locator(".board-cell.is-critical .board-since").first).not_to_be_empty()

    with instance.frozen():
        expect(calm).to_be_visible(timeout=10_000)
        expect(calm).to_contain_text("NO CONNECTION")

    expect(calm).to_be_hidden(timeout=30_000)


def test_an_alarm_is_acknowledged_by_keys_alone(visit: Any, instance: Instance) -> None:
    visitor = visit()
    instance.raise_alert("TT-201", 200.0, 190.0)
    visitor.open("/alarms")
    row = visitor.page.locator(".alarm-row", has_text="TT-201").first
    expect(row).to_be_visible(timeout=30_000)
    button = row.get_by_role("button", name="Acknowledge", exact=True)

    for _ in range(80):
        visitor.page.keyboard.press("Tab")
        if button.evaluate("element => element === document.activeElement"):
            break
    visitor.page.keyboard.press("Enter")

    expect(row).to_contain_text("acknowledged by L. Fontaine", timeout=15_000)


def test_a_note_on_the_watch_list_survives_what_happens_meanwhile(visit: Any, instance: Instance) -> None:
    visitor = visit()
    instance.raise_alert("FT-301", 60.0, 52.0)

    def one(route: Route) -> None:
        answer = route.fetch(url=route.request.url.replace("&watch=true", ""))
        body = answer.json()
        shares = [{"tag": "M2.current", "share": 0.8}]
        entry = {**body["items"][0], "id": 10_000, "watch": True, "tag": None, "type": "anomaly", "detector": "cva", "because": shares}
        route.fulfill(response=answer, json={**body, "items": [entry], "precision": {}})

    visitor.page.route("**/api/alerts?active=true&watch=true*", one)
    visitor.open("/alarms")
    visitor.page.get_by_role("tab", name="Watch list").click()
    row = visitor.page.locator(".alarm-row", has_text="M2.current 80 %")
    expect(row).to_contain_text("Its signals no longer move together as when healthy (cva) · nobody has judged such a finding yet")
    row.get_by_role("button", name="Nothing found").click()
    visitor.page.keyboard.type("looked at")
    open_before = visitor.page.locator("#count-open").inner_text()

    instance.raise_alert("LT-401", 5.0, 4.0)

    expect(visitor.page.locator("#count-open")).not_to_have_text(open_before, timeout=20_000)
    visitor.page.keyboard.type(" the coupling")
    expect(visitor.page.get_by_label("What was looked at?")).to_have_value("looked at the coupling")
    assert visitor.violations() == []


def test_shelving_wants_a_reason_and_is_taken_back(visit: Any, instance: Instance) -> None:
    visitor = visit()
    instance.raise_alert("FT-301", 60.0, 52.0)
    visitor.open("/alarms")
    row = visitor.page.locator(".alarm-row", has_text="FT-301").first
    expect(row).to_be_visible(timeout=30_000)

    row.get_by_role("button", name="Shelve").click()
    visitor.page.get_by_label("Reason").fill("pump priming")
    visitor.page.get_by_role("button", name="Shelve FT-301").click()

    expect(row).to_contain_text("by L. Fontaine", timeout=15_000)
    row.get_by_role("button", name="Return now").click()
    expect(row).not_to_contain_text("by L. Fontaine", timeout=15_000)


def test_a_hostile_title_is_only_text(visit: Any) -> None:
    visitor = visit()
    title = "<img src=x onerror=document.title='owned'>"
    visitor.open("/orders")
    visitor.page.get_by_role("button", name="New order").click()
    visitor.page.get_by_label("What is to be done").fill(title)
    visitor.page.get_by_role("button", name="Open order", exact=True).click()

    expect(visitor.page.locator("#title")).to_have_text(title)
    visitor.open("/orders")
    expect(visitor.page.locator(".order-card .title", has_text="onerror").first).to_have_text(title)
    assert visitor.page.title() != "owned"


def test_an_order_is_worked_on_the_phone_and_waits_for_its_proof(visit: Any, instance: Instance, order: str) -> None:
    visitor = visit(TECHNICIAN, (360, 800))
    page = visitor.page
    visitor.open(f"/work/{order}")
    go = page.locator("#go")
    expect(go).not_to_have_text("", timeout=20_000)
    expect(page.locator("#work .instruction")).to_be_visible()
    if go.inner_text() in {"TAKE OVER", "TAKE IT"}:
        go.click()
    expect(go).to_have_text("START", timeout=15_000)

    expect(go).to_be_disabled()
    expect(page.locator("#hint")).to_contain_text("more danger")
    for danger in page.get_by_role("checkbox").all():
        danger.click()
    expect(go).to_be_enabled()
    go.click()
    instance.values.overrides["M2.vibration"] = 2.05
    walk(page)

    complete = page.locator("#complete")
    expect(complete).to_be_disabled()
    page.get_by_label("Yes, confirmed").check()
    expect(page.locator("#notes")).not_to_have_value("")
    complete.click()
    page.wait_for_url(re.compile(rf"/work/{order}$"))

    expect(page.locator(".proof-box")).to_contain_text("Proof of repair", timeout=15_000)
    assert visitor.wrong == []


def test_pairing_an_unknown_code_says_so(visit: Any) -> None:
    visitor = visit(TECHNICIAN, (360, 800))
    visitor.open("/pair")

    visitor.page.get_by_label("Code on the glasses or phone").fill("bcdfghjk")
    expect(visitor.page.locator("#code")).to_have_value("BCDF-GHJK")
    visitor.page.get_by_role("button", name="FIND DEVICE").click()

    expect(visitor.page.get_by_role("alert")).to_be_visible()
