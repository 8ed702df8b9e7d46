"""Checks of weights that need not be made again, remembered in the user's cache directory.

A check says that scrub reads some files as TransformerLens does. It holds for the same files, the
same code and libraries, precision and kind of device; all of these are in its key. What cannot be
read or written there is as if it had never been.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGE = Path(__file__).parent
"""All that reads weights and makes graphs of them."""
LIBRARIES = ("torch", "transformers", "transformer_lens")
SHIPPED = PACKAGE / "embedded" / "checked.json"
"""The files of the embedded models, as scrub's tests check them in every precision on a CPU."""
TESTED = (torch.float32, torch.float64, torch.bfloat16)
"""Precisions of those checks."""


def files_hash(directory: Path, weights_sha256: str, more: Iterable[str] = ()) -> str:
    """Hash of what determines a model: its weights, configuration, and which file has which.

    Args:
        more: names of further files that do: those of a processor.
    """
    names = ("config.json", "model.safetensors.index.json", *more)
    paths = [directory / name for name in names]
    return _digest([weights_sha256.encode(), *(p.read_bytes() for p in paths if p.is_file())])


def key_of(files: str, dtype: torch.dtype, device: str) -> str:
    """Hash of all that a check holds for.

    Args:
        files: hash of the model's.
    """
    versions = [f"{name} {version(name)}" for name in LIBRARIES]
    said = [files, str(dtype), torch.device(device).type, *versions]
    sources = [path.read_bytes() for path in sorted(PACKAGE.rglob("*.py"))]
    return _digest([*(part.encode() for part in said), *sources])


def is_shipped(files: str, dtype: torch.dtype, device: str) -> bool:
    """Whether these are the files of an embedded model, which scrub's own tests check."""
    there = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return files in there.values() and dtype in TESTED and torch.device(device).type == "cpu"


def is_remembered(key: str) -> bool:
    """Whether a check was made before. An entry that is not as it was written is none."""
    path = _entry(key)
    try:
        return path is not None and path.read_bytes() == _text(key)
    except OSError:
        return False


def remember(key: str) -> None:
    """Keep that a check was made; without a place to keep it in, do nothing."""
    path = _entry(key)
    if path is None:
        return
    beside = path.with_name(f".{key}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(_text(key))
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def _entry(key: str) -> Path | None:
    """The file of a check; None where there is no cache directory.

    As the XDG specification has it, a relative `XDG_CACHE_HOME` counts as none.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = given if os.path.isabs(given) else os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base, "scrub", "checked", key) if os.path.isabs(base) else None


def _text(key: str) -> bytes:
    return f"checked {key}\n".encode()


def _digest(parts: Iterable[bytes]) -> str:
    """Hash of some byte strings, each of which ends where it ends."""
    found = hashlib.sha256()
    for part in parts:
        found.update(hashlib.sha256(part).digest())
    return found.hexdigest()
