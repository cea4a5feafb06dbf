"""Lives of machines, cut out of their records: from installation or repair to the next failure. Pure.

What wears out in a life, and how long the rest of one is, is learned elsewhere (`ml.lives`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Renewal:
    """An order that made a machine as new. failed: when the failure began that it repaired; None = it was planned."""

    asset: int
    failed: datetime | None
    back: datetime


@dataclass(frozen=True, slots=True)
class WholeLife:
    """From as new to a failure, nothing renewed between."""

    asset: int
    began: datetime
    ended: datetime


def cut(installed: Mapping[int, datetime | None], renewals: Sequence[Renewal]) -> tuple[list[WholeLife], dict[int, datetime | None]]:
    """(whole lives, oldest end first; when the present life of each machine of `installed` began, None = nobody knows).

    A life that a planned renewal cut short has no known end and one whose beginning nobody knows no known length: neither is
    whole. Failures while a machine was still under repair belong to the one before.
    """
    began = dict(installed)
    found: list[WholeLife] = []
    for one in sorted(renewals, key=lambda one: (one.back, one.asset)):
        since = began.get(one.asset)
        if one.failed is not None and since is not None and one.failed > since:
            found.append(WholeLife(one.asset, since, one.failed))
        if since is None or one.back > since:
            began[one.asset] = one.back
    return sorted(found, key=lambda one: (one.ended, one.asset)), began
