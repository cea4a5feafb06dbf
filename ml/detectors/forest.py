"""Forest: a joint Isolation Forest per machine on the ten window features of all its tags, judged once a closed window."""

from __future__ import annotations

import numpy as np

from ml.channels import Channels
from ml.detectors.forest_fit import COMPLETE, learn_forest
from ml.features import NAMES
from ml.per_asset import PerAsset
from ml.plain import flags
from ml.scoring import Chunk, Floats, History, Ints, Learned, Score
from ml.trees import FIELDS, Grove, Trees
from ml.windows import Windows
from realtime.events import AlertType, Because
from realtime.settings import Settings

IN_A_ROW = 2  # odd windows before a finding
ADVISORY = 0


class Forest(PerAsset):
    """Good at: combinations that no single rule sees. Bad at: saying why (shares are of squared standardised features), and at
    levels a little beyond the baseline. Advisory only.

    The limit comes from left-out baseline windows, never from contamination. Warm-up: two whole windows, which wait up to five
    minutes for devices whose clock lags or that send in bundles. Cost: the readings are kept, about 0.1 us each; one call for all
    machines of a shard at the window's end. Source: Liu, Ting, Zhou 2008.
    """

    name = "forest"
    type = AlertType.ANOMALY
    codes = ("pattern",)
    GROUP_STATE = ("odd", "alarm", "onset")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        self.channels = channels
        self.group_keys = channels.asset_keys()
        groups, n = len(channels.assets), len(channels)
        self.window_s = settings.aggregation_window_s
        self.windows = Windows(self.window_s, np.zeros(n), np.zeros(n), np.ones(n))
        self.wanted = np.zeros(n, bool)
        self.usual = np.zeros(n)
        self._wanted = flags(self.wanted)
        self.odd, self.onset = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        self.alarm = np.zeros(groups, bool)
        self.beyond: dict[int, Floats] = {}
        self._slots: dict[int, Ints] = {}  # asset row -> slots of its joint tags, in the forest's order
        self._learned: dict[int, Learned] = {}
        self._grove: Grove | None = None  # grown when a window closes after a load
        self._order, self._limits = np.empty(0, np.int64), np.empty(0)
        self._members, self._centre, self._spread = np.empty((0, 0), np.int64), np.empty((0, 0)), np.empty((0, 0))

    def learn(self, history: History) -> Learned:
        """Trees, scaling and limit."""
        return learn_forest(history)

    def load(self, slots: Ints, learned: Learned) -> None:
        """Put a forest in force; not when one of its tags is gone or it was learned on windows of another length."""
        if "limit" not in learned or float(learned["window_s"][0]) != self.window_s:
            return
        joint = learned["usual"] > 0
        mine = slots[joint]
        if not len(mine) or (mine < 0).any():
            return
        for name in ("nominal", "low", "high"):
            getattr(self.windows, name)[mine] = learned[name][joint]
        self.wanted[mine], self.usual[mine] = True, learned["usual"][joint]
        row = int(self.channels.asset[mine[0]])
        self._slots[row], self._learned[row] = mine, learned
        self._grove = None

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """Any reading: see `Noting`. Only the window's end judges."""
        return not self._wanted[s] or self.windows.add_one(s, t, v)

    def score(self, chunk: Chunk) -> Score | None:
        """Keep the readings for the window."""
        self.windows.add(chunk.only(self.wanted[chunk.slots]))
        return None

    def tick(self, now: int) -> Score | None:
        """Judge every machine whose window closed, in one call."""
        closed = self.windows.close(now)
        if closed is None or not self._learned:
            return None
        grove = self._grown()
        at = np.full(len(self.channels) + 1, -1)  # the last is for members that are none
        at[closed.slots] = np.arange(len(closed.slots))
        place, none = at[self._members], self._members < 0
        enough = (place >= 0) & (closed.count[place] >= COMPLETE * self.usual[self._members])
        full = np.flatnonzero((enough | none).all(axis=1))
        if not len(full):
            return None
        rows = (closed.features[place[full]].reshape(len(full), -1) - self._centre[full]) / self._spread[full]
        rows.reshape(len(full), -1, len(NAMES))[none[full]] = 0.0
        assets = self._order[full]
        beyond = (np.maximum(np.abs(rows) - 2, 0) ** 2).reshape(len(full), -1, len(NAMES)).sum(axis=2)
        self.beyond.update(zip(assets.tolist(), beyond, strict=True))
        return self._judge(assets, grove.score(full, rows), self._limits[full], closed.end)

    def _grown(self) -> Grove:
        if self._grove is None:
            self._order = np.array(sorted(self._learned), np.int64)
            width = max(len(slots) for slots in self._slots.values())
            self._members = np.full((len(self._order), width), -1)
            self._centre, self._spread = np.zeros((len(self._order), width * len(NAMES))), np.ones((len(self._order), width * len(NAMES)))
            for i, asset in enumerate(self._order.tolist()):
                learned, slots = self._learned[asset], self._slots[asset]
                self._members[i, : len(slots)] = slots
                self._centre[i, : len(slots) * len(NAMES)] = learned["centre"]
                self._spread[i, : len(slots) * len(NAMES)] = learned["spread"]
            self._grove = Grove([_trees(self._learned[int(asset)]) for asset in self._order])
            self._limits = np.array([float(self._learned[int(asset)]["limit"][0]) for asset in self._order])
        return self._grove

    def _judge(self, assets: Ints, value: Floats, limit: Floats, end: int) -> Score:
        odd = value >= limit
        window_start = end - self.windows.window_ms
        self.onset[assets[odd & (self.odd[assets] == 0)]] = window_start
        self.odd[assets] = np.where(odd, self.odd[assets] + 1, 0)
        self.alarm[assets] = self.odd[assets] >= IN_A_ROW
        active = self.alarm[assets]
        n = len(assets)
        shown = np.where(active, value, np.minimum(value, limit * 0.999))
        return Score(
            assets,
            shown,
            limit,
            active,
            np.zeros(n, np.int64),
            np.full(n, -1),
            np.full(n, end),
            self.onset[assets],
            np.full(n, np.nan),
            np.full(n, ADVISORY),
        )

    def judges(self, row: int) -> bool:
        """This asset has a forest."""
        return row in self._slots

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """Shares of the tags in the sum of max(|z| - 2, 0)^2 over their features."""
        slots = self._slots.get(row, np.empty(0, np.int64))
        return self.shares(slots, self.beyond.get(row, np.zeros(len(slots)))[: len(slots)])  # padded for the widest machine


def _trees(learned: Learned) -> Trees:
    columns = {name: learned[name] for name in FIELDS}
    return Trees(**columns, normal=float(learned["normal"][0]), depth=int(learned["depth"][0]))
