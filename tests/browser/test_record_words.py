"""What the plain pages of records say of values, in a real browser: words, per cent, the browser's clock, what a form starts with."""

from __future__ import annotations

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
