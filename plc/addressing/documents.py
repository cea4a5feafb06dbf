"""Reads YAML or JSON text into plain values, bounded: size, depth, no anchors. Pure: no I/O."""

from __future__ import annotations

import re
from typing import Any

import yaml

from plc.addressing.errors import TagMapError

MAX_BYTES = 4_000_000
MAX_DEPTH = 16
MAX_INDENT = 100

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where libyaml is there


def mapping_of(text: str) -> dict[str, Any]:
    """The mapping that a document is; raises TagMapError naming the line."""
    if len(text) > MAX_BYTES:
        raise TagMapError("document", f"larger than {MAX_BYTES} bytes")
    if re.search(r"(^|[\s\[,{:])[&*][A-Za-z0-9]", text):
        raise TagMapError("document", "anchors and aliases are not taken")  # a few lines of them unfold to gigabytes
    if _too_deep(text):
        raise TagMapError("document", f"nested deeper than {MAX_DEPTH} levels")
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "document"
        raise TagMapError(where, getattr(error, "problem", None) or "cannot be read as YAML or JSON") from error
    return mapping(document, "document")


def _too_deep(text: str) -> bool:
    """True where brackets, indentation or indicators nest beyond any tag map: libyaml recurses in C and would take the process down."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return re.search(rf"^[ \t]{{{MAX_INDENT},}}|(?:[-?:][ \t\n]+){{{MAX_DEPTH},}}", text, re.MULTILINE) is not None


def mapping(value: Any, where: str) -> dict[str, Any]:
    """The value where it is a mapping; raises TagMapError."""
    if not isinstance(value, dict):
        raise TagMapError(where, "keys and values are expected here")
    return {str(k): v for k, v in value.items()}


def flow(value: Any) -> str:
    """A value on one line of YAML, in braces where it is a mapping."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1_000_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def block(document: dict[str, Any]) -> str:
    """A tag map as YAML: source and groups on a line each, one line a tag."""
    lines = [f"{key}: {flow(document[key])}" for key in ("machine", "source", "groups") if document.get(key)]
    lines += ["tags:" if document["tags"] else "tags: []", *(f" - {flow(entry)}" for entry in document["tags"])]
    return "\n".join(lines) + "\n"
