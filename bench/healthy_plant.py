"""500 healthy machines of the seeded plant's catalogue as live values: wander, load, day and night, product changes, batch cycles,
starts and stops, readings in steps of the sensor. No fault is in it.

Every value is a function of (seed, time), so that a baseline and the day after it join without a seam.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ml.scoring import Flags, Floats, History, Ints, Series
from ml.training import FINE_MS
from realtime.snapshot import Asset, Snapshot, Tag
from server.seed.catalogue import KINDS, Kind, Signal
from server.seed.plant import signal_range

T0 = 1_767_556_800_000  # 20:00 UTC: machines that stand by night have run since 6
BLOCK_S = 600
NODES = 64
WANDER = ((12.0, 0.004), (70.0, 0.006), (400.0, 0.008), (3600.0, 0.008))  # time constant in s, standard deviation in spans
LOAD = ((150.0, 0.008), (1800.0, 0.008))  # of the machine: what its signals have in common
NOISE = (0.002, 0.006)  # in spans
DAILY = {"°C": (0.02, 0.05)}  # amplitude in spans by unit; others as below
DAILY_ELSE = (0.0, 0.01)
THERMAL_S = 300.0  # a body warms up and cools down with this time constant; everything else follows the run bit at once
START_UP_S = 3 * THERMAL_S  # what the classes of such machines say
AMBIENT = 22.0
# recipes of a machine that makes several products, each once in so many runs: a baseline of two days has seen them all, as it should
# (a product that it has not seen is another operating point, and that is told); the order of rounds repeats after ROUNDS
PRODUCTS, ROUNDS = 3, 20
WITH_PRODUCTS, WITH_CYCLES = 0.4, 0.25  # shares of the machines
RUN_S = (2 * 3600.0, 8 * 3600.0)
RECIPE = 0.10  # in spans: how far the level of a signal may stand from the usual one with a product
CHANGEOVER_S, CHANGEOVER_WARM_S = 90.0, 900.0
CYCLE_S, CYCLE = (900.0, 3600.0), (0.01, 0.04)  # of a batch, and its amplitude in spans
WIDE_EVERY, WIDE_S = 12, 300  # blocks, s: what of the rest of a baseline is learned at the live rate, as training does


def seeded_plant(assets: int, seed: int = 1, period_s: float = 1.0) -> tuple[Snapshot, dict[int, Signal]]:
    """A snapshot with the classes, signals and ranges of server/seed, all in shard 0, and the signal behind each tag id."""
    rng = np.random.default_rng(seed)
    shares = np.array([kind.share for kind in KINDS], np.float64)
    machines, tags, signals = list[Asset](), list[Tag](), dict[int, Signal]()
    for n in range(assets):
        kind: Kind = KINDS[int(rng.choice(len(KINDS), p=shares / shares.sum()))]
        code = f"{kind.prefix}-{n + 1:04d}"
        machines.append(Asset(id=n + 1, code=code, name=code, class_name=kind.name, start_up_s=START_UP_S))
        for signal in kind.signals:
            number = len(tags) + 1
            signals[number] = signal
            tags.append(_tag(number, n + 1, f"{code}.{signal.name}", signal, period_s))
    return Snapshot(version=1, tags=tags, assets=machines), signals


def _tag(number: int, asset: int, name: str, signal: Signal, period_s: float) -> Tag:
    if signal.name == "running":
        return Tag(id=number, name=name, asset=asset, shard=0, unit="", source="plant", period_s=period_s, role="running")
    low, high = signal_range(signal)
    return Tag(
        id=number,
        name=name,
        asset=asset,
        shard=0,
        unit=signal.unit,
        source="plant",
        period_s=period_s,
        low=signal.low,
        high=signal.high,
        range_low=low,
        range_high=high,
    )


class HealthyPlant:
    """`values(block)`: float64 (BLOCK_S, n_tags), engineering units, one row a second, columns as `snapshot.tags`."""

    def __init__(self, snapshot: Snapshot, signals: dict[int, Signal], seed: int = 1) -> None:
        self.snapshot, self.seed = snapshot, seed
        rng = np.random.default_rng([seed, 99])
        of = [signals[tag.id] for tag in snapshot.tags]
        n = len(of)
        self.asset: Ints = np.array([tag.asset - 1 for tag in snapshot.tags], np.int64)
        self.bit: Flags = np.array([tag.role == "running" for tag in snapshot.tags])
        self.span: Floats = np.array([signal.high - signal.low for signal in of])
        self.level = np.array([signal.low for signal in of]) + rng.uniform(0.35, 0.65, n) * self.span
        self.noise = rng.uniform(*NOISE, n) * self.span
        daily = [rng.uniform(*DAILY.get(signal.unit, DAILY_ELSE)) for signal in of]
        self.daily = np.array(daily) * self.span
        self.coupled = rng.uniform(-1.0, 1.0, n)
        self.warm: Flags = np.array([signal.unit == "°C" for signal in of])
        self.rest = np.where(self.warm, np.minimum(AMBIENT, self.level), 0.0)
        self.step = 10.0 ** np.floor(np.log10(self.span / 200))
        self.stops = _stops(snapshot, rng)
        machines = len(snapshot.assets)
        self.run_s, self.run_at = rng.uniform(*RUN_S, machines), rng.uniform(0, RUN_S[1], machines)
        self.order: Ints = rng.permuted(np.tile(np.arange(PRODUCTS)[None, :, None], (ROUNDS, 1, machines)), axis=1).reshape(-1, machines)
        several = rng.uniform(size=machines) < WITH_PRODUCTS
        self.recipes = rng.uniform(-RECIPE, RECIPE, (PRODUCTS, n)) * several[self.asset]
        self.cycle_s, self.cycle_at = rng.uniform(*CYCLE_S, machines), rng.uniform(0, 1, machines)
        cycles = rng.uniform(size=machines) < WITH_CYCLES
        self.cycle = rng.uniform(*CYCLE, n) * rng.choice([-1.0, 1.0], n) * cycles[self.asset]
        self._heat: dict[int, Floats] = {}

    def running(self, block: int) -> Flags:
        """bool (BLOCK_S, n_assets)."""
        t = _seconds(block)[:, None]
        stands: Flags = np.any([((t - start) % every) < length for start, length, every in self.stops], axis=0)
        return ~stands

    def values(self, block: int, every: int = 1) -> Floats:
        """One block of the plant's life, a row every so many seconds; block 0 begins at T0, earlier ones are negative."""
        t = _seconds(block)[::every]
        moved = sum(share * self._wander(tau, t, len(self.span), 1) for tau, share in WANDER)
        load = sum(share * self._wander(tau, t, len(self.snapshot.assets), 2) for tau, share in LOAD)
        value = self.level + self.span * (moved + self.coupled * np.asarray(load)[:, self.asset])
        value += self.daily * np.sin(2 * np.pi * t / 86_400)[:, None] + self.span * (self._product(t) + self._batch(t))
        noise = np.random.default_rng([self.seed, 3, block + 10**6]).standard_normal(value.shape, np.float32)
        value += self.noise / np.sqrt(every) * noise  # a row that stands for several seconds is their mean
        running = self.running(block)[::every]
        warm = self._warmth(block, self.running(block))[::every, self.asset]
        on = np.where(self.warm, warm, running[:, self.asset])
        value = np.where(self.bit, running[:, self.asset], self.rest + on * (value - self.rest))
        return np.where(self.bit, value, np.round(value / self.step) * self.step)

    def _product(self, t: Ints) -> Floats:
        """float64 (len(t), n_tags), in spans: what the product adds, changed over within minutes, slower where it is warm."""
        place = (t[:, None] - self.run_at) / self.run_s
        run = np.floor(place).astype(np.int64)
        since_s = ((place - run) * self.run_s)[:, self.asset]
        machine, tag = np.arange(len(self.run_s)), np.arange(len(self.span))
        new, old = (self.order[(run - back) % len(self.order), machine][:, self.asset] for back in (0, 1))
        over = np.minimum(since_s / np.where(self.warm, CHANGEOVER_WARM_S, CHANGEOVER_S), 1.0)
        made: Floats = over * self.recipes[new, tag] + (1 - over) * self.recipes[old, tag]
        return made

    def _batch(self, t: Ints) -> Floats:
        """float64 (len(t), n_tags), in spans: charged, worked and emptied again and again, nearly a square wave."""
        phase = 2 * np.pi * (t[:, None] / self.cycle_s + self.cycle_at)
        made: Floats = self.cycle * np.tanh(3 * np.sin(phase))[:, self.asset]
        return made

    def _warmth(self, block: int, running: Flags) -> Floats:
        """float64 (BLOCK_S, n_assets) in 0..1: a first-order lag of the run bit, known from three time constants back."""
        warm = np.empty(running.shape)
        state = self._heat.get(block - 1)
        if state is None:
            state = np.ones(running.shape[1])
            for earlier in range(block - 5, block):
                for on in self.running(earlier):
                    state += (on - state) / THERMAL_S
        for i, on in enumerate(running):
            state = state + (on - state) / THERMAL_S
            warm[i] = state
        self._heat = {block: state}
        return warm

    def _wander(self, tau: float, t: Ints, n: int, kind: int) -> Floats:
        """Lattice noise, smoothly joined: mean 0, standard deviation 1 at every t; float64 (len(t), n)."""
        place = t / tau
        cell = np.floor(place).astype(np.int64)
        first = int(cell[0])
        nodes = np.stack([self._node(kind, tau, first + k, n) for k in range(int(cell[-1]) - first + 2)])
        f = (place - cell)[:, None]
        w = f * f * (3 - 2 * f)
        joined: Floats = ((1 - w) * nodes[cell - first] + w * nodes[cell - first + 1]) / np.sqrt((1 - w) ** 2 + w**2)
        return joined

    def _node(self, kind: int, tau: float, cell: int, n: int) -> Floats:
        found: Floats = _nodes(self.seed, kind, round(tau), cell // NODES, n)[cell % NODES]
        return found

    def steady(self, block: int) -> Flags:
        """bool (BLOCK_S, n_assets): running and past the start-up."""
        before = [self.running(block - back) for back in range(round(START_UP_S) // BLOCK_S + 1, -1, -1)]
        ran = since_start(np.concatenate(before).astype(np.float64))
        past: Flags = ran[-BLOCK_S:] >= START_UP_S
        return past

    def history(self, asset: int, fine: Floats, fine_start: int, coarse: Floats, wide: dict[int, Floats]) -> History:
        """What the monitor learns one machine from: `fine` float64 (seconds, n_tags) since fine_start s after T0 at the live rate,
        `coarse` (minutes, n_tags) means of the whole baseline, `wide` (WIDE_S, n_tags) at the live rate by block, the machine running
        in it from end to end; of all only what is past its start-up, of `fine` the newest that training reads."""
        rows = [i for i, tag in enumerate(self.snapshot.tags) if tag.asset == asset and tag.role is None]
        bits = [i for i, tag in enumerate(self.snapshot.tags) if tag.asset == asset and tag.role == "running"]
        steady = np.flatnonzero(since_start(fine[:, bits]) >= START_UP_S)[-FINE_MS // 1000 :]
        ran = since_start(np.floor(coarse[:, bits])) * 60 >= START_UP_S
        t = T0 + (fine_start + steady) * 1000
        minute = T0 + (np.flatnonzero(ran) - len(coarse)) * 60_000
        blocks = sorted(wide)
        wide_t = np.concatenate([T0 + _seconds(block)[:WIDE_S] * 1000 for block in blocks]) if blocks else np.empty(0, np.int64)
        wide_v = np.concatenate([wide[block][:, rows] for block in blocks]) if blocks else np.empty((0, len(rows)))
        series = [
            Series(t, fine[steady, i], np.repeat(coarse[ran, i][:, None], 3, axis=1), minute, wide_t, wide_v[:, k])
            for k, i in enumerate(rows)
        ]
        return History(tuple(self.snapshot.tags[i] for i in rows), tuple(series), 60.0, 100)


def _seconds(block: int) -> Ints:
    return np.arange(block * BLOCK_S, (block + 1) * BLOCK_S, dtype=np.int64)


def since_start(bits: Floats) -> Floats:
    """float64 (n,) or, of several columns, (n, k): rows that a machine has run without a stop, 0 while it stands, running before the
    first; of no column at all (n,): it always runs."""
    if bits.ndim == 2 and bits.shape[1] <= 1:
        bits = bits[:, 0] if bits.shape[1] else np.ones(len(bits))
    row = np.arange(len(bits), dtype=np.float64).reshape(-1, *[1] * (bits.ndim - 1))
    stopped = np.maximum.accumulate(np.where(bits == 0, row, -np.inf), axis=0)
    ran: Floats = np.minimum(row - stopped, 1e9)
    return ran


@lru_cache(maxsize=24)
def _nodes(seed: int, kind: int, tau: int, block: int, n: int) -> Floats:
    return np.random.default_rng([seed, kind, tau, block + 10**6]).standard_normal((NODES, n))


def _stops(snapshot: Snapshot, rng: np.random.Generator) -> list[tuple[Floats, Floats, Floats]]:
    """(start, length, every) in s per asset, two kinds: a third of the machines with a run bit pauses 1 to 4 times a day,
    a tenth stands from 22 to 6, which is from two hours after T0."""
    bits = {tag.asset for tag in snapshot.tags if tag.role == "running"}
    has = np.array([asset.id in bits for asset in snapshot.assets])
    n, draw = len(has), rng.uniform(size=len(has))
    pauses = np.where(has & (draw < 0.33), rng.uniform(600, 5400, n), 0.0)
    every = 86_400 / rng.integers(1, 5, n)
    nights = np.where(has & (draw > 0.9), 8 * 3600.0, 0.0)
    return [(rng.uniform(0, 86_400, n), pauses, every), (np.full(n, 2 * 3600.0), nights, np.full(n, 86_400.0))]
