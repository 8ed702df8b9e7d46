"""What heads attend to, in the mean over references: what tells their roles apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from attrs import evolve
from jaxtyping import Float

from scrub.draw import draw
from scrub.engine.family import execute_family, plan_family
from scrub.engine.family_cost import fit_family
from scrub.hypothesis.arguments import Head
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import heads
from scrub.hypothesis.tree import Tree, treeify
from scrub.runner.context import Context
from scrub.runner.memory import room_for
from scrub.runner.progress import SILENT
from scrub.samplers import Exact
from scrub.searches.measured import At, Attends, Attention
from scrub.sweeps.question import ROOT, PreparedSweep


def attention_targets(
    sweep: PreparedSweep, which: Sequence[Head], columns: Sequence[At], context: Context
) -> Attends:
    """To which of the data's columns each head attends most, from each of these positions.

    The references are those of the sweep. Heads that attend to no column have none.

    Args:
        columns: positions of the queries: columns or indices.

    Raises:
        UserError: the model cannot be loaded, or one sample does not fit into the memory.
    """
    targets = list(sweep.base.data.positions)
    if not targets or not which:
        return {}
    found: dict[tuple[Head, At], Attention] = {}
    for at in columns:
        root = treeify(
            Correspondence({InterpNode(ROOT, Exact()): heads(which, part="pattern", at=at)})
        )
        shares = _shares(sweep, root, targets, evolve(context, progress=SILENT))
        for head, means in zip(which, shares, strict=True):
            most = int(means.argmax())
            if means[most] > 0:
                found[head, at] = Attention(targets[most], float(means[most]))
    return found


def _shares(
    sweep: PreparedSweep, root: Tree, targets: Sequence[str], context: Context
) -> Float[np.ndarray, "heads targets"]:
    """The attention that each head of the root pays to each column, a mean over references."""
    options = context.options
    model = context.session.load(sweep.base.model, options.dtype, options.device)
    data = sweep.base.data
    draws = draw(root, data, samples=options.samples, seed=options.seed)
    plan = plan_family((root,), model.graph)
    cache = context.session.cache(model, plan.graph)
    budget = room_for(
        plan, draws, cache, context, lambda: fit_family(plan, draws, cache, options.max_memory)
    )
    total = torch.zeros(0)
    for output in execute_family(plan, draws, cache, budget):
        pattern = output.original.flatten(1, -2).double()  # [samples, heads, source positions]
        rows = draws.references.index[output.samples]
        where = torch.tensor(np.stack([data.position(to)[rows] for to in targets], axis=-1))
        index = where.to(pattern.device)[:, None].expand(-1, pattern.shape[1], -1)
        paid = pattern.gather(-1, index).sum(0)
        total = paid if not total.numel() else total + paid
    return (total / len(draws.references)).cpu().numpy()
