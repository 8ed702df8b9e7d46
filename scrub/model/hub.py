"""Models on the Hugging Face hub: where their files lie, and what the hub calls them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path

from scrub.errors import UserError, in_words, shortened


def from_hub(name: str, embedded: Iterable[str]) -> Path:
    """The directory of a model on the hub: downloaded, or a copy where the hub does not answer.

    Args:
        embedded: names of the models that come with scrub, for the message.

    Raises:
        UserError: the hub did not give it; says why.
    """
    import huggingface_hub

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model", "roles.toml"]
    official = official_name(name)
    try:
        found = huggingface_hub.snapshot_download(
            official, allow_patterns=wanted, local_files_only=not _answers(official)
        )
        return Path(found)
    except Exception as error:  # whatever the hub's client raises: no network, no such name
        reason = REASONS.get(type(error).__name__)
        if reason is None and isinstance(error, OSError):
            reason = REASONS["LocalEntryNotFoundError"]
        raise UserError(
            f'There is no model "{shortened(" ".join(name.split()))}": it is not embedded '
            f"({', '.join(embedded)}), not a directory, and the Hugging Face hub did not "
            f"give it: {reason or shortened(in_words(error))}."
        ) from error


def _answers(official: str) -> bool:
    """Whether the hub answers. A download would wait without end for one that does not.

    Raises:
        Exception: of the hub's client, if the hub answers that it does not have this model.
    """
    import huggingface_hub

    try:
        huggingface_hub.HfApi().model_info(official, timeout=PATIENCE)
    except Exception as error:  # whatever the hub's client raises
        if type(error).__name__ in REASONS:
            raise
        return False
    return True


PATIENCE = 10.0
"""Seconds to wait for the hub's first answer."""
REASONS = {
    "GatedRepoError": "access to it is restricted",
    "HFValidationError": "no model there can be called so",
    "LocalEntryNotFoundError": "it was not reached, and there is no copy of it here",
    "RepositoryNotFoundError": "it has no such model",
}
"""What the hub's errors mean, by their names."""


def official_name(name: str) -> str:
    """Hugging Face's name of a model that TransformerLens has a short name for; or the same name.

    Read from the file in which TransformerLens keeps them: importing it takes seconds.
    """
    package = importlib.util.find_spec("transformer_lens")
    for place in (package.submodule_search_locations or ()) if package else ():
        path = Path(place, "tools", "model_registry", "data", "model_aliases.json")
        if path.is_file():
            for official, short in json.loads(path.read_text(encoding="utf-8"))["aliases"].items():
                if name in short:
                    return official
    return name
