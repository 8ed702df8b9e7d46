"""Direct logit attribution: what each component's output adds to the logits by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from scrub import names
from scrub.errors import UserError
from scrub.model.registry import Model
from scrub.names import EMBED, POS_EMBED
from scrub.observations.final_norm import STATED, Direction, Readout, direction_of, readout
from scrub.observations.observation import SPREAD, Observation, frame_of, spread
from scrub.observations.picture import Layers, Points
from scrub.observations.subject import Part, Subject, did_you_mean_number, weights_of
from scrub.printing import printed

PARTS, LAYERS = "parts", "layers"
NEURONS = re.compile(r"neurons:(\d+)")


@frozen
class Component:
    """Something that writes to the stream.

    Attributes:
        kind: "embedding", "head", "MLP", "bias", "attention", "neuron", "constant".
    """

    name: str
    kind: str
    layer: int | None = None
    head: int | None = None


def attribution(
    subject: Subject, by: str = PARTS, at: Any = None, direction: Any = None
) -> Observation:
    """What each component adds directly to the logits along a direction, at one position.

    Law: what all parts (or layers) add is the logit difference that the model gives; what a layer's
    neurons and the bias of its MLP add is what the MLP does.

    Args:
        by: "parts": embeddings, heads, biases, MLPs; "layers": attention and MLP of each;
            "neurons:8": those of a layer.
        at: default: the position of the behaviour's metric.
        direction: a label or two; default: those of the behaviour's metric.

    Returns:
        One row a component: component, kind, layer, head (or neuron); adds (mean over
        rows, in logits), sd, low, high, n; share of the whole logit difference, NaN where that is
        zero.

    Raises:
        UserError: there is no such position, label or layer.
    """
    model, spec = subject.model, subject.position(at)
    layer = _layer_of_neurons(by, model)
    along = direction_of(direction, subject.metric, subject.values.rows, model)
    last = names.resid_pre(len(weights_of(model).blocks))
    read = _neurons_read(layer) if layer is not None else _parts_read(model)
    components: list[Component] = []
    found, totals = [], []
    with torch.no_grad():
        for part in subject.values.parts([last, *read]):
            stream = part.value(last, part.index(spec))[:, 0, 0]
            way = readout(model, stream, part.rows, along)
            added = list(_added(part, model, spec, way, by, layer))
            components = [component for component, _ in added]
            found.append(torch.stack([value for _, value in added], dim=1).cpu().numpy())
            totals.append((way.of(stream) + way.constant).cpu().numpy())
    number_is = "head" if layer is None else "neuron"
    every, total = np.concatenate(found), float(np.concatenate(totals).mean())
    rows = [
        {
            "component": component.name, "kind": component.kind, "layer": component.layer,
            number_is: component.head, **(figures := spread(every[:, number], "adds")),
            "share": figures["adds"] / total if total else np.nan,
        }
        for number, component in enumerate(components)
    ]  # fmt: skip
    return _observation(subject, rows, along, spec, layer, total)


def _observation(
    subject: Subject, rows: list[dict[str, Any]], along: Direction, at: Any, layer: int | None,
    total: float,
) -> Observation:  # fmt: skip
    what = "" if layer is None else f" of the neurons of layer {layer}"
    title = f"Direct attribution{what} at {at}, {along}"
    notes = (f"all of the model's components together: {total:.3f} of {along}", STATED, SPREAD)
    picture = Layers("adds", f"adds to {along}") if layer is None else Points("neuron", "adds")
    return Observation(title, subject.about, frame_of(rows), notes, picture, ("adds",))


def _layer_of_neurons(by: Any, model: Model) -> int | None:
    """The layer whose neurons are asked for; None: parts or layers are."""
    if by in (PARTS, LAYERS):
        return None
    asked = NEURONS.fullmatch(by) if isinstance(by, str) else None
    have = [n for n, block in enumerate(weights_of(model).blocks) if block.mlp is not None]
    choices = [PARTS, LAYERS, *(f"neurons:{layer}" for layer in have)]
    if asked is None or int(asked[1]) not in have:
        raise UserError(f"by={printed(by)} (--by): {did_you_mean_number(str(by), choices)}")
    return int(asked[1])


def _parts_read(model: Model) -> list[str]:
    embeddings = [name for name in (EMBED, POS_EMBED) if name in model.graph.sites]
    written = [name for name in model.graph.sites if names.parse(name).is_z]
    return [*embeddings, *written, *(name for name in model.graph.sites if _is_mlp(name))]


def _is_mlp(name: str) -> bool:
    layer = names.parse(name).layer
    return layer is not None and name == names.mlp(layer)


def _neurons_read(layer: int) -> list[str]:
    return [names.mlp_site(layer, "post")]


def _added(
    part: Part, model: Model, at: Any, way: Readout, by: str, layer: int | None
) -> Iterator[tuple[Component, Tensor]]:
    """What each component adds in some rows: [rows]."""
    if layer is not None:
        return _by_neurons(part, model, at, way, layer)
    return _by_parts(part, model, at, way, whole=by == LAYERS)


def _by_neurons(
    part: Part, model: Model, at: Any, way: Readout, layer: int
) -> Iterator[tuple[Component, Tensor]]:
    mlp = weights_of(model).blocks[layer].mlp
    assert mlp is not None
    neurons = part.value(names.mlp_site(layer, "post"), part.index(at))[:, 0, 0].double()
    added = neurons * (way.vector @ mlp.post.weight.double().T)
    for number, value in enumerate(added.T):
        yield Component(f"neuron {layer}.{number}", "neuron", layer, number), value
    if mlp.post.bias is not None:
        yield Component(f"bias of MLP {layer}", "bias", layer), _of_bias(mlp.post.bias, way)


def _by_parts(
    part: Part, model: Model, at: Any, way: Readout, whole: bool
) -> Iterator[tuple[Component, Tensor]]:
    index, sites = part.index(at), model.graph.sites
    for name in (EMBED, POS_EMBED):
        if name in sites:
            shown = "token embedding" if name == EMBED else "position embedding"
            yield Component(shown, "embedding"), way.of(part.value(name, index)[:, 0, 0])
    for layer, block in enumerate(weights_of(model).blocks):
        heads = way.of(part.value(names.attention_site(layer, "result"), index)[:, 0])
        bias = block.attention.output_bias
        added = None if bias is None else _of_bias(bias, way)
        if whole:
            total = heads.sum(-1) if added is None else heads.sum(-1) + added
            yield Component(f"attention {layer}", "attention", layer), total
        else:
            for number, value in enumerate(heads.T):
                yield Component(f"head {layer}.{number}", "head", layer, number), value
            if added is not None:
                yield Component(f"bias of attention {layer}", "bias", layer), added
        if block.mlp is not None:
            written = part.value(names.mlp(layer), index)[:, 0, 0]
            yield Component(f"MLP {layer}", "MLP", layer), way.of(written)
    yield Component("norm and unembedding biases", "constant"), way.constant


def _of_bias(bias: Tensor, way: Readout) -> Tensor:
    return way.vector @ bias.double()
