"""Models by name: what is known before the weights are read, and with them.

`describe` reads configuration, tokenizer and roles: enough to build and check a correspondence.
`load` adds the weights, and checks the graph against the model they came from.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from attrs import evolve, field, frozen

from scrub.data.dataset import Tokenizer
from scrub.errors import UserError, did_you_mean, in_words, shortened
from scrub.hypothesis.sites import Head
from scrub.model import given
from scrub.model import in_memory as memory
from scrub.model.config import Shape
from scrub.model.config_values import Config
from scrub.model.directory import (
    check_dtypes,
    check_embeddings,
    check_layers,
    headers,
    read_config,
    require_weights,
    sha256,
)
from scrub.model.edit_problems import edit_problems
from scrub.model.edited_model import edited_graph, is_variable, variable
from scrub.model.edits import Edited
from scrub.model.families import shape_of
from scrub.model.graph import Graph
from scrub.model.hf_directory import hugging_face_graph
from scrub.model.hub import from_hub, official_name
from scrub.model.llava_config import is_llava
from scrub.model.llava_directory import described_vision, language_headers, llava_graph
from scrub.model.processor_files import with_images
from scrub.model.roles import Roles, given_roles, read_roles
from scrub.model.skeleton import skeleton
from scrub.model.tl_config import is_lens, lens_shape
from scrub.model.tl_directory import check_tensors, lens_graph
from scrub.model.tokenizer import FileTokenizer, load_tokenizer, tokenizer_in_memory
from scrub.model.transformer import transformer
from scrub.model.vision import Vision
from scrub.model.weights import Weights, copied
from scrub.printing import html_of, in_brief

EMBEDDED = Path(__file__).parent / "embedded"


@frozen(eq=False, repr=False)
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
        weights: of a model that was in memory already, copied when it was described.
        edited: for a model with edited weights, which they are and of which model.
        base: that model.
    """

    name: str
    graph: Graph
    layers: int = 0
    heads: int = 0
    roles: Roles = field(factory=dict)
    tokenizer: Tokenizer | None = None
    directory: Path | None = None
    sha256: str = ""
    weights: Weights | None = field(default=None, repr=False)
    edited: Edited | None = None
    base: Model | None = field(default=None, repr=False)

    @property
    def in_memory(self) -> bool:
        """Whether its weights came from memory, so that no file that is known holds them."""
        return self.weights is not None or (self.base is not None and self.base.in_memory)

    @property
    def vision(self) -> Vision | None:
        """How it reads images; None for a model that reads text only."""
        return self.graph.vision

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

    def __repr__(self) -> str:
        return in_brief("Model", repr(self.name), f"{self.layers} layers of {self.heads} heads")

    def _repr_html_(self) -> str:
        return html_of(self)


def embedded_names() -> list[str]:
    """Names of the models that come with scrub."""
    return sorted(path.parent.name for path in EMBEDDED.glob("*/config.json"))


def describe(name: Any) -> Model:
    """What is known of a model without its weights.

    Args:
        name: of an embedded model, a directory or a model on the hub, or of a variable of a file,
            `edits.py::without_3_0`; or a graph; or a TransformerBridge or model of Hugging Face,
            also as a `scrub.Model`, whose weights are copied as they now are; or an edited model;
            or a function that makes one of these.

    Raises:
        UserError: there is no such model, its files cannot be read, or its configuration is not
            that of its weights.
    """
    if isinstance(name, Graph):
        return Model("graph", name)
    if isinstance(name, Edited):
        return _edited(name)
    if isinstance(name, str) and is_variable(name):
        return _of_file(name)
    if not isinstance(name, str | PathLike):
        return describe(given.made(name)) if is_maker(name) else _in_memory(name)
    directory = _directory(os.fspath(name))
    config = read_config(directory)
    shape = _shape(str(name), directory, config)
    vision = described_vision(directory, config) if is_llava(config) else None
    tokenizer = _tokenizer(directory, shape.vocabulary)
    if tokenizer is not None and vision is not None:
        tokenizer = with_images(tokenizer, vision.layout, directory)
    return Model(
        str(name),
        skeleton(shape, vision),
        layers=shape.layers,
        heads=shape.heads,
        roles=read_roles(directory, official_name(str(name)), shape.layers, shape.heads),
        tokenizer=tokenizer,
        directory=directory,
    )


def identity(name: Any) -> object:
    """A key of a model: the same for two calls if `describe` would give the same.

    Raises:
        UserError: it is nothing that could name a model.
    """
    if isinstance(name, Graph):
        return id(name)
    if isinstance(name, Edited):
        return id(name), identity(name.base)
    if isinstance(name, str | PathLike):
        return str(name)
    if isinstance(name, given.Model):
        return name.key
    return id(name) if is_maker(name) else memory.identity(name)


def is_maker(value: object) -> bool:
    """Whether it is a function that makes a model, and not itself one."""
    known = isinstance(value, str | PathLike | Graph | Edited | given.Model)
    return not known and given.is_maker(value)


def _edited(value: Edited) -> Model:
    """A model with edited weights, of which it is checked that it has what is edited."""
    base = describe(value.base)
    called = value.named(base.name)
    problems = edit_problems(value.edits, base.graph.weights, base.name)
    if problems:
        raise UserError(*problems)
    return evolve(base, name=called, weights=None, sha256="", edited=value, base=base)


def _of_file(name: str) -> Model:
    """The model that a file holds in a variable."""
    found = variable(name)
    try:
        return describe(found)
    except UserError as error:
        raise UserError(f'Model "{name}" cannot be used. {error}') from error


