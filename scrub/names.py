"""Names of sites. Nothing else in the program makes a name or takes one apart.

Names of a transformer's sites (layer L; sites marked * have an axis of heads):

| name | value |
| --- | --- |
| `embed`, `pos_embed` | token embedding; learned position embedding |
| `text_embed`, `projector` | of a vision-language model, whose sum is `embed`: the token embedding,
 zero at image tokens; the projector's output, zero at others |
| `blocks.L.attn.q_in`*, `k_in`*, `v_in`* | the residual stream as a query, key or value reads it |
| `blocks.L.attn.q_normed`*, `k_normed`*, `v_normed`* | the same, after the layer's norm |
| `blocks.L.attn.q`*, `k`*, `v`* | queries, keys and values, before the rotary embedding |
| `blocks.L.attn.mask`* | which source positions hold a real token |
| `blocks.L.attn.scores`*, `pattern`* | attention before and after the softmax |
| `blocks.L.attn.z`* | values averaged by the pattern |
| `blocks.L.attn.result`* | a head's output: a linear map of its `z` |
| `blocks.L.attn_out` | the sum of the heads' outputs and the output bias |
| `blocks.L.mlp_in`, `mlp_normed` | the residual stream as the MLP reads it; the same, normalised |
| `blocks.L.mlp_pre` | neurons before the activation function (of a gated MLP: the gate) |
| `blocks.L.mlp_pre_linear` | of a gated MLP: what the activated gate is multiplied with |
| `blocks.L.mlp_post`, `blocks.L.mlp` | neurons; the MLP's output |
| `logits_in`, `logits_normed`, `logits` | the last residual stream; the same, normalised; logits |

Sums have names too: the residual stream before layer L is `resid_pre.L` (after the last layer, L is
the number of layers), between attention and MLP `resid_mid.L`; `attn_out.L` is what
`blocks.L.attn_out` reads. A summand of a site that a hypothesis splits is `SITE#SUMMAND`.
"""

from __future__ import annotations

import functools

from attrs import evolve, frozen

EMBED, POS_EMBED = "embed", "pos_embed"
TEXT_EMBED, PROJECTOR = "text_embed", "projector"
LOGITS_IN, LOGITS_NORMED, LOGITS = "logits_in", "logits_normed", "logits"

_BLOCKS, _ATTENTION, _MLP = "blocks", "attn", "mlp"
_SUMMAND = "#"


@frozen(order=True)
class SiteName:
    """A site's name, taken apart. Law: `str(parse(name)) == name`, for every string.

    Attributes:
        part: the last piece: z, q_in, mlp, mlp_pre, attn_out, embed, …; of a site of another graph
            its whole name, up to the last dot.
        layer: number of the layer; None outside of layers.
        within: what stands between layer and part: "attn" for the sites of attention heads.
        summand: of which summand of the site it is the name, where it is one.
    """

    part: str
    layer: int | None = None
    within: str | None = None
    summand: str | None = None

    def __str__(self) -> str:
        layer = () if self.layer is None else (_BLOCKS, str(self.layer))
        within = () if self.within is None else (self.within,)
        site = ".".join((*layer, *within, self.part))
        return site if self.summand is None else f"{site}{_SUMMAND}{self.summand}"

    @property
    def of_attention(self) -> bool:
        """Whether it is a site of attention heads."""
        return self.layer is not None and self.within == _ATTENTION

    @property
    def of_mlp(self) -> bool:
        """Whether it is a part of an MLP, or its output."""
        in_layer = self.layer is not None and self.within is None
        return in_layer and (self.part == _MLP or self.part.startswith(f"{_MLP}_"))

    @property
    def is_z(self) -> bool:
        """Whether it is the site of what heads average by their patterns."""
        return self.of_attention and self.part == "z" and self.summand is None

    def in_layer(self, layer: int) -> str:
        """The name of the same site of another layer."""
        return str(evolve(self, layer=layer))

    def beside(self, part: str) -> str:
        """The name of another part of the same component."""
        return str(evolve(self, part=part, summand=None))


@functools.lru_cache(maxsize=100_000)
def parse(name: str) -> SiteName:
    """A site's name, taken apart. Names of other graphs have no layer."""
    site, split, summand = name.partition(_SUMMAND)
    stem, dot, part = site.rpartition(".")
    found = SiteName(part, None, stem if dot else None, summand if split else None)
    blocks, _, rest = stem.partition(".")
    number, dot, within = rest.partition(".")
    if blocks != _BLOCKS or not _is_number(number):
        return found
    return evolve(found, layer=int(number), within=within if dot else None)


def _is_number(piece: str) -> bool:
    """Whether it is written as `str` writes a whole number."""
    digits = piece.removeprefix("-")
    plain = len(digits) < 10 and digits.isascii() and digits.isdigit()
    return plain and str(int(piece)) == piece


def attention(layer: int) -> str:
    """The group of all sites of a layer's attention heads."""
    return f"{_BLOCKS}.{layer}.{_ATTENTION}"


def attention_site(layer: int, part: str) -> str:
    """A site of a layer's attention heads: z, q, k_in, pattern, result, …"""
    return str(SiteName(part, layer, _ATTENTION))


def layer_site(layer: int, part: str) -> str:
    """A site of a layer that has no axis of heads: attn_out, mlp, mlp_pre, …"""
    return str(SiteName(part, layer))


def attention_output(layer: int) -> str:
    """The sum of the outputs of a layer's heads."""
    return layer_site(layer, f"{_ATTENTION}_out")


def mlp(layer: int) -> str:
    """The output of a layer's MLP; also the group of its sites."""
    return layer_site(layer, _MLP)


def mlp_site(layer: int, part: str) -> str:
    """A part of a layer's MLP: in, normed, pre, pre_linear, post."""
    return layer_site(layer, f"{_MLP}_{part}")


def reader_input(site: str, port: str | None = None) -> str:
    """The residual stream as it is read: by a port of a head, by an MLP, or by the logits."""
    name = parse(site)
    return name.beside(f"{port or name.part}_in")


def resid_pre(layer: int) -> str:
    """The residual stream before a layer; after the last, given the number of layers."""
    return f"resid_pre.{layer}"


def resid_mid(layer: int) -> str:
    """The residual stream between a layer's attention and its MLP."""
    return f"resid_mid.{layer}"


def attention_sum(layer: int) -> str:
    """The stream that the site `attention_output(layer)` reads."""
    return f"{_ATTENTION}_out.{layer}"


def summand_site(site: str, summand: str) -> str:
    """The site that holds a summand of a split site."""
    return f"{site}{_SUMMAND}{summand}"


@frozen(order=True, cache_hash=True)
class Cell:
    """A site, one head of it, or a summand: the smallest thing that a node claims at a position.

    Attributes:
        part: name of a summand, where the site is split (see `scrub.hypothesis.splits`).
    """

    site: str
    head: int | None = None
    part: str | None = None

    @property
    def name(self) -> SiteName:
        """The site's name, taken apart."""
        return parse(self.site)

    def __str__(self) -> str:
        summand = self.name.summand if self.part is None else self.part
        return self._whole() if summand is None else f"summand {summand} of {self._whole()}"

    def _whole(self) -> str:
        name = self.name
        if name.layer is None:
            return str(evolve(name, summand=None))
        if self.head is not None:
            head = f"head {name.layer}.{self.head}"
            return head if name.part == "z" else f"{name.part} of {head}"
        part = str(evolve(name, layer=None, summand=None))
        return f"MLP {name.layer}" if part == _MLP else f"{part} of layer {name.layer}"
