"""The monitor and its job worker start without what they may not import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FORBIDDEN = {"flask", "sqlalchemy", "eventlet", "plc", "server", "web", "ar_feed", "flask_socketio"}


@pytest.mark.parametrize("module", ["ml.__main__", "ml.jobs", "ml.training"])
def test_program_loads_nothing_it_may_not_know(module: str) -> None:
    code = f"import sys, json, {module}; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"

    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)

    assert not FORBIDDEN & set(loaded)
