"""The files of a model directory, and what can be said of the weights before they are read."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from torch import Tensor

from scrub.errors import UserError

LAYER_IN_NAME = re.compile(r"(?:^|\.)(?:h|layers|blocks)\.(\d+)\.")
READABLE = ("F64", "F32", "F16", "BF16")
"""Formats of numbers in which weights may lie, as safetensors calls them."""
BUFFERS = re.compile(
    r"\.(attn|attention)\.(bias|masked_bias|mask|IGNORE)$|rotary_emb\.inv_freq$|\.rotary_(sin|cos)$"
)
"""What files hold besides weights: masks and tables that follow from the configuration."""
NAMED = 3
"""How many tensors a message names."""


@frozen
class Header:
    """What a weights file says of a tensor before it is read.

    Attributes:
        dtype: as safetensors calls it: "F32", "I8", …
    """

    shape: tuple[int, ...]
    dtype: str


def read_config(directory: Path) -> dict[str, Any]:
    """The settings in a directory's config.json.

    Raises:
        UserError: it is missing, cannot be read, or holds something else.
    """
    path = directory / "config.json"
    copy = "Copy the model's own config.json."
    try:
        text = path.read_bytes().decode("utf-8")
        config = json.loads(text)
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing. A model directory holds config.json, model.safetensors and "
            "tokenizer.json."
        ) from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder, where a file is expected. {copy}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8. {copy}") from error
    except RecursionError as error:
        raise UserError(f"{path} is nested too deep for a table of settings. {copy}") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}. {copy}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} holds no table of settings. {copy}")
    return config


def weight_files(directory: Path) -> list[Path]:
    """The weights files of a directory in order of name."""
    return sorted(directory.glob("*.safetensors"))


def headers(directory: Path) -> dict[str, Header]:
    """What the weights files of a directory hold, by tensor; {} where there are none.

    Raises:
        UserError: a file is cut short, or cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    found: dict[str, Header] = {}
    for path in weight_files(directory):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118  # no mapping
                    tensor = file.get_slice(name)
                    found[name] = Header(tuple(tensor.get_shape()), tensor.get_dtype())
        except OSError as error:
            raise UserError(f"{path} cannot be read: {_why_not(path, error)}.") from error
        except SafetensorError as error:
            raise UserError(
                f"{path} is not a complete safetensors file ({str(error).rstrip('.')}). "
                "Copy or download it again."
            ) from error
    return found


def _why_not(path: Path, error: OSError) -> str:
    """Why a weights file could not be opened; safetensors does not always say."""
    if path.is_dir():
        return "it is a folder"
    if not path.exists():
        return "it leads nowhere"
    return error.strerror or str(error) if os.access(path, os.R_OK) else "permission denied"


def require_weights(directory: Path) -> None:
    """Refuse a directory without weights, and one that holds nothing but pickles.

    Raises:
        UserError: there is no safetensors file.
    """
    if weight_files(directory):
        return
    pickles = [p.name for ending in ("*.bin", "*.pt", "*.pth") for p in directory.glob(ending)]
    if not pickles:
        raise UserError(f"{directory} holds no weights: model.safetensors is missing.")
    raise UserError(
        f"{directory} holds its weights in {min(pickles)}, a pickle, which could run any code when "
        "it is read. Write them as model.safetensors, by save_pretrained of transformers or "
        "save_file of safetensors."
    )


def check_layers(directory: Path, found: Mapping[str, Header], layers: object) -> None:
    """Refuse weights of another depth than the configuration says.

    Loaders fill up what is missing with random numbers.
    """
    numbers = {int(n) for name in found for n in re.findall(LAYER_IN_NAME, name)}
    if numbers and (len(numbers), max(numbers) + 1) != (layers, layers):
        raise UserError(
            f"{directory} holds the weights of {len(numbers)} layers, and its config.json says "
            f"{layers}. Copy both from the same model."
        )


def check_embeddings(
    directory: Path, found: Mapping[str, Header], sizes: Mapping[str, tuple[int, int]]
) -> None:
    """Refuse embeddings of another size than the configuration says.

    Args:
        sizes: by the last part of their names but one.
    """
    for name, header in found.items():
        size = sizes.get(name.split(".")[-2]) if name.endswith(".weight") else None
        if size is not None and header.shape != size:
            raise UserError(
                f"{name} in {directory} is {list(header.shape)}, where config.json says "
                f"{list(size)}. Copy both from the same model."
            )


def check_dtypes(directory: Path, found: Mapping[str, Header]) -> None:
    """Refuse weights that are no floating-point numbers: quantised ones."""
    wrong = {n: h.dtype for n, h in found.items() if h.dtype not in READABLE}
    wrong = {n: dtype for n, dtype in wrong.items() if not BUFFERS.search(n)}
    if wrong:
        raise UserError(
            f"The weights in {directory} are quantised: "
            f"{and_others([f'{name} is {dtype}' for name, dtype in wrong.items()])}. scrub reads "
            f"{', '.join(READABLE)}; save the model in one of them."
        )


def check_finite(whose: str, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Refuse weights with numbers that are NaN or infinite.

    Args:
        whose: what the message calls the model's weights: "The weights in DIR".
        tensors: as they are computed with, by name.

    Raises:
        UserError: with the tensors, and how many of their numbers are not finite.
    """
    sizes = [(name, tensor.numel(), int(tensor.isfinite().sum())) for name, tensor in tensors]
    wrong = [f"{n - finite:,} of {n:,} in {name}" for name, n, finite in sizes if finite < n]
    if wrong:
        raise UserError(
            f"{whose} hold numbers that are NaN or infinite: {and_others(wrong)}. "
            "Training diverged, or the file was damaged, or its numbers are too large for the "
            "precision that they are read in."
        )


def and_others(names: Sequence[str], most: int = NAMED, between: str = ", ") -> str:
    """Some things, and how many others there are."""
    more = len(names) - most
    return between.join(names[:most]) + (
        f" and {more:,} other{'s' * (more > 1)}" if more > 0 else ""
    )


def sha256(directory: Path) -> str:
    """Of the weights files, put together in order of name."""
    digest = hashlib.sha256()
    for path in weight_files(directory):
        with path.open("rb") as file:
            while block := file.read(2**24):
                digest.update(block)
    return digest.hexdigest()
