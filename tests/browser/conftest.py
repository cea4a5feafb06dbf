"""The running product and a browser for the tests of the pages, once a module."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from realtime.bus import connect
from tests.browser.pages_plant import ROOT, Instance
from tests.browser.visitor import MANAGER, TECHNICIAN, Visitor


@pytest.fixture(scope="module")
def instance(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("pages")
    prefix = f"t{secrets.token_hex(5)}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(ROOT),
        "SIGHTLINE_ENV_FILE": "none",
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "BUS_PREFIX": prefix,
        "DATA_DIR": str(folder / "var"),
        "DEMO": "1",
        "DEMO_HISTORY_HOURS": "2",  # for the eye
        "PORT": "0",
        "PROOF_WINDOW_SECONDS": "60",
    }
    running = Instance(environment, folder)
    running.raise_alert()
    yield running
    running.stop()
    client = connect(redis_url)
    keys = list(client.scan_iter(f"{prefix}:*", count=1000))
    if keys:
        client.delete(*keys)
    client.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, headless=True)
        yield found
        found.close()


@pytest.fixture(scope="module")
def states(browser: Browser, instance: Instance) -> dict[str, Any]:
    """Cookies of people who signed in by the form, once."""
    found = {}
    for number in (MANAGER, TECHNICIAN):
        visitor = Visitor(browser, instance, number, (1280, 800))
        found[number] = visitor.context.storage_state()
        visitor.close()
    return found


@pytest.fixture
def visit(browser: Browser, instance: Instance, states: dict[str, Any]) -> Iterator[Any]:
    open_ones: list[Visitor] = []

    def make(number: str = MANAGER, size: tuple[int, int] = (1280, 800)) -> Visitor:
        open_ones.append(Visitor(browser, instance, number, size, states[number]))
        return open_ones[-1]

    yield make
    for visitor in open_ones:
        visitor.close()
