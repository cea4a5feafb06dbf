"""What the pages of machines show: the last ten minutes, health, and whether data come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from playwright.sync_api import Route, expect

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


def test_an_old_proof_does_not_stand_beside_a_repair_that_waits(visit: Any) -> None:
    visitor = visit()
    now = datetime.now(UTC).isoformat()
    proof = {"state": "proved", "tags": ["PL-1.pressure"], "required_s": 60, "good_s": 60, "started_at": now}
    done = {
        "id": 1,
        "number": "WO-1",
        "rev": 1,
        "title": "First",
        "status": "verified",
        "verified_by": "signal",
        "verified_at": now,
        "proof": proof,
    }
    waits = {"id": 2, "number": "WO-2", "rev": 1, "title": "Second", "status": "open", "proof": None, "created_at": now}
    told: dict[str, Any] = {"maintenance": "ok", "orders": [done]}

    def asset(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "maintenance": told["maintenance"]})

    def orders(route: Route) -> None:
        of = visitor.page.request.get(f"{visitor.instance.url}/api/assets/PL-1").json()
        items = [{**one, "asset": {"id": of["id"], "code": "PL-1"}} for one in told["orders"]]
        route.fulfill(json={"items": items, "total": len(items), "limit": 500, "offset": 0})

    visitor.page.route("**/api/assets/PL-1", asset)
    visitor.page.route("**/api/work-orders?limit=500", orders)
    visitor.open("/assets/PL-1")
    expect(visitor.page.locator("#proof")).to_contain_text("Proved by signal", timeout=20_000)

    told.update(maintenance="faulty", orders=[done, waits])
    visitor.open("/assets/PL-1")
    expect(visitor.page.locator("#work")).to_contain_text("Second", timeout=20_000)
    expect(visitor.page.locator("#proof")).to_be_empty()
    visitor.page.unroute_all(behavior="wait")
