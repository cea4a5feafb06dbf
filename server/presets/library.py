"""The classes and presets that are shipped, read from the YAML beside this file; what is done with them is class_writes'."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent


@cache
def classes() -> dict[str, dict[str, Any]]:
    """Shipped class definitions by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "classes.yaml").read_text("utf-8"))
    return found


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Sets of classes by name: label and the names of the classes."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "presets.yaml").read_text("utf-8"))
    return found
