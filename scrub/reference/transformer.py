"""The recursion over the sites of a transformer, on the modules of its TransformerBridge.

Every value is `[samples, width, …]`: at all positions of a node's frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from attrs import evolve, field, frozen
from torch import Tensor

from scrub.data.dataset import Rows, padded_tokens
from scrub.draw import Draws
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.splits import Estimate
from scrub.names import EMBED, POS_EMBED, PROJECTOR, TEXT_EMBED, Cell, attention_site, mlp
from scrub.reference import places
from scrub.reference.components import (
    LEADS_TO,
    READERS,
    allows,
    beside,
    component_of,
    kind_of,
    layer_of,
    still_open,
)
from scrub.reference.modules import Modules
from scrub.reference.path import Path
from scrub.reference.pictures import Pictures
from scrub.reference.places import Step
from scrub.reference.summands import Summands, estimated, from_source
from scrub.reference.tree import root_value
from scrub.reference.virtual import Given, given_to


def evaluate(
    correspondence: Correspondence, draws: Draws, bridge: Any, pictures: Pictures | None = None
) -> Tensor:
    """The root's value on a transformer, [samples, positions, cells, …]; see `root_value`.

    Args:
        bridge: of the model; of a vision-language model, of its language model.
        pictures: of a vision-language model, Hugging Face's model and processor.
    """
    model = Transformer(Modules(bridge, pictures), Summands.of(correspondence))
    return root_value(correspondence, draws, model)


@frozen(eq=False)
class Transformer:
    """A TransformerBridge, as a model whose nodes can be evaluated."""

    modules: Modules
    summands: Summands

    def plain(self, rows: Rows, width: int) -> Frame:
        lengths = torch.tensor(rows.data.lengths[rows.index])
        real = torch.arange(width) < lengths[:, None]
        if rows.data.given is not None:
            none = torch.zeros(len(rows), width, dtype=torch.int64)
            given = given_to(rows, lambda source: self._values(source, width))
            return Frame(self.modules, self.summands, rows, none, real, given=given)
        tokens = torch.tensor(padded_tokens(rows.data, width)[rows.index])
        return Frame(self.modules, self.summands, rows, tokens, real)

    def _values(self, rows: Rows, width: int) -> Callable[[Cell], Tensor]:
        frame = self.plain(rows, width)
        return lambda cell: self.scrubbed(cell, frame, [])

    def scrubbed(self, cell: Cell, frame: Frame, paths: list[Path]) -> Tensor:
        site = evolve(cell, part=None)
        whole = computed(site, frame, paths)
        summands = summands_of(site, whole, frame, paths)
        if cell.part is not None:
            return summands(cell.part)
        return frame.summands.exchanged(whole, site, paths, LEADS_TO[kind_of(site)], summands)


@frozen(eq=False)
class Frame:
    """The inputs that a node is evaluated on.

    Attributes:
        rows: the inputs.
        tokens: token ids, [samples, width].
        real: which positions hold a token and no pad, bool [samples, width].
        plain: the sites of the plain model that have been computed so far.
        given: what virtual rows give; they have no tokens (zeros stand there).
    """

    modules: Modules
    summands: Summands
    rows: Rows
    tokens: Tensor
    real: Tensor
    plain: dict[Cell, Tensor] = field(factory=dict)
    given: Given | None = None

    @property
    def width(self) -> int:
        return self.tokens.shape[1]


def computed(cell: Cell, frame: Frame, paths: Iterable[Path]) -> Tensor:
    """A site computed from its inputs, where these paths have come to it and not ended.

    Where no path is open it is plain. A frame has one plain value of a site, so that is kept.
    """
    paths = still_open(paths, cell)
    if frame.given is not None:
        if not paths:
            return frame.given.value(cell)
        return frame.given.unless_landed(cell, lambda: from_inputs(cell, frame, paths))
    if paths:
        return from_inputs(cell, frame, paths)
    if cell not in frame.plain:
        frame.plain[cell] = from_inputs(cell, frame, [])
    return frame.plain[cell]


def from_inputs(cell: Cell, frame: Frame, paths: list[Path]) -> Tensor:
    """One step of the model: a site as a function of the sites that it reads."""
    kind, modules = kind_of(cell), frame.modules

    def input_(name: str) -> Tensor:
        return read(beside(cell, name), frame, paths)

    match kind:
        case "embed" if modules.pictures is not None:
            return input_(TEXT_EMBED) + input_(PROJECTOR)
        case "embed":
            return modules.embed(frame.tokens)
        case "text_embed":
            return modules.text_embed(frame.tokens)
        case "projector":
            return modules.projector(frame.tokens, frame.real, frame.rows)
        case "pos_embed":
            return modules.pos_embed(frame.width).expand(len(frame.tokens), -1, -1)
        case "mask":
            return frame.real[:, None].expand(-1, frame.width, -1)
        case "logits_normed":
            return modules.logits_normed(input_("logits_in"))
        case "logits":
            return modules.logits(input_("logits_normed"))
    if kind in READERS:
        return stream(cell, frame, paths)

    layer, head = int(layer_of(cell)), cell.head or 0
    match kind:
        case "q_normed" | "k_normed" | "v_normed":
            return modules.normed(layer, "ln1", input_(kind.removesuffix("_normed") + "_in"))
        case "q" | "k" | "v":
            return modules.projected(layer, kind, input_(f"{kind}_normed"), head)
        case "scores":
            return modules.scores(input_("q"), input_("k"))
        case "pattern":
            return modules.pattern(layer, input_("scores"), input_("mask"))
        case "z":
            return input_("pattern") @ input_("v")
        case "result":
            return modules.result(layer, input_("z"), head)
        case "mlp_normed":
            return modules.normed(layer, "ln2", input_("mlp_in"))
        case "mlp_pre":
            return modules.mlp_pre(layer, input_("mlp_normed"))
        case "mlp_pre_linear":
            return modules.mlp_pre_linear(layer, input_("mlp_normed"))
        case "mlp_post":
            post = modules.activation(layer, input_("mlp_pre"))
            return post * input_("mlp_pre_linear") if modules.gated else post
        case "mlp":
            return modules.mlp(layer, input_("mlp_post"))
    raise ValueError(f'A transformer has no site "{cell.site}".')


def read(cell: Cell, frame: Frame, paths: list[Path]) -> Tensor:
    """A site as its reader sees it: the child's value where a path ends, elsewhere computed.

    Law: where a path ends, what lies behind the site does not matter.
    """
    whole, leads_to = computed(cell, frame, paths), LEADS_TO[kind_of(cell)]
    value = whole
    for path in paths:
        if path.ends_at(cell, leads_to):
            value = path.landed_on(value, cell)
    summands = summands_of(cell, whole, frame, paths)
    value = frame.summands.exchanged(value, cell, paths, leads_to, summands)
    if frame.given is not None and value is not whole:
        frame.given.landed.append(cell)
    return value


def summands_of(
    cell: Cell, whole: Tensor, frame: Frame, paths: list[Path]
) -> Callable[[str], Tensor]:
    """The summands of a site where these paths have come to it, by name."""

    def part(name: str) -> Tensor:
        return read(beside(cell, name), frame, paths)

    def by_source(source: int) -> Tensor:
        return from_source(source, part("pattern"), part("v"))

    def phi(split: Estimate) -> Tensor:
        if frame.given is not None:
            return frame.given.value(evolve(cell, part=split.name))
        return estimated(split.function(frame.rows), whole)

    if frame.given is not None and whole is frame.given.value(cell):
        given = frame.given
        return lambda name: given.value(evolve(cell, part=name))
    return lambda name: frame.summands.summand(cell.site, name, whole, phi, by_source)


def stream(reader: Cell, frame: Frame, paths: list[Path]) -> Tensor:
    """The residual stream as a port reads it: the sum of all that was written before.

    `attn_out` is the sum of what the heads of its layer write, in the same way.
    """
    kind, here, modules = kind_of(reader), layer_of(reader), frame.modules
    leaving = [path for path in paths if path.leaves_by(READERS[kind])]

    def written(writer: Cell) -> Tensor:
        component = component_of(writer)
        step = Step(component_of, reader, READERS[kind], writer, frame.rows, frame.width)
        return places.written(
            step,
            leaving,
            lambda through: allows(through, component),
            lambda entering: read(writer, frame, entering),
        )

    def by_heads(layer: int) -> Tensor:
        results = [Cell(attention_site(layer, "result"), head) for head in range(modules.heads)]
        return sum(map(written, results)) + modules.output_bias(layer)

    if kind == "attn_out":
        return by_heads(int(here))
    value = written(Cell(EMBED))
    if modules.learned_positions:
        value = value + written(Cell(POS_EMBED))
    for layer in range(len(modules.blocks)):
        if layer < here or (layer == here and kind == "mlp_in" and not modules.parallel):
            value = value + by_heads(layer)
        if layer < here and modules.mlps:
            value = value + written(Cell(mlp(layer)))
    return value
