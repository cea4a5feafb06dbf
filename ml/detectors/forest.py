"""Forest: a joint Isolation Forest per machine on the ten window features of all its tags, judged once a closed window."""

from __future__ import annotations

import numpy as np

from ml.arrays import Keyed
from ml.channels import Channels
from ml.detectors.forest_fit import COMPLETE, learn_forest
from ml.features import NAMES
from ml.scoring import Chunk, Floats, History, Ints, Learned, Score
from ml.trees import FIELDS, Grove, Trees
from ml.windows import Closed, Windows
from realtime.events import AlertType, Because
from realtime.settings import Settings

IN_A_ROW = 2  # odd windows before a finding
ADVISORY = 0


class Forest(Keyed):
    """Good at: combinations that no single rule sees. Bad at: saying why (shares are of squared standardised features), and at
    levels a little beyond the baseline. Advisory only.

    The limit comes from left-out baseline windows, never from contamination. Warm-up: two whole windows. Cost: the readings
    are kept, about 0.1 us each; one call for all machines of a shard at the window's end. Source: Liu, Ting, Zhou 2008.
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
        self.odd, self.onset = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        self.alarm = np.zeros(groups, bool)
        self.shares: dict[int, Floats] = {}
        self._slots: dict[int, Ints] = {}  # asset row -> slots of its joint tags, in the forest's order
        self._learned: dict[int, Learned] = {}
        self._grove: Grove | None = None  # grown when a window closes after a load
        self._order = np.empty(0, np.int64)

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
        at = np.full(len(self.channels), -1)
        at[closed.slots] = np.arange(len(closed.slots))
        full = [k for k, asset in enumerate(self._order) if self._is_full(closed, at[self._slots[int(asset)]])]
        if not full:
            return None
        assets = self._order[full]
        rows = np.zeros((len(full), max(len(self._slots[int(a)]) for a in assets) * len(NAMES)))
        for i, asset in enumerate(assets.tolist()):
            learned = self._learned[asset]
            z = (closed.features[at[self._slots[asset]]].ravel() - learned["centre"]) / learned["spread"]
            rows[i, : len(z)] = z
            self.shares[asset] = (np.maximum(np.abs(z) - 2, 0) ** 2).reshape(-1, len(NAMES)).sum(axis=1)
        return self._judge(assets, grove.score(np.array(full), rows), closed.end)

    def _grown(self) -> Grove:
        if self._grove is None:
            self._order = np.array(sorted(self._learned), np.int64)
            self._grove = Grove([_trees(self._learned[int(asset)]) for asset in self._order])
        return self._grove

    def _is_full(self, closed: Closed, at: Ints) -> bool:
        present = at[at >= 0]
        return len(present) == len(at) and bool((closed.count[present] >= COMPLETE * self.usual[closed.slots[present]]).all())

    def _judge(self, assets: Ints, value: Floats, end: int) -> Score:
        limit = np.array([float(self._learned[int(asset)]["limit"][0]) for asset in assets])
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

    def row_keys(self) -> list[str]:
        """One row an asset."""
        return self.channels.asset_keys()

    def is_active(self, row: int) -> bool:
        """The alarm of this asset stands, and there is still a forest to end it."""
        return bool(self.alarm[row])

    def asset_row(self, row: int) -> int:
        """Rows are assets."""
        return row

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """Shares of the tags in the sum of max(|z| - 2, 0)^2 over their features."""
        slots = self._slots.get(row, np.empty(0, np.int64))
        shares = self.shares.get(row, np.zeros(len(slots)))
        total = float(shares.sum())
        weights = shares / total if total > 0 else np.full(len(slots), 1 / max(len(slots), 1))
        pairs = sorted(zip(slots.tolist(), weights.tolist(), strict=True), key=lambda pair: -pair[1])
        return tuple(Because(self.channels.tags[s].name, round(share, 4)) for s, share in pairs if share >= 0.01)


def _trees(learned: Learned) -> Trees:
    columns = {name: learned[name] for name in FIELDS}
    return Trees(**columns, normal=float(learned["normal"][0]), depth=int(learned["depth"][0]))
