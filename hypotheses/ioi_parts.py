"""What the files about IOI share: prompts, their copies, two trees, and what a model is asked."""

from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    anything,
    embeddings,
    heads,
    not_applicable,
)
from scrub.datasets import ioi
from scrub.metrics import logit_diff

PROMPTS = ioi.prompts(1_000, seed=0)
OTHER_IO = ioi.flip(PROMPTS, "io")
"""Another name stands at the IO; all else as it was."""
ORDER = ioi.flip(PROMPTS, "order")
"""IO and S trade places: what S2 says by position is inverted, by name not. The answer stays."""
BOTH = ioi.flip(PROMPTS, "both")
"""S2 has the IO's name: IO and S trade roles, so that the answer is the other name."""
NAMES_SWAPPED = ioi.flip(BOTH, "order")
"""The two names are exchanged everywhere: what S2 says by name is inverted, by position not."""

DIFF = logit_diff("io", "s")
"""Positive where the model prefers the IO. Wang et al. 2022: 3.56 in GPT-2 small."""

ENOUGH = 0.7
"""Recovered at least; as in ioi_claim3.py, which says why."""
LITTLE = 0.2
"""Recovered at most, of what is said to be gone: about what a carrier recovers that agrees with the
true one only by chance (ioi_claim3.py), which is not told from nothing."""
MOST = 0.5
"""Attention, or share of prompts: more than half goes there, so more than to all else together.
Wang et al. 2022 find that name movers pay 0.59 of their attention to the IO on average."""


def lacking(model, *roles: str):
    """Says that a claim about these roles is not about a model that lacks one; None otherwise."""
    missing = [role for role in roles if role not in model.roles]
    return not_applicable(f"it has no {' or '.join(missing)} heads") if missing else None


def role(model, name: str, part: str = "z", **path):
    """The heads of a role, or a part of them, as sites."""
    return heads(model.role(name), part, **path)


def attention(model, name: str, at: str, child: str, sampler, sites) -> Correspondence:
    """Where the heads of a role attend, on the prompt as it is but for one child's sites."""
    pattern = InterpNode("pattern", Exact(), other=Exact())
    return Correspondence(
        {pattern: role(model, name, "pattern", at=at), pattern.child(child, sampler): sites}
    )


def attention_whoever(model, name: str, at: str) -> Correspondence:
    """The same, on any prompt of the same template and order: other names, places and objects."""
    alike = Agree(("template", "io_is_first"))
    return attention(model, name, at, "prompt", alike, embeddings(through=anything))
