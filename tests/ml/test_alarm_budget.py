"""The alarm budget in small: a healthy hour of a few machines asks for nobody, and the same engine is not deaf."""

from __future__ import annotations

from collections import Counter

import numpy as np

from bench.alarm_budget import ASSETS, Part, judge, judged, learned, rates
from bench.healthy_plant import BLOCK_S, HealthyPlant, seeded_plant
from ml.scoring import Floats
from server.rules.policy import Route
from tests.ml.plant import quiet_settings

MACHINES, BASELINE_BLOCKS = 3, 18


class Drifting(HealthyPlant):
    """One signal of the first machine leaves its level at the start of the second block, by ten spans an hour."""

    def values(self, block: int) -> Floats:
        made = super().values(block)
        if block == 1:
            made[:, 1] += 10 * self.span[1] * np.arange(BLOCK_S) / 3600
        return made


def test_healthy_machines_ask_for_nobody_and_a_drift_does() -> None:
    plant, signals = seeded_plant(MACHINES)
    engine = learned(HealthyPlant(plant, signals), quiet_settings(N_ESTIMATORS="10"), BASELINE_BLOCKS)

    healthy = judge(engine, HealthyPlant(plant, signals), range(1))
    drifting = judge(engine, Drifting(plant, signals), range(1, 2))

    assert [one for one in healthy.raised if judged(one) is not Route.WATCH] == []
    assert plant.tags[1].name in {one.tag for one in drifting.raised if judged(one) is not Route.WATCH}


def test_rates_are_those_of_the_whole_plant() -> None:
    raised = Counter({("alert", "drift", "drift", "x"): 3, ("order", "drift", "drift", "x"): 1, ("watch", "anomaly", "cva", "y"): 8})

    alerts, orders, watched = rates([Part(100, 12.0, raised, 8, 0, 0.0), Part(100, 12.0, Counter(), 0, 0, 0.0)])

    assert (alerts, orders, watched) == (4 * ASSETS / 2400, ASSETS / 100, 8 * ASSETS / 2400)


def test_the_plant_joins_without_a_seam_and_its_machines_stop_and_start() -> None:
    plant, signals = seeded_plant(60)
    made = HealthyPlant(plant, signals)

    before, after = made.values(-1), HealthyPlant(plant, signals).values(0)

    moving = ~made.bit & ~made.warm
    jump = np.abs(after[0] - before[-1])[moving & (made.running(0)[0] == made.running(-1)[-1])[made.asset]]
    assert (jump / made.span[moving & (made.running(0)[0] == made.running(-1)[-1])[made.asset]]).max() < 0.1
    ran = np.array([made.running(block)[0] for block in range(0, 144, 3)])
    assert 0 < (~ran).any(axis=0).sum() < 60
