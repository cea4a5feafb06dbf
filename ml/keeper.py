"""The thread that gets models for the monitor: activated versions from the table, else its own from the baselines.

It learns beside the main loop, so that a fit never delays a finding or a lease.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

import psycopg2

from ml.artefacts import Damaged, signing_key, unseal_model
from ml.engine import AssetModel
from ml.kept import opened
from ml.store import OWN_VERSION, load_model
from ml.training import LEARNER, TooLittle, basis_of, fingerprint, learnable, train
from realtime.bus import now_ms
from realtime.events import Signal, SignalName
from realtime.settings import Settings
from realtime.snapshot import Snapshot
from realtime.supervise import backoff

log = logging.getLogger("ml.keeper")

RETRY_S = 20.0  # for an asset that has too little history yet
RELEARN_FIRST_S, RELEARN_CAP_S = 60.0, 3600.0  # a provisional model grows with its history


@dataclass(slots=True)
class Wish:
    """What an asset's model should be made of, and when to look again."""

    made_of: str
    due: float = 0.0
    pause_s: float = RELEARN_FIRST_S


@dataclass(frozen=True, slots=True)
class RulesOnly:
    """The asset's model is damaged: what was learned of it is no longer in force."""

    asset: int


def _word(asset: int, version: int, state: str, **more: str) -> Signal:
    return Signal(SignalName.MODEL_STATE, now_ms(), {"asset": asset, "version": version, "state": state, **more})


