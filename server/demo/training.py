"""The demo's machines get a trained model version at the first start: real training on the seeded baseline, asked for once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.demo.seed import DEMO, demo_site
from server.models.ml import Baseline
from server.models.plant import Asset, AssetClass
from server.store import training

INSTRUMENTS = "transmitter"  # the class whose assets are single instruments, not machines


def ask_training(session: Session, now: datetime) -> int:
    """Ask for every machine with a confirmed baseline that nobody has asked for yet; returns for how many."""
    site = demo_site(session)
    if site is None:
        return 0
    confirmed = select(Baseline.asset_id).where(Baseline.confirmed)
    machines = select(Asset).join(AssetClass, AssetClass.id == Asset.class_id).where(Asset.site_id == site.id, Asset.deleted_at.is_(None))
    chosen = machines.where(AssetClass.name != INSTRUMENTS, Asset.id.in_(confirmed)).order_by(Asset.id)
    new = [asset for asset in session.scalars(chosen) if training.newest_job(session, asset.id) is None]
    for asset in new:
        training.ask(session, asset, DEMO, now)
    return len(new)
