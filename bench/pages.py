"""What a page weighs cold, and how soon its first live value stands there, against a running demo instance.

    .venv/bin/python -m bench.pages [DATA_DIR]

Wants `make run` (DATA_DIR var by default) and Chromium. Bytes are what the browser received (encoded), headers included, with an
empty cache; the first value is timed inside the page, from navigation start, warm and cold. Prints the load average.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

PAGES = {"overview": ("/?stay=1", ".cell .value"), "machine": ("/assets/M2", ".signals .value"), "mine": ("/mine", "#link-word")}
ROUNDS = 5
FIRST_VALUE = """selector => new Promise(done => {
  const shown = () => [...document.querySelectorAll(selector)].some(e => /[0-9]|Live/.test(e.textContent));
  const look = () => shown() ? done(performance.now()) : requestAnimationFrame(look);
  look();
})"""
KINDS = {"Document": "page", "Stylesheet": "page", "Script": "page", "Font": "font"}


def received(page: Page) -> Counter[str]:
    """Bytes of every answer as they came over the wire by kind, filled while the page loads: page = HTML + CSS + JS, font, data."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}
    sizes: Counter[str] = Counter()
    session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: KINDS.get(event["type"], "data")}))
    session.on(
        "Network.loadingFinished", lambda event: sizes.update({kinds.get(event["requestId"], "data"): int(event["encodedDataLength"])})
    )
    return sizes


def visit(browser: Browser, state: Any, url: str, selector: str) -> tuple[float, float, float, float, float]:
    """Bytes cold of page, font and data; ms to the first live value cold and warm."""
    context = browser.new_context(storage_state=state)
    page = context.new_page()
    sizes = received(page)
    page.goto(url)
    cold = page.evaluate(FIRST_VALUE, selector)
    page.wait_for_load_state("load")
    weights = [float(sizes[kind]) for kind in ("page", "font", "data")]
    page.goto(url)
    warm = page.evaluate(FIRST_VALUE, selector)
    context.close()
    return weights[0], weights[1], weights[2], cold, warm


def main(data_dir: Path) -> None:
    """Print one line a page."""
    base = json.loads((data_dir / "run/web.json").read_text())["url"]
    number, login = next(
        (n, one) for n, one in json.loads((data_dir / "run/demo-logins.json").read_text()).items() if one["role"] == "manager"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{base}/login")
        page.fill("#employee_number", number)
        page.fill("#password", login["password"])
        page.press("#password", "Enter")
        page.wait_for_url(lambda url: "/login" not in url)
        state = context.storage_state()
        print(f"load average {os.getloadavg()[0]:.1f}, {ROUNDS} rounds, median; first value timed from navigation start")
        for name, (path, selector) in PAGES.items():
            rows = [visit(browser, state, base + path, selector) for _ in range(ROUNDS)]
            own, font, data, cold, warm = (statistics.median(column) for column in zip(*rows, strict=True))
            weights = f"HTML+CSS+JS {own / 1000:5.1f} kB, font {font / 1000:4.1f} kB, data {data / 1000:5.1f} kB cold"
            print(f"{name:9} {weights}   first value {cold:5.0f} ms cold, {warm:5.0f} ms warm")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "var"))
