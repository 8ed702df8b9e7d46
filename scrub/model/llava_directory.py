"""LLaVA models from a directory in Hugging Face format: a language model, and what sees for it.

The language model is read directly, as a Llama's is. The vision tower and the projector are Hugging
Face's own modules. Nothing goes through a TransformerBridge, which would install torchvision.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from attrs import evolve, frozen
from torch import Tensor, nn

from scrub.data.image_layout import ImageLayout
from scrub.errors import UserError, in_words
from scrub.model.config import Shape
from scrub.model.config_values import Config
from scrub.model.direct import Places, located, places_in, read_weights
from scrub.model.directory import Header, and_others, check_finite, headers
from scrub.model.families import shape_of
from scrub.model.graph import Graph
from scrub.model.llava_config import feature_layers, language_config, strategy, vision_shape
from scrub.model.processor_files import FILES, layout_of, require_processor
from scrub.model.remembered import files_hash, is_remembered, is_shipped, key_of, remember
from scrub.model.transformer import transformer
from scrub.model.vision import Project, Vision

CHECKING = "checking the model and its processor against Hugging Face's own (once)"
LANGUAGE = (
    (re.compile(r"^(model\.language_model\.|language_model\.model\.)"), "model."),
    (re.compile(r"^language_model\.lm_head\."), "lm_head."),
    (re.compile(r"^lm_head\."), "lm_head."),
)
"""Names of the language model's tensors in files of different age, and those that it has alone."""
TOWER = re.compile(r"^(model\.)?vision_tower\.(vision_model\.)?")
PROJECTOR = re.compile(r"^(model\.)?multi_modal_projector\.")


def language_names(found: Mapping[str, Header]) -> dict[str, str]:
    """The language model's tensors: the name that a model by itself has → that in the files."""
    names: dict[str, str] = {}
    for name in found:
        for pattern, own in LANGUAGE:
            if pattern.match(name):
                names[pattern.sub(own, name)] = name
    return names


def language_headers(found: Mapping[str, Header]) -> dict[str, Header]:
    """What is said of the language model's tensors, by the names that it has by itself."""
    return {own: found[name] for own, name in language_names(found).items()}


def described_vision(directory: Path, config: Config) -> Vision:
    """How the model in a directory reads images, without weights.

    Raises:
        UserError: its configuration or its processor's is not supported.
    """
    return Vision(layout_of(directory, config), vision_shape(config))


def llava_graph(
    directory: Path,
    config: Config,
    weights_sha256: str,
    *,
    dtype: torch.dtype,
    device: str,
    recheck: bool,
    says: Callable[[str], None],
) -> Graph:
    """The graph of such a directory, which does what Hugging Face's own model does.

    The check is made once, and then remembered: the model on a probe batch of images and text, and
    its processor (see `scrub.model.llava_check`).

    Args:
        recheck: make the check again.
        says: is told when a check takes its time.

    Raises:
        UserError: files are missing or do not belong together, or the check fails.
    """
    require_processor(directory)
    layout, shape = layout_of(directory, config), shape_of(config)
    read = _language_places(directory, config, shape)
    key = key_of(files := files_hash(directory, weights_sha256, FILES), dtype, device)
    vision = evolve(
        described_vision(directory, config),
        dtype=dtype,
        project=projection(directory, config, layout, dtype=dtype, device=device),
    )

    def graph() -> Graph:
        language = language_config(config)
        return transformer(read_weights(read, language, shape, dtype=dtype, device=device), vision)

    if not recheck and (is_shipped(files, dtype, device) or is_remembered(key)):
        return graph()
    says(CHECKING)
    from scrub.model.llava_check import check_graph, check_vision, hugging_face_logits

    probe = check_vision(directory, vision, shape)
    expected = hugging_face_logits(directory, probe, layout, dtype=dtype, device=device)
    made = graph()
    check_graph(made, probe, expected)
    remember(key)
    return made


