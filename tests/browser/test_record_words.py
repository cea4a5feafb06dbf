"""What the plain pages of records say of values, in a real browser: words, per cent, the browser's clock, what a form starts with."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.pages_plant import Instance

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def test_a_replay_of_a_limit_starts_with_what_stands_and_the_last_day(visit: Any, instance: Instance) -> None:
    page = visit().page
    page.goto(f"{instance.url}/tags?search=DMLS-1.plate.max")
    page.locator("#rows .row-link").click()

    page.get_by_role("button", name="Try another value").first.click()

    limits = page.locator("section", has=page.get_by_role("heading", name="Limits", exact=True))
    assert (
        page.locator(".act-form [data-field='value'] .input").input_value()
        == limits.locator("tbody tr").first.locator("td").nth(1).inner_text()
    )
    start, end = (datetime.fromisoformat(page.locator(f".act-form [data-field='{name}'] .input").input_value()) for name in ("from", "to"))
    assert end - start == timedelta(days=1)


def test_shares_spans_times_and_kinds_are_words_and_per_cent(visit: Any, instance: Instance) -> None:
    page = visit().page
    row = {"scope": "type", "name": "instrument_fault", "precision": 0.7935, "low": 0.0312, "high": 0.9}
    page.route("**/api/figures/verdicts*", lambda route: route.fulfill(json={"items": [row], "total": 1}))
    said = {"state": "refused", "reasons": ["No reading from 2026-01-05T08:00:00Z."], "starts_at": "2026-01-05T08:00:00Z"}
    page.route("**/api/assets/M3/baselines*", lambda route: route.fulfill(json={"items": [said], "total": 1}))

    page.goto(f"{instance.url}/verdict-figures")

    cells = page.locator("#rows tbody tr td")
    expect(cells.nth(1)).to_have_text("Sensor fault")
    expect(page.locator("#rows tbody tr")).to_contain_text(re.compile(r"79\s%.*3\.1\s%.*90\s%", re.S))
    page.goto(f"{instance.url}/models/M3")
    refused = page.locator("section", has=page.get_by_role("heading", name="Healthy intervals")).locator("tbody tr")
    when = refused.locator("td").nth(1).inner_text()
    expect(refused).to_contain_text(f"No reading from {when}.")


def test_an_alert_says_nothing_of_a_cause_that_nobody_can_tell(visit: Any, instance: Instance) -> None:
    page = visit().page
    told = {"label": "unknown", "text": "No closed order yet", "method": "learned"}
    alert = {"id": 1, "title": "Drifts", "diagnosis": {"fault": told, "category": {**told, "label": None}, "why": []}}
    page.route("**/api/alerts/1", lambda route: route.fulfill(json=alert))

    page.goto(f"{instance.url}/alerts/1")

    expect(page.locator("#facts:not([aria-busy])")).to_be_visible()
    assert "closed order" not in page.locator("#facts").inner_text()
    assert not page.locator("[data-field^='diagnosis.fault'], [data-field^='diagnosis.category']").count()
