"""Hypothesis strategies: datasets, references and trees, small ones first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hypothesis import strategies as st
from scrub.data.dataset import Dataset, Rows, pad
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Sites, site
from scrub.hypothesis.tree import Tree, treeify
from scrub.samplers import Sampler

VOCABULARY = 11


@st.composite
def datasets(
    draw: st.DrawFn,
    *,
    features: Sequence[str] = ("a", "b"),
    positions: Sequence[str] = (),
    weights: Sequence[str] = (),
    values: int = 3,
    max_rows: int = 12,
    max_length: int = 5,
) -> Dataset:
    """Datasets of token rows of different lengths.

    Args:
        features: columns of whole numbers below `values`.
        positions: position columns, beside "end", the last token.
        weights: columns of numbers from 0 to 1.
        max_rows, max_length: sizes, at most.
    """
    rows = draw(st.integers(1, max_rows))

    def column(of: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(of, min_size=rows, max_size=rows))

    lengths = np.array(column(st.integers(1, max_length)), dtype=np.int64)
    words = st.integers(1, VOCABULARY - 1)
    tokens = [draw(st.lists(words, min_size=n, max_size=n)) for n in lengths.tolist()]
    return Dataset(
        "drawn",
        inputs={"tokens": pad(tokens, 0)},
        lengths=lengths,
        columns={name: column(st.integers(0, values - 1)) for name in features}
        | {name: column(st.sampled_from([0.0, 0.25, 0.5, 1.0])) for name in weights},
        positions={"end": lengths - 1}
        | {name: [draw(st.integers(0, n - 1)) for n in lengths.tolist()] for name in positions},
    )


@st.composite
def references(draw: st.DrawFn, dataset: Dataset, *, max_size: int = 20) -> Rows:
    """References from a dataset, rows repeating, as a node below the root gets them."""
    rows = st.integers(0, len(dataset) - 1)
    index = np.array(draw(st.lists(rows, min_size=1, max_size=max_size)), dtype=np.int64)
    drawn = Rows(dataset, index)
    return drawn.under(drawn)


@st.composite
def trees(
    draw: st.DrawFn,
    samplers: Sequence[Sampler],
    *,
    max_nodes: int = 7,
    sites: Sites | None = None,
) -> Tree:
    """Trees whose nodes have these samplers; nodes may have two parents.

    Args:
        sites: what every node stands for, where that matters.
    """
    chosen = st.sampled_from(list(samplers))
    nodes = [InterpNode("n0", draw(chosen), other=draw(chosen))]
    for number in range(1, draw(st.integers(1, max_nodes))):
        parents = draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=2, unique_by=id))
        node = InterpNode(f"n{number}", draw(chosen), other=draw(chosen), parents=tuple(parents))
        nodes.append(node)
    return treeify(Correspondence({node: sites or site("tokens") for node in nodes}))
