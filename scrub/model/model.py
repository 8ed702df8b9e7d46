"""Models by name: what is known before the weights are read, and with them.

`describe` reads configuration, tokenizer and roles: enough to build and check a correspondence.
`load` adds the weights, and checks the graph against the model they came from.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
from pathlib import Path

import torch
from attrs import evolve, field, frozen

from scrub.data import Tokenizer
from scrub.errors import UserError, did_you_mean, in_words
from scrub.model.files import (
    check_dtypes,
    check_embedding,
    check_layers,
    headers,
    read_config,
    require_weights,
    sha256,
)
from scrub.model.graph import Graph
from scrub.model.lens import check_tensors, lens_graph
from scrub.model.lens_shape import is_lens, lens_shape
from scrub.model.roles import Roles, read_roles
from scrub.model.settings import Config
from scrub.model.shape import Shape, shape_of
from scrub.model.skeleton import skeleton
from scrub.model.tokenizer import FileTokenizer, load_tokenizer
from scrub.sites import Head

EMBEDDED = Path(__file__).parent / "embedded"


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
    roles: Roles = field(factory=dict)
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
        UserError: there is no such model, its files cannot be read, or its configuration is not
            that of its weights.
    """
    if isinstance(name, Graph):
        return Model("graph", name)
    directory = _directory(str(name))
    shape = _shape(str(name), directory)
    tokenizer = load_tokenizer(directory) if (directory / "tokenizer.json").exists() else None
    if tokenizer is not None:
        _check_tokenizer(directory, tokenizer, shape.vocabulary)
    return Model(
        str(name),
        skeleton(shape),
        layers=shape.layers,
        heads=shape.heads,
        roles=read_roles(directory, _official(str(name)), shape.layers, shape.heads),
        tokenizer=tokenizer,
        directory=directory,
    )


def _shape(name: str, directory: Path) -> Shape:
    """What the configuration says, which the weights must bear out where there are any."""
    config = read_config(directory)
    try:
        shape = lens_shape(config) if is_lens(config) else shape_of(config)
    except UserError as error:
        raise UserError(f'Model "{name}" cannot be used. {error}') from error
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{directory / 'config.json'} is incomplete or wrong: {in_words(error)}. "
            "Copy the model's own config.json."
        ) from error
    _check_weights(directory, config, shape)
    return shape


def _check_weights(directory: Path, config: Config, shape: Shape) -> None:
    """Refuse weights that are cut short, or are not those of the configuration."""
    found = headers(directory)
    check_layers(directory, found, shape.layers)
    if is_lens(config):
        if found:
            check_tensors(directory, found, config)
    else:
        check_embedding(directory, found, shape.vocabulary, shape.d_model)
    check_dtypes(directory, found)


def _check_tokenizer(directory: Path, tokenizer: FileTokenizer, vocabulary: int) -> None:
    """Refuse a tokenizer whose words, special tokens apart, are more than the model knows."""
    words = tokenizer.backend.get_vocab_size(with_added_tokens=False)
    if words > vocabulary:
        raise UserError(
            f"tokenizer.json in {directory} knows {words:,} tokens, and config.json says that the "
            f"model knows {vocabulary:,}. Copy both from the same model."
        )


def load(model: Model, *, dtype: torch.dtype, device: str) -> Model:
    """The same model with its weights, on a device. A graph stays as it is.

    Raises:
        UserError: the weights cannot be read, or the graph disagrees with the model.
    """
    if model.directory is None:
        return model
    require_weights(model.directory)
    config = read_config(model.directory)
    if is_lens(config):
        graph = lens_graph(model.directory, config, dtype=dtype, device=device)
    else:
        from scrub.model.bridge import boot, graph_of

        graph = graph_of(boot(str(model.directory), dtype=dtype, device=device))
    return evolve(model, graph=graph, sha256=sha256(model.directory))


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
