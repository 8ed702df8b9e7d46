"""The sites of an MLP layer, gated or not: each part reads the one before."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from scrub import names
from scrub.model.graph import Apply, Port, Site, Where
from scrub.model.weights import ACTIVATIONS, MLP


def mlp(layer: int, stream: str, weights: MLP) -> list[Site]:
    """The parts of an MLP that reads a stream; its output last."""
    d_model, d_mlp = weights.pre.weight.shape
    activate = ACTIVATIONS[weights.activation]
    linear = weights.linear

    def site(
        name: str, apply: Apply, *reads: str, size: int, flops: int = 0, scratch: int = 0
    ) -> Site:
        sources = {read: names.layer_site(layer, read) for read in reads}
        if name == "mlp_in":
            sources = {"mlp_in": stream}
        leads = frozenset({"mlp_in"})
        ports = tuple(Port(read, source, leads) for read, source in sources.items())
        return Site(
            names.layer_site(layer, name),
            names.mlp(layer),
            apply,
            ports,
            kind="mlp",
            layer=layer,
            part=name,
            positions=True,
            stored=name == "mlp",  # the other parts are large, and quickly made
            flops=lambda width: flops,
            size=lambda width: size,
            scratch=lambda width, places: scratch,
        )

    def post(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        activated = activate(inputs["mlp_pre"])
        return activated if linear is None else activated * inputs["mlp_pre_linear"]

    parts = [
        site("mlp_in", lambda inputs, where: inputs["mlp_in"], size=d_model),
        site(
            "mlp_normed", lambda inputs, where: weights.norm(inputs["mlp_in"]), "mlp_in",
            size=d_model,
        ),
        site(
            "mlp_pre", lambda inputs, where: weights.pre(inputs["mlp_normed"]), "mlp_normed",
            size=d_mlp, flops=2 * d_model * d_mlp, scratch=0 if weights.pre.bias is None else d_mlp,
        ),
    ]  # fmt: skip
    if linear is not None:
        parts.append(
            site(
                "mlp_pre_linear", lambda inputs, where: linear(inputs["mlp_normed"]), "mlp_normed",
                size=d_mlp, flops=2 * d_model * d_mlp,
            )
        )  # fmt: skip
    factors = ("mlp_pre",) if linear is None else ("mlp_pre", "mlp_pre_linear")
    return [
        *parts,
        site("mlp_post", post, *factors, size=d_mlp, scratch=0 if linear is None else d_mlp),
        site(
            "mlp", lambda inputs, where: weights.post(inputs["mlp_post"]), "mlp_post",
            size=d_model, flops=2 * d_model * d_mlp,
            scratch=0 if weights.post.bias is None else d_model,
        ),
    ]  # fmt: skip
