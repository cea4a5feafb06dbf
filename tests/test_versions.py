"""What is installed is what requirements.txt says: two libraries are known to downgrade others silently."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PINS = re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==(\S+)$", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)
CARD = {
    "flask",
    "flask-socketio",
    "eventlet",
    "python-snap7",
    "paho-mqtt",
    "scikit-learn",
    "redis",
    "sqlalchemy",
    "psycopg2-binary",
    "flask-login",
}
HOST = re.compile(r"https?://|file:|find-links|index-url", re.IGNORECASE)


@pytest.mark.parametrize(("name", "pinned"), PINS)
def test_installed_version_is_the_pinned_one(name: str, pinned: str) -> None:
    assert version(name) == pinned


def test_the_card_is_there() -> None:
    assert {name for name, _ in PINS} >= CARD


def test_every_direct_dependency_is_exact() -> None:
    lines = [line for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines() if line and not line.startswith("#")]

    assert [line for line in lines if "==" not in line] == []


@pytest.mark.parametrize(
    "name",
    [
        "requirements.lock",
        "requirements-edge.lock",
        "requirements-evaluate.lock",
        "requirements-test.lock",
        "package-lock.json",
        "tests/peers/package-lock.json",
    ],
)
def test_locks_name_no_host(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    if name.endswith(".json"):
        packages = json.loads(text)["packages"]
        assert [key for key, package in packages.items() if "resolved" in package] == []
        assert all("integrity" in package for key, package in packages.items() if key)
    else:
        assert HOST.search(text) is None
        assert "--hash=sha256:" in text


def test_locks_hold_the_pins() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")

    assert [name for name, pinned in PINS if f"\n{name}=={pinned} \\" not in "\n" + lock] == []


def test_an_edge_installs_the_same_versions_and_no_others() -> None:
    def locked(name: str) -> set[tuple[str, ...]]:
        lines = (ROOT / name).read_text("utf-8").replace("\\\n", "").splitlines()
        return {(line.split()[0], *re.findall(r"--hash=(\S+)", line)) for line in lines}

    direct = re.findall(r"^([a-z0-9-]+)==(\S+)$", (ROOT / "requirements-edge.txt").read_text("utf-8"), re.MULTILINE)

    assert locked("requirements-edge.lock") <= locked("requirements.lock")
    assert set(direct) <= set(PINS)
