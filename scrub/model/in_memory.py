"""Models that are in memory already: a TransformerBridge, or a model of Hugging Face.

What counts is what the model is when it is described: its weights are copied, so that hooks and
edits that come later change nothing that was begun. Neither library is imported here.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

import torch

from scrub.errors import UserError
from scrub.model.directory import and_others

GIVE = (
    "Give the name of an embedded model or of one on the hub, a directory, a TransformerBridge, a "
    "causal language model of Hugging Face, scrub.Model(model, tokenizer), a function that makes "
    "one, a graph, or edited(…)."
)


def kind_of(value: object) -> Literal["bridge", "hugging face"]:
    """What a model in memory is.

    Raises:
        UserError: it is nothing that scrub takes; says what to give.
    """
    known = {(base.__module__.split(".")[0], base.__name__) for base in type(value).__mro__}
    if ("transformer_lens", "TransformerBridge") in known:
        return "bridge"
    if ("transformers", "PreTrainedModel") in known:
        return "hugging face"
    name = type(value).__name__
    if ("transformer_lens", "HookedTransformer") in known:
        raise UserError(
            f"model= is a {name}. Write its state_dict() and its configuration as a directory in "
            "TransformerLens naming: model.safetensors, and config.json with "
            '"format": "transformer_lens_state_dict".'
        )
    if isinstance(value, torch.nn.Module):
        raise UserError(
            f"model= is a {name}, a module of which scrub does not know what it computes. {GIVE}"
        )
    raise UserError(f"model= is {_a_value(value)}, which is no model. {GIVE}")


def _a_value(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def identity(value: Any) -> str:
    """Hash of what a model in memory computes with: configuration, modules and weights.

    Raises:
        UserError: it is no model; or its weights are not in one place; or it has hooks, which scrub
            would not run.
    """
    kind_of(value)
    _refuse_places(value)
    _refuse_hooks(value)
    modules = [(name, type(module).__qualname__) for name, module in value.named_modules()]
    said = json.dumps([settings_of(value), modules], sort_keys=True, default=str)
    return hashlib.sha256(f"{sha256_of(value)} {said}".encode()).hexdigest()


def sha256_of(value: torch.nn.Module) -> str:
    """Of the weights, put together in order of their names in the module."""
    digest = hashlib.sha256()
    for name, tensor in sorted(value.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            flat = tensor.detach().cpu().contiguous().flatten()
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def settings_of(value: Any) -> dict[str, Any]:
    """The configuration: Hugging Face's, or TransformerLens' where there is no other."""
    inner = getattr(value, "original_model", value)
    config = getattr(inner, "config", None)
    return dict(vars(value.cfg)) if config is None else config.to_dict()


def name_of(value: Any) -> str:
    """What the model is called: by its configuration, or else by its class."""
    named = getattr(getattr(value, "cfg", None), "model_name", None)
    return named or getattr(value.config, "_name_or_path", "") or type(value).__name__


def _refuse_places(value: torch.nn.Module) -> None:
    """Refuse a model on several devices, on none, or on the meta device."""
    places = {parameter.device for parameter in value.parameters()}
    if len(places) != 1 or places == {torch.device("meta")}:
        listed = ", ".join(sorted(map(str, places))) or "nowhere"
        raise UserError(
            f"model= has its weights on {listed}. Move them to one device that holds them."
        )


def _refuse_hooks(value: torch.nn.Module) -> None:
    """Refuse a model with hooks."""
    points = {n: m.fwd_hooks for n, m in value.named_modules() if getattr(m, "fwd_hooks", None)}
    if points:
        placed: Any = points.values()  # no module of torch has them
        lasting = any(hook.is_permanent for hooks in placed for hook in hooks)
        how = "reset_hooks(including_permanent=True)" if lasting else "reset_hooks()"
        raise UserError(
            f"model= has hooks at {and_others(list(points))}, which scrub would not run. Take them "
            f"away by {how}."
        )
    inner = getattr(value, "original_model", value)  # a bridge does not list it among its modules
    modules = dict(value.named_modules()) | dict(inner.named_modules())
    hooked = [name or type(inner).__name__ for name, m in modules.items() if _of_users(m)]
    if hooked:
        raise UserError(
            f"model= has hooks at {and_others(hooked)}, which scrub would not run. Take them away "
            "by remove() of what register_forward_hook(…) gave."
        )


def _of_users(module: torch.nn.Module) -> bool:
    """Whether a module has hooks of torch that neither library put there to read by."""
    hooks = (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    makers = {str(getattr(hook, "__module__", "")).split(".")[0] for hook in hooks}
    return not makers <= {"transformer_lens", "transformers"}
