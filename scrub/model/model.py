"""Models by name: what is known before the weights are read, and with them.

`describe` reads configuration, tokenizer and roles: enough to build and check a correspondence.
`load` adds the weights, and checks the graph against the model they came from.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from attrs import evolve, field, frozen

from scrub.data import Tokenizer
from scrub.errors import UserError, did_you_mean, in_words
from scrub.model.graph import Graph
from scrub.model.tokenizer import load_tokenizer
from scrub.sites import Head

LAYER_IN_NAME = re.compile(r"(?:^|\.)(?:h|layers|blocks)\.(\d+)\.")
EMBEDDED = Path(__file__).parent / "embedded"
PUBLISHED_ROLES = Path(__file__).parent / "roles"


@frozen(eq=False)
class Model:
    """A model: its graph, its tokenizer, and the heads that claims call by their role.

    Attributes:
        name: as the user gave it.
        graph: sites without weights until the model is loaded.
        layers: number of layers; 0 for a graph that is no transformer.
        heads: attention heads per layer.
        roles: heads (layer, head) by role. A role says where a claim looks, not that it is there.
        tokenizer: None for a graph that reads no text.
        directory: where the weights lie; None for a graph.
        sha256: of the weights; "" until they are loaded.
    """

    name: str
    graph: Graph
    layers: int = 0
    heads: int = 0
    roles: Mapping[str, tuple[Head, ...]] = field(factory=dict)
    tokenizer: Tokenizer | None = None
    directory: Path | None = None
    sha256: str = ""

    def role(self, name: str) -> tuple[Head, ...]:
        """The heads (layer, head) that play a role in this model.

        Raises:
            UserError: the model has no such role; names those it has.
        """
        if name not in self.roles:
            raise UserError(
                f'Model "{self.name}" has no role "{name}". {did_you_mean(name, self.roles)} '
                "Roles are written in roles.toml beside a model's weights."
            )
        return self.roles[name]

    def all_heads(self) -> tuple[Head, ...]:
        """Every head of the model, as (layer, head)."""
        return tuple((layer, head) for layer in range(self.layers) for head in range(self.heads))


def embedded_names() -> list[str]:
    """Names of the models that come with scrub."""
    return sorted(path.parent.name for path in EMBEDDED.glob("*/config.json"))


def describe(name: str | Path | Graph) -> Model:
    """What is known of a model without its weights.

    Raises:
        UserError: there is no such model, or its files cannot be read.
    """
    if isinstance(name, Graph):
        return Model("graph", name)
    directory = _directory(str(name))
    config = _config(directory)
    from scrub.model.lens import is_lens, lens_shape
    from scrub.model.shape import shape_of
    from scrub.model.skeleton import skeleton

    try:
        shape = lens_shape(config) if is_lens(config) else shape_of(config)
        graph = skeleton(shape)
    except UserError as error:
        raise UserError(f'Model "{name}" cannot be used. {error}') from error
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{directory / 'config.json'} is incomplete or wrong: {in_words(error)}. "
            "Copy the model's own config.json."
        ) from error
    has_tokenizer = (directory / "tokenizer.json").is_file()
    return Model(
        str(name),
        graph,
        layers=shape.layers,
        heads=shape.heads,
        roles=_roles(directory, _official(str(name))),
        tokenizer=load_tokenizer(directory) if has_tokenizer else None,
        directory=directory,
    )


def load(model: Model, *, dtype: torch.dtype, device: str) -> Model:
    """The same model with its weights, on a device. A graph stays as it is.

    Raises:
        UserError: the weights cannot be read, or the graph disagrees with the model.
    """
    if model.directory is None:
        return model
    _check_weights(model.directory, model.layers)
    config = _config(model.directory)
    from scrub.model.lens import is_lens, lens_graph

    if is_lens(config):
        graph = lens_graph(model.directory, config, dtype=dtype, device=device)
    else:
        from scrub.model.bridge import boot, graph_of

        graph = graph_of(boot(str(model.directory), dtype=dtype, device=device))
    return evolve(model, graph=graph, sha256=_sha256(model.directory))


def _check_weights(directory: Path, layers: int) -> None:
    """Refuse weights that are cut short or of another depth, before the slow import.

    Loaders fill up what is missing with random numbers.
    """
    from safetensors import SafetensorError, safe_open

    found: set[int] = set()
    if not [*directory.glob("*.safetensors"), *directory.glob("*.bin")]:
        raise UserError(f"{directory} holds no weights: model.safetensors is missing.")
    for path in sorted(directory.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                names = list(file.keys())
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"{path} is not a complete safetensors file ({str(error).rstrip('.')}). "
                "Copy or download it again."
            ) from error
        found |= {int(n) for name in names for n in re.findall(LAYER_IN_NAME, name)}
    if found and found != set(range(layers)):
        raise UserError(
            f"{directory} holds the weights of {len(found)} layers, and its config.json says "
            f"{layers}. Copy both from the same model."
        )


def _directory(name: str) -> Path:
    if name in embedded_names():
        return EMBEDDED / name
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    meant = difflib.get_close_matches(name, embedded_names(), n=1)
    if meant or name.startswith((".", "/", "~")):
        raise UserError(f'There is no model "{name}". {did_you_mean(name, embedded_names())}')
    return _from_hub(name)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model", "roles.toml"]
    try:
        return Path(snapshot_download(_official(name), allow_patterns=wanted))
    except Exception as error:  # whatever the hub's client raises: no network, no such name
        reasons = {
            "GatedRepoError": "access to it is restricted",
            "HFValidationError": "no model there can be called so",
            "LocalEntryNotFoundError": "it was not reached, and there is no copy of it here",
            "RepositoryNotFoundError": "it has no such model",
        }
        reason = reasons.get(type(error).__name__, in_words(error))
        raise UserError(
            f'There is no model "{name}": it is not embedded ({", ".join(embedded_names())}), not '
            f"a directory, and the Hugging Face hub did not give it: {reason}."
        ) from error


def _official(name: str) -> str:
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


def _config(directory: Path) -> dict[str, Any]:
    path = directory / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing. A model directory holds config.json, model.safetensors and "
            "tokenizer.json."
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}.") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} holds no table of settings. Copy the model's own config.json.")
    return config


def _roles(directory: Path, name: str) -> dict[str, tuple[Head, ...]]:
    path = directory / "roles.toml"
    if not path.exists():
        path = PUBLISHED_ROLES / f"{name.split('/')[-1]}.toml"
    if not path.exists():
        return {}
    try:
        table = tomllib.loads(path.read_text())["roles"]
        return {
            role: tuple((int(layer), int(head)) for layer, head in heads)
            for role, heads in table.items()
        }
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no table of roles ({error}). Write: [roles] and, a line each, "
            '"name mover" = [[9, 9], [10, 0]].'
        ) from error


def _sha256(directory: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(directory.glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
