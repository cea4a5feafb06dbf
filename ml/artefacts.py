"""Arrays and their description as signed bytes: JSON + npz under one HMAC, checked before anything is parsed. No pickle.

Where the bytes are kept is `ml.store`'s business.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import secrets
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from ml.arrays import State
from ml.engine import AssetModel, EngineState
from realtime.errors import SettingsError, SightlineError
from realtime.settings import Settings

MAC_BYTES = KEY_BYTES = 32
KEY_FILE = "ml.key"
FORMAT = 1


class Damaged(SightlineError):
    """The bytes are not what was signed here; they are not read any further."""


def signing_key(settings: Settings) -> bytes:
    """32 bytes: from JWT_SECRET where it is set (so that every machine has the same), else from a 0600 file made at first use.

    Raises SettingsError where that file is not whole: with an empty key anybody could sign.
    """
    if settings.jwt_secret:
        return hashlib.sha256(b"sightline ml artefacts " + settings.jwt_secret.encode()).digest()
    path = settings.data_dir / KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _write_once(path, secrets.token_bytes(KEY_BYTES))
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        why = f"has {len(key)} bytes, not {KEY_BYTES}: restore it, or delete it and activated models must be trained anew"
        raise SettingsError(str(path), why)
    return key


def _write_once(path: Path, key: bytes) -> None:
    """Two programs may start together: the first one's key counts, and it is whole when it appears."""
    draft = path.with_name(f"{KEY_FILE}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def seal(meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]], key: bytes) -> bytes:
    """MAC, length of the JSON (4 bytes), JSON, npz."""
    header = orjson.dumps({"format": FORMAT, **meta}, option=orjson.OPT_NON_STR_KEYS)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name.replace(".", "/"): array for name, array in arrays.items()})
    body = len(header).to_bytes(4, "big") + header + buffer.getvalue()
    return hmac.digest(key, body, "sha256") + body


def unseal(raw: bytes, key: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The inverse; raises Damaged before parsing anything when the MAC does not fit."""
    mac, body = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if not hmac.compare_digest(mac, hmac.digest(key, body, "sha256")):
        raise Damaged("signature does not fit: changed, cut short, or signed with another key")
    try:
        size = int.from_bytes(body[:4], "big")
        meta = orjson.loads(body[4 : 4 + size])
        with np.load(io.BytesIO(body[4 + size :]), allow_pickle=False) as file:
            arrays = {name.replace("/", "."): file[name] for name in file.files}
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise Damaged(f"unreadable: {error}") from error
    if meta.get("format") != FORMAT:
        raise Damaged(f"format {meta.get('format')} is not {FORMAT}")
    return meta, arrays


def seal_model(model: AssetModel, meta: dict[str, Any], key: bytes) -> bytes:
    """A learned model; meta is what a person may want to know of it."""
    arrays = {f"{detector}.{name}": array for detector, learned in model.learned.items() for name, array in learned.items()}
    head = {
        "asset": model.asset,
        "tag_ids": list(model.tag_ids),
        "version": model.version,
        "provisional": model.provisional,
        "baseline_hash": model.baseline_hash,
        "learner": model.learner,
        "meta": meta,
    }
    return seal(head, arrays, key)


def unseal_model(raw: bytes, key: bytes) -> AssetModel:
    """The inverse; raises Damaged."""
    head, arrays = unseal(raw, key)
    learned: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for path, array in arrays.items():
        detector, _, name = path.partition(".")
        learned.setdefault(detector, {})[name] = array
    try:
        return AssetModel(
            asset=int(head["asset"]),
            tag_ids=tuple(int(i) for i in head["tag_ids"]),
            learned=learned,
            version=None if head["version"] is None else int(head["version"]),
            provisional=bool(head["provisional"]),
            baseline_hash=str(head["baseline_hash"]),
            learner=str(head.get("learner") or head["meta"].get("feature_set", "")),
        )
    except (KeyError, TypeError) as error:
        raise Damaged(f"model header unreadable: {error}") from error


def seal_state(state: EngineState, key: bytes) -> bytes:
    """A shard's detector state."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    parts: dict[str, Any] = {}
    for part, one in state.parts.items():
        parts[part] = {"keys": list(one.keys), "group_keys": list(one.group_keys)}
        arrays.update({f"{part}.t.{name}": array for name, array in one.arrays.items()})
        arrays.update({f"{part}.g.{name}": array for name, array in one.group_arrays.items()})
    return seal({"parts": parts, "book": state.book}, arrays, key)


def unseal_state(raw: bytes, key: bytes) -> EngineState:
    """The inverse; raises Damaged."""
    head, arrays = unseal(raw, key)
    found: dict[str, State] = {part: State(tuple(keys["keys"]), {}, tuple(keys["group_keys"]), {}) for part, keys in head["parts"].items()}
    for path, array in arrays.items():
        part, kind, name = path.split(".", 2)
        (found[part].arrays if kind == "t" else found[part].group_arrays)[name] = array
    return EngineState(found, dict(head["book"]))
