"""Dangers of a procedure: its own and the warnings of its steps, in one list for the phone, the glasses and paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

SEVERITIES = ("danger", "warning", "caution", "notice")


def dangers(safety: Iterable[Mapping[str, Any]], steps: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`{id, sev, t, b?, icon?}` of every danger, each once, the gravest first; `steps` are a procedure's."""
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    warned = [step["warn"] for step in steps if step.get("warn")]
    for place, danger in enumerate([*safety, *warned], 1):
        text = str(danger.get("t", ""))
        if not text or text in seen:
            continue
        seen.add(text)
        optional = {name: danger[name] for name in ("b", "icon") if danger.get(name)}
        rows.append({"id": str(danger.get("id") or f"d{place}"), "sev": danger.get("sev", "warning"), "t": text, **optional})
    return sorted(rows, key=lambda row: SEVERITIES.index(row["sev"]) if row["sev"] in SEVERITIES else len(SEVERITIES))
