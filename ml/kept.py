"""A kept model, from its bytes to what an engine may be given; whether it should be in force is the keeper's to say.

The signature says that nobody changed the bytes. That they are those of this asset and version, and still of a form that the
detectors of this release take, is asked here.
"""

from __future__ import annotations

from dataclasses import replace

from ml.artefacts import Damaged, unseal_model
from ml.engine import AssetModel, Engine
from ml.features import FEATURE_SET
from ml.store import OWN_VERSION
from ml.training import LEARNER
from realtime.settings import Settings
from realtime.snapshot import Snapshot

ON_FEATURES = frozenset({"forest"})


def only_asset(snapshot: Snapshot, asset_id: int) -> Snapshot:
    """The plant as one asset sees it; its sources are there because they say what a status word means."""
    return Snapshot(
        version=snapshot.version,
        sources=snapshot.sources,
        tags=[tag for tag in snapshot.tags if tag.asset == asset_id],
        assets=[asset for asset in snapshot.assets if asset.id == asset_id],
        active_models=[model for model in snapshot.active_models if model.asset == asset_id],
    )


def opened(raw: bytes, key: bytes, snapshot: Snapshot, about: tuple[int, int], settings: Settings) -> AssetModel:
    """The model about (asset, version) from its bytes, without what rests on features that have changed since; raises Damaged."""
    model = unseal_model(raw, key)
    if (model.asset, model.version or OWN_VERSION) != about:
        raise Damaged(f"it is version {model.version or OWN_VERSION} of asset {model.asset}")
    if model.learner == LEARNER:
        return model
    kept = _usable(model)
    _try(kept, only_asset(snapshot, model.asset), settings)
    return kept


def _usable(model: AssetModel) -> AssetModel:
    if model.learner.partition(",")[0] == FEATURE_SET:
        return model
    return replace(model, learned={name: learned for name, learned in model.learned.items() if name not in ON_FEATURES})


def _try(model: AssetModel, own: Snapshot, settings: Settings) -> None:
    """Load it where nothing is judged: another release may have kept other arrays under the same names."""
    if not own.tags:
        return
    try:
        Engine(own, own.tags[0].shard, settings).load(model)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise Damaged(f"made with {model.learner or 'an unknown release'}, which this release cannot read: {error}") from error
