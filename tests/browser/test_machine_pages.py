"""What the pages of machines show: the last ten minutes, health, and whether data come."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

JOINED = """async ([src, from, to]) => {
    const { Spark } = await import(new URL('spark.js', new URL(src, location.href)));
    const canvas = document.body.appendChild(document.createElement('canvas'));
    canvas.style.cssText = 'inline-size: 100px; block-size: 20px';
    const c = canvas.getContext('2d');
    let lines = 0;
    c.lineTo = () => { lines += 1; };
    const spark = new Spark({ name: 'X', period_s: 1, limits: [], low: null, high: null }, canvas);
    await spark.load(to);
    spark.draw(to, false);
    return lines;
}"""
SAID = """window.said = [];
new MutationObserver(() => said.push(document.getElementById('data-age')?.textContent))
    .observe(document, { subtree: true, childList: true, characterData: true });"""
START = 1_800_000_000_000


def test_minutes_of_a_fast_tag_are_joined_and_a_missing_minute_is_a_gap(visit: Any) -> None:
    visitor = visit()
    visitor.open("/assets/PL-1")
    script = visitor.page.locator("script[src*='/js/machine.js']").get_attribute("src")
    points = [[START + 60_000 * n, 1.0, 1.0, 1.0, 60] for n in range(10) if n != 4]
    visitor.page.route("**/api/readings/trends?tag=X&*", lambda route: route.fulfill(json={"tier": "1m", "points": points}))

    assert visitor.page.evaluate(JOINED, [script, START, START + 600_000]) == 7


def test_the_printer_page_says_its_health_and_leads_to_its_model(visit: Any) -> None:
    visitor = visit()
    visitor.open("/assets/DMLS-1")

    expect(visitor.page.locator("#score")).to_have_text("100", timeout=20_000)
    expect(visitor.page.locator('a[href="/models/DMLS-1"]')).to_be_visible()


def test_a_page_without_values_never_says_that_there_are_no_data_while_they_come(visit: Any) -> None:
    visitor = visit()
    visitor.page.add_init_script(SAID)
    visitor.open("/tags")

    expect(visitor.page.locator("#data-age")).to_contain_text("data ", timeout=20_000)
    assert "no data yet" not in visitor.page.evaluate("said")
