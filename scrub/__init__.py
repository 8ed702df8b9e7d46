"""scrub: test mechanistic-interpretability claims by causal scrubbing.

What a hypothesis file needs is here, except datasets and metrics. Heavy parts load when used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrub.api import Explanation, explain, run
    from scrub.data import Dataset, Recipe, Rows
    from scrub.diagnostics.comparison import Comparison, compare
    from scrub.errors import UserError
    from scrub.frames import from_frame
    from scrub.hypothesis import (
        Claim,
        Correspondence,
        InterpNode,
        claim,
        inconclusive,
        refuted,
        supported,
        vacuous,
    )
    from scrub.prepare import Session
    from scrub.results import Result
    from scrub.samplers import (
        Agree,
        Differ,
        Exact,
        Fixed,
        Generate,
        Input,
        Paired,
        Pool,
        Together,
        Uncond,
        Weighted,
    )
    from scrub.sites import (
        anything,
        embeddings,
        heads,
        input_stream,
        mlp,
        mlp_part,
        mlps,
        none,
        output,
        position_embedding,
        site,
        summand,
        token_embedding,
    )
    from scrub.splits import estimate, neurons, projection, source_positions

_HOME = {
    "scrub.api": "Explanation explain run",
    "scrub.diagnostics.comparison": "Comparison compare",
    "scrub.data": "Dataset Recipe Rows",
    "scrub.frames": "from_frame",
    "scrub.errors": "UserError",
    "scrub.hypothesis": "Claim Correspondence InterpNode claim inconclusive refuted supported "
    "vacuous",
    "scrub.results": "Result",
    "scrub.prepare": "Session",
    "scrub.samplers": "Agree Differ Exact Fixed Generate Input Paired Pool Together Uncond "
    "Weighted",
    "scrub.sites": "anything embeddings heads input_stream mlp mlp_part mlps none output "
    "position_embedding site summand token_embedding",
    "scrub.splits": "estimate neurons projection source_positions",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "Agree",
    "Claim",
    "Comparison",
    "Correspondence",
    "Dataset",
    "Differ",
    "Exact",
    "Explanation",
    "Fixed",
    "Generate",
    "Input",
    "InterpNode",
    "Paired",
    "Pool",
    "Recipe",
    "Result",
    "Rows",
    "Session",
    "Together",
    "Uncond",
    "UserError",
    "Weighted",
    "anything",
    "claim",
    "compare",
    "embeddings",
    "estimate",
    "explain",
    "from_frame",
    "heads",
    "inconclusive",
    "input_stream",
    "mlp",
    "mlp_part",
    "mlps",
    "neurons",
    "none",
    "output",
    "position_embedding",
    "projection",
    "refuted",
    "run",
    "site",
    "source_positions",
    "summand",
    "supported",
    "token_embedding",
    "vacuous",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'scrub' has no attribute {name!r}")
    return getattr(import_module(_MODULE[name]), name)