class Keeper(threading.Thread):
    """`want` says which assets are ours under which snapshot; `take` hands over what became ready."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        super().__init__(name="ml-keeper", daemon=True)
        self.settings = settings
        self.stop = stop
        self.key = signing_key(settings)
        self.learning = 0  # assets still without a model
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._snapshot: Snapshot | None = None
        self._shards: frozenset[int] = frozenset()
        self._wishes: dict[int, Wish] = {}
        self._ready: list[AssetModel | RulesOnly] = []
        self._words: list[Signal] = []
        self._whole: dict[int, int] = {}  # asset -> version that was told to be whole

    def want(self, snapshot: Snapshot, shards: frozenset[int], fresh_shards: frozenset[int]) -> None:
        """The snapshot in force and the shards held; models of `fresh_shards` are fetched even where they were before."""
        with self._lock:
            self._snapshot, self._shards = snapshot, shards
            for tag in snapshot.tags:
                if tag.shard in fresh_shards:
                    self._wishes.pop(tag.asset, None)
        self._woken.set()

    def take(self) -> list[AssetModel | RulesOnly]:
        """Models that became ready, and assets left without one, since the last call."""
        with self._lock:
            ready, self._ready = self._ready, []
        return ready

    def words(self) -> list[Signal]:
        """What is to be told of models since the last call."""
        with self._lock:
            words, self._words = self._words, []
        return words

    def run(self) -> None:
        """Serve wishes until stopped; the database may come and go."""
        waits = backoff()
        while not self.stop.is_set():
            try:
                self._serve_all()
                waits = backoff()
                self._woken.wait(1.0)
                self._woken.clear()
            except psycopg2.Error as error:
                log.warning("models: %s; retrying", str(error).strip())
                self.stop.wait(next(waits))

    def _serve_all(self) -> None:
        snapshot, due = self._due()
        if snapshot is None or not due:
            return
        conn = psycopg2.connect(str(self.settings.database_url))
        try:
            for asset_id, made_of in due:
                if self.stop.is_set():
                    return
                self._serve(conn, snapshot, asset_id, made_of)
                conn.commit()
        finally:
            conn.close()

    def _due(self) -> tuple[Snapshot | None, list[tuple[int, str]]]:
        with self._lock:
            snapshot, shards = self._snapshot, self._shards
        if snapshot is None:
            return None, []
        versions = {active.asset: active.version for active in snapshot.active_models}
        shard_of = {tag.asset: tag.shard for tag in snapshot.tags}
        due = []
        for asset in snapshot.assets:
            tags = learnable(snapshot, asset.id)
            if not tags or shard_of[asset.id] not in shards:
                continue
            made_of = f"{versions.get(asset.id, OWN_VERSION)}:{fingerprint(asset, tags, self.settings)}"
            wish = self._wishes.get(asset.id)
            if wish is None or wish.made_of != made_of or time.monotonic() >= wish.due:
                due.append((asset.id, made_of))
        self.learning = len(due)
        return snapshot, due

    def _serve(self, conn: psycopg2.extensions.connection, snapshot: Snapshot, asset_id: int, made_of: str) -> None:
        wish = self._wishes.get(asset_id)
        if wish is None or wish.made_of != made_of:
            wish = Wish(made_of)
        wish.due = time.monotonic() + RETRY_S
        with self._lock:
            self._wishes[asset_id] = wish
        version = int(made_of.partition(":")[0])
        try:
            model = self._stored(conn, snapshot, (asset_id, version), made_of.partition(":")[2]) if version else None
            if model is None:
                model = self._own(conn, snapshot, asset_id, made_of.partition(":")[2], wish)
        except Damaged as error:
            self._damaged(asset_id, version, str(error))
            wish.due = float("inf")
            return
        except TooLittle as error:
            log.debug("asset %d: %s", asset_id, error)
            return
        except (ArithmeticError, ValueError) as error:
            # what numpy and scikit-learn make of a history with a 1e200 in it; the other assets wait for this thread too
            log.error("asset %d cannot be learned (%s): look for impossible readings in its baseline", asset_id, error)  # noqa: TRY400 - no trace helps
            wish.due = time.monotonic() + RELEARN_CAP_S
            return
        with self._lock:
            self._ready.append(model)
            if self._whole.get(asset_id) != version:
                self._words.append(_word(asset_id, version, "whole"))
            self._whole[asset_id] = version
        self.learning = max(self.learning - 1, 0)

    def _damaged(self, asset_id: int, version: int, why: str) -> None:
        log.error("model %d of asset %d is damaged (%s): rules only; activate another version or train anew", version, asset_id, why)
        with self._lock:
            self._ready.append(RulesOnly(asset_id))
            self._whole.pop(asset_id, None)
            self._words.append(_word(asset_id, version, "damaged", detail=why))

    def _stored(self, conn: psycopg2.extensions.connection, snapshot: Snapshot, about: tuple[int, int], made_of: str) -> AssetModel:
        """An activated version, whatever it was made of; raises Damaged. One of another basis is told, to be trained anew."""
        asset_id, version = about
        raw = load_model(conn, asset_id, version)
        if raw is None:
            raise Damaged("it is not in the database")
        model = opened(raw, self.key, snapshot, about, self.settings)
        self._wishes[asset_id].due = float("inf")
        if model.baseline_hash != made_of:
            why = (
                f"made with {model.learner}; now it is {LEARNER}" if model.learner != LEARNER else "its baselines, tags or settings changed"
            )
            with self._lock:
                self._words.append(_word(asset_id, version, "outdated", detail=why, basis=made_of))
        return model

    def _own(self, conn: psycopg2.extensions.connection, snapshot: Snapshot, asset_id: int, made_of: str, wish: Wish) -> AssetModel:
        """The monitor's own model: kept from before where its basis is the same, else learned now."""
        basis = basis_of(snapshot.asset_by_id()[asset_id], now_ms())
        raw = None if basis.provisional else load_model(conn, asset_id, OWN_VERSION)
        if raw is not None:
            try:
                model = opened(raw, self.key, snapshot, (asset_id, OWN_VERSION), self.settings)
            except Damaged as error:
                log.warning("own model of asset %d is damaged (%s): learning it anew", asset_id, error)
            else:
                if model.baseline_hash == made_of:
                    wish.due = float("inf")
                    return model
        started = time.monotonic()
        train(conn, snapshot, asset_id, OWN_VERSION, self.settings)
        fresh = load_model(conn, asset_id, OWN_VERSION)
        assert fresh is not None
        model = unseal_model(fresh, self.key)
        kind = "provisional" if model.provisional else "confirmed"
        log.info("learned asset %d on a %s baseline in %.1f s", asset_id, kind, time.monotonic() - started)
        # a confirmed baseline is learned once; a provisional one again as its history grows
        wish.due = time.monotonic() + wish.pause_s if model.provisional else float("inf")
        wish.pause_s = min(wish.pause_s * 2, RELEARN_CAP_S)
        return model
