"""The paren balancer: claim 1b with one further path to the logits, for every path there is.

1b names three heads, each direct to the logits. What else writes to the logits at position 0 comes
from any other string: the embeddings, heads 0.0, 0.1 and 1.1, the MLPs, and the three heads by way
of MLPs. Every claim here gives one of these back, so far as it depends on a feature. All of them
share the draws of 1b, so that differences between them are those of the paths. They are to be
ranked (`benchmarks/parens_ranking.py`), not believed: the file expects no verdict.
"""

from collections.abc import Callable, Mapping

from parens import LOSS, STRINGS, counting, horizon, tree

from scrub import (
    Agree,
    Claim,
    Correspondence,
    Exact,
    InterpNode,
    anything,
    embeddings,
    heads,
    mlp,
    mlps,
    none,
    output,
)

MODEL = "parens"

NAMED = {"1.0": ((1, 0), "count_open"), "2.0": ((2, 0), "count_open"), "2.1": ((2, 1), "horizon")}
"""The leaves of 1b: head and feature."""

BESIDE = anything.excluding(heads([head for head, _ in NAMED.values()]))
"""Every way to the logits but those through the three heads, which 1b has spoken for."""

PATHS = {
    "embeddings_beside": embeddings(through=BESIDE),
    "head_0_0": heads([(0, 0)], at=0),
    "head_0_0_mlps": heads([(0, 0)], at=0, through=mlps),
    "head_0_0_beside": heads([(0, 0)], through=BESIDE),
    "head_0_1": heads([(0, 1)], at=0),
    "head_0_1_mlps": heads([(0, 1)], at=0, through=mlps),
    "head_0_1_beside": heads([(0, 1)], through=BESIDE),
    "head_1_1": heads([(1, 1)], at=0),
    "head_1_1_mlps": heads([(1, 1)], at=0, through=mlps),
    "mlp_0": mlp(0, at=0),
    "mlp_0_mlps": mlp(0, at=0, through=mlps),
    "mlp_0_beside": mlp(0, through=BESIDE),
    "mlp_1": mlp(1, at=0),
    "mlp_1_mlps": mlp(1, at=0, through=mlps),
    "mlp_2": mlp(2, at=0),
}
"""Where a further node stands, and by which way it reaches the logits; direct where none is said.

Beyond 1.1 there is nothing beside the three heads but MLPs. The direct path of the embeddings is
not among them: at position 0 they are those of START in every string.
"""

FEATURES = {
    "count": Agree("count_open"),
    "horizon": Agree("horizon"),
    "both": Agree(("count_open", "horizon")),
    "all": Exact(),
}
"""What the further node may tell; "all" is the reference itself: the most that its path can do."""


def further(path: str, feature: str) -> Callable[[object], Correspondence]:
    """1b with a further leaf. It has one name in all claims, so that draws are the same."""

    def leaf(logits: InterpNode):
        return {logits.child("further", FEATURES[feature]): PATHS[path]}

    return lambda model: tree(counting("count_open"), horizon, leaf)


def by_way_of_mlps(*wide: str) -> Callable[[object], Correspondence]:
    """1b with these of its heads also by way of MLPs: the same leaves, with more of their paths."""

    def build(model: object) -> Correspondence:
        logits = InterpNode("logits", Exact())
        nodes = {logits: output(at=0)}
        for name, (head, feature) in NAMED.items():
            sites = heads([head], at=0, through=mlps if name in wide else none)
            nodes[logits.child(name, Agree(feature))] = sites
        return Correspondence(nodes)

    return build


BUILDS: Mapping[str, Callable[[object], Correspondence]] = {
    "nothing": by_way_of_mlps(),
    **{f"{path}_by_{feature}": further(path, feature) for path in PATHS for feature in FEATURES},
    **{f"head_{name.replace('.', '_')}_too": by_way_of_mlps(name) for name in NAMED},
    "all_three_heads_too": by_way_of_mlps(*NAMED),
}

globals().update(
    {
        name: Claim(name, build, STRINGS, LOSS, belief=f"1b, and {name.replace('_', ' ')}.")
        for name, build in BUILDS.items()
    }
)
