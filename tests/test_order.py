"""The order of test files for several workers."""

from __future__ import annotations

from pathlib import Path

from tests.order import WAITING, order_of_files

ROOT = Path(__file__).parent.parent


def test_files_that_wait_begin_early_and_apart() -> None:
    counts = {"tests/a.py": 1, "tests/b.py": 9, "tests/c.py": 5, "tests/d.py": 2, "tests/e.py": 3, "tests/f.py": 4}
    counts |= {"tests/flow/x.py": 1, "tests/browser/y.py": 8}

    found = order_of_files(counts)

    assert [Path(name).stem for name in found] == ["y", "b", "c", "x", "f", "e", "d", "a"]


def test_no_file_is_lost_when_more_wait_than_compute() -> None:
    counts = {"tests/flow/x.py": 3, "tests/flow/y.py": 2, "tests/flow/z.py": 1, "tests/a.py": 7}

    assert order_of_files(counts) == ["tests/flow/x.py", "tests/a.py", "tests/flow/y.py", "tests/flow/z.py"]


def test_every_name_in_the_order_is_there() -> None:
    assert [name for name in WAITING if not (ROOT / name).exists()] == []


def test_the_workers_are_handed_the_files_in_this_order() -> None:
    commands = [(ROOT / name).read_text("utf-8") for name in ("Makefile", "tools/external.py")]

    assert all("loadfile" in text and "--no-loadscope-reorder" in text for text in commands)
