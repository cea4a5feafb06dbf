"""docs/settings.md is true: it is what the table of settings says."""

from __future__ import annotations

from pathlib import Path

from realtime.settings import TABLE, load
from server.settings_page import page

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_table_says() -> None:
    assert (DOCS / "settings.md").read_text("utf-8") == page()


def test_every_default_is_accepted(tmp_path: Path) -> None:
    settings = load({"DATA_DIR": str(tmp_path)}, None)

    for setting in TABLE:
        assert hasattr(settings, setting.field), setting.key
