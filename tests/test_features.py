"""tests/features.toml is true: every row of FEATURES.md has a test that exists, or a written reason."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAP: dict[str, str] = tomllib.loads((ROOT / "tests" / "features.toml").read_text("utf-8"))


def numbered(prefix: str, *spans: tuple[int, int]) -> set[str]:
    """Ids prefix+n for n in the closed spans."""
    return {f"{prefix}{n}" for first, last in spans for n in range(first, last + 1)}


ROWS = (
    numbered("S0-", (1, 55))
    | numbered("S1-", (1, 58))
    | numbered("S2-", (1, 162))
    | numbered("S2-R", (1, 11))
    | numbered("S3-", (1, 37))
    | numbered("S3-F", (1, 8))
    | numbered("S4-", (1, 24))
    | numbered("N-", (1, 16), (20, 33))
    | numbered("C-", (1, 15))
)


@cache
def names_in(path: str) -> frozenset[str]:
    """Functions and classes of a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef))


def test_every_row_has_a_line_and_every_line_a_row() -> None:
    assert set(MAP) == ROWS


@pytest.mark.parametrize("row", sorted(row for row, proof in MAP.items() if not proof.startswith(("later:", "not:"))))
def test_the_named_test_exists(row: str) -> None:
    for proof in MAP[row].split():
        path, _, name = proof.partition("::")
        assert name.split("[")[0] in names_in(path), f"{row}: {proof} is not there"


def test_the_licence_is_there() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
