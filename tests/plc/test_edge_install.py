"""What an edge installs: exactly requirements-edge.lock, and every connector starts with it. tests/flow/test_edge.py runs it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from plc.connector import KINDS
from tests.plc.harness import ROOT, environment_of
from tools.bootstrap import install_edge

NEVER = ("flask", "sqlalchemy", "psycopg2", "sklearn", "scipy", "eventlet", "socketio", "rq")
INSTALLERS = {"pip", "setuptools", "uv", "wheel"}

pytestmark = pytest.mark.timeout(300)  # the first time it downloads


@pytest.fixture(scope="module")
def python() -> Path:
    """Python of an environment made from the edge's lock."""
    return install_edge()


def said(python: Path, code: str, *arguments: str) -> str:
    done = subprocess.run(
        [python, "-c", code, *arguments], cwd=ROOT, env=environment_of(), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_environment_is_the_lock_and_nothing_else(python: Path) -> None:
    listed = json.loads(
        said(python, "import importlib.metadata as m, json; print(json.dumps([d.metadata['Name'] for d in m.distributions()]))")
    )
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-edge.lock").read_text("utf-8"), re.MULTILINE)

    installed = {re.sub(r"[-_.]+", "-", name).lower() for name in listed} - INSTALLERS
    assert installed <= set(locked)
    assert {"numpy", "asyncua", "paho-mqtt", "python-snap7"} <= installed


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_connector_starts_with_it_and_loads_no_part_of_the_server(python: Path, kind: str) -> None:
    code = (
        "import sys, plc.__main__, plc.connector\n"
        "plc.connector.KINDS[sys.argv[1]].load()\n"
        f"print([m for m in sys.modules if m.split('.')[0] in {(*NEVER, 'server', 'ml', 'web', 'ar_feed')}])"
    )

    assert said(python, code, kind).strip() == "[]"


def test_what_an_edge_needs_to_start_is_said_in_one_line(python: Path, tmp_path: Path) -> None:
    def run(**environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [python, "-m", "plc"],
            cwd=ROOT,
            env=environment_of(DATA_DIR=str(tmp_path), **environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stderr.strip()

    without_token = run(SINK="https://sightline.example")
    in_the_clear = run(SINK="http://sightline.example", SINK_TOKEN="x")
    nowhere = run()

    assert (without_token[0], without_token[1].count("\n")) == (2, 0)
    assert "SINK_TOKEN" in without_token[1]
    assert (in_the_clear[0], "SINK_PLAIN=1" in in_the_clear[1]) == (2, True)
    assert (nowhere[0], "REDIS_URL" in nowhere[1]) == (2, True)
