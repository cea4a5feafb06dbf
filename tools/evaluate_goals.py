"""What is wanted of each suite of an evaluation, and whether its rows show it. Pure; `tools.evaluate` runs the suites."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]  # of one detector, as the evaluation program writes it


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line: what was wanted, what was measured, and whether that is enough."""

    wanted: str
    measured: str
    met: bool


class NotMeasured(Exception):
    """A row that a goal needs is missing or says that its detector failed."""


def judged(suite: str, rows: Sequence[Row]) -> Verdict:
    """Raises NotMeasured. The row of the product is the one named after a module: `ml.evaluate:make_plant`."""
    failed = [f"{_name(row)}: {row['error']}" for row in rows if "error" in row]
    if failed:
        raise NotMeasured("; ".join(failed))
    ours = [row for row in rows if ":" in _name(row)]
    if len(ours) != 1:
        raise NotMeasured(f"{len(ours)} rows of the product")
    try:
        return GOALS[suite](ours[0], {_name(row): row for row in rows})
    except KeyError as error:
        raise NotMeasured(f"no figure {error}") from error


def _name(row: Row) -> str:
    return str(row.get("detector") or row.get("model"))


def _skab(row: Row, _: Mapping[str, Row]) -> Verdict:
    f1, far, change = row["F1_all"], row["FAR_all"], row["cpNAB"]
    return Verdict(
        "F1 >= 0.84, FAR <= 24 %, change points >= 28",
        f"F1 {f1:.3f}, FAR {far:.1f} %, change points {change:.1f}",
        f1 >= 0.84 and far <= 24 and change >= 28,
    )


def _nab(row: Row, _: Mapping[str, Row]) -> Verdict:
    own, best = row["own_flags_std"], row["std"]
    return Verdict("standard >= 68", f"standard {own:.1f} at its own limit ({best:.1f} at the best limit for all files)", own >= 68)


def _tep(row: Row, others: Mapping[str, Row]) -> Verdict:
    found, false, built_in = row["own_FDR21"], max(row["own_FAR"], row["own_FAR_pre"]), others["crossfit_cva"]["own_FDR21"]
    return Verdict(
        f"fault time >= {built_in:.1f} % (the built-in crossfit_cva), false <= 1 %, at its own limit",
        f"fault time {found:.1f} %, false {false:.2f} %",
        found >= built_in and false <= 1,
    )


def _inject(row: Row, _: Mapping[str, Row]) -> Verdict:
    hits, clean, named = row["hits"], row["clean_alarms_per_h"], row["named_pct"] or 0.0
    found, of = (int(part) for part in hits.split("/"))
    return Verdict(
        "hits >= 74 of 96, clean alarms <= 2 an hour, named >= 95 %",
        f"hits {found} of {of}, clean alarms {clean:.1f} an hour, named {named:.0f} %",
        found * 96 >= 74 * of and clean <= 2 and named >= 95,
    )


def _rul(row: Row, others: Mapping[str, Row]) -> Verdict:
    ours, built_in = row["RMSE_capped"], others["hgb_conformal"]["RMSE_capped"]
    return Verdict(
        f"RMSE <= {built_in:.2f} (the built-in hgb_conformal)",
        f"RMSE {ours:.2f}, 90 % band holds {row['cover90']:.0f} % at a width of {row['width90']:.0f}",
        ours <= built_in,
    )


GOALS: dict[str, Callable[[Row, Mapping[str, Row]], Verdict]] = {"skab": _skab, "inject": _inject, "nab": _nab, "tep": _tep, "rul": _rul}
