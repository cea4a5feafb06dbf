"""All tables of the server in one place: whoever needs complete metadata (foreign keys, migrations) imports this."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from server.models.base import Base

for _file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    if _file != Path(__file__):
        import_module(f"server.models.{_file.stem}")

metadata = Base.metadata
