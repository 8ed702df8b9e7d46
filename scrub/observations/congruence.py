"""How what a neuron writes agrees with a direction of the logits, by the weights alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from scrub.errors import UserError
from scrub.model.registry import Model
from scrub.observations.attribution import NEURONS
from scrub.observations.observation import Observation, frame_of
from scrub.observations.ov import written_through
from scrub.observations.picture import Points
from scrub.observations.subject import check_words, did_you_mean_number, weights_of
from scrub.observations.tokens import ordinary_tokens
from scrub.printing import printed

NORM = "final norm: its weight and centring are part of the direction, and no scale is"


def congruence(model: Model, words: Sequence[str], of: str | None = None) -> Observation:
    """The dot products of neurons' output weights and a direction of the unembedding.

    So Miller and Neo ("We found an neuron in GPT-2", 2023) find the neuron that says "an": of all
    the one whose output weights agree most with that token. It is in logits, but for the final
    norm's scale, per unit that the neuron is active.

    Law: a neuron's activation times its congruence is what it adds directly to the logit (or logit
    difference), but for the final norm's scale.

    Args:
        words: a word, for its logit; or two, for the first's less the second's.
        of: "neurons:8", those of a layer; default: those of all layers.

    Returns:
        One row a neuron: component, layer, neuron; congruence; cosine (of the same two vectors,
        NaN where one is zero); says: the token whose logit it raises most.

    Raises:
        UserError: there is no such layer; a word is not one token; it is not one or two words; or
            the model's logits are no tokens.
    """
    check_words(model)
    weights = weights_of(model)
    have = [number for number, block in enumerate(weights.blocks) if block.mlp is not None]
    layers = have if of is None else [_layer(of, have)]
    tokens = _tokens(model, words)
    known = torch.tensor(ordinary_tokens(model), device=model.graph.device)
    rows: list[dict[str, Any]] = []
    with torch.no_grad():
        table: Float[Tensor, "d_model tokens"] = weights.unembedding.weight.double()
        first, *others = (table[:, token] for token in tokens)
        direction = first - others[0] if others else first
        for layer in layers:
            mlp = weights.blocks[layer].mlp
            assert mlp is not None
            writes = written_through(weights.norm_final, mlp.post.weight.double())
            along = writes @ direction
            sizes = writes.norm(dim=1) * direction.norm()
            likeness = torch.where(sizes > 0, along / sizes, torch.nan)
            most = known[(writes @ table[:, known]).argmax(1)]
            for neuron, token in enumerate(most.tolist()):
                rows.append({
                    "component": f"neuron {layer}.{neuron}", "layer": layer, "neuron": neuron,
                    "congruence": float(along[neuron]), "cosine": float(likeness[neuron]),
                    "says": _text(model, token),
                })  # fmt: skip
    shown = " − ".join(f"logit({word})" for word in words)
    title = f"Congruence of neurons with {shown}"
    notes = ("congruence: output weights · direction; what a neuron adds per unit of activation",)
    picture = Points("neuron", "congruence", "layer" if len(layers) > 1 else "")
    return Observation(title, model.name, frame_of(rows), (*notes, NORM), picture, ("congruence",))


def _layer(of: Any, have: Sequence[int]) -> int:
    asked = NEURONS.fullmatch(of.strip()) if isinstance(of, str) else None
    if asked is None or int(asked[1]) not in have:
        choices = [f"neurons:{layer}" for layer in have]
        hint = did_you_mean_number(str(of), choices)
        raise UserError(f"of={printed(of)} (--of): congruence is of neurons. {hint}")
    return int(asked[1])


def _tokens(model: Model, words: Sequence[str]) -> list[int]:
    """The token of each word.

    Raises:
        UserError: it is not one or two words, or some are not one token.
    """
    if isinstance(words, str) or not 1 <= len(words) <= 2 or not all(words):
        raise UserError(
            f"words={printed(words)} (--direction): name one word, or two for a difference: "
            '["short", "tall"] (--direction short,tall).'
        )
    if model.tokenizer is None:
        raise UserError(f'Model "{model.name}" has no tokenizer, so that words name no tokens.')
    encoded = {word: model.tokenizer.encode(f" {word}") for word in words}
    wrong = [
        word
        for word, ids in encoded.items()
        if len(ids) != 1 or model.tokenizer.decode(ids)[0].strip() != word
    ]
    if wrong:
        named = ", ".join(map(printed, wrong))
        raise UserError(
            f"words (--direction): {named}: no token of its own in {model.name}. Name words that "
            "have one."
        )
    return [ids[0] for ids in encoded.values()]


def _text(model: Model, token: int) -> str:
    assert model.tokenizer is not None, "words were given"
    (text,) = model.tokenizer.decode([token])
    return text.strip() or repr(text)
