"""The plain pages of records in a real browser: sound at every size, then a record made, refused, changed by two and deleted."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages_plant import Instance
from tests.browser.visitor import SIZES, TECHNICIAN, Visitor
from web.records.spec import Records
from web.records.table import RECORDS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
GROUPS = tuple(sorted({one.group for one in RECORDS}))
LOADED = "#rows:not([aria-busy])"


def judge(visitor: Visitor, name: str) -> list[str]:
    """What is wrong with the page that is open, at every size."""
    wrong = []
    for width, height in (*SIZES, (320, 640)):
        visitor.page.set_viewport_size({"width": width, "height": height})
        if visitor.overflow():
            wrong.append(f"{name} at {width} scrolls sideways by {visitor.overflow()}")
        if width in {1280, 360}:
            wrong += [f"{name} at {width}: {one}" for one in visitor.violations()]
    visitor.page.set_viewport_size({"width": 1280, "height": 800})
    return wrong + [f"{name}: {one}" for one in visitor.wrong]


def pages_of(visitor: Visitor, one: Records) -> list[str]:
    """Open the list, the form and the first record of a resource; what is wrong with them."""
    visitor.open(f"/{one.path}")
    expect(visitor.page.locator(LOADED)).to_be_visible()
    wrong = judge(visitor, one.path)
    if visitor.page.locator("#rows .error").count():
        wrong.append(f"{one.path}: {visitor.page.locator('#rows .error').inner_text()}")
    link = visitor.page.locator("#rows .row-link").first
    first = link.get_attribute("href") if link.count() else None
    if visitor.page.locator(f"#acts a[href='/{one.path}/new']").count():
        visitor.open(f"/{one.path}/new")
        expect(visitor.page.locator("form.record-form")).to_be_visible()
        wrong += judge(visitor, f"{one.path}/new")
    if first and first.startswith(f"/{one.path}/"):
        visitor.open(first)
        expect(visitor.page.locator("#facts:not([aria-busy])")).to_be_visible()
        wrong += judge(visitor, first)
        wrong += [f"{first}: {text}" for text in visitor.page.locator("#facts .error, #panels .error").all_inner_texts()]
    return wrong


def richest(group: str) -> Records:
    """The resource of a group that shows most kinds of things; the machinery is the same for all of them."""

    def kinds(one: Records) -> int:
        return len({field.kind for field in (*one.columns, *one.fields, *one.read_only)}) + len(one.panels) + len(one.acts)

    return max((one for one in RECORDS if one.group == group), key=kinds)


@pytest.mark.parametrize("group", GROUPS)
def test_pages_of_records_are_sound(visit: Any, group: str) -> None:
    assert pages_of(visit(), richest(group)) == []


def test_the_hub_is_sound(visit: Any) -> None:
    visitor = visit()
    visitor.open("/records")

    expect(visitor.page.locator(".hub a").first).to_be_visible()
    assert judge(visitor, "hub") == []


def field(page: Page, name: str) -> Any:
    """The control of a field."""
    return page.locator(f"[data-field='{name}'] .input")


def make_standard(page: Page, url: str, serial: str) -> None:
    """Fill and send the form of a reference standard."""
    page.goto(f"{url}/standards/new")
    field(page, "serial").fill(serial)
    field(page, "name").fill("Pressure calibrator")
    field(page, "certificate").fill("K-4711")
    field(page, "due_at").fill("2030-01-01T08:00")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#title")).to_have_text("Pressure calibrator")


def test_a_record_is_made_changed_and_deleted(visit: Any, instance: Instance) -> None:
    page = visit().page
    page.goto(f"{instance.url}/standards/new")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("[data-field='serial'] .error")).to_be_visible()
    expect(field(page, "serial")).to_be_focused()

    make_standard(page, instance.url, "RT-1")
    page.get_by_role("button", name="Edit").click()
    field(page, "unit").fill("bar")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#facts [data-field='unit'] dd")).to_have_text("bar")

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/standards")
    page.locator("#find").fill("RT-1")
    expect(page.locator("#rows")).to_contain_text("Nothing matches.")


def test_of_two_who_change_one_record_the_second_is_told(visit: Any, instance: Instance) -> None:
    mine, theirs = visit().page, visit().page
    make_standard(mine, instance.url, "RT-2")
    theirs.goto(mine.url)
    for page, unit in ((mine, "bar"), (theirs, "psi")):
        page.get_by_role("button", name="Edit").click()
        field(page, "unit").fill(unit)

    mine.get_by_role("button", name="Save").click()
    expect(mine.locator("#facts [data-field='unit'] dd")).to_have_text("bar")
    theirs.get_by_role("button", name="Save").click()

    expect(theirs.locator(".form-foot .error")).to_contain_text("Somebody else changed it")
    assert field(theirs, "unit").input_value() == "psi"


def test_what_the_server_refuses_stands_beside_its_field(visit: Any, instance: Instance) -> None:
    page = visit().page
    make_standard(page, instance.url, "RT-3")
    page.goto(f"{instance.url}/standards/new")
    field(page, "serial").fill("x" * 300)
    field(page, "name").fill("Too long a serial number")
    field(page, "certificate").fill("K-4711")
    field(page, "due_at").fill("2030-01-01T08:00")

    page.get_by_role("button", name="Create").click()

    expect(page.locator("[data-field='serial'] .error")).to_be_visible()
    assert field(page, "serial").get_attribute("aria-invalid") == "true"
    assert page.url.endswith("/standards/new")


def test_a_list_is_searched_and_sorted_by_keyboard(visit: Any, instance: Instance) -> None:
    page = visit().page
    make_standard(page, instance.url, "ZZ-9")
    make_standard(page, instance.url, "AA-1")
    page.goto(f"{instance.url}/standards")
    expect(page.locator(LOADED)).to_be_visible()

    page.locator("[data-sort='serial']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort='ascending']")).to_contain_text("Serial")
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort='descending']")).to_contain_text("Serial")
    expect(page.locator("#rows .row-link").first).to_have_text("ZZ-9")
    page.locator("#find").fill("AA-1")
    expect(page.locator("#rows .row-link")).to_have_count(1)
    page.reload()
    expect(page.locator("#rows .row-link")).to_have_text(["AA-1"])


def test_a_technician_is_not_offered_what_the_role_may_not_do(visit: Any, instance: Instance) -> None:
    page = visit(TECHNICIAN).page

    page.goto(f"{instance.url}/standards")

    expect(page.locator(LOADED)).to_be_visible()
    assert page.get_by_role("link", name="New", exact=True).count() == 0


def test_an_instrument_is_found_calibrated_and_maintained_in_its_row(visit: Any, instance: Instance) -> None:
    page = visit().page
    make_standard(page, instance.url, "IN-ROW")
    page.goto(f"{instance.url}/instruments?sort=-tag")
    expect(page.locator(LOADED)).to_be_visible()
    page.locator("#find").fill("PT-101")
    expect(page.locator("#rows .row-link")).to_have_text(["PT-101"])
    page.locator("[data-field='due'] select").select_option("overdue")
    expect(page.locator("#rows")).to_contain_text("Nothing matches.")
    page.locator("[data-field='due'] select").select_option("")
    address = page.url

    row = page.locator("#rows tbody")
    row.get_by_role("button", name="Calibrate").click()
    form = page.locator(".act-form")
    field(page, "standard").fill("IN-ROW")
    form.get_by_role("option").first.click()
    form.locator("[data-field='as_found']").get_by_role("button", name="Add a row").click()
    form.locator("[data-field='applied'] .input").fill("5")
    form.locator("[data-field='reading'] .input").fill("5.01")
    form.get_by_role("button", name="Calibrate").click()
    expect(page.locator("#toast")).to_contain_text("Calibrate")
    row.get_by_role("button", name="Maintain").click()
    form.locator("[data-field='action'] select").select_option("clean")
    form.locator("[data-field='description'] textarea").fill("Impulse line blown out")
    form.get_by_role("button", name="Maintain").click()
    expect(page.locator("#toast")).to_contain_text("Maintain")
    row.get_by_role("button", name="Train").click()
    expect(page.locator("#toast")).to_contain_text("Train")

    assert page.url == address
    page.goto(f"{instance.url}/calibrations?search=PT-101&sort=-number")
    expect(page.locator("#rows .row-link").first).to_be_visible()


def test_the_proposed_interval_is_shown_with_its_calculation_and_accepted(visit: Any, instance: Instance) -> None:
    page = visit().page
    page.goto(f"{instance.url}/instruments?search=FT-301")
    page.locator("#rows .row-link").click()
    steps = page.locator("section", has=page.get_by_role("heading", name="Proposed interval")).locator("tbody tr")
    expect(steps.last).to_contain_text("Proposed interval")
    days = int(steps.last.locator("td").nth(1).inner_text())

    page.get_by_role("button", name="Set the interval").click()
    field(page, "days").fill(str(days))
    field(page, "reason").fill("It drifts faster than thought")
    page.locator(".act-form").get_by_role("button", name="Set the interval").click()

    expect(page.locator("#facts [data-field='calibration_interval_days']")).to_contain_text(str(days))
    accepted = page.locator("section", has=page.get_by_role("heading", name="Intervals accepted")).locator("tbody tr").first
    expect(accepted).to_contain_text("L. Fontaine")
    expect(accepted).to_contain_text("It drifts faster than thought")


def test_a_plan_keeps_to_the_months_that_are_ticked(visit: Any, instance: Instance) -> None:
    page = visit().page
    page.goto(f"{instance.url}/plans?search=PM-1")
    page.locator("#rows .row-link").first.click()
    page.locator("#edit").click()
    for month in ("April", "May"):
        page.get_by_label(month).check()
    page.get_by_role("button", name="Save").click()
    season = page.locator("#facts [data-field='months']")
    expect(season).to_contain_text("April, May")

    page.locator("#edit").click()
    expect(page.get_by_label("April")).to_be_checked()
    for month in ("April", "May"):
        page.get_by_label(month).uncheck()
    page.get_by_role("button", name="Save").click()
    expect(season).to_contain_text("—")


def test_a_part_is_issued_and_reserved_on_the_page_of_its_order(visit: Any, instance: Instance) -> None:
    page = visit().page
    page.goto(f"{instance.url}/work-orders/new")
    field(page, "title").fill("Replace the bearing")
    field(page, "asset").fill("M1")
    page.locator("[role='option']").first.click()
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#facts [data-field='title']")).to_contain_text("Replace the bearing")

    for act, title, number in (("Issue a part", "Parts from the stores", "P-0001"), ("Reserve a part", "Reserved parts", "P-0002")):
        page.locator("#acts").get_by_role("button", name=act).click()
        form = page.locator(".act-form")
        for name, typed in (("part", number), ("store_id", "MAIN")):
            field(page, name).fill(typed)
            form.locator(f"[data-field='{name}'] [role='option']").first.click()
        form.get_by_role("button", name=act).click()
        rows = page.locator("section", has=page.get_by_role("heading", name=title)).locator("tbody tr")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text(number)
    assert page.locator("#facts [data-field='cost.parts']").inner_text().endswith("EUR")


def test_a_machine_gets_the_code_where_anyone_reports_its_faults(visit: Any, instance: Instance) -> None:
    page = visit().page
    page.goto(f"{instance.url}/register/M3")
    page.get_by_role("button", name="New fault-report code").click()
    page.get_by_role("dialog").get_by_role("button", name="New fault-report code").click()
    answer = page.locator(".act-answer")
    expect(answer).to_contain_text("/report/")

    page.goto(answer.locator("dd").inner_text())
    expect(page.get_by_role("heading", name="Compressor")).to_be_visible()


def panel_of(page: Page, title: str) -> Any:
    """A list under a record, with its own form."""
    return page.locator("#panels section", has=page.get_by_role("heading", name=title, exact=True))


def test_a_calendar_is_filled_with_hours_and_a_holiday(visit: Any, instance: Instance) -> None:
    page = visit().page
    page.goto(f"{instance.url}/calendars")
    expect(page.locator(LOADED)).to_be_visible()
    page.locator("#rows .row-link").first.click()

    week, days = panel_of(page, "Week"), panel_of(page, "Holidays and other days that are not like their weekday")
    week.get_by_role("button", name="Add: Hours").click()
    week.get_by_label("Sat").check()
    week.locator("[data-field='start'] .input").fill("06:00")
    week.locator("[data-field='end'] .input").fill("06:00")
    week.get_by_role("button", name="Add", exact=True).click()
    expect(week.locator("tbody tr").last).to_contain_text("06:00")
    days.get_by_role("button", name="Add: Day").click()
    days.locator("[data-field='day'] .input").fill("2031-12-25")
    days.locator("[data-field='name'] .input").fill("Christmas")
    days.get_by_role("button", name="Add", exact=True).click()
    expect(days.locator("tbody")).to_contain_text("Christmas")
    holiday = days.locator("tbody tr", has_text="Christmas")
    expect(holiday).to_contain_text("closed")
    holiday.get_by_role("button", name="Change").click()
    days.get_by_role("button", name="Add a row").click()
    days.locator("[data-field='start'] .input").fill("06:00")
    days.locator("[data-field='end'] .input").fill("12:00")
    days.get_by_role("button", name="Save").click()
    expect(holiday).to_contain_text("12:00")
    holiday.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()

    expect(days).not_to_contain_text("Christmas")


def test_a_class_gets_a_tag_with_a_limit_a_plan_a_procedure_a_part_and_a_fault_code(visit: Any, instance: Instance) -> None:
    page = visit().page
    page.goto(f"{instance.url}/asset-classes/new")
    field(page, "name").fill("mixer")
    field(page, "label").fill("Mixer")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#title")).to_have_text("Mixer")

    tags = panel_of(page, "Tags")
    tags.get_by_role("button", name="Add: Tag").click()
    tags.locator("[data-field='name'] .input").fill("torque")
    tags.get_by_role("button", name="Add a row").click()
    tags.locator("[data-field='value'] .input").fill("80")
    tags.get_by_role("button", name="Add", exact=True).click()
    expect(tags.locator("tbody tr").first).to_contain_text("80")
    plans = panel_of(page, "Maintenance plans")
    plans.get_by_role("button", name="Add: Plan").click()
    plans.locator("[data-field='key'] .input").fill("oil")
    plans.locator("[data-field='title'] .input").fill("Change the oil")
    plans.locator("[data-field='rrule'] .input").fill("FREQ=MONTHLY;INTERVAL=3")
    plans.get_by_role("button", name="Add", exact=True).click()
    expect(plans.locator("tbody")).to_contain_text("every 3 months")
    procedures = panel_of(page, "Procedures")
    procedures.get_by_role("button", name="Add: Procedure").click()
    procedures.locator("[data-field='code'] .input").fill("CL-MIX-01")
    procedures.locator("[data-field='title'] .input").fill("Look at the mixer")
    steps = procedures.locator("[data-field='steps']")
    steps.get_by_role("button", name="Add a row").last.click()
    steps.locator("[data-field='id'] .input").fill("s1")
    steps.locator("[data-field='k'] select").select_option("measure")
    steps.locator("[data-field='in.hi'] .input").fill("80")
    steps.locator("[data-field='t'] textarea").fill("Read the torque")
    procedures.get_by_role("button", name="Add", exact=True).click()
    expect(procedures.locator("tbody")).to_contain_text("Look at the mixer")
    bom = panel_of(page, "Parts list")
    bom.get_by_role("button", name="Add: Part").click()
    bom.locator("[data-field='part'] .input").fill("Paddle")
    bom.get_by_role("button", name="Add", exact=True).click()
    expect(bom.locator("tbody")).to_contain_text("Paddle")
    codes = panel_of(page, "Fault codes")
    codes.get_by_role("button", name="Add a fault code").click()
    codes.locator("[data-field='code'] .input").fill("17")
    codes.locator("[data-field='text'] .input").fill("Paddle stuck")
    codes.locator("[data-field='texts.fr'] .input").fill("Pale bloquée")
    codes.get_by_role("button", name="Add a fault code").last.click()
    expect(codes.locator("tbody")).to_contain_text("Paddle stuck")

    made = page.request.get(f"{instance.url}/api/classes?search=mixer").json()["items"][0]
    assert made["tags"][0]["limits"][0]["value"] == 80
    assert made["procedures"][0]["steps"] == [{"id": "s1", "k": "measure", "must": False, "t": "Read the torque", "in": {"hi": 80}}]
    assert page.request.get(f"{instance.url}/api/fault-codes?class=mixer").json()["items"][0]["texts"]["fr"] == "Pale bloquée"