def _in_memory(value: Any) -> Model:
    """A TransformerBridge or a model of Hugging Face, also with what a user says of it."""
    said = value if isinstance(value, given.Model) else given.Model(value)
    value = said.model
    memory.identity(value)
    called = memory.name_of(value)
    name = f"{said.name or called} in memory"
    directory = Path(called) if os.path.isdir(called) else None
    try:
        from scrub.model.bridge import shape_in_memory, snapshot

        shape = shape_in_memory(value)
        roles = (
            read_roles(directory, official_name(called), shape.layers, shape.heads)
            if said.roles is None
            else given_roles(said.roles, shape.layers, shape.heads)
        )
        tokenizer = _tokenizer_of(said, name, shape.vocabulary)
        weights = snapshot(value, shape)
    except UserError as error:
        raise UserError(f'Model "{name}" cannot be used. {error}') from error
    return Model(
        name,
        skeleton(shape),
        layers=shape.layers,
        heads=shape.heads,
        roles=roles,
        tokenizer=tokenizer,
        weights=weights,
        sha256=memory.sha256_of(value),
    )


def _tokenizer_of(said: given.Model, name: str, vocabulary: int) -> FileTokenizer | None:
    """The tokenizer of a model in memory: the one that is said, or its bridge's own."""
    if isinstance(said.tokenizer, str | PathLike):
        tokenizer = load_tokenizer(Path(said.tokenizer).expanduser(), name, vocabulary=vocabulary)
    else:
        own = getattr(said.model, "tokenizer", None)
        theirs = own if said.tokenizer is None else said.tokenizer
        tokenizer = tokenizer_in_memory(theirs, name, vocabulary)
    words = 0 if tokenizer is None else tokenizer.backend.get_vocab_size(with_added_tokens=False)
    if words > vocabulary:
        raise UserError(
            f"Its tokenizer knows {words:,} tokens, and its configuration says that the model "
            f"knows {vocabulary:,}. Give both of the same model."
        )
    return tokenizer


def _shape(name: str, directory: Path, config: Config) -> Shape:
    """The shape by the configuration, after a check that the weights, if any, have it."""
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
    check_layers(directory, language_headers(found) if is_llava(config) else found, shape.layers)
    if is_lens(config):
        if found:
            check_tensors(directory, found, config)
    else:
        words, places = (shape.vocabulary, shape.d_model), (shape.width, shape.d_model)
        named = dict.fromkeys(("wte", "embed_in", "embed_tokens"), words) | {"wpe": places}
        check_embeddings(directory, found, named)
    check_dtypes(directory, found)


def _tokenizer(directory: Path, vocabulary: int) -> FileTokenizer | None:
    """The tokenizer beside the weights, if there is one."""
    path = directory / "tokenizer.json"
    if not path.exists() and not path.is_symlink():
        return None
    tokenizer = load_tokenizer(directory, vocabulary=vocabulary)
    words = tokenizer.backend.get_vocab_size(with_added_tokens=False)
    if words > vocabulary:
        raise UserError(
            f"{path} knows {words:,} tokens, and config.json says that the model knows "
            f"{vocabulary:,}. Copy both from the same model."
        )
    return tokenizer


def load(
    model: Model,
    *,
    dtype: torch.dtype,
    device: str,
    recheck: bool = False,
    says: Callable[[str], None] = lambda text: None,
) -> Model:
    """The same model with its weights, on a device. A graph stays as it is.

    Args:
        recheck: compare weights in Hugging Face format with TransformerLens also where that was
            done before.
        says: is told when a check takes its time.

    Raises:
        UserError: the weights cannot be read, or the graph disagrees with the model.
    """
    if model.base is not None:
        return _load_edited(model, model.base, dtype, device, recheck, says)
    if model.weights is not None:
        table = model.weights.embedding
        as_asked = table.dtype == dtype and table.device == torch.empty(0, device=device).device
        weights = model.weights if as_asked else copied(model.weights, dtype, device)
        return evolve(model, graph=transformer(weights))
    if model.directory is None:
        return model
    require_weights(model.directory)
    config, digest = read_config(model.directory), sha256(model.directory)
    if is_llava(config):
        graph = llava_graph(
            model.directory, config, digest, dtype=dtype, device=device, recheck=recheck, says=says
        )
    elif is_lens(config):
        graph = lens_graph(model.directory, config, dtype=dtype, device=device)
    else:
        graph = hugging_face_graph(
            model.directory, config, digest, dtype=dtype, device=device, recheck=recheck, says=says
        )
    return evolve(model, graph=graph, sha256=digest)


def _load_edited(
    model: Model,
    base: Model,
    dtype: torch.dtype,
    device: str,
    recheck: bool,
    says: Callable[[str], None],
) -> Model:
    """An edited model, of its base, which is checked as it is loaded."""
    loaded = load(base, dtype=dtype, device=device, recheck=recheck, says=says)
    edits = () if model.edited is None else model.edited.edits
    if not edits:
        return evolve(model, graph=loaded.graph, sha256=loaded.sha256)
    graph, digest = edited_graph(edits, loaded.graph, model.tokenizer, loaded)
    return evolve(model, graph=graph, sha256=digest)


def _directory(name: str) -> Path:
    if name in embedded_names():
        return EMBEDDED / name
    path = os.path.expanduser(name)
    if os.path.isdir(path) and name.strip():
        return Path(path)
    meant = difflib.get_close_matches(name, embedded_names(), n=1)
    if meant or not name.strip():
        raise UserError(f'There is no model "{name}". {did_you_mean(name, embedded_names())}')
    if name.startswith((".", "/", "~")) or os.path.isfile(path):
        what = "it is a file" if os.path.isfile(path) else "there is no such directory"
        raise UserError(
            f'There is no model "{shortened(name)}": {what}. Give a directory with config.json and '
            f"model.safetensors, or one of: {', '.join(embedded_names())}."
        )
    return from_hub(name, embedded_names())