def _language_places(directory: Path, config: Config, shape: Shape) -> Places:
    """Where the language model's tensors lie.

    Raises:
        UserError: they are not all there, or there are others.
    """
    found = headers(directory)
    files = located(directory, found)
    named = language_names(found)
    language = language_config(config)
    where = None
    if files is not None:
        where = places_in(
            language_headers(found),
            {own: (files[name], name) for own, name in named.items()},
            language,
            shape,
        )
    if where is None:
        raise UserError(
            f"The language model in {directory} is not one whose weights scrub knows by their "
            f'names: the tensors of a "{language["model_type"]}" are missing, of another size than '
            "config.json says, or there are others. Copy all files from the same model."
        )
    return where


@frozen(eq=False)
class HuggingFaceVision:
    """Hugging Face's vision tower and projector.

    Attributes:
        layers: whose hidden states are taken.
        first: how many tokens of an image are left out, before its patches.
    """

    tower: Any
    projector: nn.Module
    layers: tuple[int, ...]
    first: int
    dtype: torch.dtype
    device: str

    def __call__(self, values: Tensor) -> Tensor:
        seen = self.tower(
            values.to(self.device, self.dtype), output_hidden_states=True, return_dict=True
        )
        states = [seen.hidden_states[layer][:, self.first :] for layer in self.layers]
        return self.projector(torch.cat(states, dim=-1))


def projection(
    directory: Path, config: Config, layout: ImageLayout, *, dtype: torch.dtype, device: str
) -> Project:
    """The vision tower and the projector of a directory, with their weights.

    Raises:
        UserError: tensors are missing, of another size than config.json says, or not finite.
    """
    tower, projector = _modules(directory, dtype)
    found = headers(directory)
    files = located(directory, found) or {}
    for module, pattern in ((tower, TOWER), (projector, PROJECTOR)):
        state = {TOWER.sub("", k): k for k in module.state_dict()}
        named = {pattern.sub("", name): name for name in found if pattern.match(name)}
        _check_state(directory, module, {own: found[name] for own, name in named.items()})
        tensors = _tensors({own: (files[named[own]], named[own]) for own in state}, dtype)
        check_finite(f"The weights in {directory}", tensors.items())
        module.load_state_dict({state[own]: tensor for own, tensor in tensors.items()})
        module.to(device=device, dtype=dtype).eval().requires_grad_(False)
    first = 1 if strategy(config) == "default" else 0
    return HuggingFaceVision(tower, projector, feature_layers(config), first, dtype, device)


def _modules(directory: Path, dtype: torch.dtype) -> tuple[nn.Module, nn.Module]:
    """The vision tower and the projector as Hugging Face builds them, with any weights."""
    from transformers import AutoConfig, AutoModel
    from transformers.models.llava.modeling_llava import LlavaMultiModalProjector
    from transformers.utils import logging

    logging.set_verbosity_error()
    try:
        config: Any = AutoConfig.from_pretrained(directory)
        tower: Any = AutoModel.from_config(
            config.vision_config, dtype=dtype, attn_implementation="sdpa"
        )
        return tower, LlavaMultiModalProjector(config)
    except Exception as error:  # the library raises whatever it likes
        raise UserError(
            f'The vision tower of model "{directory}" could not be built: {in_words(error)}.'
        ) from error


def _check_state(directory: Path, module: nn.Module, found: Mapping[str, Header]) -> None:
    """Refuse weights of a module that are missing, or of another size."""
    wanted = {TOWER.sub("", name): tuple(t.shape) for name, t in module.state_dict().items()}
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        what = type(module).__name__
        raise UserError(
            f"The weights in {directory} are incomplete: of the {what} {and_others(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Copy or download them again."
        )
    wrong = [
        f"{name} is {list(found[name].shape)}, where config.json says {list(size)}"
        for name, size in wanted.items()
        if found[name].shape != size
    ]
    if wrong:
        raise UserError(f"In {directory} {and_others(wrong)}. Copy both from the same model.")


def _tensors(where: Mapping[str, tuple[Path, str]], dtype: torch.dtype) -> dict[str, Tensor]:
    """Tensors by their own names, from the files that they lie in."""
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for path in sorted({path for path, _ in where.values()}):
        with safe_open(path, framework="pt") as file:
            for own, (there, name) in where.items():
                if there == path:
                    found[own] = file.get_tensor(name).to(dtype)
    return found
