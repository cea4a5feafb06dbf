"""Who may import whom (DESIGN.md 2): read from the source, inside functions too, and checked on the running programs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("realtime", "plc", "ml", "server", "web", "ar_feed")
MAY = {
    "realtime": {"realtime"},
    "plc": {"realtime", "plc"},
    "ml": {"realtime", "ml"},
    "server": {"realtime", "server", "plc.addressing"},
    "web": {"realtime", "server", "web"},
    "ar_feed": {"realtime", "server", "ar_feed"},
}
NEVER = {
    "plc": {"flask", "sqlalchemy", "psycopg2", "eventlet"},
    "ml": {"flask", "sqlalchemy", "eventlet"},
}
RULES_MAY = {"realtime.events", "realtime.errors", "server.rules", "server.errors"}
RULES_NEVER = {"sqlalchemy", "flask", "psycopg2", "redis"}
ROOM_OF_THE_ADDRESSING = {"realtime", "plc.addressing"}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, wherever in it, with its line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            module = node.module or ""
            if module in OURS:  # from realtime import settings
                yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield module, node.lineno


def within(module: str, rooms: set[str]) -> bool:
    """True when the module is one of the rooms or below one."""
    return any(module == room or module.startswith(room + ".") for room in rooms)


def sources(folder: str) -> list[Path]:
    """Python files of a folder."""
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", OURS)
def test_no_arrow_but_those_of_the_design(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources(folder)
        for module, line in imports(path)
        if (module.split(".")[0] in (*OURS, "app", "run") and not within(module, MAY[folder]))
        or module.split(".")[0] in NEVER.get(folder, set())
    ]

    assert wrong == []


def test_rules_are_pure() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources("server/rules")
        for module, line in imports(path)
        if (module.split(".")[0] in OURS and not within(module, RULES_MAY)) or module.split(".")[0] in RULES_NEVER
    ]

    assert wrong == []


def test_rules_never_read_the_clock() -> None:
    calls = {"now", "utcnow", "today", "time", "monotonic", "time_ns"}
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} calls {node.func.attr}"
        for path in sources("server/rules")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in calls
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "time", "dt"}
    ]

    assert wrong == []


def test_addressing_is_pure() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources("plc/addressing")
        for module, line in imports(path)
        if module.split(".")[0] in OURS and not within(module, ROOM_OF_THE_ADDRESSING)
    ]

    assert wrong == []


def test_run_imports_only_realtime() -> None:
    wrong = [module for module, _ in imports(ROOT / "run.py") if module.split(".")[0] in OURS and not within(module, {"realtime"})]

    assert wrong == []


@pytest.mark.parametrize("folder", OURS)
def test_every_package_file_is_empty(folder: str) -> None:
    # an evaluation program calls `ml.evaluate:make_plant` and the like; nothing else is taken from a package file
    filled = {path for path in sources(folder) if path.name == "__init__.py" and path.read_text("utf-8").strip()}

    assert filled - {ROOT / "ml" / "evaluate" / "__init__.py"} == set()


@pytest.mark.parametrize(
    ("program", "never"),
    [
        ("plc.__main__", ["flask", "sqlalchemy", "psycopg2", "eventlet", "sklearn", "server", "ml"]),
        ("plc.connectors.s7", ["flask", "sqlalchemy", "psycopg2", "eventlet", "sklearn", "server", "ml"]),
        ("plc.connectors.mqtt", ["flask", "sqlalchemy", "psycopg2", "eventlet", "sklearn", "server", "ml"]),
        ("plc.connectors.opcua", ["flask", "sqlalchemy", "psycopg2", "eventlet", "sklearn", "server", "ml"]),
        ("ml.__main__", ["flask", "sqlalchemy", "eventlet", "server", "plc"]),
        ("realtime.__main__", ["flask", "sqlalchemy", "eventlet", "server", "plc", "ml", "sklearn"]),
        ("server.worker", ["eventlet", "sklearn", "ml", "web", "ar_feed"]),
        ("app", ["sklearn", "ml", "scipy"]),
    ],
)
def test_a_started_program_holds_no_more_than_it_may(program: str, never: list[str]) -> None:
    script = f"import sys, {program}; print([m for m in {never!r} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"
