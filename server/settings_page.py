"""docs/settings.md, written from the one table of settings: `python -m server.settings_page > docs/settings.md`."""

from __future__ import annotations

import sys

from realtime.settings import TABLE, Setting

HEAD = """# Settings

Every program reads the same settings from the environment, or from `.env` beside the Makefile; the environment wins. An unknown key in
`.env` or a value that cannot be is refused at start with the reason. `MQTT_BROKER` with `MQTT_PORT` and `SIMULATOR_ENABLED` are accepted
spellings of `MQTT_URL` and `DEMO`.

This page is written from the table in `realtime/settings.py` by `python -m server.settings_page`; a test holds it to that table.

| key | default | what it does |
|---|---|---|
"""


def _row(setting: Setting) -> str:
    default = f"`{setting.default}`" if setting.default else "empty"
    return f"| `{setting.key}` | {default} | {setting.help} |\n"


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_row(setting) for setting in TABLE)


if __name__ == "__main__":
    sys.stdout.write(page())
